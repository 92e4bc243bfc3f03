"""Pictures without a place on the map are read and written without a warning, by threads too."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from tiling.maps import BlockStore, MapBand, MapGrid, write_map
from tiling.quicklook import write_quicklook
from tiling.scene import Scene
from tiling.unwarned import unwarned
from tiling.view import Size


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_threads_open_pictures_at_the_same_time(tmp_path):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")

    def width(_):
        with Scene(tmp_path / "a.png") as scene:
            return scene.width

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(width, range(64))) == {64}


def test_a_map_and_its_picture_need_no_place(tmp_path):
    with BlockStore(tmp_path / "blocks", MapGrid(Size(8, 8), 8, 1)) as store:
        store.write(0, np.ones((1, 8, 8), np.float32))
        write_map(tmp_path / "map.tif", store, [MapBand("agb", "t", "t")], transform=None, crs=None, tags={})
    write_quicklook(tmp_path / "map.png", tmp_path / "map.tif", ["agb"], "a picture")
    assert (tmp_path / "map.png").is_file()


def test_the_filters_of_others_hold_again_afterwards():
    with unwarned(), unwarned():
        warnings.warn("no place", NotGeoreferencedWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="something else"):
            warnings.warn("something else", UserWarning, stacklevel=1)
    with pytest.raises(NotGeoreferencedWarning):
        warnings.warn("no place", NotGeoreferencedWarning, stacklevel=1)
