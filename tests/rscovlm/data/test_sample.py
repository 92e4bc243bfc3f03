"""A sample is checked as it is read: what is wrong is one line that names the sample and the field."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.example import Key
from rscovlm.data.pictures import FilePicture
from rscovlm.data.rendering import Rules, render_example
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.templates import load_templates
from rscovlm.errors import DataError
from rscovlm.models.families import FAMILIES
from tiling.view import Size, View, Window

SHIP = {"polygon": [10, 10, 20, 10, 20, 20, 10, 20], "label": "ship"}
DETECTION = {
    "id": "d1",
    "task": "detection",
    "images": [{"path": "x.png", "size": {"width": 200, "height": 100}}],
    "boxes": [SHIP],
    "classes": ["ship", "plane"],
}
QUESTION = {
    "id": "q1",
    "task": "regression",
    "images": [{"path": "x.png", "size": {"width": 200, "height": 100}}],
    "turns": [["user", "<image>How high?"], ["assistant", "<value height_m> m"]],
    "targets": {"height_m": 12.5},
}
PAIR = {
    "id": "p1",
    "task": "vqa",
    "images": [
        {"path": "x.png", "size": {"width": 200, "height": 100}},
        {"path": "y.png", "size": {"width": 60, "height": 50}},
    ],
    "turns": [["user", "<image><image>What changed?"], ["assistant", "<boxes>"]],
    "boxes": [SHIP],
}
GROUNDING = {
    "id": "g1",
    "task": "grounding",
    "images": [{"path": "x.png", "size": {"width": 200, "height": 100}}],
    "boxes": [SHIP],
    "phrase": "the ship",
}


def put(record, path, value):
    record = copy.deepcopy(record)
    *parents, last = path
    parent = record
    for key in parents:
        parent = parent[key]
    parent[last] = value
    return record


@pytest.mark.parametrize("record", [DETECTION, QUESTION, PAIR, GROUNDING])
def test_these_are_samples(record):
    sample = Sample.from_json(record)
    assert Sample.from_json(json.loads(sample.to_line())) == sample


@pytest.mark.parametrize(
    ("record", "path", "value", "says"),
    [
        (DETECTION, ["boxes", 0, "label"], None, "boxes.0.label: input should be a valid string, not None"),
        (DETECTION, ["boxes", 0, "image"], "0", "boxes.0.image: input should be a valid integer, not '0'"),
        (DETECTION, ["boxes", 0, "difficult"], 1, "boxes.0.difficult: input should be a valid boolean"),
        (
            DETECTION,
            ["images", 0, "size"],
            {"width": "100", "height": 200},
            "images.0.size.width: input should be a valid integer",
        ),
        (DETECTION, ["images", 0, "size"], [100, 200], "images.0.size: input should be a valid dictionary"),
        (DETECTION, ["images", 0, "size"], {"width": 100}, "images.0.size.height: missing"),
        (
            DETECTION,
            ["images", 0, "size"],
            {"width": 0, "height": 200},
            "images.0.size.width: input should be greater than or equal",
        ),
        (DETECTION, ["images", 0, "width"], 3, "images.0.width: unknown field"),
        (DETECTION, ["images", 0, "path"], " ", "an image without a path"),
        (DETECTION, ["images", 0, "window"], {"x": 0, "y": 0, "width": 10, "height": 0}, "has no area"),
        (DETECTION, ["classes"], "ship", "classes: input should be a valid list, not 'ship'"),
        (DETECTION, ["gsd_m"], 0, "gsd_m must be a positive number of metres"),
        (DETECTION, ["images", 0, "gsd_m"], -0.3, "gsd_m must be a positive number of metres"),
        (
            QUESTION,
            ["targets", "height_m"],
            "12",
            "targets.height_m: input should be a valid number, not '12'",
        ),
        (
            QUESTION,
            ["targets", "height_m"],
            float("nan"),
            "targets.height_m: input should be a finite number",
        ),
        (
            QUESTION,
            ["targets", "height_m"],
            True,
            "targets.height_m: input should be a valid number, not True",
        ),
        (QUESTION, ["turns", 1, 1], " \n", "turn 1 (assistant) is empty"),
        (QUESTION, ["turns", 1], ["assistant"], "turns.1: list should have at least 2 items"),
        (QUESTION, ["turns", 1, 0], "gpt", "turns go user, assistant, ..., assistant; these go user, gpt"),
        (QUESTION, ["turns", 1, 1], "<value agb> m", "<value agb> is not among the targets ['height_m']"),
        (QUESTION, ["turns", 1, 1], "<box 0>", "<box 0> in a sample of 0 boxes"),
        (DETECTION, ["boxes", 0, "polygon"], [1, 1, 9, 1, 9, 1, 1, 1], "box 0 has no area"),
        (DETECTION, ["boxes", 0, "polygon"], [1, 2, 3], "a box needs 4 points (x, y), 8 numbers; got 3"),
        (
            DETECTION,
            ["boxes", 0, "polygon"],
            [200, 0, 210, 0, 210, 9, 200, 9],
            "box 0 lies outside its image of 200 x 100 px",
        ),
        (
            DETECTION,
            ["boxes", 0, "polygon"],
            [0, 100, 9, 100, 9, 110, 0, 110],
            "box 0 lies outside its image of 200 x 100 px",
        ),
        (DETECTION, ["boxes", 0, "polygon"], [-9, 0, 0, 0, 0, 9, -9, 9], "box 0 lies outside its image"),
        (DETECTION, ["boxes", 0, "polygon"], [0, -9, 9, -9, 9, 0, 0, 0], "box 0 lies outside its image"),
        (DETECTION, ["boxes", 0, "image"], 1, "box 0 refers to image 1 of 1"),
        (DETECTION, ["boxes", 0, "label"], "car", "box 0 is a 'car', which is not among its 2 classes"),
        (
            put(DETECTION, ["classes"], []),
            ["boxes", 0, "label"],
            "",
            "box 0 of a detection sample has no label",
        ),
        (
            PAIR,
            ["boxes"],
            [SHIP, SHIP | {"image": 1}],
            "<boxes> lists the boxes of one image; these are on images 0, 1",
        ),
        (GROUNDING, ["phrase"], " ", "needs a phrase and a box"),
        (GROUNDING, ["boxes", 0, "difficult"], True, "needs a box that is not difficult"),
    ],
)
def test_what_is_wrong_with_a_sample_is_one_line(record, path, value, says):
    with pytest.raises(DataError) as raised:
        Sample.from_json(put(record, path, value))
    assert str(raised.value).startswith(f"sample {record['id']!r}: ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_sides_of_an_image_are_not_exchanged_where_it_is_taller_than_wide():
    tall = put(DETECTION, ["images", 0, "size"], {"width": 100, "height": 200})
    Sample.from_json(put(tall, ["boxes", 0, "polygon"], [0, 190, 9, 190, 9, 199, 0, 199]))
    with pytest.raises(DataError, match="box 0 lies outside its image of 100 x 200 px"):
        Sample.from_json(put(tall, ["boxes", 0, "polygon"], [100, 0, 110, 0, 110, 9, 100, 9]))


def test_a_box_that_reaches_over_the_edge_of_its_image_is_no_fault():
    Sample.from_json(put(DETECTION, ["boxes", 0, "polygon"], [195, 95, 300, 95, 300, 150, 195, 150]))


@pytest.mark.parametrize(
    ("answer", "says"), [(" ", "needs an answer"), ("Lake", "'Lake' is not among its 2")]
)
def test_a_class_is_one_of_the_candidates(answer, says):
    record = DETECTION | {"task": "classification", "boxes": [], "answer": answer}
    with pytest.raises(DataError, match=says):
        Sample.from_json(record)


def test_whole_targets_stay_whole():
    sample = Sample.from_json(put(QUESTION, ["targets", "height_m"], 3))
    assert isinstance(sample.targets["height_m"], int)


# --- against the files ----------------------------------------------------------------------------


def rendered(sample):
    family = FAMILIES["qwen2.5-vl"]
    return render_example(
        sample, Rules(family, family.resolution, load_templates("plain")), Key("s", 0, 0), 1
    )


@pytest.fixture
def scene(tmp_path):
    Image.fromarray(np.full((100, 200, 3), 90, np.uint8)).save(tmp_path / "scene.png")
    return str(tmp_path / "scene.png")


@pytest.mark.parametrize("size", [(200, 100), (50, 100)])
def test_an_image_of_another_size_than_stated_is_refused_with_both_sizes_when_it_is_opened(scene, size):
    view = View(Window(0, 0, *reversed(size)), Size(56, 56))
    says = rf"scene\.png has 200 x 100 px, its sample states {size[1]} x {size[0]} px"
    with pytest.raises(DataError, match=says):
        FilePicture(scene, view, Size(*size)).read()
    sample = Sample(
        "a", "vqa", (ImageRef(scene, size=size),), (Turn("user", "<image>?"), Turn("assistant", "yes"))
    )
    picture = rendered(sample).conversation.messages[0].content[0]
    with pytest.raises(DataError, match=says):
        picture.read()


def test_a_crop_of_an_image_of_another_size_than_stated_is_refused(scene):
    turns = (("user", "<image>?"), ("assistant", "<zoom 0>"), ("user", "<crop 0>"), ("assistant", "yes"))
    box = Box(np.array([[10, 10], [30, 10], [30, 30], [10, 30]]))
    sample = Sample("z", "zoom", (ImageRef(scene, size=(200, 100)),), tuple(Turn(*t) for t in turns), (box,))
    with pytest.raises(DataError, match="has 200 x 100 px, its sample states 100 x 200 px"):
        rendered(sample)


def test_a_box_outside_a_file_whose_size_is_not_stated_is_refused(scene):
    sample = Sample.from_json(
        GROUNDING
        | {"images": [{"path": scene}], "boxes": [SHIP, {"polygon": [300, 1, 310, 1, 310, 9, 300, 9]}]}
    )
    with pytest.raises(DataError, match="sample 'g1': box 1 lies outside its image of 200 x 100 px"):
        rendered(sample)


def test_a_window_without_the_box_that_is_asked_for_is_refused_not_answered_with_none():
    image = {
        "path": "x.png",
        "size": {"width": 200, "height": 100},
        "window": {"x": 100, "y": 0, "width": 100, "height": 100},
    }
    with pytest.raises(DataError, match="its window shows none of its boxes"):
        rendered(Sample.from_json(GROUNDING | {"images": [image]}))
    asked = [["user", "<image>Where?"], ["assistant", "at <box 0>"]]
    with pytest.raises(DataError, match="<box 0> lies outside the window"):
        rendered(Sample.from_json(GROUNDING | {"images": [image], "turns": asked}))
