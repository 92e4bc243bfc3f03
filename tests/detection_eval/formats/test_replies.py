"""Replies of models in the files of their evaluation scripts, parsed anew."""

import json

import numpy as np
import pytest

from detection_eval.errors import FormatError
from detection_eval.formats import (
    detect_format,
    read,
    write,
)
from tests.detection_eval.formats.material import (
    NAMES,
    collection,
)


def test_rscovlm_results_are_parsed_from_the_text_in_pixels_of_the_original(tmp_path):
    record = {
        "message": [{"role": "system", "content": "in plain text format"}],
        "file_name": "P1__1024__0___0.png",
        "output": "14,14,28,14,28,28,14,28 small vehicle\n14,14,28,14,28,28,14,28 dragon",
        **{"original_width": 512, "original_height": 256, "resized_width": 504, "resized_height": 252},
        "gt_instances": {"bboxes": [[10, 10, 4, 2, 0.0]], "labels": [0]},
        "ignored_instances": {"bboxes": [], "labels": []},
    }
    silent = {"file_name": "P2.png", "gt_instances": {}}
    path = tmp_path / "inference_results.json"
    path.write_text(json.dumps([record, silent]))
    assert detect_format(path) == "rscovlm"
    back = read(path, classes=NAMES)
    found = back.images["P1__1024__0___0"]
    np.testing.assert_allclose(found.detections.polygons[0, 2], [28 * 512 / 504, 28 * 256 / 252])
    assert (found.detections.names, found.report.unknown_labels) == (["small-vehicle"], {"dragon": 1})
    assert back.truth["P1__1024__0___0"].detections.polygons[0].tolist() == [
        [8, 9],
        [12, 9],
        [12, 11],
        [8, 11],
    ]
    assert back.notes == ("1 of 2 records hold no output; their images have no boxes",)
    assert read(path).classes == ("dragon", "small vehicle")


def test_the_prompt_of_a_record_says_how_its_reply_is_written(tmp_path):
    written = collection(1, [3], whole=True)
    write(tmp_path / "a.json", written, "rscovlm", contract="rscovlm-json-quad")
    assert "quadrant bbox" in (tmp_path / "a.json").read_text()
    assert len(read(tmp_path / "a.json", classes=NAMES).detections["P0000"]) == 3


def test_lmmrotate_polygons_are_cut_into_eights_and_text_is_parsed(tmp_path):
    eight = [1, 2, 30, 2, 30, 40, 1, 40]
    answers = {
        "a.png": {
            "<ROD>": {"polygons": [[eight + eight, eight[:6]], [eight]], "labels": ["small vehicle", "x"]}
        },
        "b.png": {"<ROD>": {"polygons": [], "labels": []}},
    }
    path = tmp_path / "parsed_answers_test.json"
    path.write_text(json.dumps(answers))
    assert detect_format(path) == "lmmrotate"
    back = read(path, classes=NAMES)
    assert (len(back.detections["a"]), len(back.detections["b"])) == (2, 0)
    assert (back.report.unknown_labels, back.report.dropped) == ({"x": 1}, {"too few numbers": 1})
    tokens = "ship" + "".join(f"<loc_{number}>" for number in (100, 100, 200, 100, 200, 200, 100, 200))
    path.write_text(json.dumps({"c.png": tokens}))
    with pytest.raises(FormatError, match=r"c\.png: location tokens are parts of the image's size"):
        read(path, classes=NAMES)
    found = read(path, classes=NAMES, sizes={"c": (1000, 500)}).detections["c"]
    assert found.polygons[0].tolist() == [[100.5, 50.25], [200.5, 50.25], [200.5, 100.25], [100.5, 100.25]]
