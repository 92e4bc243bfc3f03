"""``rscovlm ground``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
import shapely

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import ONE_SCALE, write_raster
from zoom_chain.chat import Reply

SHIP = np.array([60.0, 40.0, 100.0, 60.0])
"""Bounds of the one bright object of the scene, in its pixels."""


@pytest.fixture
def scene(tmp_path):
    pixels = np.full((3, 400, 400), 30, dtype=np.uint8)
    pixels[:, 40:60, 60:100] = 200
    return write_raster(tmp_path / "scene.tif", pixels=pixels, gsd_m=0.5)


def outline(conversation):
    """A ship around what is bright; none of a thing that is not there."""
    if "unicorn" in conversation.messages[-1].text:
        return "There are none."
    grey = conversation.messages[-1].images[0].pixels[..., 0]
    y, x = np.nonzero(grey > 100)
    box = box_quads(np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], dtype=float))
    found = Detections(box, np.zeros(1, dtype=np.int64), ("ship",))
    return render_response(found, CONTRACTS[ONE_SCALE.detection], *grey.shape[::-1])


def test_a_phrase_is_answered_by_its_size_and_place(run, scripted, scene):
    scripted(outline)
    done = run("ground", scene, "the white ship", "--model", MODEL)
    assert done.code == 0, done.err
    phrase, place = done.out.rstrip().split("\t")
    assert phrase == "the white ship"
    length, width = float(place.split()[0]), float(place.split()[2])
    assert (length, width) == (pytest.approx(20, abs=0.5), pytest.approx(10, abs=0.5))  # metres
    assert place.endswith("pixel 80, 50")
    assert "first seen at 128 x 128 px, 3.12 times coarser than the scene" in done.err
    assert "smaller than 6.25 m will not be found" in done.err


def test_the_layer_holds_the_object_at_its_place_under_its_phrase(run, scripted, scene, tmp_path):
    import geopandas

    scripted(outline)
    files = [tmp_path / "found.gpkg", tmp_path / "found.png"]
    done = run(
        "ground", scene, "the white ship", "--model", MODEL, "--output", files[0], "--overlay", files[1]
    )
    assert done.code == 0, done.err
    layer = geopandas.read_file(files[0], layer="detections")
    with rasterio.open(scene) as dataset:
        truth = shapely.Polygon([dataset.transform @ tuple(point) for point in box_quads(SHIP[None])[0]])
        assert layer.crs == dataset.crs
    assert [*layer["class"]] == ["the white ship"]
    shape = layer.geometry[0]
    assert shape.intersection(truth).area / shape.union(truth).area > 0.9
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.journal.jsonl"))


def test_json_says_where_each_is_and_why_another_is_not(run, scripted, scene, tmp_path):
    scripted(outline)
    (tmp_path / "phrases.txt").write_text("the white ship\nthe unicorn\n")
    done = run("ground", scene, "--phrases", tmp_path / "phrases.txt", "--model", MODEL, "--json")
    assert done.code == 1
    assert "1 of 2 phrases without a box: the unicorn: the model sees none: 'There are none.'" in done.err
    told = json.loads(done.out)
    ship, unicorn = told["objects"]
    assert ship["length_m"] == pytest.approx(20, abs=0.5)
    assert (ship["label"], ship["closer_looks"], ship["error"]) == ("ship", 1, None)
    assert (unicorn["polygon"], unicorn["reply"]) == (None, "There are none.")
    assert told["size"] == {"width": 128, "height": 128}


def test_a_part_of_the_scene_is_looked_at_alone(run, scripted, scene):
    engine = scripted(outline)
    done = run("ground", scene, "the ship", "--window", "0,0,128,128", "--model", MODEL, "--closer-looks", 0)
    assert done.out.rstrip().endswith("pixel 80, 50")
    assert engine.batches[0][0].images[0].pixels.shape == (128, 128, 3)
    assert "coarser" not in done.err
    done = run("ground", scene, "the ship", "--bbox", "0,0,1,1", "--model", MODEL)
    assert (done.code, "does not overlap" in done.err or "outside" in done.err) == (2, True)


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no phrase; give one as text"),
        ((" ",), "there is no phrase"),
        (("a", "--window", "0,0,9,9", "--bbox", "0,0,1,1"), "--window and --bbox each say which part"),
        (("a", "--window", "5,5"), "--window '5,5' is not a window"),
        (("a", "--resume"), "--resume needs the --output of the run that is to go on"),
        (("a", "--crs", "EPSG:3857"), "--crs is that of the --output; give one"),
        (("a", "--output", "x.shapefile"), "x.shapefile"),
        (("a", "--output", "task1"), "DOTA Task1 demands scores"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_a_model_is_loaded(run, scene, arguments, message):
    done = run("ground", scene, *arguments, "--model", MODEL)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_model_that_says_nothing_leaves_phrases_without_a_box(run, scripted, scene):
    scripted(lambda _: "")
    done = run("ground", scene, "the ship", "--model", MODEL)
    assert (done.code, done.out) == (1, "the ship\tnot found\n")
    assert "1 of 1 phrase without a box: the ship: the model replied nothing" in done.err


def test_a_dry_run_says_what_would_be_asked(run, no_model, scene):
    done = run("ground", scene, "the white ship", "--model", MODEL, "--dry-run")
    assert done.code == 0
    assert "image: 128 x 128 px (64 visual tokens)" in done.out
    assert "find the white ship." in done.out


def test_after_a_failure_only_what_is_missing_is_asked_again(run, scripted, scene, tmp_path):
    output = tmp_path / "found.geojson"
    broken = iter([True, False, False])
    scripted(
        lambda conversation: (
            Reply("", "error", error="server gone")
            if "red" in conversation.messages[-1].text and next(broken)
            else outline(conversation)
        )
    )
    words = ("the white ship", "the red ship", "--model", MODEL, "--output", output)
    first = run("ground", scene, *words)
    assert first.code == 1
    assert "server gone" in first.err
    engine = scripted(outline)
    second = run("ground", scene, *words, "--resume")
    assert second.code == 0, second.err
    asked = [each.messages[-1].text for batch in engine.batches for each in batch]
    assert len([words for words in asked if "white" in words]) == 0
    assert len(json.loads(output.read_text())["features"]) == 2


def test_closer_looks_that_failed_are_exit_1_and_alone_are_asked_again(run, scripted, scene, tmp_path):
    output = tmp_path / "found.geojson"

    def broken(conversation):
        x = conversation.messages[-1].images[0].pixels[..., 0]
        closer = (x > 100).mean() > 0.02  # the ship is 0.5 % of the scene
        return Reply("", "error", error="server gone") if closer else outline(conversation)

    words = ("the white ship", "the ship", "--model", MODEL, "--output", output)
    scripted(broken)
    first = run("ground", scene, *words, "--json")
    assert first.code == 1
    assert (
        "2 boxes could not be looked at again; closer look at 80, 68: server gone; --resume asks" in first.err
    )
    objects = json.loads(first.out)["objects"]
    assert [each["failure"] for each in objects] == ["closer look at 80, 68: server gone"] * 2
    assert [(each["closer_looks"], each["error"]) for each in objects] == [(0, None)] * 2
    assert len(json.loads(output.read_text())["features"]) == 2
    engine = scripted(outline)
    second = run("ground", scene, *words, "--resume")
    assert (second.code, second.err.count("could not")) == (0, 0)
    assert sum(map(len, engine.batches)) == 2  # the closer looks; the first ones are known
    whole = output.read_bytes()
    assert not list(tmp_path.glob("*.journal.jsonl"))
    scripted(outline)
    assert run("ground", scene, *words, "--overwrite").code == 0
    assert output.read_bytes() == whole
