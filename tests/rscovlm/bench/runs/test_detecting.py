"""Detection in a run: the boxes of ``rscovlm detect``, tile by tile, and no tile asked twice."""

import json

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.results.samples import boxes_in
from rscovlm.bench.runs.detecting import TILES
from rscovlm.bench.runs.estimate import estimate
from rscovlm.bench.runs.folder import read_run
from rscovlm.bench.runs.job import carry_out
from rscovlm.cli import main
from rscovlm.errors import UsageError
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.bench.runs.asked import job_about
from tests.rscovlm.painted import TRUTH, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.scene import Scene
from zoom_chain.chat import Reply

TILES_OF_A_SCENE = 25  # 448 px in tiles of 128 px that begin at 0, 96, 192, 288 and 320


def painted(folder, name="scene"):
    """An item about a scene that is larger than the model's view."""
    paint(folder / f"{name}.tif")
    truth = Truth(polygons=TRUTH, labels=("ship",) * len(TRUTH))
    return Item(name, (str(folder / f"{name}.tif"),), "detect", "", truth, ("ship",))


def small(folder, name):
    """An item about an image that one view holds, with a square in it."""
    pixels = np.zeros((3, 96, 96), dtype=np.uint8)
    pixels[:, 20:50, 30:60] = 99
    write_raster(folder / f"{name}.tif", pixels=pixels, gsd_m=None)
    truth = Truth(polygons=box_quads([(30.0, 20.0, 60.0, 50.0)]), labels=("ship",))
    return Item(name, (str(folder / f"{name}.tif"),), "detect", "", truth, ("ship",))


def run(folder, items, engine, name="run", **more):
    job = job_about(folder, items, **more.pop("job", {}))
    carry_out(job, engine, folder / name, **more)
    return {row.item.key: row for row in read_run(folder / name).rows}


def requests(engine):
    return sum(map(len, engine.batches))


def test_a_large_image_has_the_boxes_that_detect_finds(tmp_path):
    item, engine = painted(tmp_path), ScriptedEngine(find_squares)
    row = run(tmp_path, [item], engine)["scene"]
    with Scene(item.images[0]) as scene:
        found = detect_scene(scene, ScriptedEngine(find_squares)).detections
    assert row.found.polygons == pytest.approx(found.polygons, abs=1e-3)
    assert row.found.labels == tuple(found.names)
    assert len(row.tiles) == requests(engine) == TILES_OF_A_SCENE
    assert row.visual_tokens == TILES_OF_A_SCENE * 64  # 128 x 128 px in cells of 16 px
    assert boxes_in(row) == pytest.approx(found.polygons, abs=1e-3)
    for protocol in protocols_of("dota-v1.0").values():
        assert protocol.judge(row).score == 1


def test_the_log_holds_what_was_said_of_each_tile(tmp_path):
    row = run(tmp_path, [painted(tmp_path)], ScriptedEngine(find_squares))["scene"]
    assert [tile.view.window.bounds for tile in row.tiles[:2]] == [(0, 0, 128, 128), (96, 0, 224, 128)]
    assert all(tile.text in row.said for tile in row.tiles)
    assert (row.text, row.views, row.contract) == ("", (), "nano")


def test_images_of_one_view_are_asked_together(tmp_path):
    engine = ScriptedEngine(find_squares)
    rows = run(tmp_path, [small(tmp_path, str(number)) for number in range(3)], engine)
    assert [len(batch) for batch in engine.batches] == [3]
    for row in rows.values():
        assert row.tiles == ()
        assert row.found.polygons == pytest.approx(row.item.truth.polygons, abs=1)  # of 96 px in 1,000 steps
        assert row.view.window.bounds == (0, 0, 96, 96)


@pytest.mark.parametrize("shown", [{"mode": "off"}, {"mode": "direct"}, {"blind": "gray"}, {"blind": "text"}])
def test_one_look_where_the_whole_image_is_asked_for(tmp_path, shown):
    engine = ScriptedEngine(find_squares if "mode" in shown else lambda conversation: "[]")
    row = run(tmp_path, [painted(tmp_path)], engine, job=shown)["scene"]
    assert requests(engine) == 1
    assert row.tiles == ()
    assert (row.found is None) == ("blind" in shown)
    if row.found is not None:
        assert len(row.found.polygons) > 0
        assert boxes_in(row) == pytest.approx(row.found.polygons)


@pytest.mark.parametrize("mode", ["off", None])
def test_boxes_are_rectangles_in_one_look_and_in_tiles(tmp_path, mode):
    # a square that stands on its corner, of which the model writes the left corner 6 px too far in
    corners = np.array([[(48.0, 6.0), (90.0, 48.0), (48.0, 90.0), (12.0, 48.0)]])
    written = Detections(corners, np.zeros(1, dtype=np.int64), ("ship",))
    reply = render_response(written, CONTRACTS["nano"], 96, 96)
    row = run(
        tmp_path, [small(tmp_path, "a")], ScriptedEngine(lambda conversation: reply), job={"mode": mode}
    )["a"]
    (box,) = row.found.polygons
    sides = np.roll(box, -1, axis=0) - box
    assert np.abs((sides * np.roll(sides, -1, axis=0)).sum(axis=1)).max() < 1  # right angles
    assert (np.linalg.norm(corners[0][:, None] - box, axis=2).min(axis=1) < 8).all()


def test_a_recipe_states_the_tiles(tmp_path):
    engine = ScriptedEngine(find_squares)
    job = {"recipe": Recipe(tile="240", overlap="32")}
    row = run(tmp_path, [painted(tmp_path)], engine, job=job)["scene"]
    assert len(row.tiles) == 4
    assert row.tiles[0].view.window.bounds == (0, 0, 240, 240)


def test_after_a_stop_no_tile_is_asked_again(tmp_path):
    item = painted(tmp_path)
    whole = run(tmp_path, [item], ScriptedEngine(find_squares), "whole")["scene"]

    class Stop(Exception):
        pass

    calls = iter(range(100))

    def stops(conversation):
        if next(calls) == 9:
            raise Stop
        return find_squares(conversation)

    job = {"batch_size": 4}
    with pytest.raises(Stop):
        run(tmp_path, [item], ScriptedEngine(stops), job=job)
    assert len(list((tmp_path / "run" / TILES).glob("*.jsonl"))) == 1
    engine = ScriptedEngine(find_squares)
    row = run(tmp_path, [item], engine, resume=True, job=job)["scene"]
    assert requests(engine) == TILES_OF_A_SCENE - 8  # two batches of four were on the disk
    assert row.found.polygons == pytest.approx(whole.found.polygons)
    assert not (tmp_path / "run" / TILES).exists()


def test_a_failed_tile_fails_its_image_and_alone_is_asked_again(tmp_path):
    calls = iter(range(100))

    def fails_once(conversation):
        failed = Reply("", "error", error="server gone")
        return failed if next(calls) == 5 else find_squares(conversation)

    items = [painted(tmp_path, "a"), painted(tmp_path, "b")]
    rows = run(tmp_path, items, ScriptedEngine(fails_once), job={"batch_size": 1})
    assert rows["a"].error == f"1 of {TILES_OF_A_SCENE} tiles failed: server gone"
    assert rows["b"].error is None
    strict = protocols_of("dota-v1.0")["strict"]
    assert strict.judge(rows["a"]).score == 0
    engine = ScriptedEngine(find_squares)
    rows = run(tmp_path, items, engine, resume=True, job={"batch_size": 1})
    assert requests(engine) == 1
    assert strict.judge(rows["a"]).score == 1


def test_a_reply_without_words_is_no_failure(tmp_path):
    row = run(tmp_path, [painted(tmp_path)], ScriptedEngine(lambda conversation: ""))["scene"]
    assert row.error is None
    verdict = protocols_of("dota-v1.0")["strict"].judge(row)
    assert (verdict.score, verdict.status) == (0, "unread")


def test_a_run_that_starts_anew_keeps_no_tiles_of_the_last(tmp_path):
    stale = tmp_path / "run" / TILES / "of-another.jsonl"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}\n")
    run(tmp_path, [painted(tmp_path)], ScriptedEngine(find_squares), overwrite=True)
    assert not stale.exists()


def test_classes_that_the_model_does_not_know_are_refused_before_it_is_asked(tmp_path):
    item = painted(tmp_path)
    asked = Item(item.key, item.images, "detect", "", item.truth, ("helipad",))
    with pytest.raises(UsageError, match="does not know the classes helipad"):
        job_about(tmp_path, [asked])


def test_an_estimate_counts_tiles(tmp_path):
    items = [painted(tmp_path), small(tmp_path, "small")]
    job = job_about(tmp_path, items)
    found = estimate(job.asking, items)
    assert found.requests == (TILES_OF_A_SCENE + 1,) * 2
    assert found.visual_tokens == (TILES_OF_A_SCENE * 64 + 36,) * 2  # 96 px: 6 x 6 cells
    assert found.reply_tokens == (TILES_OF_A_SCENE + 1) * job.asking.family.detection_tokens


# --- beside ``rscovlm detect`` ---------------------------------------------------------------------


def misses_some(conversation):
    """A ship around every third grey value that is left out, and one where none is."""
    grey = conversation.messages[-1].images[0].pixels[..., 0]
    boxes = [(5, 5, 25, 15)]
    for value in np.unique(grey[grey > 0]):
        if value % 3:
            y, x = np.nonzero(grey == value)
            boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
    polygons = box_quads(np.array(boxes, dtype=float))
    found = Detections(polygons, np.zeros(len(boxes), dtype=np.int64), ("ship",))
    return render_response(found, CONTRACTS["rscovlm-quad"], grey.shape[1], grey.shape[0])


def test_the_row_of_a_benchmark_is_the_row_of_the_command_line(tmp_path, monkeypatch, capsys):
    """The same scenes, recipe and tiles by ``bench run`` and by ``detect`` and ``bench detections``."""
    labels = tmp_path / "DOTA" / "val" / "labelTxt"
    labels.mkdir(parents=True)
    scenes = tmp_path / "DOTA" / "val" / "images"
    scenes.mkdir()
    for name in ("P1", "P2"):
        paint(scenes / f"{name}.tif")
        rows = (" ".join(f"{value:g}" for value in quad.ravel()) + " ship 0\n" for quad in TRUTH)
        (labels / f"{name}.txt").write_text("".join(rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        'classes: dota-v1.0\ncontract: rscovlm-quad\ndetection_prompt: "find the {classes}."\n'
        "tile: 252\noverlap: 64\n"
    )
    monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: ScriptedEngine(misses_some))
    model = ["--model", "http://scripted/v1#RSCoVLM-7B", "--config", str(recipe)]

    def call(*arguments):
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    data, out = tmp_path / "DOTA", tmp_path / "run"
    call("bench", "run", "dota-v1.0", "--data", data, *model, "--output", out)
    scored, *_ = json.loads(call("bench", "score", out, "--protocol", "strict", "--json"))
    written = ("--output", tmp_path / "Task1", "--score", 1)
    call("detect", scenes / "P1.tif", scenes / "P2.tif", *model, *written)
    pairs = ("--gt", labels, "--pred", f"ours={tmp_path / 'Task1'}", "--json")
    beside = json.loads(call("bench", "detections", *pairs))["results"]["ours"]
    assert scored["label"] == "http://scripted/v1#RSCoVLM-7B, tiles"
    ours = scored["metrics"]
    assert ours["apnc@0.5"] == pytest.approx(beside["APnc50"])
    assert ours["apnc@0.5:0.95"] == pytest.approx(beside["APnc50:95"])
    assert ours["ap@0.5"] == pytest.approx(beside["APnc50_parity"])  # every score 1
    assert ours["f1@0.5"] == pytest.approx(beside["f1_50"])
    assert 0.3 < ours["apnc@0.5"] < ours["ap@0.5"] < 0.7
