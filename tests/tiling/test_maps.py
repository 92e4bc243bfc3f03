"""Maps of numbers: blocks on the disk, then a cloud-optimised GeoTIFF."""

import resource
import signal

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from tests.places import from_origin
from tiling.maps import BlockStore, MapBand, MapGrid, write_map
from tiling.view import Size

BANDS = (MapBand("agb", "Mg ha-1", "above-ground biomass density"), MapBand("coverage", "1", "valid share"))


def filled(path, size: Size, block: int = 4) -> np.ndarray:
    """A store whose blocks were written in a strange order, and the values that it should hold."""
    grid = MapGrid(size, block, 2)
    values = np.random.default_rng(0).normal(100, 30, (2, *size)).astype(np.float32)
    values[0, :2, :3] = np.nan
    with BlockStore(path, grid) as store:
        for index in np.random.default_rng(1).permutation(len(grid)).tolist():
            store.write(index, values[:, *grid.cells(index)])
    return values


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_blocks_partition_the_cells(height, width, block):
    grid = MapGrid(Size(height, width), block, 1)
    counts = np.zeros((height, width), int)
    for index in range(len(grid)):
        counts[grid.cells(index)] += 1
    assert (counts == 1).all()


def test_blocks_come_back_in_strips_whatever_their_order(tmp_path):
    values = filled(tmp_path / "blocks", Size(11, 9))
    with BlockStore(tmp_path / "blocks", MapGrid(Size(11, 9), 4, 2)) as store:
        strips = list(store.strips())
    assert [top for top, _ in strips] == [0, 4, 8]
    np.testing.assert_array_equal(np.concatenate([part for _, part in strips], axis=1), values)


def test_a_block_that_is_torn_or_was_never_written_is_not_whole(tmp_path):
    path = tmp_path / "blocks"
    with BlockStore(path, MapGrid(Size(8, 8), 4, 1)) as store:
        checksum = store.write(1, np.ones((1, 4, 4), np.float32))
        assert store.holds(1, checksum)
        assert not store.holds(0, checksum)
        assert not store.holds(2, checksum)
    with path.open("r+b") as file:
        file.seek(70)
        file.write(b"\xff")
    with BlockStore(path, MapGrid(Size(8, 8), 4, 1)) as store:
        assert not store.holds(1, checksum)


@pytest.fixture
def written(tmp_path):
    values = filled(tmp_path / "blocks", Size(600, 300), 16)
    transform = from_origin(500_000, 5_000_000, 250, 250)
    crs = rasterio.CRS.from_epsg(32633)
    with BlockStore(tmp_path / "blocks", MapGrid(Size(600, 300), 16, 2)) as store:
        for name in ("map.tif", "again.tif"):
            write_map(tmp_path / name, store, BANDS, transform=transform, crs=crs, tags={"source": "a test"})
    return tmp_path, values


def test_a_map_is_a_cog_that_says_what_its_bands_are(written):
    folder, values = written
    with rasterio.open(folder / "map.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1) == [2, 4]
        assert dataset.block_shapes == [(256, 256)] * 2
        assert dataset.descriptions == ("agb", "coverage")
        assert dataset.units == ("Mg ha-1", "1")
        assert np.isnan(dataset.nodatavals).all()
        assert dataset.tags(1)["long_name"] == "above-ground biomass density"
        assert dataset.tags()["Conventions"].startswith("CF-")
        assert dataset.tags()["source"] == "a test"
        assert dataset.crs.to_epsg() == 32633
        assert dataset.transform.a == 250
    assert sorted(each.name for each in folder.iterdir()) == ["again.tif", "blocks", "map.tif"]


def test_the_same_blocks_make_the_same_bytes(written):
    folder, _ = written
    assert (folder / "map.tif").read_bytes() == (folder / "again.tif").read_bytes()


def test_a_map_that_finds_no_room_is_one_clear_error_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands for a full disk; GDAL says nothing of it when it closes one."""
    size = Size(60, 60)
    filled(tmp_path / "blocks", size)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with BlockStore(tmp_path / "blocks", MapGrid(size, 4, 2)) as store:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
            with pytest.raises(OSError, match=r"cannot write .*m\.tif"):
                write_map(tmp_path / "m.tif", store, BANDS, transform=None, crs=None, tags={})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handled)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks"]
