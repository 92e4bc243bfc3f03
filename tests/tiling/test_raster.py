"""Rasters of any bands and number type, read through the same views as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiling import pyramid, reading
from tiling.bands import RGB, Band
from tiling.errors import BandError
from tiling.raster import Raster
from tiling.scene import MOST_PYRAMIDS, Scene
from tiling.stretch import Stretch
from tiling.view import Size, View, Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
RNG = np.random.default_rng(3)
BYTES = RNG.integers(1, 256, (6, 120, 160), dtype=np.uint8)
REFLECTANCE = RNG.uniform(-0.2, 1.4, (5, 120, 160)).astype(np.float32)
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}

views = st.builds(
    View,
    st.builds(Window, st.floats(-40, 120), st.floats(-40, 90), st.floats(4, 150), st.floats(4, 120)),
    st.builds(Size, st.integers(1, 60), st.integers(1, 60)),
)
many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at_native_size(scene: Scene) -> View:
    return View(scene.window, Size(scene.height, scene.width))


def hwc(pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(pixels, 0, -1)


@many
@given(view=views, overviews=st.sampled_from([(), (2, 4)]), nodata=st.sampled_from([None, 0]))
def test_8_bit_bands_are_read_as_each_is_shown(make_raster, view, overviews, nodata):
    stored = BYTES.copy()
    stored[:, 30:70, 20:90] = 0  # in all bands: nodata where 0 is
    path = make_raster(stored, overviews=overviews, nodata=nodata, **TILES)
    with Scene(path, stretch=Stretch.identity(3)) as scene:
        raster = scene.read_bands(view)
        picture = scene.read(view)
    assert raster.pixels.shape == (*view.size, 6)
    assert raster.pixels.dtype == np.uint8
    for band in range(6):
        with Scene(path, bands=[band + 1], stretch=Stretch.identity(1)) as scene:
            alone = scene.read(view)
        np.testing.assert_array_equal(raster.pixels[..., band], alone.pixels[..., 2])
        if nodata is not None:
            np.testing.assert_array_equal(raster.coverage, alone.coverage)
    np.testing.assert_array_equal(raster.mask, picture.mask)
    np.testing.assert_array_equal(raster.pixels[..., :3], picture.pixels)


@many
@given(view=views, overviews=st.sampled_from([(), (2, 4)]), holes=st.booleans())
def test_values_rendered_afterwards_are_the_rendering_to_the_rounding_of_8_bits(
    make_raster, view, overviews, holes
):
    stored = REFLECTANCE.clip(0.1, 0.9)  # nowhere cut by the stretch, which the filter's overshoot would see
    if holes:
        stored[:, 30:70, 20:90] = np.nan
    path = make_raster(stored, overviews=overviews, **TILES)
    stretch = Stretch((-1.0,) * 3, (2.0,) * 3)  # 85 grey levels per unit
    with Scene(path, bands=(5, 1, 3), stretch=stretch) as scene:
        raster, picture = scene.read_bands(view, (5, 1, 3)), scene.read(view)
    np.testing.assert_array_equal(raster.coverage, picture.coverage)
    difference = np.abs(stretch(raster.pixels).astype(int) - picture.pixels)[raster.mask]
    assert difference.max(initial=0) <= 2  # rounded before the filter, whose weights overshoot, and after it


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int32, np.uint8])
@pytest.mark.parametrize("profile", [{}, TILES, {"interleave": "pixel"}])
def test_values_at_native_size_are_the_stored_ones(make_raster, dtype, profile):
    stored = (REFLECTANCE * 1e4 / 3).clip(0, 250).astype(dtype)
    with Scene(make_raster(stored, **profile)) as scene:
        raster = scene.read_bands(at_native_size(scene))
        part = scene.read_bands(View(Window(31, 7, 50, 40), Size(40, 50)), [4])
    assert raster.pixels.dtype == dtype
    np.testing.assert_array_equal(raster.pixels, hwc(stored))
    np.testing.assert_array_equal(part.pixels[..., 0], stored[3, 7:47, 31:81])
    assert raster.mask.all()


def test_an_exact_reduction_of_floats_is_the_mean_of_the_valid_pixels(make_raster):
    stored = REFLECTANCE.copy()
    stored[:, :3, :4] = np.nan  # of the first cell of 4 x 4, one row is left
    with Scene(make_raster(stored)) as scene:
        raster = scene.read_bands(View(scene.window, Size(30, 40)))
    means = hwc(stored).reshape(30, 4, 40, 4, 5)[1:].mean(axis=(1, 3))
    np.testing.assert_allclose(raster.pixels[1:], means, atol=1e-6)
    assert raster.coverage[0, 0] == 64  # a quarter
    assert (raster.pixels[0, 0] == 0).all()
    assert not raster.mask[0, 0]


def test_invalid_values_are_zero_and_never_nan(make_raster):
    stored = REFLECTANCE.copy()
    stored[2, 50:, :] = np.nan  # in one band of five: no pixel of which all values are known
    with Scene(make_raster(stored)) as scene:
        for size in (Size(120, 160), Size(70, 100), Size(200, 300)):
            raster = scene.read_bands(View(scene.window, size))
            assert np.isfinite(raster.pixels).all()
            assert (raster.pixels[~raster.mask] == 0).all()
        assert scene.read_bands(at_native_size(scene), [1, 2]).mask.all()


def test_the_nodata_value_may_differ_between_bands(tmp_path, make_raster):
    first = make_raster(BYTES[:1], "a.tif", nodata=7)
    with rasterio.open(make_raster(BYTES[1:2], "b.tif", nodata=9)) as other:
        stored = other.read()
    band = "<VRTRasterBand dataType='Byte' band='{}'><NoDataValue>{}</NoDataValue>{}</VRTRasterBand>"
    source = "<SimpleSource><SourceFilename relativeToVRT='1'>{}</SourceFilename></SimpleSource>"
    bands = band.format(1, 7, source.format("a.tif")) + band.format(2, 9, source.format("b.tif"))
    path = tmp_path / "both.vrt"
    path.write_text(f"<VRTDataset rasterXSize='160' rasterYSize='120'>{bands}</VRTDataset>")
    with Scene(path) as scene:
        mask = scene.read_bands(at_native_size(scene)).mask
    assert first.exists()
    np.testing.assert_array_equal(mask, ~((BYTES[0] == 7) & (stored[0] == 9)))


def test_memory_is_bounded_by_bytes_and_not_by_the_number_of_bands(make_raster, monkeypatch):
    monkeypatch.setattr(pyramid, "LEVEL_PIXELS", 1200)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 4000)
    with Scene(make_raster(REFLECTANCE[[0, 1, 2, 3, 4, 0]], **TILES)) as scene:
        raster = scene.read_bands(View(scene.window, Size(6, 8)))
        level = scene._pyramid_of(None).levels[-1]
    assert level.block is not None
    assert level.size.height * level.size.width <= 1200 / 2 * 1.2  # six bands: half the area of three
    means = hwc(REFLECTANCE).reshape(6, 20, 8, 20, 5).mean(axis=(1, 3))
    assert np.abs(raster.pixels[..., :5] - means).max() < 0.1


def test_levels_are_kept_for_a_few_choices_of_bands(make_raster):
    with Scene(make_raster(REFLECTANCE)) as scene:
        view = at_native_size(scene)
        for band in [1, 2, 3, 4, 5, 1]:
            found = scene.read_bands(view, [band])
            np.testing.assert_array_equal(found.pixels[..., 0], REFLECTANCE[band - 1])
            assert len(scene._others) <= MOST_PYRAMIDS


def test_a_camera_file_on_its_side_is_read_upright(make_raster):
    with Scene(make_raster(BYTES, tags={"EXIF_Orientation": "6"})) as scene:
        raster = scene.read_bands(at_native_size(scene))
    np.testing.assert_array_equal(raster.pixels, np.rot90(hwc(BYTES), -1))


# What the bands are


def described(path) -> None:
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B02", "B03", "B08", "VV", None)
        dataset.units = ("", "", "", "dB", "")
        dataset.scales = (1e-4, 1e-4, 1e-4, 0.01, 1.0)
        dataset.offsets = (-0.1, -0.1, -0.1, -50.0, 0.0)
        dataset.update_tags(1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.4924")
        dataset.update_tags(2, wavelength="559.8", wavelength_units="Nanometers")


def test_bands_have_names_units_scales_and_wavelengths(make_raster):
    stored = (REFLECTANCE * 5000 + 2000).astype(np.uint16)
    path = make_raster(stored)
    described(path)
    with Scene(path) as scene:
        raster = scene.read_bands(at_native_size(scene), ["vv", 1, "B03"])
        everything = scene.all_bands
    blue = Band("B02", scale=1e-4, offset=-0.1, wavelength_nm=pytest.approx(492.4))
    assert raster.bands == (Band("VV", "dB", 0.01, -50.0), blue, everything[1])
    assert everything[1].wavelength_nm == pytest.approx(559.8)
    assert raster.band_names == ("VV", "B02", "B03")
    assert everything[4] == Band("band 5")
    np.testing.assert_array_equal(raster.pixels, hwc(stored[[3, 0, 1]]))

    physical = raster.physical()
    assert physical.pixels.dtype == np.float32
    np.testing.assert_allclose(physical.pixels[..., 0], stored[3] * 0.01 - 50, rtol=1e-6)
    np.testing.assert_allclose(physical.pixels[..., 1], stored[0] * 1e-4 - 0.1, atol=1e-6)
    assert physical.bands[0] == Band("VV", "dB")
    np.testing.assert_array_equal(physical.physical().pixels, physical.pixels)


def test_invalid_pixels_stay_zero_in_physical_units(make_raster):
    stored = BYTES[:2].copy()
    stored[:, :10] = 0
    path = make_raster(stored, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.offsets = (-3.0, 5.0)
    with Scene(path) as scene:
        physical = scene.read_bands(at_native_size(scene)).physical()
    assert (physical.pixels[:10] == 0).all()
    np.testing.assert_array_equal(physical.pixels[10:], hwc(stored[:, 10:]) + np.float32([-3, 5]))


def test_scenes_are_shown_by_band_names_too(make_raster):
    path = make_raster(BYTES)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("blue", "green", "red", "nir", "swir", "swir")
    with Scene(path, bands=("nir", "red", "green")) as scene:
        assert scene.bands == (4, 3, 2)
        np.testing.assert_array_equal(scene.read(at_native_size(scene)).pixels, hwc(BYTES[[3, 2, 1]]))
        view = at_native_size(scene)
        with pytest.raises(BandError, match=r"bands \[5, 6\] of .* are all named 'swir'; give a number"):
            scene.read_bands(view, ["swir"])
        with pytest.raises(BandError, match=r"no band pan in .*it has 1 \(blue\), 2 \(green\)"):
            scene.read_bands(view, ["pan"])
        with pytest.raises(BandError, match="no band 7 in "):
            scene.read_bands(view, [7])
        with pytest.raises(BandError, match="no band to read"):
            scene.read_bands(view, [])


def test_sar_is_read_as_magnitudes(make_raster):
    stored = (REFLECTANCE[:1] + 1j * REFLECTANCE[1:2]).astype(np.complex64)
    with Scene(make_raster(stored)) as scene:
        raster = scene.read_bands(at_native_size(scene))
        outside = scene.read_bands(View(Window(500, 500, 10, 10), Size(5, 5)))
    np.testing.assert_allclose(raster.pixels[..., 0], np.hypot(*REFLECTANCE[:2]), rtol=1e-6)
    assert outside.pixels.dtype == raster.pixels.dtype == np.float32
    assert not outside.mask.any()


def test_only_a_rendering_becomes_a_picture_file():
    view = View(Window(0, 0, 4, 3), Size(3, 4))
    covered = np.full((3, 4), 255, np.uint8)
    shown = Raster(np.zeros((3, 4, 3), np.uint8), covered, RGB, view)
    assert shown.to_pil().size == (4, 3)
    values = Raster(np.zeros((3, 4, 2), np.float32), covered, (Band("VV"), Band("VH")), view)
    with pytest.raises(BandError, match="float32 bands VV, VH are not an RGB image"):
        values.to_pil()
    with pytest.raises(ValueError, match=r"pixels \(3, 4, 2\) .* do not fit a view of 3 x 4 px and 3 bands"):
        Raster(values.pixels, covered, RGB, view)
