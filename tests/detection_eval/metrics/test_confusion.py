"""Confusion of classes and the mF1 of LMMRotate, with the arithmetic visible."""

import numpy as np
import pytest

from detection_eval.metrics.confusion import confusion_matrix, mf1_lmmrotate
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from tests.detection_eval.problems import apart, boxes


def laid_over(objects, found, protocol=STRICT, difficulty=None):
    return overlap({"a": GroundTruth(objects, difficulty)}, {"a": found}, protocol)


@pytest.mark.parametrize("classes", [6, 15, 20, 34])
def test_mf1_of_a_perfect_detector_is_c_of_c_plus_1(classes):
    names = tuple(f"c{k}" for k in range(classes))
    objects = boxes(apart(classes), np.arange(classes), classes=names)
    laid = laid_over(objects, objects)
    assert mf1_lmmrotate(laid) == pytest.approx(classes / (classes + 1))
    assert count(laid, match(laid, 0.5)).macro_f1 == 1


def test_every_pair_is_an_entry_of_the_confusion_matrix():
    names = ("plane", "ship")
    objects = boxes([*apart(3)], [0, 0, 1], classes=names)
    found = boxes([apart(1)[0], apart(1)[0], apart(2)[1], apart(1, start=7)[0]], [0, 0, 1, 1], classes=names)
    matrix = confusion_matrix(laid_over(objects, found))
    # the first plane is found twice; the second is taken for a ship and missed; the ship is missed;
    # one ship is background
    assert matrix.tolist() == [[2, 1, 1], [0, 0, 1], [0, 1, 0]]


def test_mf1_takes_scores_into_account():
    objects = boxes(apart(1))
    found = boxes([*apart(1), *apart(1, start=5)], scores=[0.9, 0.2])
    laid = laid_over(objects, found)
    assert mf1_lmmrotate(laid, at_least=0.5) == pytest.approx(1 / 2)  # perfect, one class
    # precision (1/2 + 0) / 2, recall (1 + 0) / 2
    assert mf1_lmmrotate(laid) == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    assert mf1_lmmrotate(laid, at_least=0.95) == 0
