"""Rotated boxes under each angle convention."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.geometry.quads import (
    signed_area,
)
from detection_eval.geometry.rotated import (
    CONVENTIONS,
    LE90,
    OC_V0,
    OC_V1,
    R360,
    boxes_to_quads,
    quads_to_boxes,
    regularize,
)

boxes = st.tuples(
    st.floats(-100, 100), st.floats(-100, 100), st.floats(0.5, 90), st.floats(0.5, 90), st.floats(-10, 10)
)


def same_rectangle(first, second, tolerance=1e-6):
    return np.allclose(canonical_rounded(first), canonical_rounded(second), atol=tolerance)


def canonical_rounded(quad):
    """Vertices sorted, so that rounding cannot decide which of two equally high ones comes first."""
    points = np.round(np.asarray(quad).reshape(4, 2), 7)
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def test_a_box_at_angle_zero_is_the_axis_aligned_one():
    assert boxes_to_quads([[10, 20, 6, 4, 0]])[0].tolist() == [[7, 18], [13, 18], [13, 22], [7, 22]]


def test_a_positive_angle_turns_clockwise_on_the_image():
    # w along +x, turned by a quarter: the first edge now runs down
    quad = boxes_to_quads([[0, 0, 4, 2, np.pi / 2]])[0]
    np.testing.assert_allclose(quad[1] - quad[0], [0, 4], atol=1e-12)
    assert signed_area(quad) > 0


@settings(max_examples=100, deadline=None)
@given(box=boxes, name=st.sampled_from(sorted(CONVENTIONS)))
def test_every_convention_describes_the_same_rectangle_within_its_range(box, name):
    convention = CONVENTIONS[name]
    cx, cy, w, h, angle = regularize([box], convention)[0]
    assert same_rectangle(boxes_to_quads([[cx, cy, w, h, angle]])[0], boxes_to_quads([box])[0])
    start, stop = convention.start, convention.start + convention.turn
    assert start < angle <= stop if convention.upper_closed else start <= angle < stop
    if convention.turn == np.pi:
        assert w >= h


@settings(max_examples=100, deadline=None)
@given(box=boxes, name=st.sampled_from(sorted(CONVENTIONS)))
def test_quadrilaterals_and_boxes_turn_into_each_other(box, name):
    quad = boxes_to_quads([box])
    assert same_rectangle(boxes_to_quads(quads_to_boxes(quad, CONVENTIONS[name]))[0], quad[0], 1e-5)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # 20 x 10, long side 100 degrees from x: the short side is first met at 10 degrees
        (OC_V0, (10, 20, 10)),
        (OC_V1, (20, 10, -80)),
        (LE90, (20, 10, -80)),
        (CONVENTIONS["le135"], (20, 10, 100)),
    ],
)
def test_the_conventions_write_one_rectangle_differently(convention, expected):
    *_, w, h, angle = regularize([[0, 0, 20, 10, np.radians(100)]], convention)[0]
    assert (w, h, np.degrees(angle)) == pytest.approx(expected)


@pytest.mark.parametrize(("convention", "degrees"), [(OC_V0, 90), (OC_V1, -90), (LE90, 0)])
def test_an_upright_box_takes_the_closed_end_of_the_range(convention, degrees):
    assert np.degrees(regularize([[0, 0, 20, 10, 0]], convention)[0, 4]) == pytest.approx(degrees)


@settings(max_examples=60, deadline=None)
@given(box=boxes)
def test_the_head_direction_survives_a_round_trip_under_r360(box):
    back = quads_to_boxes(boxes_to_quads([box]), R360)[0]
    expected = regularize([box], R360)[0]
    np.testing.assert_allclose(back[:4], expected[:4], atol=1e-6)
    turn = (back[4] - expected[4] + np.pi) % (2 * np.pi) - np.pi
    assert abs(turn) < 1e-6


def test_a_box_without_width_keeps_the_direction_of_its_length():
    line = np.array([[0, 0], [6, 8]], float)
    for listed in ([0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]):
        box = quads_to_boxes(line[listed][None], LE90)[0]
        np.testing.assert_allclose(box, [3, 4, 10, 0, np.arctan2(8, 6)], atol=1e-9)
    backwards = np.array([[10, 0], [0, 0], [0, 0], [10, 0]], float)  # the first side has no length
    np.testing.assert_allclose(quads_to_boxes(backwards[None], LE90)[0], [5, 0, 10, 0, 0], atol=1e-9)
