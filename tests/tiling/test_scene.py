"""Scenes: what is shown of files of any kind, what is valid, how little is read, and what is refused."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.enums import ColorInterp, Resampling

from tiling import handles, pyramid, reading
from tiling.errors import (
    BandError,
    EmptyScene,
    NoValidPixels,
    OutsideScene,
    SceneError,
    SceneNotFound,
    SceneUnreadable,
)
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.stretch import Stretch
from tiling.view import Size, View, Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
QWEN25 = Resolution(28, 56 * 56, 1280 * 28**2)
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (3, 120, 160), dtype=np.uint8)
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def whole(scene: Scene) -> View:
    """The scene at its own size."""
    return View(scene.window, Size(scene.height, scene.width))


def shown(path: Path, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """All pixels and the mask of a file at its own size."""
    with Scene(path, **options) as scene:  # type: ignore[arg-type]
        image = scene.read(whole(scene))
        return image.pixels, image.mask


def hwc(pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(pixels, 0, -1)


# Which pixels


@pytest.mark.parametrize(
    "profile", [{}, TILES, {"driver": "PNG"}, {"compress": "deflate", "interleave": "pixel"}]
)
def test_a_view_at_its_own_size_is_the_stored_pixels_bit_for_bit(make_raster, profile):
    pixels, mask = shown(make_raster(PHOTO, **profile))
    np.testing.assert_array_equal(pixels, hwc(PHOTO))
    assert mask.all()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x=st.integers(-50, 200), y=st.integers(-50, 150), width=st.integers(1, 90), height=st.integers(1, 90))
def test_a_window_may_leave_the_scene_and_is_black_and_invalid_there(make_raster, x, y, width, height):
    with Scene(make_raster(PHOTO)) as scene:
        image = scene.read(View(Window(x, y, width, height), Size(height, width)))
    padded = np.pad(hwc(PHOTO), ((200, 300), (200, 300), (0, 0)))[200 + y :, 200 + x :][:height, :width]
    inside = np.pad(np.ones((120, 160), bool), ((200, 300), (200, 300)))[200 + y :, 200 + x :][
        :height, :width
    ]
    np.testing.assert_array_equal(image.pixels, padded)
    np.testing.assert_array_equal(image.mask, inside)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # At least 40 px inside the scene: the filter reaches two pixels of a view beyond it, 18 px each at most.
    window=st.builds(Window, *[st.floats(40, 120)] * 2, *[st.floats(30, 90)] * 2),
    size=st.builds(Size, st.integers(5, 90), st.integers(5, 90)),
    with_overviews=st.booleans(),
)
@example(Window(40, 40, 30, 90), Size(5, 5), False)
@example(Window(120, 120, 90, 90), Size(5, 5), False)
@example(Window(120, 40, 90, 81), Size(5, 5), True)
def test_every_pixel_of_a_reduced_view_shows_the_place_that_the_view_says(
    make_raster, window, size, with_overviews
):
    # x and y as pixel values: what a pixel shows is where it is.
    place = np.stack(np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)).astype(np.float32)
    path = make_raster(place[[0, 1, 1]], overviews=(2, 4) if with_overviews else (), **TILES)
    with Scene(path, stretch=Stretch((0.0,) * 3, (255.0,) * 3)) as scene:
        view = View(window, size)
        image = scene.read(view)
    columns, rows = np.meshgrid(np.arange(size.width) + 0.5, np.arange(size.height) + 0.5)
    expected = view.to_scene(np.stack((columns, rows), axis=-1))
    assert np.abs(image.pixels[..., :2] - expected).max() <= 1.02  # rounded twice, by half a px each time


def test_an_exact_reduction_without_overviews_is_the_mean_of_the_blocks(make_raster):
    with Scene(make_raster(PHOTO)) as scene:
        image = scene.read(View(scene.window, Size(30, 40)))
    blocks = hwc(PHOTO).reshape(30, 4, 40, 4, 3).mean(axis=(1, 3))
    assert np.abs(image.pixels - blocks).max() <= 0.5


def test_a_crop_and_the_overview_show_a_place_in_the_same_colours(make_raster):
    # A bright square in a dark 16-bit scene: stretched per view, it would be black or white at will.
    scene16 = RNG.integers(900, 1100, (3, 512, 512)).astype(np.uint16)
    scene16[:, 100:300, 100:300] += 2000
    with Scene(make_raster(scene16, overviews=(2, 4))) as scene:
        overview = scene.read(View(scene.window, Size(128, 128)))
        inside = scene.read(View(Window(120, 120, 160, 160), Size(160, 160)))
        outside = scene.read(View(Window(320, 320, 160, 160), Size(160, 160)))
    assert overview.pixels[30:70, 30:70].mean() == pytest.approx(inside.pixels.mean(), abs=1)
    assert overview.pixels[80:120, 80:120].mean() == pytest.approx(outside.pixels.mean(), abs=1)
    assert inside.pixels.mean() - outside.pixels.mean() > 150


# Bands and number types


def test_16_bit_scenes_are_stretched_from_the_2nd_to_the_98th_percentile(make_raster):
    ramp = np.tile(np.linspace(1000, 3000, 201).astype(np.uint16), (1, 50, 1))
    with Scene(make_raster(ramp)) as scene:
        assert scene.stretch.low == pytest.approx((1040,), abs=10)
        assert scene.stretch.high == pytest.approx((2960,), abs=10)
        image = scene.read(whole(scene))
    assert image.pixels[0, 0].tolist() == [0, 0, 0]
    assert image.pixels[0, 100].tolist() == pytest.approx([127, 127, 127], abs=2)


def test_8_bit_photographs_are_shown_as_they_are_even_when_they_are_dark(make_raster):
    dark = PHOTO // 8
    np.testing.assert_array_equal(shown(make_raster(dark))[0], hwc(dark))


def test_a_mask_of_zeros_and_ones_is_made_visible(make_raster):
    pixels, _ = shown(make_raster((PHOTO[:1] > 128).astype(np.uint8)))
    assert set(np.unique(pixels)) == {0, 255}


def test_one_band_is_grey_and_two_show_the_first(make_raster):
    for bands in (1, 2):
        pixels, _ = shown(make_raster(PHOTO[:bands]))
        np.testing.assert_array_equal(pixels, hwc(PHOTO[[0, 0, 0]]))


def test_bands_are_found_by_their_colour(make_raster):
    order = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
    four = np.concatenate((PHOTO, PHOTO[:1]))
    path = make_raster(four, colorinterp=order)
    with Scene(path) as scene:
        assert scene.bands == (3, 2, 1)
    np.testing.assert_array_equal(shown(path)[0], hwc(PHOTO[::-1]))


def test_chosen_bands_are_shown_in_the_order_given(make_raster):
    four = np.concatenate((PHOTO, 255 - PHOTO[:1]))
    path = make_raster(four)
    np.testing.assert_array_equal(shown(path, bands=(4, 3, 2))[0], hwc(four[[3, 2, 1]]))
    np.testing.assert_array_equal(shown(path, bands=[4])[0], hwc(four[[3, 3, 3]]))


@pytest.mark.parametrize("bands", [(4, 3, 2), (0,), (-1,)])
def test_a_band_that_does_not_exist_is_refused_with_those_that_do(make_raster, bands):
    path = make_raster(PHOTO)
    with pytest.raises(
        BandError, match=rf"no band {bands[0]} in .*scene\.tif; it has 1 \(red\), 2 \(green\), 3"
    ):
        Scene(path, bands=bands)


def test_two_bands_cannot_be_chosen(make_raster):
    with pytest.raises(BandError, match=r"2 bands \(1, 2\) cannot be shown; choose one \(grey\) or three"):
        Scene(make_raster(PHOTO), bands=(1, 2))


def test_a_palette_is_resolved_before_anything_is_averaged(make_raster):
    # Values 1 (red) and 3 (blue) in turn: averaged as numbers they would be 2, a green that is nowhere.
    columns = np.tile(np.array([1, 3], dtype=np.uint8), (1, 40, 20))
    path = make_raster(columns, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 255, 0, 255), 3: (0, 0, 255, 255)})
    pixels, _ = shown(path)
    assert pixels[0, :2].tolist() == [[255, 0, 0], [0, 0, 255]]
    with Scene(path) as scene:
        halved = scene.read(View(scene.window, Size(20, 20))).pixels
    np.testing.assert_array_equal(halved, np.broadcast_to([128, 0, 128], halved.shape))


def test_complex_pixels_show_their_magnitude(make_raster):
    radar = (np.arange(1, 401).reshape(1, 20, 20) * np.exp(1j)).astype(np.complex64)
    with Scene(make_raster(radar)) as scene:
        assert scene.stretch.high[0] == pytest.approx(392, abs=1)
        assert scene.read(whole(scene)).mask.all()


# What is valid


def collar(values: np.ndarray, nodata: float) -> np.ndarray:
    """A scene with a collar of nodata 30 px wide."""
    scene = np.full_like(values, nodata)
    scene[:, 30:-30, 30:-30] = values[:, 30:-30, 30:-30]
    return scene


INSIDE = np.zeros((120, 160), dtype=bool)
INSIDE[30:-30, 30:-30] = True


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", 0),
        ("uint16", 0),
        ("int16", -9999),
        ("float32", float("nan")),
        ("float32", -3.4028234663852886e38),
    ],
)
def test_nodata_is_invalid_black_and_out_of_the_stretch(make_raster, dtype, nodata):
    values = (PHOTO.astype(dtype) // 2 + 100).astype(dtype)
    path = make_raster(collar(values, nodata), nodata=nodata)
    pixels, mask = shown(path)
    np.testing.assert_array_equal(mask, INSIDE)
    assert not pixels[~INSIDE].any()
    with Scene(path) as scene:
        assert scene.valid_fraction(scene.window) == pytest.approx(60 * 100 / (120 * 160))
        if dtype != "uint8":
            assert min(scene.stretch.low) >= 100


def test_black_in_one_band_is_a_colour_and_not_nodata(make_raster):
    red = np.zeros((3, 10, 10), dtype=np.uint8)
    red[0] = 200
    assert shown(make_raster(red, nodata=0))[1].all()


def test_not_a_number_in_any_band_is_invalid_without_a_nodata_value(make_raster):
    values = PHOTO.astype(np.float32)
    values[1, 5, 7] = np.nan
    mask = shown(make_raster(values))[1]
    assert not mask[5, 7]
    assert mask.sum() == mask.size - 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_transparent_pixels_are_invalid(make_raster, dtype):
    alpha = INSIDE[None] * 255
    four = np.concatenate((PHOTO, alpha)).astype(dtype)
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    path = make_raster(four, colorinterp=colours)
    np.testing.assert_array_equal(shown(path)[1], INSIDE)
    with Scene(path) as scene:
        assert scene.bands == (1, 2, 3)
        assert scene.band_count == 4


def test_the_mask_of_the_file_counts(make_raster):
    np.testing.assert_array_equal(shown(make_raster(PHOTO, mask=INSIDE))[1], INSIDE)


@pytest.mark.parametrize("overviews", [(), (2, 4)])
def test_reduced_views_are_valid_where_at_least_half_of_a_pixel_is_and_have_no_dark_rim(
    make_raster, overviews
):
    values = np.full((3, 120, 160), 180, dtype=np.uint8)
    with Scene(make_raster(collar(values, 0), nodata=0, overviews=overviews)) as scene:
        image = scene.read(View(scene.window, Size(24, 32)))  # 5 x 5 px each: the collar ends after 6 of them
    np.testing.assert_array_equal(image.mask, np.pad(np.ones((12, 20), bool), 6))
    assert np.abs(image.pixels[image.mask].astype(int) - 180).max() <= 1
    assert not image.pixels[~image.mask].any()


def test_a_scene_without_a_valid_pixel_opens_but_has_nothing_to_show(make_raster):
    with Scene(make_raster(np.zeros((3, 50, 50), np.uint8), nodata=0)) as scene:
        assert scene.valid_fraction(scene.window) == 0
        with pytest.raises(NoValidPixels, match=r"scene\.tif has no valid pixels"):
            scene.overview(QWEN25)
        assert not scene.read(whole(scene)).mask.any()
    with (
        Scene(make_raster(np.zeros((1, 50, 50), np.uint16), nodata=0)) as scene,
        pytest.raises(NoValidPixels),
    ):
        scene.read(whole(scene))


def test_a_single_valid_pixel_is_never_overlooked(make_raster):
    # Nearest-neighbour overviews drop it; the answer must not.
    lonely = np.zeros((1, 600, 600), dtype=np.uint8)
    lonely[0, 333, 211] = 9
    path = make_raster(lonely, nodata=0, **TILES)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8, 16], Resampling.nearest)
    with Scene(path) as scene:
        assert 0 < scene.valid_fraction(scene.window) < 0.01
        assert scene.valid_fraction(Window(200, 320, 64, 64)) > 0
        assert scene.valid_fraction(Window(0, 0, 200, 600)) == 0
        scene.require_pixels()


def test_the_valid_fraction_counts_what_lies_outside_as_invalid(make_raster):
    with Scene(make_raster(PHOTO)) as scene:
        assert scene.valid_fraction(Window(-80, 0, 160, 120)) == pytest.approx(0.5)
        assert scene.valid_fraction(Window(-200, 0, 100, 100)) == 0


# Sizes for models


def test_an_overview_has_the_size_that_the_model_accepts(make_raster):
    with Scene(make_raster(PHOTO)) as scene:
        view = scene.overview(QWEN25)
    assert view == View(Window(0, 0, 160, 120), QWEN25.fit(120, 160))


def test_a_window_is_cut_to_the_scene(make_raster):
    with Scene(make_raster(PHOTO)) as scene:
        view = scene.view(Window(100, -20, 100, 60), QWEN25)
        assert view == View(Window(100, 0, 60, 40), QWEN25.fit(40, 60))
        with pytest.raises(OutsideScene, match="lies outside the scene of 160 x 120 px"):
            scene.view(Window(160, 0, 10, 10), QWEN25)


@given(long=st.integers(1, 50_000), resolution=st.sampled_from([QWEN25, Resolution(32, 4 * 32**2, 2**20)]))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strip_of_any_length_becomes_a_view_that_the_model_leaves_unchanged(make_raster, long, resolution):
    with Scene(make_raster(np.ones((1, 1, 4), np.uint8))) as scene:
        scene.height, scene.width = 3, long
        view = scene.view(scene.window, resolution)
    assert resolution.fit(*view.size) == view.size
    assert view.window.contains(Window(0, 0, long, 3))


def test_a_widened_strip_is_padded_in_black(make_raster):
    with Scene(make_raster(np.full((3, 2, 1000), 99, np.uint8))) as scene:
        view = scene.overview(QWEN25)
        image = scene.read(view)
    assert view.window == Window(0, -4, 1000, 10)
    assert image.mask.mean() == pytest.approx(0.2, abs=0.1)
    assert not image.pixels[~image.mask].any()


# How much is read


def test_a_view_is_read_from_the_coarsest_overview_that_has_its_detail(make_raster):
    path = make_raster(RNG.integers(0, 9, (1, 512, 512), dtype=np.uint8), overviews=(2, 4, 8), **TILES)
    with Scene(path) as scene:
        assert scene.overviews == [2, 4, 8]
        scales = [0.5, 1, 1.9, 2, 3.9, 4, 9, 33]
        found = [scene._pyramid.level_for((scale, scale)) for scale in scales]
    levels = [(level.scale[0], step) for level, step in found]
    assert levels == [
        (1, (1, 1)), (1, (1, 1)), (1, (1, 1)), (2, (1, 1)),
        (2, (1, 1)), (4, (1, 1)), (8, (1, 1)), (8, (4, 4)),
    ]  # fmt: skip


@pytest.fixture
def reads(monkeypatch):
    """The sizes in bytes of the blocks of pixels that are decoded."""
    sizes: list[int] = []
    read_pixels = reading.read_pixels

    def spy(*arguments):
        raster = read_pixels(*arguments)
        sizes.append(raster.pixels.nbytes)
        return raster

    monkeypatch.setattr(reading, "read_pixels", spy)
    monkeypatch.setattr(pyramid, "read_pixels", spy)
    return sizes


def test_a_large_file_without_overviews_is_read_strip_by_strip_and_only_once(make_raster, monkeypatch, reads):
    monkeypatch.setattr(reading, "CHUNK_BYTES", 200_000)
    monkeypatch.setattr(pyramid, "LEVEL_PIXELS", 256 * 256)
    large = RNG.integers(0, 256, (3, 1024, 1024), dtype=np.uint8)
    with Scene(make_raster(large, nodata=0)) as scene:
        scene.require_pixels()
        assert sum(reads) <= 64 * 64 * 3  # a look at the middle
        reads.clear()
        overview = scene.read(scene.view(scene.window, Resolution(28, 28**2, 7 * 7 * 28**2)))
        assert sum(reads) == large.nbytes
        assert max(reads) <= 200_000
        scene.read(View(scene.window, Size(200, 200)))
        assert scene.valid_fraction(scene.window) == 1
        assert sum(reads) == large.nbytes  # the level in memory served them
    assert np.abs(overview.pixels.mean() - large.mean()) < 1


def test_threads_read_the_same_pixels_as_one_and_build_the_level_once(make_raster, monkeypatch, reads):
    monkeypatch.setattr(pyramid, "LEVEL_PIXELS", 128 * 128)
    stretch = Stretch((0.0,) * 3, (4000.0,) * 3)
    large = RNG.integers(0, 4000, (3, 512, 512)).astype(np.uint16)
    path = make_raster(large, compress="deflate", **TILES)
    views = [View(Window(x, y, 200, 150), Size(75, 100)) for x in (0, 90, 300) for y in (-10, 77, 310)]
    views += [View(Window(0, 0, 512, 512), Size(64, 64))] * 6
    with Scene(path, stretch=stretch) as scene:
        alone = [scene.read(view).pixels for view in views]
    reads.clear()
    with Scene(path, stretch=stretch) as scene, ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda view: scene.read(view).pixels, views * 4))
    for found, expected in zip(together, alone * 4):
        np.testing.assert_array_equal(found, expected)
    assert sum(size == large.nbytes for size in reads) == 1


@pytest.fixture
def serve():
    """Serve a file from another process; the address of the server."""
    servers: list[subprocess.Popen] = []

    def start(path: Path) -> str:
        command = [sys.executable, str(Path(__file__).with_name("range_server.py")), str(path)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        return server.stdout.readline().strip()

    yield start
    for server in servers:
        server.communicate(timeout=10)


def test_of_a_remote_scene_only_what_is_shown_is_fetched(make_raster, serve):
    large = RNG.integers(0, 256, (3, 1500, 1500), dtype=np.uint8)
    path = make_raster(large, overviews=(2, 4, 8), interleave="pixel", **TILES)
    address = serve(path)
    with Scene(f"{address}/scene.tif") as scene:
        crop = scene.read(View(Window(700, 700, 64, 64), Size(64, 64)))
        scene.read(View(scene.window, Size(150, 150)))
        assert scene.identity.startswith(f"{address}/scene.tif|1500x1500x3 uint8|bands 1,2,3")
    np.testing.assert_array_equal(crop.pixels, hwc(large)[700:764, 700:764])
    with urllib.request.urlopen(f"{address}/served") as answer:
        assert int(answer.read()) < path.stat().st_size / 5
    with pytest.raises(SceneNotFound, match=r"other\.tif does not exist"):
        Scene(f"{address}/other.tif")


# Life of a scene


def test_identity_names_the_file_its_bands_and_its_stretch_and_follows_changes(make_raster):
    path = make_raster(PHOTO)
    with Scene(path) as scene:
        identity = scene.identity
        assert str(path.resolve()) in identity
        assert identity == Scene(path).identity
    assert Scene(path, bands=(3, 2, 1)).identity != identity
    assert Scene(path, stretch=Stretch.identity(3)).identity != identity
    make_raster(PHOTO[:, ::-1], compress="lzw")
    assert Scene(path).identity != identity


def test_a_scene_can_be_sent_to_another_process(make_raster):
    with Scene(make_raster(PHOTO), bands=(2,)) as scene, pickle.loads(pickle.dumps(scene)) as copy:
        np.testing.assert_array_equal(copy.read(whole(copy)).pixels, scene.read(whole(scene)).pixels)
        assert copy.identity == scene.identity


def test_a_forked_process_opens_handles_of_its_own(make_raster, monkeypatch):
    with Scene(make_raster(PHOTO)) as scene:
        with scene._pool.borrow() as handle:
            pass
        with scene._pool.borrow() as again:
            assert again is handle
        monkeypatch.setattr(handles.os, "getpid", lambda: -1)
        with scene._pool.borrow() as child:
            assert child is not handle


def test_a_process_forked_after_a_read_in_threads_reads_by_itself(make_raster):
    # GDAL's pool of threads does not come along: waiting for it would never end.
    pixels = np.arange(3 * 512 * 512, dtype=np.uint32).astype(np.uint8).reshape(3, 512, 512)
    stored = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    with Scene(make_raster(pixels, **stored)) as scene:
        expected = scene.read(whole(scene)).pixels
        with multiprocessing.get_context("fork").Pool(1) as pool:
            found = pool.apply_async(_read_whole, (scene,)).get(timeout=60)
        assert (handles.decoding_threads() > 1) == (os.cpu_count() != 1)
    np.testing.assert_array_equal(found, expected)


def _read_whole(scene: Scene) -> np.ndarray:
    assert handles.decoding_threads() == 1
    return scene.read(whole(scene)).pixels


def test_a_closed_scene_says_so(make_raster):
    with Scene(make_raster(PHOTO)) as scene:
        view = whole(scene)
    with pytest.raises(SceneUnreadable, match="is closed"):
        scene.read(view)


def test_a_view_image_becomes_a_png_with_the_same_pixels(make_raster):
    with Scene(make_raster(PHOTO, crs="EPSG:32632", transform=Affine(2, 0, 5e5, 0, -2, 5e6))) as scene:
        image = scene.read(View(Window(0, 0, 80, 60), Size(60, 80)))
    assert image.gsd_m == pytest.approx(2, rel=1e-3)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image.png_bytes()))), hwc(PHOTO)[:60, :80])


# What is refused


def test_a_missing_file(tmp_path):
    with pytest.raises(SceneNotFound, match=r"nowhere\.tif does not exist"):
        Scene(tmp_path / "nowhere.tif")


def test_a_mosaic_that_names_a_missing_file_is_not_called_missing_itself(make_raster, tmp_path):
    source = make_raster(PHOTO)
    mosaic = tmp_path / "mosaic.vrt"
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{source}</SourceFilename>'
    band += "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
    mosaic.write_text(f'<VRTDataset rasterXSize="160" rasterYSize="120">{band}</VRTDataset>')
    np.testing.assert_array_equal(shown(mosaic)[0], hwc(PHOTO[[0, 0, 0]]))
    source.unlink()
    with pytest.raises(SceneUnreadable, match=r"mosaic\.vrt cannot be read.*scene\.tif"):
        shown(mosaic)


def test_a_folder(tmp_path):
    with pytest.raises(SceneUnreadable, match="is a folder"):
        Scene(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.tif").touch()
    with pytest.raises(EmptyScene, match=r"empty\.tif is empty \(0 bytes\)"):
        Scene(tmp_path / "empty.tif")


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "notes.tif").write_text("not an image")
    with pytest.raises(SceneUnreadable, match=r"notes\.tif cannot be read: .*not recognized"):
        Scene(tmp_path / "notes.tif")


def test_a_mosaic_is_not_blamed_for_a_part_that_is_gone(tmp_path):
    (tmp_path / "mosaic.vrt").write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">gone.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(
        SceneUnreadable, match=r"mosaic\.vrt cannot be read, a file that it names is missing:"
    ):
        shown(tmp_path / "mosaic.vrt")


def test_a_server_that_is_not_there_is_no_corrupt_file():
    with pytest.raises(SceneUnreadable, match=r"x\.tif cannot be read, its server cannot be reached"):
        Scene("http://127.0.0.1:9/x.tif")


@pytest.mark.parametrize(
    ("driver", "options"),
    [("GTiff", {}), ("GTiff", TILES), ("GTiff", {"compress": "deflate"}), ("PNG", {}), ("JPEG", {})],
)
def test_a_file_that_is_cut_off(make_raster, driver, options):
    path = make_raster(PHOTO, driver=driver, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        SceneError, match=r"scene\.tif cannot be read, it may be corrupt or cut off"
    ) as caught:
        shown(path)
    assert "\n" not in str(caught.value)


# Real files


def test_the_overview_of_a_scene_of_648_megapixels_decodes_one_overview(rasters, reads):
    with Scene(rasters / "rio-tiler" / "cog_world.tif") as scene:
        assert (scene.width, scene.height) == (36000, 18000)
        overview = scene.read(scene.overview(QWEN25))
        assert sum(reads) < 5e6
        land = scene.read(View(Window(18000, 4000, 1500, 1500), Size(1008, 1008)))
    assert overview.mask.mean() == pytest.approx(0.33, abs=0.02)  # land; the sea is nodata
    assert land.mask.mean() > 0.3


def test_the_same_scene_looks_the_same_with_and_without_overviews(rasters):
    images = []
    for name in ("cog.tif", "nocog.tif"):
        with Scene(rasters / "rio-tiler" / name) as scene:
            images.append(scene.read(scene.overview(QWEN25)).pixels.astype(int))
    assert np.abs(images[0] - images[1]).mean() < 3


@pytest.mark.parametrize(
    ("name", "bands", "valid"),
    [
        ("rasterio/RGBA.uint16.tif", (3, 2, 1), 0.49),
        ("rasterio/float_nan.tif", (1,), 5 / 6),
        ("rasterio/goes.tif", (1, 2, 3), 0.78),
        ("rasterio/cogeo.tif", (1, 2, 3), 1.0),
        ("rasterio/RGB.byte.gcp.vrt", (1, 2, 3), 0.675),
        ("rio-tiler/cog_dateline.tif", (1,), 1.0),
    ],
)
def test_real_files_show_their_bands_and_their_valid_part(rasters, name, bands, valid):
    with Scene(rasters / name) as scene:
        assert scene.bands == bands
        image = scene.read(whole(scene))
        assert image.mask.mean() == pytest.approx(valid, abs=0.01)
        assert scene.valid_fraction(scene.window) == pytest.approx(valid, abs=0.02)
        assert image.pixels[image.mask].mean() > 10


@pytest.mark.parametrize("name", ["rasterio/all-nodata.tif", "rio-tiler/inverted_lat.tif"])
def test_real_files_of_nothing_but_nodata_have_no_overview(rasters, name):
    with Scene(rasters / name) as scene, pytest.raises(NoValidPixels):
        scene.overview(QWEN25)
