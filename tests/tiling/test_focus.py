"""Focused views: one region enlarged, the rest compressed, exactly invertible, read piece by piece."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rscovlm.scripted import write_raster
from tiling.focus import FocusedView, read_focused
from tiling.scene import Scene
from tiling.view import Orientation, Size, View, Window

EVEN = View(Window(0, 0, 1600, 800), Size(200, 400))  # one view pixel is four scene pixels


def test_a_quarter_of_each_axis_becomes_one_and_a_half_times_as_long():
    focused = FocusedView.of(EVEN, Window(400, 400, 400, 200))
    # x: 100 to 200 of 400 px become 150 px; the 300 others share 250, a third before: 83.3.
    assert focused.columns == ((0, 100, 200, 400), (0, 83, 233, 400))
    # y: 100 to 150 of 200 px become 75; 125 are left, of which two thirds before: 83.3.
    assert focused.rows == ((0, 100, 150, 200), (0, 83, 158, 200))
    assert focused.finest.scale == pytest.approx((4 / 1.5, 4 / 1.5))


def test_a_region_takes_no_more_than_its_share_of_an_axis():
    focused = FocusedView.of(EVEN, Window(0, 0, 800, 800))
    # Half of x would become three quarters: 55 % it is. All of y stays as it is.
    assert focused.columns == ((0, 200, 400), (0, 220, 400))
    assert focused.rows == ((0, 200), (0, 200))
    assert len(list(focused.pieces)) == 2


def test_a_region_that_fills_more_than_its_share_already_is_not_made_smaller():
    assert FocusedView.of(EVEN, Window(0, 0, 1200, 800)).columns == ((0, 300, 400), (0, 300, 400))


def test_a_region_outside_the_view_is_an_error():
    with pytest.raises(ValueError, match="outside the view"):
        FocusedView.of(EVEN, Window(2000, 0, 10, 10))


fraction = st.floats(0, 1)


@given(
    st.tuples(fraction, fraction, fraction, fraction),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()),
    st.lists(st.tuples(fraction, fraction), min_size=1, max_size=8),
)
def test_points_go_to_the_scene_and_back(box, size, orientation, points):
    base = View(Window(10, 20, 3000, 2000), Size(*size), orientation)
    (x0, x1), (y0, y1) = sorted(box[:2]), sorted(box[2:])
    region = Window.from_bounds(10 + 2999 * x0, 20 + 1999 * y0, 11 + 2999 * x1, 21 + 1999 * y1)
    focused = FocusedView.of(base, region)
    scene = np.array(points) * (3000, 2000) + (10, 20)
    np.testing.assert_allclose(focused.to_scene(focused.from_scene(scene)), scene, atol=1e-6)
    # The pieces are those of the whole, side by side, none empty.
    assert sum(piece.view.size[0] * piece.view.size[1] for piece in focused.pieces) == size[0] * size[1]
    assert sum(piece.view.window.area for piece in focused.pieces) == pytest.approx(3000 * 2000)
    for axis in (focused.columns, focused.rows):
        assert min(np.diff(axis.even)) > 0
        assert min(np.diff(axis.shown)) > 0


def test_what_rounding_leaves_at_an_edge_is_no_piece():
    mirrored = View(Window(10, 20, 3000, 2000), Size(1, 253), Orientation(False, True, False))
    focused = FocusedView.of(mirrored, Window(10, 20, 1, 1))
    assert sum(piece.view.window.area for piece in focused.pieces) == pytest.approx(3000 * 2000)


def test_each_pixel_shows_the_place_that_it_stands_for(tmp_path):
    """Red is x, green is y: what is read is where the view says that it lies."""
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 512)) as scene:
        focused = FocusedView.of(View(scene.window, Size(128, 256)), Window(512, 128, 256, 128))
        pixels, valid = read_focused(scene, focused)
    assert valid.all()
    rows, columns = np.mgrid[:128, :256]
    places = focused.to_scene(np.stack([columns + 0.5, rows + 0.5], axis=-1))
    np.testing.assert_allclose(pixels[..., 0], places[..., 0] * 255 / 1024, atol=2)
    np.testing.assert_allclose(pixels[..., 1], places[..., 1] * 255 / 512, atol=2)
