"""This project's own predictions: nothing is lost, and errors name the line."""

import json

import pytest

from detection_eval.errors import FormatError
from detection_eval.formats import (
    Collection,
    ImageBoxes,
    read,
    write,
)
from detection_eval.geometry.quads import box_quads
from tests.detection_eval.formats.material import (
    NAMES,
    collection,
)

IMAGE = '{"schema": "detection_eval.predictions/1", "classes": ["ship"]}\n'


def test_predictions_keep_everything_a_collection_has(tmp_path):
    one = collection(1, [3, 2], scored=True, graded=True)
    held = ImageBoxes(one.images["P0000"].detections, None, (5, 6), "a.tif", "GoogleEarth", 0.125)
    whole = Collection(
        {**one.images, "a": held}, NAMES, collection(2, [1, 2], graded=True).images, ("a note",)
    )
    write(tmp_path / "a.jsonl", whole, "predictions")
    assert read(tmp_path / "a.jsonl") == whole


def test_a_reply_in_predictions_is_parsed_at_the_size_shown(tmp_path):
    head = {"schema": "detection_eval.predictions/1", "classes": ["ship", "plane"]}
    reply = {
        "image": "a",
        "reply": "10,20,30,20,30,40,10,40 ship\n1,2,3,4 boat",
        "contract": "rscovlm-quad",
        "shown": {"width": 100, "height": 100},
        "size": {"width": 200, "height": 400},
    }
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(head)}\n{json.dumps(reply)}\n")
    back = read(tmp_path / "a.jsonl")
    assert back.detections["a"].polygons.tolist() == box_quads([[20, 80, 60, 160]]).tolist()
    assert back.report.boxes == 1
    write(tmp_path / "b.jsonl", back, "predictions")
    assert read(tmp_path / "b.jsonl") == back


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", ":2: expected a JSON object, not list"),
        ("{", ":2: not JSON"),
        ('{"file_name": "a"}', ":2: no image"),
        ('{"image": "a", "size": {"width": 0, "height": 1}}', "no {.width"),
        ('{"image": "a", "size": [1024, 768]}', "no {.width"),
        ('{"image": "a", "file_name": 3}', "file_name and source are text"),
        ('{"image": "a", "boxes": [1]}', ":2: boxes need polygons and labels"),
        ('{"image": "a", "boxes": {"polygons": [[1]], "labels": ["ship"]}}', "a box is not 8 numbers"),
        ('{"image": "a", "boxes": {"polygons": [[1]], "labels": []}}', "as many of each"),
        ('{"image": "a", "reply": "x"}', ":2: unknown contract ''"),
        (
            '{"image": "a", "reply": "x", "contract": "rscovlm-quad"}',
            "a reply is text about an image with a size",
        ),
        ('{"image": "a", "parse": {"guesses": [], "bad": 1}}', "not a parse report"),
        ('{"image": "a"}\n{"image": "a"}', ":3: image 'a' is listed twice"),
    ],
)
def test_malformed_lines_of_predictions_are_told_by_number(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text(IMAGE + line)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "a.jsonl")
