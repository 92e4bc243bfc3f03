"""``rscovlm detect``."""

from __future__ import annotations

import errno
import json
import os
import re

import numpy as np
import pytest
import rasterio
import shapely

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.patterns import reply_pattern
from detection_eval.text.writing import render_response
from rscovlm.cli.options import read_window
from rscovlm.errors import UsageError
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import FAMILY, TRUTH, find_squares, paint
from tests.rscovlm.scripted import write_raster
from tiling.view import Window
from zoom_chain.chat import Reply


@pytest.fixture
def squares(tmp_path):
    return paint(tmp_path / "squares.tif")


@pytest.fixture
def placed(tmp_path):
    """The painted scene in UTM zone 33, at a resolution coarser than the model's own: pixel for pixel."""
    return paint(tmp_path / "placed.tif", gsd_m=1.2)


def failing_once(conversation_number: int, reply: Reply):
    calls = iter(range(10_000))
    return lambda conversation: reply if next(calls) == conversation_number else find_squares(conversation)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_counts_by_class_go_to_stdout_and_the_plan_to_stderr(run, scripted, squares):
    scripted(find_squares)
    done = run("detect", squares, "--model", MODEL)
    assert done.code == 0
    count = len(TRUTH)
    assert [line.split() for line in done.out.splitlines()] == [
        [str(count), "ship"],
        [str(count), "objects", "in", "all"],
    ]
    # 448 px in tiles of 128 px that overlap by 32 px: starts at 0, 96, 192, 288 and 320.
    assert "25 tiles of 128 x 128 px (overlap 32 px)" in done.err
    assert "1,600 visual tokens" in done.err  # 64 each


def test_json_without_output_holds_the_boxes_and_what_made_them(run, scripted, squares):
    scripted(find_squares)
    found = json.loads(run("detect", squares, "--model", MODEL, "--json").out)
    assert len(found["detections"]) == len(TRUTH)
    assert {box["class"] for box in found["detections"]} == {"ship"}
    [looked] = found["passes"]
    assert (looked["tile_px"], looked["overlap_px"], found["tiles"]) == (128, 32, 25)
    assert (looked["visual_tokens"], looked["gsd_m"]) == (25 * 64, None)
    assert found["failed_tiles"] == []
    assert found["model"] == MODEL
    assert found["objects"] == {"ship": len(TRUTH)}


@pytest.mark.parametrize("name", ["boxes.geojson", "boxes.gpkg", "boxes.json", "boxes.txt", "task1"])
def test_each_format_is_written_whole_and_the_journal_is_gone(run, scripted, placed, tmp_path, name):
    scripted(find_squares)
    folder = tmp_path / "out"
    folder.mkdir()
    score = ("--score", 1) if name == "task1" else ()
    done = run("detect", placed, "--model", MODEL, "--output", folder / name, *score)
    assert done.code == 0, done.err
    style = ["boxes.qml"] if name.endswith(("geojson", "gpkg")) else []
    assert names(folder) == [name, *style]


@pytest.mark.usefixtures("no_model")
def test_a_format_that_demands_scores_is_refused_before_the_model_is_loaded(run, placed, tmp_path):
    done = run("detect", placed, "--model", MODEL, "--output", tmp_path / "task1")
    assert done.code == 2
    assert "Task1 demands scores and the model states none; give a constant score" in done.err
    assert not (tmp_path / "task1").exists()


def test_map_layers_hold_each_object_at_its_place_with_the_provenance(run, scripted, placed, tmp_path):
    import geopandas

    scripted(find_squares)
    path = tmp_path / "boxes.gpkg"
    assert run("detect", placed, "--model", MODEL, "--output", path).code == 0
    layer = geopandas.read_file(path, layer="detections")
    with rasterio.open(placed) as dataset:
        assert layer.crs == dataset.crs
        truth = [shapely.Polygon([dataset.transform @ tuple(point) for point in box]) for box in TRUTH]
    distances = [min(one.centroid.distance(other.centroid) for one in layer.geometry) for other in truth]
    assert len(layer) == len(truth)
    assert max(distances) < 0.2  # metres; a step of the model's coordinates is 0.15 m

    path = tmp_path / "boxes.geojson"
    assert run("detect", placed, "--model", MODEL, "--output", path).code == 0
    provenance = json.loads(path.read_text())["provenance"]
    assert (provenance["model"], provenance["failed_tiles"]) == (MODEL, [])


def test_an_overlay_is_drawn(run, scripted, squares, tmp_path):
    scripted(find_squares)
    assert run("detect", squares, "--model", MODEL, "--overlay", tmp_path / "overlay.png").code == 0
    assert (tmp_path / "overlay.png").read_bytes().startswith(b"\x89PNG")


def test_a_dry_run_prints_the_plan_and_loads_no_model(run, no_model, squares, tmp_path):
    before = names(tmp_path)
    done = run("detect", squares, "--model", MODEL, "--dry-run", "--output", tmp_path / "boxes.json")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "reply: at most 2,048 tokens, sampling greedy"
    assert "25 tiles" in done.err
    assert names(tmp_path) == before


def test_a_window_bounds_what_is_examined(run, scripted, squares):
    engine = scripted(find_squares)
    done = run("detect", squares, "--model", MODEL, "--window", "0,0,128,128", "--json")
    assert sum(map(len, engine.batches)) == 1
    found = json.loads(done.out)
    inside = ((TRUTH >= 0) & (TRUTH <= 128)).all(axis=(1, 2)).sum()
    assert len(found["detections"]) >= inside > 0
    assert found["passes"][0]["window"] == {"x": 0, "y": 0, "width": 128, "height": 128}


def test_nodata_is_skipped_and_counted(run, scripted, tmp_path):
    pixels = np.full((3, 256, 512), 50, dtype=np.uint8)
    pixels[:, :, 256:] = 0
    scene = write_raster(tmp_path / "half.tif", pixels=pixels, gsd_m=None, nodata=0)
    scripted(lambda conversation: "There are none.")
    done = run("detect", scene, "--model", MODEL, "--overlap", 0, "--json")
    assert (done.code, json.loads(done.out)["skipped_tiles"]) == (0, 4)
    done = run("detect", scene, "--model", MODEL, "--window", "300,0,100,100")
    assert (done.code, done.out) == (2, "")
    assert "no valid pixels" in done.err


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("", "error", error="server gone"), "server gone"),
        (Reply("1 1", "length"), "cut off"),
        (Reply("ships, some of them"), "cannot be read"),
        (Reply("I am sorry, I cannot do that."), "declined"),
    ],
)
def test_failed_tiles_are_in_the_output_and_the_exit_code_is_1(
    run, scripted, squares, tmp_path, reply, reason
):
    output = tmp_path / "boxes.json"
    command = ("detect", squares, "--model", MODEL, "--output", output)
    scripted(failing_once(3, reply))
    done = run(*command)
    assert done.code == 1
    assert "1 of 25 tiles failed" in done.err
    assert "not examined" in done.err
    info = json.loads(output.read_text())["info"]
    [failed] = info["failed_tiles"]
    assert failed["tile"] == 3
    assert failed["window"] == {"x": 288, "y": 0, "width": 128, "height": 128}
    assert reason in failed["reason"]
    # Tile 3 of the first row owns x from 304 to 368 and y to 112: the middles of the shared strips.
    assert info["unexamined_px"] == (368 - 304) * 112

    scripted(failing_once(3, reply))
    assert run(*command, "--allow-failed", "--overwrite").code == 0
    assert names(tmp_path) == ["boxes.json", "squares.tif"]


def test_a_run_all_of_whose_requests_failed_can_be_completed_with_resume(run, scripted, squares, tmp_path):
    output = tmp_path / "boxes.json"
    command = ("detect", squares, "--model", MODEL, "--output", output)
    scripted(lambda conversation: Reply("", "error", error="no credits"))
    assert "--resume asks again" in run(*command).err
    scripted(find_squares)
    assert run(*command, "--resume").code == 0
    assert len(json.loads(output.read_text())["annotations"]) == len(TRUTH)
    assert names(tmp_path) == ["boxes.json", "squares.tif"]


def test_resume_is_not_advised_where_every_tile_has_a_reply(run, scripted, squares, tmp_path):
    command = ("detect", squares, "--model", MODEL, "--output", tmp_path / "boxes.json")
    scripted(failing_once(3, Reply("10,10,20,10,20,20,10,20 ship", "length")))
    said = run(*command).err
    assert "cut off at its token limit" in said
    assert "--resume" not in said
    engine = scripted(find_squares)
    assert run(*command, "--resume").code == 1
    assert engine.batches == []


def test_a_run_with_failed_requests_can_be_completed_with_resume(run, scripted, squares, tmp_path):
    output = tmp_path / "boxes.json"
    command = ("detect", squares, "--model", MODEL, "--output", output)
    scripted(failing_once(3, Reply("", "error", error="server gone")))
    assert run(*command).code == 1
    scripted(find_squares)
    done = run(*command)
    assert done.code == 2
    assert "--resume" in done.err
    assert run(*command, "--resume").code == 0
    assert len(json.loads(output.read_text())["annotations"]) == len(TRUTH)
    assert names(tmp_path) == ["boxes.json", "squares.tif"]


def test_a_full_disk_while_writing_keeps_the_journal_and_no_half_written_file(
    run, scripted, squares, tmp_path, monkeypatch
):
    output = tmp_path / "boxes.json"
    command = ("detect", squares, "--model", MODEL, "--output", output)
    scripted(find_squares)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        done = run(*command)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"rscovlm: {output}: the disk is full"
    assert names(tmp_path) == ["boxes.json.journal.jsonl", "squares.tif"]
    engine = scripted(find_squares)
    assert run(*command, "--resume").code == 0
    assert engine.batches == []
    assert names(tmp_path) == ["boxes.json", "squares.tif"]
    # Nothing is left to go on with, and to ask about each tile again is not what was meant.
    done = run(*command, "--resume")
    assert (done.code, engine.batches) == (2, [])
    assert "boxes.json is of a run that has ended" in done.err


def test_a_changed_scene_is_refused(run, scripted, squares, tmp_path):
    command = ("detect", squares, "--model", MODEL, "--output", tmp_path / "boxes.json")
    scripted(failing_once(3, Reply("", "error", error="server gone")))
    assert run(*command).code == 1
    facts = squares.stat()
    os.utime(squares, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    done = run(*command, "--resume")
    assert done.code == 2
    assert "scene was" in done.err


def test_parsing_is_counted_beside_the_result(run, scripted, squares):
    def with_a_stranger(conversation):
        box = find_squares(conversation).splitlines()[0]
        return box.replace("ship", "unicorn")

    scripted(with_a_stranger)
    done = run("detect", squares, "--model", MODEL, "--window", "0,0,128,128")
    assert "unicorn" in done.err
    assert done.out.split() == ["0", "objects", "in", "all"]


def test_settings_from_a_file_are_used_and_options_override_them(run, no_model, squares, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("classes: [ship]\ntile: 256\noverlap: 10\n")
    common = ("detect", squares, "--model", MODEL, "--dry-run", "--config", file)
    assert "256 x 256 px (overlap 10 px)" in run(*common).err
    assert "256 x 256 px (overlap 40 px)" in run(*common, "--overlap", 40).err


def test_a_dry_run_prints_the_very_request(run, no_model, squares):
    model = "http://scripted/v1#RSCoVLM-7B"
    done = run("detect", squares, "--model", model, "--dry-run", "--config", "rscovlm/dota")
    lines = done.out.splitlines()
    assert lines[0].startswith("system: As an AI assistant, you specialize in accurate oriented object")
    assert lines[1] == "image: 448 x 448 px (256 visual tokens)"
    assert lines[2].startswith("user: find the baseball diamond, basketball court, bridge, ")
    assert lines[2].endswith(", tennis court.")
    assert lines[3] == "reply: at most 16,384 tokens, sampling greedy"


def test_a_window_is_left_top_width_and_height():
    assert read_window("10, 20,30,40") == Window(10, 20, 30, 40)
    assert read_window(None) is None
    for wrong in ("1,2,3", "a,b,c,d", "0,0,0,10", "0,0,-5,10", "nan,0,1,1"):
        with pytest.raises(UsageError, match="--window"):
            read_window(wrong)


def test_an_area_limits_the_tiles_asked_and_the_objects_kept(run, scripted, placed, tmp_path):
    with rasterio.open(placed) as dataset:
        west, north = dataset.transform @ (0, 0)
        east, south = dataset.transform @ (224, 448)
    scripted(find_squares)
    box = f"{west},{south},{east},{north},EPSG:32633"
    found = json.loads(run("detect", placed, "--model", MODEL, "--json", "--bbox", box).out)
    centres = TRUTH.mean(axis=1)
    assert len(found["detections"]) == np.count_nonzero(centres[:, 0] < 224)
    area = tmp_path / "area.geojson"
    half = shapely.Polygon([(0, 0), (448, 0), (0, 448)])
    with rasterio.open(placed) as dataset:
        ring = [dataset.transform @ point for point in half.exterior.coords]
    import geopandas

    geopandas.GeoDataFrame(geometry=[shapely.Polygon(ring)], crs="EPSG:32633").to_crs(4326).to_file(area)
    found = json.loads(run("detect", placed, "--model", MODEL, "--json", "--area", area).out)
    assert len(found["detections"]) == np.count_nonzero(centres.sum(axis=1) < 448)
    assert found["objects_outside"] > 0  # seen by tiles on the diagonal
    assert found["tiles_outside"] > 0
    assert found["tiles"] + found["tiles_outside"] == 25
    both = run("detect", placed, "--model", MODEL, "--area", area, "--window", "0,0,9,9")
    assert both.code == 2
    assert "give one of them" in both.err


@pytest.mark.parametrize(("gsd", "code", "words"), [(1.2, 0, ""), (4.0, 0, "warning"), (12.0, 2, "--force")])
def test_a_scale_far_from_that_of_training_is_warned_of_or_refused(run, scripted, tmp_path, gsd, code, words):
    scripted(find_squares)
    scene = paint(tmp_path / "scale.tif", gsd_m=gsd)
    done = run("detect", scene, "--model", MODEL)
    assert done.code == code
    assert words in done.err
    if words:
        assert "1.2 m per pixel at which the model was trained" in done.err
        assert f"{gsd:.3g} m per pixel" in done.err
    assert run("detect", scene, "--model", MODEL, "--force").code == 0


@pytest.mark.parametrize(("extra", "square"), [((), True), (("--boxes", "as-written"), False)])
def test_boxes_are_rectangles_on_the_ground_unless_wanted_as_written(run, scripted, placed, extra, square):
    skewed = Detections(
        np.array([[[20.0, 20], [60, 24], [64, 44], [18, 40]]]), np.zeros(1, dtype=np.int64), ("ship",)
    )
    scripted(lambda _: render_response(skewed, CONTRACTS[FAMILY.detection], 128, 128))
    found = json.loads(
        run("detect", placed, "--model", MODEL, "--json", "--window", "0,0,128,128", *extra).out
    )
    [box] = found["detections"]
    sides = np.diff([*box["polygon"], box["polygon"][0]], axis=0)
    cosines = (sides * np.roll(sides, -1, axis=0)).sum(axis=1) / np.prod(
        [np.linalg.norm(sides, axis=1), np.linalg.norm(np.roll(sides, -1, axis=0), axis=1)], axis=0
    )
    assert bool(np.abs(cosines).max() < 1e-3) is square


@pytest.fixture
def fine(tmp_path):
    """The painted scene of 448 px at half of the model's own scale."""
    return paint(tmp_path / "fine.tif", gsd_m=0.6)


def test_a_dry_run_states_tiles_tokens_and_scale_of_each_pass(run, no_model, fine):
    done = run("detect", fine, "--model", MODEL, "--gsd", "1.2,0.6", "--dry-run")
    assert done.code == 0
    # 448 px in tiles of 128 px at the scene's own scale, and of 256 px (0, 192) at half of it.
    first, second, both = done.err.splitlines()[-3:]
    assert first.startswith("pass 1 of 2: 25 tiles of 128 x 128 px (overlap 32 px)")
    assert first.endswith("seen at 128 x 128 px (0.6 m/px), 1,600 visual tokens")
    assert second.startswith("pass 2 of 2: 4 tiles of 256 x 256 px (overlap 64 px)")
    assert second.endswith("seen at 128 x 128 px (1.2 m/px), 256 visual tokens")
    assert both == "in all: 29 tiles, 1,856 visual tokens"
    assert done.out.count("user: find the") == 1


def test_closer_looks_are_asked_for_by_number_counted_and_part_of_what_is_complete(run, scripted, squares):
    engine = scripted(find_squares)
    done = run("detect", squares, "--model", MODEL, "--closer-looks", 1, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    again = found["closer_looks"]
    assert again["failed"] == []
    assert sum(map(len, engine.batches)) == 25 + len(TRUTH)
    assert len(found["detections"]) + again["unconfirmed"] + again["coinciding"] == len(TRUTH)

    scripted(find_squares)
    assert "closer_looks" not in json.loads(
        run("detect", squares, "--model", MODEL, "--closer-looks", 0, "--json").out
    )

    scripted(failing_once(25, Reply("", "error", error="server gone")))
    done = run("detect", squares, "--model", MODEL, "--closer-looks", 1)
    assert done.code == 1
    assert "1 box could not be looked at again; closer look at" in done.err
    assert "server gone" in done.err


def test_structured_holds_each_reply_to_the_format_of_boxes_and_to_the_classes(run, scripted, squares):
    engine = scripted(find_squares)
    plain = run("detect", squares, "--model", MODEL, "--json")
    assert {options.pattern for options in engine.options} == {None}
    engine = scripted(find_squares)
    held = run("detect", squares, "--model", MODEL, "--classes", "ship", "--structured", "--json")
    assert held.code == 0, held.err
    (pattern,) = {options.pattern for options in engine.options}
    assert pattern == reply_pattern(CONTRACTS[FAMILY.detection], ("ship",))
    assert all(re.fullmatch(pattern, find_squares(tile)) for batch in engine.batches for tile in batch)
    assert json.loads(held.out)["objects"] == json.loads(plain.out)["objects"]


def test_several_passes_are_one_layer_that_says_the_scale_of_each_box(run, scripted, fine, tmp_path):
    engine = scripted(find_squares)
    done = run("detect", fine, "--model", MODEL, "--gsd", "0.6,1.2", "--json")
    found = json.loads(done.out)
    # UTM's scale makes the scene's own pixels 0.60024 m.
    own, half = (each["gsd_m"] for each in found["passes"])
    assert (round(own, 3), half) == (0.6, 1.2)
    assert [each["tiles"] for each in found["passes"]] == [25, 4]
    assert (found["tiles"], sum(map(len, engine.batches))) == (29, 29)
    # Squares of 20 px are seen well at 0.6 m, where the model is exact; at 1.2 m they are 10 px.
    exact = [box for box in found["detections"] if box["gsd_m"] == own]
    assert len(exact) == len(TRUTH)
    assert sum(found["dropped_across_passes"].values()) > 0

    import geopandas

    path = tmp_path / "boxes.gpkg"
    assert run("detect", fine, "--model", MODEL, "--gsd", "0.6,1.2", "--output", path).code == 0
    layer = geopandas.read_file(path)
    assert (layer["gsd_m"] == own).sum() == len(TRUTH)
    assert run("detect", fine, "--model", MODEL, "--output", path, "--overwrite").code == 0
    assert "gsd_m" not in geopandas.read_file(path)


def test_a_failed_run_of_several_passes_goes_on_with_the_same_scales_only(run, scripted, fine, tmp_path):
    command = ("detect", fine, "--model", MODEL, "--output", tmp_path / "boxes.json")
    scripted(failing_once(26, Reply("", "error", error="server gone")))
    done = run(*command, "--gsd", "0.6,1.2")
    assert done.code == 1
    assert "1 of 29 tiles failed" in done.err
    [failed] = json.loads((tmp_path / "boxes.json").read_text())["info"]["failed_tiles"]
    assert (failed["gsd_m"], failed["tile"]) == (1.2, 1)
    engine = scripted(find_squares)
    done = run(*command, "--gsd", "0.6", "--resume")
    assert done.code == 2
    assert "scale was" in done.err
    assert run(*command, "--gsd", "0.6,1.2", "--resume").code == 0
    assert sum(map(len, engine.batches)) == 4  # the batch of the tile that failed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--gsd", "fine"), "--gsd 'fine' is no ground sampling distance; give metres per pixel"),
        (("--gsd", "0.6,1.2", "--tile", "256"), "a tile of 256 px at 0.6 m per pixel is a view of 256 x 256"),
    ],
)
def test_a_scale_that_makes_no_sense_is_refused_in_one_line(run, no_model, fine, options, words):
    done = run("detect", fine, "--model", MODEL, *options)
    assert (done.code, done.out) == (2, "")
    assert words in done.err.splitlines()[-1]


def test_passes_far_from_the_scale_of_training_are_warned_of_or_refused(run, scripted, tmp_path):
    scripted(lambda _: CONTRACTS[FAMILY.detection].empty)
    scene = write_raster(tmp_path / "wide.tif", 2048, 2048, gsd_m=0.6)
    done = run("detect", scene, "--model", MODEL, "--gsd", "1.2,12")
    assert done.code == 2
    assert "choose another --gsd, --tile or scene, or --force" in done.err
    assert run("detect", scene, "--model", MODEL, "--gsd", "1.2,12", "--force").code == 0
    assert "warning" in run("detect", scene, "--model", MODEL, "--gsd", "1.2,4", "--dry-run").err


def test_a_scene_of_unknown_scale_takes_gsd_with_one_that_is_assumed(run, no_model, squares):
    done = run("detect", squares, "--model", MODEL, "--gsd", "1.2")
    assert done.code == 2
    assert "no known ground sampling distance" in done.err
    assert "--assume-gsd" in done.err
    assumed = run("detect", squares, "--model", MODEL, "--gsd", "1.2", "--assume-gsd", "0.6", "--dry-run")
    assert "4 tiles of 256 x 256 px" in assumed.err


def test_what_is_finer_than_the_scene_is_said_and_seen_pixel_for_pixel(run, no_model, fine):
    done = run("detect", fine, "--model", MODEL, "--gsd", "0.3", "--dry-run")
    assert "0.3 m per pixel is finer than the scene's 0.6: seen pixel for pixel" in done.err
    assert "25 tiles of 128 x 128 px (overlap 32 px), seen at 128 x 128 px (0.6 m/px)" in done.err


def test_a_recipe_may_state_the_scales_and_the_option_counts_before_it(run, no_model, fine, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("gsd: [0.6, 1.2]\n")
    common = ("detect", fine, "--model", MODEL, "--dry-run", "--config", file)
    assert "in all: 29 tiles" in run(*common).err
    assert run(*common, "--gsd", "1.2").err.splitlines()[-1].startswith("4 tiles of 256 x 256 px")


@pytest.mark.parametrize("part", ["window", "bbox", "area"])
def test_each_pass_keeps_to_the_part_that_is_examined(run, scripted, fine, tmp_path, part):
    with rasterio.open(fine) as dataset:
        west, north = dataset.transform @ (0, 0)
        east, south = dataset.transform @ (224, 448)
    area = tmp_path / "area.geojson"
    import geopandas

    half = geopandas.GeoDataFrame(geometry=[shapely.box(west, south, east, north)], crs="EPSG:32633")
    half.to_crs(4326).to_file(area)
    given = {"window": "0,0,224,448", "bbox": f"{west},{south},{east},{north},EPSG:32633", "area": area}
    scripted(find_squares)
    done = run("detect", fine, "--model", MODEL, "--gsd", "0.6,1.2", "--json", f"--{part}", given[part])
    found = json.loads(done.out)
    own = found["passes"][0]["gsd_m"]
    lefts = [min(x for x, _ in box["polygon"]) for box in found["detections"] if box["gsd_m"] == own]
    # The squares at 165 end at 185 and those at 235 lie outside.
    assert len(lefts) == np.count_nonzero(TRUTH.mean(axis=1)[:, 0] < 224)
    assert max(lefts) < 224
