"""Pyramids: the right level and cells for any scale, and crops that do not show where they were cut."""

from __future__ import annotations

import numpy as np
import pytest

from tiling.scene import Scene
from tiling.view import Size, View, Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
RNG = np.random.default_rng(3)


def hwc(pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(pixels, 0, -1)


@pytest.mark.parametrize(("across", "down"), [(4, 2), (2, 4), (1, 3), (5, 1)])
def test_x_and_y_are_averaged_each_by_its_own_scale(make_raster, across, down):
    width, height = 12 * across, 10 * down
    photo = RNG.integers(0, 256, (3, height, width), dtype=np.uint8)
    with Scene(make_raster(photo)) as scene:
        image = scene.read(View(scene.window, Size(10, 12)))
    means = hwc(photo).reshape(10, down, 12, across, 3).mean(axis=(1, 3))
    assert np.abs(image.pixels - means).max() <= 0.5


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5, 2.5, 3.75])
def test_a_tile_is_the_same_as_the_same_part_of_a_larger_view(make_raster, scale):
    # The filter reaches beyond the tile, so that tiles beside one another fit without a seam.
    photo = RNG.integers(0, 256, (3, 240, 240), dtype=np.uint8)
    shown = round(240 / scale)
    first, last = shown // 4, 3 * shown // 4
    with Scene(make_raster(photo)) as scene:
        whole = scene.read(View(scene.window, Size(shown, shown))).pixels.astype(int)
        part = Window.from_bounds(*[240 / shown * edge for edge in (first, first, last, last)])
        tile = scene.read(View(part, Size(last - first, last - first))).pixels
    assert np.abs(tile - whole[first:last, first:last]).max() <= 1


def test_an_overview_serves_views_that_are_finer_by_no_more_than_rounding(make_raster):
    photo = RNG.integers(0, 256, (1, 511, 509), dtype=np.uint8)
    with Scene(make_raster(photo, overviews=(2,))) as scene:
        pyramid = scene._pyramid
        own = pyramid.levels[1].scale  # 511 and 509 px as 256 and 255: not quite 2
        served = [pyramid.level_for((own[0] * by, own[1] * by))[0].overview for by in (0.99, 0.9995, 1, 1.1)]
    assert own == (509 / 255, 511 / 256)
    assert served == [None, 0, 0, 0]


@pytest.mark.parametrize("size", [(100, 30), (30, 100), (64, 65), (7, 200)])
def test_the_whole_image_is_never_longer_than_asked_and_keeps_its_aspect(make_raster, size):
    height, width = size
    photo = RNG.integers(0, 256, (1, height, width), dtype=np.uint8)
    with Scene(make_raster(photo)) as scene:
        whole = scene._pyramid.overall(33).pixels
    assert 33 / 2 <= max(whole.shape[:2]) <= 33
    step = -(-max(size) // 33)
    assert whole.shape[:2] == (-(-height // step), -(-width // step))
    assert whole.mean() == pytest.approx(photo.mean(), abs=12)
