"""Several files on the pixels of the first."""

import numpy as np
import pytest
from rasterio.warp import transform as warp

from tests.places import from_origin
from tiling.errors import BandError
from tiling.scene import Scene
from tiling.sensors import Encoding, Expected, Sensor, SensorBand, contract_of
from tiling.stack import Stack, on_one_grid, read_on
from tiling.view import Size, View, Window

UTM = "EPSG:32633"
PLACE = {"crs": UTM, "transform": from_origin(500_000, 5_000_000, 10, 10)}


def sensor(*names: str) -> Sensor:
    return Sensor("test", "DN", tuple(map(SensorBand, names)), {"1": Encoding()}, Expected((-9, 9), (-9, 9)))


def ramp(height: int, width: int, origin: tuple[float, float], step: float) -> np.ndarray:
    """Easting in km from 500 km and northing from 4990 km: a plane, which every linear filter keeps."""
    east = (origin[0] - 500_000 + (np.arange(width) + 0.5) * step) / 1000
    north = (origin[1] - 4_990_000 - (np.arange(height) + 0.5) * step) / 1000
    return np.stack(np.broadcast_arrays(east[None], north[:, None])).astype(np.float32)


@pytest.fixture
def first(make_raster):
    with Scene(make_raster(ramp(60, 60, (500_000, 5_000_000), 10), **PLACE)) as scene:
        yield scene


@pytest.mark.parametrize("step", [10, 25, 4])
def test_a_grid_along_the_first_is_read_in_the_same_places_whatever_its_pixels(make_raster, first, step):
    origin = (499_900, 5_000_100)
    place = {"crs": UTM, "transform": from_origin(*origin, step, step)}
    path = make_raster(ramp(1000 // step, 1000 // step, origin, step), "other.tif", **place)
    view = View(Window(10, 20, 25, 25), Size(25, 25))
    with Scene(path) as other:
        raster = read_on(first, view, other)
    np.testing.assert_allclose(raster.pixels, first.read_bands(view).pixels, atol=2e-3)
    assert raster.mask.all()
    assert raster.gsd_m == pytest.approx(10, rel=1e-3)


def test_another_crs_is_interpolated_in_the_same_places(make_raster, first):
    """Longitudes and latitudes on a grid in degrees, read on UTM pixels, are those of the pixels."""
    longitude, latitude = np.meshgrid(14.99 + np.arange(300) * 1e-4, 45.16 - np.arange(250) * 1e-4)
    cube = np.stack([longitude + 5e-5, latitude - 5e-5]).astype(np.float64)
    path = make_raster(cube, "degrees.tif", crs="EPSG:4326", transform=from_origin(14.99, 45.16, 1e-4, 1e-4))
    view = View(Window(10, 20, 25, 30), Size(30, 25))
    with Scene(path) as other:
        raster = read_on(first, view, other)
    east, north = 500_100 + (np.arange(25) + 0.5) * 10, 4_999_800 - (np.arange(30) + 0.5) * 10
    grid = np.meshgrid(east, north)
    expected = np.stack(warp(UTM, "EPSG:4326", grid[0].ravel(), grid[1].ravel()), axis=-1).reshape(30, 25, 2)
    np.testing.assert_allclose(raster.pixels, expected, atol=2e-5)  # 0.2 px; float32 itself is 4e-6 there
    assert raster.mask.all()


def test_what_the_other_file_does_not_show_is_no_data(make_raster, first):
    pixels = np.ones((1, 30, 30), np.float32)
    path = make_raster(pixels, "half.tif", crs=UTM, transform=from_origin(500_000, 5_000_000, 10, 10))
    with Scene(path) as other:
        stack = Stack(
            ((first, contract_of(first, sensor("a", "b"))), (other, contract_of(other, sensor("c"))))
        )
        values = stack.read(View(first.window, Size(60, 60)), ["c", "b"])
    assert np.isfinite(values[..., 0]).mean() == pytest.approx(0.25)
    assert np.isfinite(values[..., 1]).all()
    np.testing.assert_array_equal(
        values[..., 1], first.read_bands(View(first.window, Size(60, 60))).pixels[..., 1]
    )


def test_files_of_no_known_place_are_one_grid_if_of_one_size(make_raster):
    pixels = np.random.default_rng(0).uniform(0, 1, (2, 1, 20, 30)).astype(np.float32)
    with Scene(make_raster(pixels[0], "a.tif")) as a, Scene(make_raster(pixels[1], "b.tif")) as b:
        stack = Stack(((a, contract_of(a, sensor("a"))), (b, contract_of(b, sensor("b")))))
        values = stack.read(View(a.window, Size(20, 30)), ["a", "b"])
        np.testing.assert_array_equal(np.moveaxis(values, -1, 0), pixels[:, 0])
        with pytest.raises(BandError, match="no band z; there are a, b"):
            stack.require(["z"])
    with (
        Scene(make_raster(pixels[0][:, :10], "c.tif")) as c,
        Scene(tmp := make_raster(pixels[1], "b.tif")) as b,
    ):
        layers = ((c, contract_of(c, sensor("a"))), (b, contract_of(b, sensor("b"))))
        with pytest.raises(BandError, match=r"is 30 x 20 px and .* 30 x 10 px"):
            Stack(layers)
    assert tmp.exists()


def test_a_file_that_lies_apart_is_refused(make_raster, first):
    pixels = np.ones((1, 30, 30), np.float32)
    path = make_raster(pixels, "far.tif", crs=UTM, transform=from_origin(500_600, 5_000_000, 10, 10))
    with Scene(path) as other, pytest.raises(BandError, match=r"far\.tif lies apart from .*one place"):
        Stack(((first, contract_of(first, sensor("a", "b"))), (other, contract_of(other, sensor("c")))))


@pytest.mark.parametrize(
    ("origin", "step", "together"),
    [
        ((500_000, 5_000_000), 10, True),
        ((499_970, 5_000_050), 10, True),
        ((500_003, 5_000_000), 10, False),
        ((500_000, 5_000_000), 20, False),
    ],
)
def test_grids_are_one_where_pixels_lie_on_pixels(make_raster, first, origin, step, together):
    place = {"crs": UTM, "transform": from_origin(*origin, step, step)}
    with Scene(make_raster(np.ones((1, 60, 60), np.float32), "other.tif", **place)) as other:
        assert on_one_grid(first, other) is together


def test_bands_of_two_dates_are_read_side_by_side(make_raster, first):
    """The second file says 5 where the first has its ramp, under the names of the second date."""
    path = make_raster(np.full((2, 60, 60), 5, np.float32), "later.tif", **PLACE)
    with Scene(path) as other:
        both = sensor("a", "b")
        stack = Stack(((first, contract_of(first, both)), (other, contract_of(other, both).at(2))))
        view = View(Window(3, 4, 9, 9), Size(9, 9))
        values = stack.read(view, ["b@2", "a", "a@2"])
    np.testing.assert_array_equal(values[..., [0, 2]], 5)
    np.testing.assert_array_equal(values[..., 1], first.read_bands(view).pixels[..., 0])
    with pytest.raises(BandError, match="no band a@3"):
        stack.require(["a", "a@3"])
