"""Calibration of scores, with the arithmetic visible."""

import pytest

from detection_eval.errors import EvaluationError
from detection_eval.metrics.calibration import calibration
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from tests.detection_eval.problems import apart, boxes


def laid_over(objects, found, protocol=STRICT, difficulty=None):
    return overlap({"a": GroundTruth(objects, difficulty)}, {"a": found}, protocol)


def test_calibration_compares_scores_with_precision_bin_by_bin():
    # 0.9: two of four right; 0.2: none of one
    objects = boxes(apart(2))
    found = boxes([*apart(4), *apart(1, start=9)], scores=[0.9] * 4 + [0.2])
    laid = laid_over(objects, found)
    curve = calibration(laid, match(laid, 0.5), bins=10)
    assert curve.number.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 4, 0]
    assert curve.precision[8] == 0.5
    assert curve.error == pytest.approx((4 * 0.4 + 1 * 0.2) / 5)


def test_scores_that_say_the_truth_have_no_calibration_error():
    laid = laid_over(boxes(apart(3)), boxes([*apart(3), *apart(1, start=9)], scores=[1, 1, 1, 0]))
    assert calibration(laid, match(laid, 0.5)).error == 0


def test_calibration_needs_probabilities():
    for scores, message in (([3.0], "score 3.0 is outside"), (None, "without scores")):
        laid = laid_over(boxes(apart(1)), boxes(apart(1), scores=scores))
        with pytest.raises(EvaluationError, match=message):
            calibration(laid, match(laid, 0.5))
