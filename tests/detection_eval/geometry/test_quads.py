"""Orientation, area, hull, minimum-area rectangle, angle conventions, validity."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detection_eval.geometry.quads import (
    EQUALLY_SMALL,
    area,
    as_quads,
    bounds,
    box_quads,
    canonical,
    convex_hull,
    is_convex,
    min_area_rectangle,
    min_area_rectangles,
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
from detection_eval.geometry.validity import examine, repair

coordinates = st.integers(-20, 20).map(float)
quads = arrays(np.float64, (4, 2), elements=coordinates)
boxes = st.tuples(
    st.floats(-100, 100), st.floats(-100, 100), st.floats(0.5, 90), st.floats(0.5, 90), st.floats(-10, 10)
)


def same_rectangle(first, second, tolerance=1e-6):
    return np.allclose(canonical_rounded(first), canonical_rounded(second), atol=tolerance)


def canonical_rounded(quad):
    """Vertices sorted, so that rounding cannot decide which of two equally high ones comes first."""
    points = np.round(np.asarray(quad).reshape(4, 2), 7)
    return points[np.lexsort((points[:, 1], points[:, 0]))]


# --- orientation ----------------------------------------------------------------------------------


def test_area_is_positive_for_clockwise_on_the_image():
    clockwise = box_quads([[0, 0, 3, 2]])  # right along the top, then down
    assert signed_area(clockwise)[0] == 6
    assert signed_area(clockwise[:, ::-1])[0] == -6
    assert area(clockwise[:, ::-1])[0] == 6


def test_canonical_starts_topmost_then_leftmost_and_runs_clockwise():
    counter_clockwise = [[5, 9], [9, 5], [9, 1], [1, 1]]
    assert canonical([counter_clockwise])[0].tolist() == [[1, 1], [9, 1], [9, 5], [5, 9]]


@settings(max_examples=60, deadline=None)
@given(quad=quads, turn=st.integers(0, 3), mirrored=st.booleans())
def test_canonical_does_not_depend_on_where_and_in_which_direction_the_vertices_were_listed(
    quad, turn, mirrored
):
    if len(np.unique(quad, axis=0)) < 4 or signed_area(quad) == 0:
        return
    listed = np.roll(quad[::-1] if mirrored else quad, turn, axis=0)
    first = canonical(quad[None])[0]
    np.testing.assert_array_equal(canonical(listed[None])[0], first)
    np.testing.assert_array_equal(canonical(first[None])[0], first)
    assert signed_area(first) > 0
    assert tuple(first[0][::-1]) == min((y, x) for x, y in quad)


def test_flat_numbers_are_taken_and_odd_ones_refused():
    assert as_quads(np.arange(16.0).reshape(2, 8)).shape == (2, 4, 2)
    assert as_quads([]).shape == (0, 4, 2)
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        as_quads(np.zeros((3, 2)))


def test_bounds_are_the_extremes():
    assert bounds([[[3, 1], [5, 4], [2, 8], [0, 2]]]).tolist() == [[0, 1, 5, 8]]


# --- hull and minimum-area rectangle --------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(points=arrays(np.float64, st.tuples(st.integers(3, 30), st.just(2)), elements=coordinates))
def test_the_hull_agrees_with_geos(points):
    hull = shapely.convex_hull(shapely.multipoints(points))
    if hull.geom_type != "Polygon":
        assert len(convex_hull(points)) <= 2
        return
    ours = convex_hull(points)
    assert signed_area(ours) == pytest.approx(hull.area)  # positive: clockwise on the image
    assert len(ours) == len(hull.exterior.coords) - 1


@settings(max_examples=60, deadline=None)
@given(points=arrays(np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=coordinates))
def test_the_minimum_area_rectangle_agrees_with_geos_and_holds_every_point(points):
    rectangle = min_area_rectangle(points)
    oracle = shapely.oriented_envelope(shapely.multipoints(points))
    assert area(rectangle) <= oracle.area * (1 + EQUALLY_SMALL) + 1e-9
    holder = shapely.polygons(rectangle).buffer(1e-7)
    assert all(holder.covers(point) for point in shapely.points(points))
    if area(rectangle) > 0:
        edges = np.roll(rectangle, -1, axis=0) - rectangle
        assert np.abs((edges[:2] * edges[1:3]).sum(axis=1)).max() < 1e-7


@settings(max_examples=60, deadline=None)
@given(quad=quads)
def test_rectangles_of_many_quadrilaterals_are_as_small_as_one_by_one(quad):
    many = min_area_rectangles(quad[None])[0]
    assert area(many) == pytest.approx(float(area(min_area_rectangle(quad))), rel=EQUALLY_SMALL, abs=1e-9)


def test_a_rectangle_is_its_own_minimum_area_rectangle():
    rectangle = canonical(boxes_to_quads([[40, 30, 20, 6, 0.4]]))
    np.testing.assert_allclose(min_area_rectangles(rectangle), rectangle, atol=1e-12)
    np.testing.assert_allclose(min_area_rectangle(rectangle[0]), rectangle[0], atol=1e-12)


def test_a_triangle_of_sides_3_4_5_fits_a_3_by_4_rectangle():
    assert area(min_area_rectangle([[0, 0], [3, 0], [0, 4]])) == pytest.approx(12)


def test_collinear_and_coincident_points_give_rectangles_without_area():
    line = min_area_rectangle([[0, 0], [10, 10], [5, 5]])
    assert area(line) == pytest.approx(0, abs=1e-12)
    assert sorted(map(tuple, np.round(np.unique(line, axis=0), 9))) == [(0, 0), (10, 10)]
    assert (min_area_rectangle([[7, 7]]) == 7).all()
    assert (min_area_rectangles([[[7, 7]] * 4]) == 7).all()
    with pytest.raises(ValueError, match="no points"):
        min_area_rectangle([])


# --- rotated boxes --------------------------------------------------------------------------------


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


# --- validity -------------------------------------------------------------------------------------

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]
BOW_TIE = [[0, 0], [4, 4], [4, 0], [0, 4]]
DART = [[0, 0], [4, 2], [0, 4], [1, 2]]
LINE = [[0, 0], [1, 1], [2, 2], [3, 3]]
NOWHERE = [[0, 0], [4, 0], [4, np.nan], [0, 4]]
TRIANGLE = [[0, 0], [4, 0], [4, 4], [4, 4]]


def test_each_defect_is_found_by_name_and_a_square_has_none():
    found = examine([SQUARE, BOW_TIE, DART, LINE, NOWHERE, TRIANGLE], 4, 3.5)
    assert found.self_intersecting.tolist() == [False, True, False, False, False, False]
    assert found.concave.tolist() == [False, False, True, False, False, False]
    assert found.zero_area.tolist() == [False, False, False, True, False, False]
    assert found.not_finite.tolist() == [False, False, False, False, True, False]
    assert found.duplicate_vertices.tolist() == [False, False, False, False, False, True]
    assert found.out_of_canvas.tolist() == [True, True, True, False, False, True]
    assert found.non_rectangular.tolist() == [False, True, True, False, False, True]
    assert found.counts()["concave"] == 1


def test_policies_mend_drop_or_keep_broken_quadrilaterals():
    broken = [SQUARE, BOW_TIE, DART, LINE, NOWHERE]
    mended, index = repair(broken, "hull")
    assert index.tolist() == [0, 1, 2]
    assert area(mended).tolist() == [16, 16, 8]
    assert is_convex(mended).all()
    assert repair(broken, "reject")[1].tolist() == [0]
    assert repair(broken, "keep")[1].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="choose hull, reject or keep"):
        repair(broken, "fix")


def test_a_box_without_width_keeps_the_direction_of_its_length():
    line = np.array([[0, 0], [6, 8]], float)
    for listed in ([0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]):
        box = quads_to_boxes(line[listed][None], LE90)[0]
        np.testing.assert_allclose(box, [3, 4, 10, 0, np.arctan2(8, 6)], atol=1e-9)
    backwards = np.array([[10, 0], [0, 0], [0, 0], [10, 0]], float)  # the first side has no length
    np.testing.assert_allclose(quads_to_boxes(backwards[None], LE90)[0], [5, 0, 10, 0, 0], atol=1e-9)
