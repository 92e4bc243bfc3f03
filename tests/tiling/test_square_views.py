"""Sizes of views whose pixels are square on the ground; test_ground_views.py reads them from files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.resolution import Resolution
from tiling.square_views import fitted_view, scaled_view, stretch_to_square
from tiling.view import UPRIGHT, Size, Window

CELLS = Resolution(4, 16, 1_000_000)


@pytest.mark.parametrize(
    ("gsd_xy_m", "expected"),
    [
        (None, (1, 1)),
        ((0.3, 0.3), (1, 1)),
        ((10, 10.05), (1, 1)),  # half a percent
        ((10, 20), (1, 2)),  # pixels are 10 m wide and 20 m high
        ((20, 10), (2, 1)),
        ((1000, 1), (32, 1)),  # no more than this
    ],
)
def test_pixels_are_stretched_along_their_longer_side(gsd_xy_m, expected):
    assert stretch_to_square(gsd_xy_m) == expected


@given(gsd=st.tuples(st.floats(0.1, 100), st.floats(0.1, 100)))
def test_stretching_never_loses_detail_and_changes_axes_with_the_pixel(gsd):
    wider, taller = stretch_to_square(gsd)
    assert min(wider, taller) == 1
    assert stretch_to_square(gsd[::-1]) == pytest.approx((taller, wider))


def test_a_view_of_oblong_pixels_has_the_shape_of_the_ground():
    window = Window(0, 0, 400, 400)  # 4 km x 8 km of pixels 10 m wide and 20 m high
    assert fitted_view(window, (1, 2), UPRIGHT, CELLS).size == Size(800, 400)
    # Two scene pixels a view pixel in the geometric mean: the area is a quarter of 400 x 400.
    assert fitted_view(window, (1, 2), UPRIGHT, CELLS, reduction=2).size == Size(284, 140)
    assert scaled_view(window, (1, 2), UPRIGHT, 0.5).size == Size(283, 141)


def test_a_strip_is_widened_about_its_middle():
    view = fitted_view(Window(0, 10, 1000, 2), (1, 1), UPRIGHT, CELLS)
    assert view.window == Window(0, 6, 1000, 10)  # an aspect of 100


@given(width=st.floats(1e-3, 50), height=st.floats(1e-3, 50), scale=st.floats(1e-3, 1))
def test_a_view_is_never_empty(width, height, scale):
    window = Window(0, 0, width, height)
    assert min(scaled_view(window, (1, 1), UPRIGHT, scale).size) >= 1
    assert min(fitted_view(window, (1, 1), UPRIGHT, CELLS, 1 / scale).size) >= 4
