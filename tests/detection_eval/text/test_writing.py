"""Boxes written as a model would write them."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box, render_response, writing_order

BOXES = Detections(box_quads([[50, 0, 60, 10], [10, 0, 20, 10], [0, 50, 9, 59]]), [1, 1, 0], ("ship", "car"))
PLAIN = CONTRACTS["rscovlm-quad"]


def test_lines_come_by_class_as_spoken_then_from_left_to_right():
    assert render_response(BOXES, PLAIN, 100, 100).splitlines()[-3:] == [
        "10,0,20,0,20,10,10,10 car",
        "50,0,60,0,60,10,50,10 car",
        "0,50,9,50,9,59,0,59 ship",
    ]


def test_labels_are_written_as_spoken_or_verbatim():
    boxes = Detections(BOXES.polygons[:1], [0], ("The Large-Vehicle.",))
    assert render_response(boxes, PLAIN, 100, 100).endswith(" the large vehicle.\n")
    assert render_response(boxes, PLAIN, 100, 100, verbatim=True).endswith(" The Large-Vehicle.\n")


def test_the_order_is_the_one_that_is_written():
    assert writing_order(BOXES, PLAIN, 100, 100).tolist() == [1, 0, 2]


def test_one_box_is_written_without_its_label():
    assert "ship" not in render_box(BOXES.polygons[2], PLAIN, 100, 100)


@pytest.mark.parametrize("name", CONTRACTS)
def test_nothing_to_find_is_written_in_the_words_of_the_family(name):
    contract = CONTRACTS[name]
    assert render_response(Detections.empty(("ship",)), contract, 100, 100) == contract.empty
    assert np.array_equal(writing_order(Detections.empty(("ship",)), contract, 100, 100), [])
