"""Orientation, area, hull, minimum-area rectangle."""

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
    min_area_rectangle,
    min_area_rectangles,
    signed_area,
)
from detection_eval.geometry.rotated import (
    boxes_to_quads,
)

coordinates = st.integers(-20, 20).map(float)
quads = arrays(np.float64, (4, 2), elements=coordinates)


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
