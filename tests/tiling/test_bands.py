"""Which bands are shown, and bands by number and name."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from tests.places import unplaced
from tiling.bands import band_indexes, shown_bands
from tiling.errors import BandError

GREY = (ColorInterp.gray, *[ColorInterp.undefined] * 3)


@pytest.fixture
def scene(make_raster):
    path = make_raster(np.ones((4, 8, 8), np.uint8), colorinterp=GREY)
    with unplaced(), rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("nir", "blue", "green", "red")
    with unplaced(), rasterio.open(path) as dataset:
        yield dataset


def test_bands_named_red_green_and_blue_are_shown_in_that_order_with_a_note(scene):
    shown = shown_bands(scene, None)
    assert shown[0] == (4, 3, 2)
    assert "are shown as red, green, blue" in shown[1]


def test_bands_are_chosen_by_number_and_by_name(scene):
    assert band_indexes(scene, [1, "red"]) == (1, 4)
    assert shown_bands(scene, ["nir"])[0] == (1,)


@pytest.mark.parametrize(("bands", "message"), [([9], "9"), (["swir"], "swir"), ([1, 2], "2 bands")])
def test_bands_that_cannot_be_shown_are_refused_by_name(scene, bands, message):
    with pytest.raises(BandError, match=message):
        shown_bands(scene, bands)
