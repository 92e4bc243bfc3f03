"""Which of several equally small rectangles is taken: the stable rule, and OpenCV's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.geometry.calipers import opencv_rectangles
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import area, canonical, min_area_rectangle, min_area_rectangles
from detection_eval.geometry.rotated import boxes_to_quads

whole = st.integers(-4, 4)


@st.composite
def skewed(draw):
    """A rectangle at any angle whose corners are moved by up to 3 px and rounded to whole pixels."""
    width, height = draw(st.floats(20, 60)), draw(st.floats(10, 60))
    turn = draw(st.floats(-1.5, 1.5))
    moved = [[draw(st.floats(-3, 3)), draw(st.floats(-3, 3))] for _ in range(4)]
    return np.round(boxes_to_quads([[200, 200, width, height, turn]])[0] + moved)


@settings(max_examples=100, deadline=None)
@given(quad=skewed(), first=st.integers(0, 3), backwards=st.booleans(), shift=st.tuples(whole, whole))
def test_the_stable_rule_depends_on_no_order_of_vertices_and_no_place(quad, first, backwards, shift):
    listed = np.roll(quad[::-1] if backwards else quad, first, axis=0) + 1000 * np.array(shift)
    ours = min_area_rectangles(listed)[0] - 1000 * np.array(shift)
    np.testing.assert_allclose(ours, min_area_rectangles(quad)[0], atol=1e-6)
    np.testing.assert_allclose(ours, min_area_rectangle(quad), atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(quad=skewed(), seed=st.integers(0, 1000))
def test_the_stable_rule_survives_rounding_of_coordinates(quad, seed):
    nudged = quad + np.random.default_rng(seed).uniform(-1e-5, 1e-5, (4, 2))
    assert pair_iou(min_area_rectangles(nudged), min_area_rectangles(quad))[0] > 0.999


def test_of_equally_small_rectangles_the_one_on_the_longest_edge_is_taken():
    # the three rectangles on the sides of a triangle all have twice its area; the longest side is 50 px
    triangle = np.array([[0, 0], [50, 0], [10, 20], [30, 10]], float)
    np.testing.assert_allclose(min_area_rectangles(triangle)[0], [[0, 0], [50, 0], [50, 20], [0, 20]])


def test_of_equally_long_edges_the_one_closest_to_upright_is_taken():
    # two sides of 25 px from the same corner, one of them upright; both rectangles have 25 * 7 px
    triangle = np.array([[7, 24], [0, 0], [0, 25], [0, 25]], float)
    np.testing.assert_allclose(
        min_area_rectangles(triangle)[0], [[0, 0], [7, 0], [7, 25], [0, 25]], atol=1e-9
    )


def test_of_mirror_images_the_one_that_leans_clockwise_is_taken():
    # a kite's rectangles lean by atan(1/3), 18.4 degrees, either way; x right and y down, so clockwise is +
    rhombus = np.array([[0, -10], [30, 0], [0, 10], [-30, 0]], float)
    rectangle = min_area_rectangles(rhombus)[0]
    edges = np.diff(rectangle, axis=0)
    longest = edges[np.hypot(*edges.T).argmax()]
    lean = np.degrees(np.arctan(longest[1] / longest[0]))
    assert lean == pytest.approx(np.degrees(np.arctan(1 / 3)))


def test_a_diagonal_is_no_edge_of_the_hull():
    # along the diagonal the rectangle of a square has twice the area; along a side it is the square
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    assert area(min_area_rectangles(square[[0, 2, 1, 3]])[0]) == pytest.approx(100)


# Quadrilaterals with two equally small rectangles, and the one that cv2 4.12's minAreaRect chose.
OPENCV = (
    (
        [[654, 400], [657, 404], [651, 422], [642, 418]],
        [[642.0, 418.0], [650.66, 398.52], [659.66, 402.52], [651.0, 422.0]],
    ),
    (
        [[594, 829], [611, 827], [614, 853], [593, 853]],
        [[593.0, 853.0], [593.0, 827.0], [614.0, 827.0], [614.0, 853.0]],
    ),
    (
        [[892, 452], [895, 469], [826, 480], [822, 469]],
        [[821.2, 464.49], [892.0, 452.0], [895.0, 469.0], [824.2, 481.49]],
    ),
    (
        [[679, 473], [735, 472], [736, 550], [675, 547]],
        [[675.0, 547.0], [678.82, 469.24], [739.82, 472.24], [736.0, 550.0]],
    ),
    (
        [[872, 188], [878, 212], [837, 219], [834, 190]],
        [[834.0, 190.0], [875.28, 185.73], [878.28, 214.73], [837.0, 219.0]],
    ),
    (  # one side is upright, so it matters where the calipers begin
        [[865, 757], [877, 755], [878, 762], [864, 762]],
        [[863.28, 756.96], [877.0, 755.0], [878.0, 762.0], [864.28, 763.96]],
    ),
)


@pytest.mark.parametrize(("quad", "chosen"), OPENCV)
def test_the_parity_rule_chooses_as_opencv_does(quad, chosen):
    quad, chosen = np.array(quad, float), np.array(chosen)
    assert pair_iou(opencv_rectangles(quad), chosen[None])[0] > 0.999
    assert (
        pair_iou(min_area_rectangles(quad), chosen[None])[0] < 0.96
    )  # the stable rule chooses the other one
    assert area(min_area_rectangles(quad)[0]) == pytest.approx(float(area(chosen)), rel=1e-3)


@settings(max_examples=100, deadline=None)
@given(quad=skewed(), backwards=st.booleans())
def test_both_rules_take_a_rectangle_of_the_least_area(quad, backwards):
    one, other = min_area_rectangles(quad)[0], opencv_rectangles(quad[::-1] if backwards else quad)[0]
    assert area(one) == pytest.approx(float(area(other)), rel=2e-4)


def test_concave_crossed_and_flat_quadrilaterals_have_rectangles_too():
    shapes = np.array(
        [
            [[0, 0], [40, 0], [40, 20], [30, 5]],  # concave
            [[0, 0], [40, 20], [40, 0], [0, 20]],  # crossed
            [[0, 0], [10, 10], [20, 20], [5, 5]],  # flat
            [[7, 7]] * 4,
        ],
        float,
    )
    found = opencv_rectangles(shapes)
    np.testing.assert_allclose(area(found), [800, 800, 0, 0], atol=1e-9)
    np.testing.assert_array_equal(found, canonical(found))
