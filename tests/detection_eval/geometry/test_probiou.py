"""ProbIoU by hand and beside numerical integration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.probiou import probiou, probiou_pairs
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.evaluation import evaluate
from detection_eval.metrics.ground_truth import GroundTruth
from tests.detection_eval.problems import boxes


def one(first, second):
    return float(probiou([first], [second])[0])


def test_equal_boxes_have_1():
    assert one([5, 5, 20, 10, 0.3], [5, 5, 20, 10, 0.3]) == pytest.approx(1, abs=1e-3)  # 1 - sqrt(2 eps)


def test_a_square_does_not_know_its_angle():
    square, turned = [0, 0, 10, 10, 0], [0, 0, 10, 10, np.pi / 4]
    assert one(square, turned) == pytest.approx(1, abs=1e-3)
    quads = boxes_to_quads([square, turned])
    assert pair_iou(quads[:1], quads[1:])[0] == pytest.approx(1 / np.sqrt(2))


def test_squares_apart_by_half_their_side():
    # variances 100/12 each: A = B = 50/3, C = 0; distance = 1/4 * 25 / (50/3) = 0.375
    assert one([0, 0, 10, 10, 0], [5, 0, 10, 10, 0]) == pytest.approx(
        1 - np.sqrt(1 - np.exp(-0.375)), abs=1e-6
    )


def test_boxes_of_one_centre_and_other_sizes():
    # 24 x 12 and 12 x 12: variances 48, 12 and 12, 12; D = 60 * 24 = 1440, det = 576 and 144
    expected = np.exp(-np.log(1440 / (4 * np.sqrt(576 * 144))) / 2)  # sqrt(4 * 288 / 1440) = sqrt(0.8)
    assert expected == pytest.approx(np.sqrt(0.8))
    assert one([3, 4, 24, 12, 0], [3, 4, 12, 12, 0]) == pytest.approx(1 - np.sqrt(1 - expected), abs=1e-6)


def test_a_bar_across_another():
    # 24 x 12 and a right angle: A = B = 60, D = 3600, det = 576 both: exp(-distance) = sqrt(4 * 576 / 3600)
    bar, across = [0, 0, 24, 12, 0], [0, 0, 24, 12, np.pi / 2]
    assert one(bar, across) == pytest.approx(1 - np.sqrt(0.2), abs=1e-6)


def test_a_shift_along_a_leaning_bar_costs_as_much_as_along_an_upright_one():
    lean = np.pi / 6
    upright = one([0, 0, 24, 12, 0], [6, 0, 24, 12, 0])
    leaning = one([0, 0, 24, 12, lean], [6 * np.cos(lean), 6 * np.sin(lean), 24, 12, lean])
    assert leaning == pytest.approx(upright, abs=1e-6)
    # A = 96, B = 24: distance = 1/4 * 36 / 96
    assert upright == pytest.approx(1 - np.sqrt(1 - np.exp(-36 / 96 / 4)), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_pairs_are_all_of_those_from_a_tenth_on(seed):
    rng = np.random.default_rng(seed)
    first, second = (
        np.column_stack(
            [rng.uniform(0, 60, (12, 2)), rng.uniform(3, 30, (12, 2)), rng.uniform(-1.5, 1.5, 12)]
        )
        for _ in range(2)
    )
    i, j, value = probiou_pairs(boxes_to_quads(first), boxes_to_quads(second), (np.zeros(12), np.zeros(12)))
    every = np.array([[one(a, b) for b in second] for a in first])
    assert set(zip(i.tolist(), j.tolist())) == set(zip(*(k.tolist() for k in np.nonzero(every >= 0.1))))
    np.testing.assert_allclose(value, every[i, j], atol=1e-6)


def test_the_preset_accepts_what_the_iou_does_not():
    # 10 x 10 apart by 4: IoU 6/14 = 0.43; distance 1/4 * 16 / (50/3) = 0.24, ProbIoU 0.54
    truth, found = {"a": GroundTruth(boxes([[0, 0, 10, 10]]))}, {"a": boxes([[4, 0, 14, 10]])}
    assert evaluate(truth, found, "ultralytics-probiou").apnc(0.5) == 1
    assert evaluate(truth, found, "rotated-coco").apnc(0.5) == 0
