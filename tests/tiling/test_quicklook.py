"""A map as a picture with a bar of colours."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.places import from_origin
from tiling.quicklook import coloured, ticks, write_quicklook


def test_colours_run_from_end_to_end_and_what_is_unknown_is_grey():
    shown = coloured(np.array([[0.0, 10.0, -5.0, 99.0, np.nan]]), 0.0, 10.0)[0].tolist()
    dark, bright = [0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25]
    assert shown == [dark, bright, dark, bright, [214, 217, 222]]


def test_brighter_is_more():
    luminance = coloured(np.linspace(0, 1, 50)[None], 0, 1)[0] @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 0).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 300, [0, 50, 100, 150, 200, 250, 300]), (0.02, 0.11, [0.02, 0.04, 0.06, 0.08, 0.1]), (7, 7, [7])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_there_are_some_ticks_and_not_many_and_all_inside(low, length):
    found = ticks(low, low + length)
    assert 1 <= len(found) <= 8
    slack = 1e-6 * max(abs(low), length)
    assert all(low - slack <= each <= low + length + slack for each in found)


def test_each_band_is_drawn_at_its_place_beside_its_bar(tmp_path):
    values = np.full((2, 40, 60), np.nan, np.float32)
    values[:, :, :30], values[:, :, 30:] = 10.0, 20.0
    values[0, :20, :30] = np.nan
    shape = {"height": 40, "width": 60, "count": 2, "dtype": "float32", "nodata": np.nan}
    place = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, 10, 10)}
    with rasterio.open(tmp_path / "map.tif", "w", driver="GTiff", **shape, **place) as dataset:
        dataset.write(values)
        dataset.descriptions, dataset.units = ("agb", "deviation"), ("Mg ha-1", "Mg ha-1")
    write_quicklook(tmp_path / "map.png", tmp_path / "map.tif", ("agb", "deviation"), "scene.tif")
    picture = np.asarray(Image.open(tmp_path / "map.png"))
    # Six times as large, from (16, 44 + 32).
    cell = picture[76 + 3 : 76 + 240 : 6, 16 + 3 : 16 + 360 : 6].astype(int)
    assert (cell[:20, :30] == (214, 217, 222)).all()
    assert (cell[20:, :30] == (0x44, 0x01, 0x54)).all()
    assert (cell[:, 30:] == (0xFD, 0xE7, 0x25)).all()
