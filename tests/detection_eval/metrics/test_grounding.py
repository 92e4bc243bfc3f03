"""What a found box shares with the right one, by the conventions of public scorers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.geometry.quads import box_quads
from detection_eval.metrics.grounding import (
    CONVENTIONS,
    all_matched,
    continuous,
    giou_matrix,
    inclusive,
    matched_by_giou,
    rscovlm,
    to_grid,
)
from tests.detection_eval.dense import iou_matrix

CORNER = st.integers(0, 60)
BOX = st.tuples(CORNER, CORNER, st.integers(1, 40), st.integers(1, 40)).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)


@pytest.mark.parametrize(
    ("convention", "case_1", "case_2"),
    [("continuous", 6 / 12, 9 / 23), ("inclusive", 12 / 20, 16 / 34), ("rscovlm", 6 / 12, 9 / 23)],
)
def test_conventions_differ_by_a_tenth_on_small_boxes(convention, case_1, case_2):
    iou = CONVENTIONS[convention]
    shifted = iou([[10, 10, 13, 13]], [[11, 10, 14, 13]]).iou
    diagonal = iou([[10, 10, 14, 14]], [[11, 11, 15, 15]]).iou
    assert (shifted[0], diagonal[0]) == (pytest.approx(case_1), pytest.approx(case_2))
    assert np.round([0.500, 0.391] if convention != "inclusive" else [0.6, 0.471], 3) == pytest.approx(
        [case_1, case_2], abs=5e-4
    )


@pytest.mark.parametrize(
    ("box", "with_itself"),
    [([0, 0, 10, 10], 1), ([0, 0, 2, 2], 1), ([0, 0, 1, 1], 0), ([0.1, 0.1, 0.6, 0.6], 0), ([0, 0, 1, 9], 0)],
)
def test_rscovlm_shares_nothing_of_boxes_up_to_a_pixel_wide(box, with_itself):
    assert rscovlm([box], [box]).iou[0] == with_itself
    assert continuous([box], [box]).iou[0] == pytest.approx(1)


@given(BOX, BOX)
def test_continuous_is_the_iou_of_the_quadrilaterals(found, right):
    assert continuous([found], [right]).iou[0] == pytest.approx(
        iou_matrix(box_quads([found]), box_quads([right]))[0, 0]
    )


@given(BOX, BOX)
def test_inclusive_is_the_iou_of_sets_of_pixels(found, right):
    def pixels(box):
        x0, y0, x1, y1 = box
        return {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}

    a, b = pixels(found), pixels(right)
    assert inclusive([found], [right]).iou[0] == pytest.approx(len(a & b) / len(a | b))


@given(BOX, BOX)
def test_rscovlm_differs_from_continuous_only_where_a_pixel_or_less_is_common(found, right):
    ours, theirs = continuous([found], [right]).iou[0], rscovlm([found], [right]).iou[0]
    width = min(found[2], right[2]) - max(found[0], right[0])
    height = min(found[3], right[3]) - max(found[1], right[1])
    assert theirs == pytest.approx(ours if min(width, height) > 1 else 0)


def test_boxes_without_area_share_nothing():
    assert continuous([[5, 5, 5, 5]], [[5, 5, 5, 5]]).iou[0] == 0


def test_a_grid_rounds_halves_up():
    assert to_grid([[0, 10, 101, 200]], 200, 200).tolist() == [[0, 5, 51, 100]]
    assert to_grid([[0, 0, 512, 1024]], 512, 1024, cells=1000).tolist() == [[0, 0, 1000, 1000]]


def test_generalised_iou_loses_the_empty_part_of_the_hull():
    left, right = (
        box_quads([[0, 0, 2, 2]]),
        box_quads([[2, 0, 4, 2], [4, 0, 6, 2], [0, 0, 2, 2], [1, 0, 3, 2]]),
    )
    # beside it: the hull is covered; 2 px away: a third of it is empty; the same; half over: 2 of 6 common
    assert giou_matrix(left, right)[0] == pytest.approx([0, -1 / 3, 1, 1 / 3])


def test_geochat_wants_every_box_matched():
    right = box_quads([[0, 0, 10, 10], [20, 0, 30, 10]])
    assert all_matched(right[::-1], right)
    assert not all_matched(right[:1], right)
    assert not all_matched(np.concatenate([right, right[:1]]), right)
    assert matched_by_giou(np.concatenate([right, right[:1]]), right) == 2
    assert not all_matched(box_quads([[0, 0, 10, 4], [20, 0, 30, 10]]), right)
    assert matched_by_giou(np.zeros((0, 4, 2)), right) == 0
    assert all_matched(np.zeros((0, 4, 2)), np.zeros((0, 4, 2)))
