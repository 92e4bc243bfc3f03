from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.resolution import fit_size
from tiling.view import Orientation, Size, View, Window

coordinates = st.floats(-50_000, 50_000)
lengths = st.floats(0.5, 50_000)
windows = st.builds(Window, coordinates, coordinates, lengths, lengths)
orientations = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())
views = st.builds(View, windows, st.builds(Size, st.integers(1, 4096), st.integers(1, 4096)), orientations)
points = st.lists(st.tuples(st.floats(-4096, 8192), st.floats(-4096, 8192)), min_size=1, max_size=5).map(
    np.array
)


def test_x_and_y_scale_separately():
    # 100 x 60 scene px shown as 200 x 30 view px: x doubles, y halves.
    view = View(Window(10, 20, 100, 60), Size(height=30, width=200))
    assert view.scale == (0.5, 2.0)
    assert view.to_scene([[0, 0], [200, 30], [100, 15]]).tolist() == [[10, 20], [110, 80], [60, 50]]
    assert view.from_scene([60, 50]).tolist() == [100, 15]


def test_the_mean_lrs_vqa_image_shows_why_one_scale_is_not_enough():
    # 7099 x 6329 px in 16384 cells of 28 px: the two scales differ by 0.3 %, 21 scene px from edge to edge.
    scale_x, scale_y = View(
        Window(0, 0, 7099, 6329), fit_size(6329, 7099, 28, 4 * 28**2, 16384 * 28**2)
    ).scale
    assert abs(scale_x / scale_y - 1) == pytest.approx(0.003, abs=0.0002)


@given(view=views, inside=points)
def test_view_to_scene_and_back_is_exact_to_a_billionth_of_a_pixel(view, inside):
    again = view.from_scene(view.to_scene(inside))
    # A view may enlarge without limit; then a billionth of a scene pixel is what can be kept.
    tolerance = 1e-9 * max(1.0, 1 / min(view.scale))
    np.testing.assert_allclose(again, inside, rtol=0, atol=tolerance)
    scene_points = inside * 7.0
    np.testing.assert_allclose(view.to_scene(view.from_scene(scene_points)), scene_points, rtol=0, atol=1e-9)


@given(view=views)
def test_the_corners_of_a_view_are_the_corners_of_its_window(view):
    height, width = view.size
    corners = view.to_scene([[0, 0], [width, height]])
    np.testing.assert_allclose(np.sort(corners, axis=0).ravel(), view.window.bounds, atol=1e-9)
    assert view.window_of((0, 0, width, height)).iou(view.window) == pytest.approx(1)


def test_a_view_turned_by_a_quarter_runs_down_the_columns_of_the_scene():
    # 100 x 60 scene px, shown 30 wide and 200 high: the picture's rows are the scene's columns, and its
    # columns the scene's rows from the last one up.
    view = View(Window(10, 20, 100, 60), Size(height=200, width=30), Orientation(True, False, True))
    assert view.scale == (0.5, 2.0)
    assert view.to_scene([[0, 0], [30, 0], [0, 200]]).tolist() == [[10, 80], [10, 20], [110, 80]]


@given(view=views, at=st.tuples(st.integers(0, 7), st.integers(0, 5)))
def test_pixels_turn_as_points_do(view, at):
    # A picture of the scene itself, pixel for pixel: what it shows at a point is the scene at that point.
    scene = np.arange(8 * 6).reshape(6, 8)
    picture = view.orientation.turned(scene)
    shown = View(Window(0, 0, 8, 6), Size(*picture.shape), view.orientation)
    x, y = np.floor(shown.from_scene(np.add(at, 0.5))).astype(int)
    assert picture[y, x] == scene[at[1], at[0]]


def test_a_box_in_a_view_is_a_window_of_the_scene_whatever_its_corner_order():
    view = View(Window(1000, 2000, 400, 400), Size(100, 100))
    assert view.window_of((10, 20, 30, 60)) == Window(1040, 2080, 80, 160)
    assert view.window_of((30, 60, 10, 20)) == Window(1040, 2080, 80, 160)


def test_zooming_into_a_tenth_at_the_same_size_magnifies_ten_times():
    overview = View(Window(0, 0, 5000, 5000), Size(1008, 1008))
    crop = View(Window(100, 100, 500, 500), Size(1008, 1008))
    assert crop.magnification_over(overview) == pytest.approx(10)
    assert overview.magnification_over(crop) == pytest.approx(0.1)


def test_magnification_of_an_uneven_zoom_is_the_geometric_mean():
    overview = View(Window(0, 0, 400, 400), Size(100, 100))
    crop = View(Window(0, 0, 100, 25), Size(100, 100))
    assert crop.magnification_over(overview) == pytest.approx(np.sqrt(4 * 16))


@given(first=windows, second=windows)
def test_intersection_is_inside_both_and_iou_is_symmetric(first, second):
    common = first.intersection(second)
    assert (common is None) == (first.iou(second) == 0)
    if common is not None:
        slack = 1e-6
        assert first.pad(slack).contains(common)
        assert second.pad(slack).contains(common)
        assert first.iou(second) == pytest.approx(second.iou(first))
        assert common.area <= min(first.area, second.area) * (1 + 1e-6)


def test_window_algebra_by_hand():
    window = Window(2, 3, 4, 6)
    assert window.bounds == (2, 3, 6, 9)
    assert window.center == (4, 6)
    assert window.area == 24
    assert window.pad(1) == Window(1, 2, 6, 8)
    assert Window.from_bounds(2, 3, 6, 9) == window
    assert Window.around([[6, 3], [2, 9], [4, 4]]) == window
    assert window.intersection(Window(6, 3, 1, 1)) is None  # they touch, but share no area
    assert window.iou(Window(2, 3, 4, 3)) == 0.5
    # Half of either: 12 of 24 + 24 - 12.
    assert window.iou(Window(4, 3, 4, 6)) == pytest.approx(1 / 3)
    assert window.iou(Window(2, 0, 4, 6)) == pytest.approx(1 / 3)
    assert window.contains(window)
    assert not window.contains(window.pad(0.001))


@pytest.mark.parametrize("sides", [(0, 1), (1, 0), (-1, 5), (float("nan"), 1)])
def test_an_empty_window_is_refused(sides):
    with pytest.raises(ValueError, match="both sides must be positive"):
        Window(0, 0, *sides)


def test_an_empty_view_is_refused():
    with pytest.raises(ValueError, match=r"view size \(0, 5\) is empty"):
        View(Window(0, 0, 1, 1), Size(0, 5))


SCENE = Window(0, 0, 100, 60)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(10, 10, 20, 20), Window(10, 10, 20, 20)),
        (Window(-5, 50, 20, 20), Window(0, 40, 20, 20)),
        (Window(90, -30, 20, 20), Window(80, 0, 20, 20)),
        (Window(-50, 20, 300, 20), Window(0, 20, 100, 20)),
    ],
)
def test_a_window_is_moved_inside_and_cut_only_where_it_is_longer(window, expected):
    assert window.moved_inside(SCENE) == expected


def test_a_window_is_moved_inside_an_extent_that_does_not_begin_at_the_origin():
    extent = Window(100, 200, 50, 40)
    assert Window(0, 0, 20, 10).moved_inside(extent) == Window(100, 200, 20, 10)
    assert Window(900, 900, 20, 10).moved_inside(extent) == Window(130, 230, 20, 10)


def test_a_window_is_resized_about_its_centre():
    assert Window(10, 10, 20, 20).resized(10, 40) == Window(15, 0, 10, 40)
