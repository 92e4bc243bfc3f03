"""Planning over sparse files: what is not stored is not read, and nothing valid is missed."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window as Part

from tests.places import unplaced
from tiling import pyramid, reading
from tiling.grid import TileGrid
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import Window

SIDE = 2048


@pytest.fixture
def sparse(tmp_path):
    """Write a sparse file of ``SIDE`` px with values in a few places only."""

    def make(places, **profile) -> str:
        path = tmp_path / "sparse.tif"
        shape = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "nodata": 0}
        layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "SPARSE_OK": True}
        with (
            unplaced(),
            rasterio.open(path, "w", driver="GTiff", **{**shape, **layout, **profile}) as dataset,
        ):
            for x, y, side in places:
                values = np.full((dataset.count, side, side), 7, dataset.dtypes[0])
                dataset.write(values, window=Part(x, y, side, side))
        return str(path)

    return make


@pytest.fixture
def decoded(monkeypatch):
    """The areas in px of the blocks of pixels that are read."""
    areas: list[int] = []

    def spy(dataset, layout, cells, *more):
        areas.append(cells.size.height * cells.size.width)
        return read(dataset, layout, cells, *more)

    read = reading.read_pixels
    for module in (reading, pyramid):
        monkeypatch.setattr(module, "read_pixels", spy)
    return areas


@pytest.mark.parametrize("profile", [{}, {"interleave": "band"}, {"blockxsize": 16, "blockysize": 16}])
def test_a_single_valid_pixel_is_found_and_little_is_read(sparse, decoded, profile):
    with Scene(sparse([(300, 1500, 1), (1900, 10, 100)], **profile)) as scene:
        plan = TileGrid(SIDE, SIDE, tile=128, overlap=0).valid_tiles(scene)
        places = {(tile.column, tile.row) for tile in plan.tiles}
        assert places == {(300 // 128, 1500 // 128), (14, 0), (15, 0)}
        assert sum(decoded) < SIDE * SIDE / 20
        assert not scene.has_valid(Window(0, 0, 1000, 1000))


def test_the_overview_of_a_sparse_scene_shows_what_is_there(sparse, decoded, monkeypatch):
    monkeypatch.setattr(pyramid, "LEVEL_PIXELS", 256 * 256)
    with Scene(sparse([(1024, 1024, 256)])) as scene:
        picture = scene.read(scene.overview(Resolution(4, 16, 256 * 256)))
        assert np.count_nonzero(picture.mask) == pytest.approx(32 * 32, rel=0.2)


def test_blocks_that_are_left_out_of_a_file_without_nodata_are_black_and_valid(sparse):
    with Scene(sparse([(0, 0, 64)], nodata=None)) as scene:
        assert len(TileGrid(SIDE, SIDE, tile=1024).valid_tiles(scene).tiles) == 4


def test_a_full_file_is_planned_with_a_look_at_the_middle_of_each_tile(sparse, decoded):
    with Scene(sparse([(0, 0, SIDE)])) as scene:
        plan = TileGrid(SIDE, SIDE, tile=256).valid_tiles(scene)
        assert (len(plan.tiles), len(plan.skipped)) == (64, 0)
        assert sum(decoded) <= 64 * 64 * 64


def test_progress_is_told_to_the_end(sparse):
    told = []
    with Scene(sparse([(0, 0, 64)])) as scene:
        TileGrid(SIDE, SIDE, tile=128).valid_tiles(scene, progress=lambda *numbers: told.append(numbers))
    assert told == [(64, 256), (128, 256), (192, 256), (256, 256)]
