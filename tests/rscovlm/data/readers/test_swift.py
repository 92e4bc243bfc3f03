"""ms-swift: words and boxes in place of their marks."""

import pytest

from rscovlm.errors import DataError
from tests.rscovlm.data.published import converted, image, said, write_lines


def test_ms_swift_objects_become_boxes_and_words(tmp_path):
    image(tmp_path / "a.png")
    turns = [
        {"role": "user", "content": "<image>Find <ref-object>"},
        {"role": "assistant", "content": "<bbox> and <bbox>"},
    ]
    objects = {"ref": ["the ship"], "bbox": [[10, 20, 30, 40], [50, 60, 70, 80]]}
    row = {"messages": turns, "images": ["a.png"], "objects": objects}
    norm = row | {
        "objects": {"ref": ["x"], "bbox": [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], "bbox_type": "norm1"}
    }
    short = row | {"objects": {"ref": ["x"], "bbox": [[1, 2, 3, 4]]}}
    odd = row | {"objects": objects | {"bbox_type": "norm7"}}
    path = write_lines(tmp_path / "swift.jsonl", [row, norm, short, odd])
    (one, two), _, account = converted(path)
    assert said(one) == [("user", "<image>Find the ship"), ("assistant", "<box 0> and <box 1>")]
    assert (one.task, one.source) == ("grounding", "ms-swift")
    assert one.boxes[0].polygon.tolist() == [[10, 20], [30, 20], [30, 40], [10, 40]]
    assert two.boxes[0].polygon.round(6).tolist() == [[20, 20], [60, 20], [60, 40], [20, 40]]
    assert account.left_out == {"its placeholders do not fit its objects": 1, "its bbox_type is unknown": 1}
    with pytest.raises(DataError, match="does not hold what --from llava reads; use --from ms-swift"):
        converted(path, "llava")
    plain = write_lines(tmp_path / "plain.jsonl", [{"messages": turns, "images": ["a.png"]}])
    with pytest.raises(DataError, match="it holds <bbox> or <ref-object> without objects"):
        converted(plain, "llava")


def test_ms_swift_boxes_are_on_the_image_that_is_named(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", 50, 40)
    turns = [
        {"role": "user", "content": "<image><image>What is new?"},
        {"role": "assistant", "content": "<bbox>"},
    ]
    half = {"bbox": [[0.5, 0.5, 1, 1]], "bbox_type": "norm1", "image_id": [1]}
    row = {"messages": turns, "images": ["a.png", "b.png"], "objects": half}
    path = write_lines(tmp_path / "swift.jsonl", [row, row | {"objects": half | {"image_id": [2]}}])
    (sample,), _, account = converted(path)
    assert sample.boxes[0].image == 1
    assert sample.boxes[0].polygon.tolist() == [[25, 20], [50, 20], [50, 40], [25, 40]]
    assert account.left_out == {"its box is of an image that it does not show": 1}
