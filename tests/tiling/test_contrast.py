"""The contrast of scenes whose pixels hold what nothing declares."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tiling import contrast
from tiling.overrides import Overrides
from tiling.scene import Scene
from tiling.view import Size, View

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RASTERS = Path(__file__).parents[3] / "shared" / "data" / "rasters"
RNG = np.random.default_rng(0)
NOISE = RNG.integers(1, 255, (3, 240, 320)).astype(np.float64) * 10 + 500


def holed(value: float, dtype: str, share: float = 0.05) -> np.ndarray:
    """Noise with a hole in its middle that fills a share of it."""
    pixels = NOISE.copy()
    height, width = (round(side * share**0.5) for side in pixels.shape[1:])
    top, left = (240 - height) // 2, (320 - width) // 2
    pixels[:, top : top + height, left : left + width] = value
    return pixels.astype(dtype)


VALUES = [
    (-9999, "float32"),
    (-9999, "int16"),
    (-32768, "int16"),
    (65535, "uint16"),
    (-3.4028234663852886e38, "float32"),
    (-1.7976931348623157e308, "float64"),  # GDAL's and ArcGIS's least number
]


@pytest.mark.parametrize("share", [0.002, 0.05, 0.6])
@pytest.mark.parametrize(("value", "dtype"), VALUES)
def test_a_hole_of_an_impossible_value_does_not_spoil_the_contrast(make_raster, value, dtype, share):
    path = make_raster(holed(value, dtype, share))
    with Scene(path) as scene, Scene(path, overrides=Overrides(nodata=value)) as told:
        assert scene.stretch == told.stretch
        [warning] = scene.warnings
        assert warning.startswith(f"value {value:.9g} fills ")
        assert f"--nodata {value:.9g} hides it" in warning
        assert scene.valid_fraction(scene.window) == 1  # it is said, and not hidden
        assert told.warnings == []


@pytest.mark.parametrize("value", [-9999, 30000])
def test_single_pixels_of_it_are_found_where_means_blur_them(make_raster, monkeypatch, value):
    monkeypatch.setattr(contrast, "STATISTICS_SIDE", 40)
    pixels = NOISE.astype(np.int16)
    rows, columns = RNG.integers(0, 240, 1500), RNG.integers(0, 320, 1500)  # 2 %: in most cells of 8 x 8
    pixels[:, rows, columns] = value
    with Scene(make_raster(pixels)) as scene:
        assert min(scene.stretch.low) > 500
        assert max(scene.stretch.high) < 3100
        assert [line.startswith(f"value {value} fills ") for line in scene.warnings] == [True]


def test_real_pixels_are_no_fill_values(make_raster):
    lake = holed(0, "uint16", 0.2)  # black water: no further from the rest than the rest is wide
    bright = NOISE.copy()
    bright[:, 100:140, 100:140] *= RNG.uniform(1, 25, (3, 40, 40))  # specular targets, up to saturation
    for pixels in (
        lake,
        np.minimum(bright, 65535).astype(np.uint16),
        np.where(NOISE > 2000, 1, 0).astype("int16"),
    ):
        with Scene(make_raster(pixels)) as scene:
            assert scene.stretch
            assert scene.warnings == []


def test_none_takes_each_value_for_what_it_is(make_raster):
    with Scene(make_raster(holed(-9999, "int16")), overrides=Overrides(nodata="none")) as scene:
        assert scene.stretch.low == (-9999.0,) * 3
        assert scene.warnings == []


def turned(value: int) -> np.ndarray:
    """An 8-bit scene that stands on a corner in a border of one value."""
    rows, columns = np.mgrid[:240, :320]
    inside = np.abs(rows - 120) / 120 + np.abs(columns - 160) / 160 < 1
    return np.where(inside, NOISE / 13, value).astype(np.uint8)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_black_or_white_collar_of_8_bits_is_said_and_shown_as_it_is(make_raster, value, bands):
    path = make_raster(turned(value)[:bands])
    view = View(Scene(path).window, Size(240, 320))
    with Scene(path) as scene, Scene(path, overrides=Overrides(nodata="none")) as told:
        shown = scene.read(view)
        [warning] = scene.warnings
        # Half of the scene, less the cells of the reduction that the edge cuts.
        assert re.match(
            f"value {value} fills (49|50)% of the scene and 99% of its border and is shown; ", warning
        )
        assert f"--nodata {value} leaves it out" in warning
        assert (shown.pixels == told.read(view).pixels).all()
        assert shown.mask.all()
        assert told.warnings == []


def test_8_bit_scenes_with_a_declaration_or_without_black_corners_are_not_looked_at(make_raster, monkeypatch):
    monkeypatch.setattr(contrast, "black_or_white_collar", lambda *_: pytest.fail("looked at"))
    for pixels, profile in ((turned(0), {"nodata": 0}), ((NOISE / 13).astype(np.uint8), {})):
        with Scene(make_raster(pixels, **profile)) as scene:
            assert scene.stretch
            assert scene.warnings == []


REAL = sorted(path for path in RASTERS.glob("*/*") if path.suffix in (".tif", ".jpg", ".png", ".vrt"))


@pytest.mark.skipif(not REAL, reason="the shared rasters are not here")
def test_of_the_real_rasters_those_with_undeclared_values_are_named():
    found = {}
    for path in REAL:
        try:
            with Scene(path) as scene:
                assert scene.stretch
                odd = [line for line in scene.warnings if line.startswith("value ")]
        except Exception:  # what cannot be read is told elsewhere
            continue
        if odd:
            found[path.name] = odd
    # Those made for it, and scenes that stand in a border of 1 or 0 without saying so.
    assert {name: line.split()[1] for name, (line,) in found.items()} == {
        "float_undeclared.tif": "-9999",
        "u16_collar_nonodata.tif": "0",
        "cog.tif": "1",
        "nocog.tif": "1",
        "cog_dateline.tif": "1",
        "slc.tif": "0",
    }
