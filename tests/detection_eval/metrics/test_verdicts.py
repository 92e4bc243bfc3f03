"""Verdicts on single boxes, and their sums by image."""

import numpy as np

from detection_eval.metrics.anatomy import anatomy
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.metrics.verdicts import box_verdicts, image_sums
from tests.detection_eval.problems import apart, boxes

TRUTH = {"P1__1__0___0": GroundTruth(boxes(apart(2)))}
FOUND = {"P1__1__0___0": boxes([*apart(1), *apart(1, start=9)])}


def test_each_detection_has_a_row_and_then_each_object_that_is_missed():
    laid = overlap(TRUTH, FOUND, STRICT)
    matches = match(laid, 0.5)
    rows = box_verdicts(laid, matches, anatomy(laid, matches))
    assert rows["verdict"] == ["tp", "fp", "fn"]
    assert rows["box"] == ["detection", "detection", "object"]
    assert rows["error"][1:] == ["background", "missed"]
    assert rows["index"] == [0, 1, 1]
    assert rows["scene"] == ["P1"] * 3
    assert rows["iou"][0] == 1
    assert [rows[name][0] for name in ("x1", "y1", "x3", "y3")] == [0, 0, 10, 10]


def test_detections_below_the_threshold_are_said_to_be():
    laid = overlap(TRUTH, FOUND, STRICT)
    matches = match(laid, 0.5)
    rows = box_verdicts(laid, matches, anatomy(laid, matches), np.array([False, True]))
    assert rows["verdict"] == ["below threshold", "fp", "fn", "fn"]


def test_sums_of_an_image_are_the_counts_of_its_verdicts():
    laid = overlap(TRUTH, FOUND, STRICT)
    sums = image_sums(laid, match(laid, 0.5))
    assert {len(values) for values in sums.values()} == {1}
    assert sums["image"] == ["P1__1__0___0"]
