"""LRP: worked examples, and its lowest value over thresholds by plain loops."""

import numpy as np
import pytest

from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.localisation import best_localisation, localisation
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.metrics.thresholds import above
from tests.detection_eval.problems import boxes, random_problem


def laid(objects, found):
    return overlap({"a": GroundTruth(boxes(objects))}, {"a": found}, STRICT)


def test_lrp_of_one_good_box_one_wrong_one_and_one_miss():
    # IoU 8 / 10: (1 - .8) / (1 - .5) = .4 of one right, one wrong and one missed: (.4 + 1 + 1) / 3
    whole = laid([[0, 0, 10, 1], [50, 0, 60, 1]], boxes([[0, 0, 8, 1], [90, 0, 99, 1]]))
    found = localisation(whole, match(whole, 0.5))
    assert found.error == pytest.approx([0.8])
    assert found.displacement == pytest.approx([0.2])
    assert (found.wrong, found.missed) == (pytest.approx([0.5]), pytest.approx([0.5]))


def test_perfect_boxes_have_lrp_0_and_no_boxes_lrp_1():
    objects = [[0, 0, 10, 10], [50, 0, 60, 10]]
    whole, nothing = laid(objects, boxes(objects)), laid(objects, boxes(np.zeros((0, 4))))
    assert localisation(whole, match(whole, 0.5)).mean()["error"] == pytest.approx(0)
    assert localisation(nothing, match(nothing, 0.5)).mean()["error"] == 1


def test_what_a_threshold_cuts_counts_as_missed():
    whole = laid([[0, 0, 10, 10]], boxes([[0, 0, 10, 10]], scores=[0.3]))
    matches = match(whole, 0.5)
    assert localisation(whole, matches, above(whole, 0.3)).error.tolist() == [1]
    assert localisation(whole, matches, above(whole, 0.2)).error.tolist() == [0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [None, 5])
def test_the_lowest_lrp_is_that_of_the_best_threshold(seed, levels):
    whole = overlap(*random_problem(seed, levels=levels), STRICT)
    matches = match(whole, 0.5)
    best = best_localisation(whole, matches)
    cuts = [-1.0, *np.unique(whole.scores)]
    errors = np.array([localisation(whole, matches, above(whole, cut)).error for cut in cuts])
    np.testing.assert_allclose(best.error, errors.min(axis=0))
    for label, threshold in enumerate(best.threshold):
        at = localisation(whole, matches, None if np.isnan(threshold) else above(whole, threshold))
        assert at.error[label] == pytest.approx(best.error[label])
        assert at.displacement[label] == pytest.approx(best.displacement[label], nan_ok=True)
        assert at.wrong[label] == pytest.approx(best.wrong[label], nan_ok=True)


def test_a_class_without_objects_has_no_lrp():
    found = boxes([[0, 0, 10, 10]], labels=[1], classes=("plane", "ship"))
    truth = {"a": GroundTruth(boxes([[0, 0, 10, 10]], classes=("plane", "ship")))}
    whole = overlap(truth, {"a": found}, STRICT)
    error = localisation(whole, match(whole, 0.5)).error
    assert error[0] == 1
    assert np.isnan(error[1])


def test_boxes_without_scores_have_no_threshold_to_choose():
    whole = laid([[0, 0, 10, 10]], boxes([[0, 0, 10, 10]]))
    with pytest.raises(ValueError, match="needs scores"):
        best_localisation(whole, match(whole, 0.5))
