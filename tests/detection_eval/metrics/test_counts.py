"""Counts, F1 and count error, with the arithmetic visible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.metrics.counts import Counts, count, count_by_scene, count_error, count_image
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import PRESETS, STRICT, preset
from tests.detection_eval.problems import apart, boxes, random_problem

seeds = st.integers(0, 2**32 - 1)


def laid_over(objects, found, protocol=STRICT, difficulty=None):
    return overlap({"a": GroundTruth(objects, difficulty)}, {"a": found}, protocol)


def test_precision_recall_and_f1_of_each_class_and_of_all():
    # plane: 2 right, 1 wrong, 2 missed; ship: 1 right, 1 missed; harbor: 1 wrong, no object
    counts = Counts(np.array([2, 1, 0]), np.array([1, 0, 1]), np.array([4, 2, 0]))
    np.testing.assert_allclose(counts.precision, [2 / 3, 1, 0])
    np.testing.assert_allclose(counts.recall, [1 / 2, 1 / 2, np.nan])
    np.testing.assert_allclose(counts.f1, [4 / 7, 2 / 3, 0])
    assert counts.missed.tolist() == [2, 1, 0]
    assert counts.micro.precision == 3 / 5
    assert counts.micro.recall == 3 / 6
    assert counts.micro.f1 == pytest.approx(6 / 11)
    assert counts.macro_precision == pytest.approx((2 / 3 + 1) / 2)  # classes that have objects
    assert counts.macro_recall == pytest.approx(1 / 2)
    assert counts.macro_f1 == pytest.approx((4 / 7 + 2 / 3) / 2)


def test_a_class_that_is_never_detected_has_precision_0_in_the_mean():
    counts = Counts(np.array([1, 0]), np.array([0, 0]), np.array([1, 3]))
    assert counts.macro_precision == 0.5
    assert np.isnan(counts.precision[1])


def test_one_image_is_counted_by_class_name_whatever_the_class_lists():
    # right ship, wrong ship; a plane missed; a harbor where none is
    truth = boxes([[0, 0, 10, 10], [40, 0, 50, 10]], [0, 1], classes=("ship", "plane"))
    found = boxes(
        [[0, 0, 10, 9], [20, 0, 30, 10], [40, 0, 50, 10]], [1, 1, 0], [0.1, 0.2, 0.3], ("harbor", "ship")
    )
    counts = count_image(found, truth)
    assert {name: (int(c.true[0]), int(c.false[0]), int(c.missed[0])) for name, c in counts.items()} == {
        "harbor": (0, 1, 0),
        "plane": (0, 0, 1),
        "ship": (1, 1, 0),
    }
    assert count_image(found, truth, 0.95)["ship"].true.tolist() == [0]
    assert count_image(boxes([]), boxes([])) == {}


@settings(max_examples=15, deadline=None)
@given(seed=seeds, name=st.sampled_from(sorted(PRESETS)))
def test_counts_of_scenes_add_up(seed, name):
    laid = overlap(*random_problem(seed), preset(name))
    matches, keep = match(laid, 0.5), laid.scores > 0.3
    whole, (scenes, by_scene) = count(laid, matches, keep), count_by_scene(laid, matches, keep)
    assert list(scenes) == sorted({image.partition("__")[0] for image in laid.images})
    for part in ("true", "false", "positives"):
        np.testing.assert_array_equal(getattr(by_scene, part).sum(axis=0), getattr(whole, part))
    assert (whole.missed >= 0).all()


def test_counting_is_off_by_what_is_missing_or_too_much():
    truth = {
        "a": GroundTruth(boxes(apart(4))),
        "b": GroundTruth(boxes(apart(1))),
        "c": GroundTruth(boxes([])),
    }
    found = {"a": boxes(apart(1)), "b": boxes(apart(3))}
    laid = overlap(truth, found, STRICT)
    error = count_error(laid, match(laid, 0.5))
    assert error.mean_absolute == (3 + 2) / 2  # the empty image has neither
    assert error.bias == (-3 + 2) / 2
    assert error.per_image == (3 + 2 + 0) / 3


def test_ignored_objects_and_their_detections_do_not_count_as_errors_of_counting():
    laid = laid_over(boxes(apart(2)), boxes(apart(2)), difficulty=[0, 1])
    error = count_error(laid, match(laid, 0.5))
    assert (error.mean_absolute, error.per_image) == (0, 0)


# --- confusion ------------------------------------------------------------------------------------


# --- calibration ----------------------------------------------------------------------------------
