"""Where files lie: by a transform, control points or RPC, and what makes no sense places nothing."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from tiling.errors import NotGeoreferenced
from tiling.scene import Scene

BLANK = np.ones((1, 20, 20), dtype=np.uint8)
UTM = (500_000, 4_000_000)


def test_dots_per_inch_say_nothing_about_the_ground(make_raster):
    per_inch = {"TIFFTAG_XRESOLUTION": "72", "TIFFTAG_YRESOLUTION": "72", "TIFFTAG_RESOLUTIONUNIT": "2"}
    with Scene(make_raster(BLANK, tags=per_inch)) as scene:
        assert scene.gsd_m is None
        assert not scene.georeferenced
        with pytest.raises(NotGeoreferenced, match=r"scene\.tif has no georeference"):
            scene.to_map([0, 0])


def test_a_transform_without_crs_gives_map_coordinates_but_no_metres(make_raster):
    with Scene(make_raster(BLANK, transform=Affine(2, 0, 100, 0, -2, 200))) as scene:
        assert scene.gsd_m is None
        assert not scene.georeferenced
        assert scene.to_map([1, 1]).tolist() == [102, 198]
        with pytest.raises(NotGeoreferenced, match="states no coordinate reference system"):
            scene.to_lonlat([0, 0])


def test_a_crs_about_the_centre_of_the_earth_places_nothing(make_raster):
    with Scene(make_raster(BLANK, crs="EPSG:4978", transform=Affine(1, 0, 5e5, 0, -1, 4e6))) as scene:
        assert scene.crs is None
        assert any("EPSG:4978 has no plane of a map" in each for each in scene.warnings)


def test_degrees_beyond_a_pole_place_nothing(make_raster):
    with Scene(make_raster(BLANK, crs="EPSG:4326", transform=Affine(0.1, 0, 0, 0, -0.1, 96))) as scene:
        assert not scene.georeferenced
        assert "its centre has the latitude 95" in scene.warnings[0]


def ground_control(angle_deg: float, pixel_m: float) -> list[GroundControlPoint]:
    """Control points of a rotated affine grid, with a slight bend."""
    affine = Affine.translation(*UTM) @ Affine.rotation(angle_deg) @ Affine.scale(pixel_m, -pixel_m)
    points = []
    for row in np.linspace(0, 200, 5):
        for column in np.linspace(0, 300, 6):
            x, y = affine @ (column, row)
            points.append(GroundControlPoint(row, column, x + 1e-5 * column**2, y, 0))
    return points


def test_ground_control_points_give_map_coordinates_that_round_trip(make_raster):
    path = make_raster(np.ones((1, 200, 300), np.uint8), gcps=ground_control(20, 5), crs="EPSG:32632")
    with Scene(path) as scene:
        assert scene.georeferenced
        assert scene.transform is None
        assert scene.crs.to_epsg() == 32632
        control = ground_control(20, 5)[13]
        np.testing.assert_allclose(scene.to_map([control.col, control.row]), [control.x, control.y], atol=0.5)
        pixels = np.random.default_rng(0).uniform(0, 200, (50, 2))
        np.testing.assert_allclose(scene.from_map(scene.to_map(pixels)), pixels, atol=1e-6)
        assert scene.gsd_xy_m == pytest.approx((5, 5), rel=0.01)


def pinhole_rpc() -> RPC:
    """A plain model over a degree about 10 E, 50 N: columns follow longitude, rows latitude, southwards.

    Height shifts the column, and is nought at its offset.
    """
    constant = [1.0, *[0.0] * 19]
    sample, line = [0.0] * 20, [0.0] * 20
    sample[1], sample[3] = 1.0, 0.01  # longitude, height
    line[2] = -1.0  # latitude
    return RPC(
        height_off=300, height_scale=500, lat_off=50, lat_scale=0.5, long_off=10, long_scale=0.5,
        line_off=100, line_scale=100, samp_off=150, samp_scale=150,
        line_num_coeff=line, line_den_coeff=constant, samp_num_coeff=sample, samp_den_coeff=constant,
        err_bias=0.0, err_rand=0.0,
    )  # fmt: skip


def test_rpc_give_longitude_and_latitude_at_the_mean_height(make_raster):
    path = make_raster(np.ones((1, 200, 300), np.uint8), rpcs=pinhole_rpc())
    with Scene(path) as scene:
        assert scene.georeferenced
        # RPC count from pixel centres: sample 150 is x = 150.5. A quarter of the width is 0.25 degrees.
        np.testing.assert_allclose(scene.to_map([150.5, 100.5]), [10, 50], atol=1e-6)
        np.testing.assert_allclose(scene.to_map([225.5, 50.5]), [10.25, 50.25], atol=1e-6)
        pixels = np.random.default_rng(0).uniform(0, 200, (50, 2))
        np.testing.assert_allclose(scene.from_map(scene.to_map(pixels)), pixels, atol=1e-6)
        width = Geod(ellps="WGS84").inv(10, 50, 10 + 1 / 300, 50)[2]
        assert scene.gsd_xy_m[0] == pytest.approx(width, rel=1e-3)


def test_real_files_lie_where_they_are(rasters):
    places = {
        "rasterio/RGB.byte.tif": (-77.76, 24.56),  # the Bahamas
        "rasterio/goes.tif": (-75.0, 0.0),  # the sub-satellite point of GOES-East
        "rasterio/world.rgb.tif": (0, 0),
        "rasterio/RGB.byte.gcp.vrt": (-123.4, 49.5),  # Vancouver
        "rio-tiler/201404_13SED190110_201404_0x1500m_CL_1.tif": (-104.77, 38.95),  # Colorado Springs
        "rio-tiler/cog_dateline.tif": (179.7, 51.7),
    }
    for name, place in places.items():
        with Scene(rasters / name) as scene:
            assert scene.to_lonlat(scene.window.center) == pytest.approx(place, abs=0.1), name
