"""Map coordinates, and metres per pixel by geodesic measure: each convention that ``res`` gets wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from tiling.errors import NotGeoreferenced
from tiling.overrides import Overrides
from tiling.scene import Scene
from tiling.view import Size, View, Window

BLANK = np.ones((1, 20, 20), dtype=np.uint8)
UTM = (500_000, 4_000_000)


def centred(crs: str, lon: float, lat: float, pixel_x: float, pixel_y: float) -> dict[str, object]:
    """A 20 x 20 px north-up georeference about a point, with pixels in units of the CRS."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    return {"crs": crs, "transform": Affine(pixel_x, 0, x - 10 * pixel_x, 0, -pixel_y, y + 10 * pixel_y)}


def gsd(make_raster, **profile) -> tuple[float, float] | None:
    with Scene(make_raster(BLANK, **profile)) as scene:
        return scene.gsd_xy_m


def test_utm_metres_are_metres_but_for_the_scale_factor(make_raster):
    # On the central meridian a UTM metre is 1 / 0.9996 m on the ground.
    assert gsd(make_raster, **centred("EPSG:32632", 9, 48, 10, 10)) == pytest.approx(
        (10.004, 10.004), abs=0.001
    )


def test_degrees_at_60_north_are_half_as_wide_as_high(make_raster):
    # cos(60) = 1/2; the ellipsoid adds a quarter of a percent.
    found = gsd(make_raster, **centred("EPSG:4326", 10, 60, 1e-4, 1e-4))
    assert found == pytest.approx((5.581, 11.141), abs=0.001)


def test_web_mercator_metres_shrink_with_the_cosine_of_the_latitude(make_raster):
    found = gsd(make_raster, **centred("EPSG:3857", 10, 60, 0.597, 0.597))
    assert found == pytest.approx((0.299, 0.299), abs=0.001)


def test_feet_become_metres(make_raster):
    assert gsd(make_raster, **centred("EPSG:2263", -74, 40.7, 1, 1)) == pytest.approx(
        (0.305, 0.305), abs=0.0005
    )


@pytest.mark.parametrize(
    ("unit", "unit_m"), [('UNIT["metre",1]', 1), ('UNIT["US survey foot",0.304800609601219]', 0.3048006)]
)
def test_a_plane_grid_that_is_tied_to_no_ellipsoid_is_measured_in_its_unit(make_raster, unit, unit_m):
    """Pixels of 2 x 0.5 units, the grid turned by 30 degrees."""
    turned = Affine.translation(1000, 2000) @ Affine.rotation(30) @ Affine.scale(2, -0.5)
    path = make_raster(BLANK, crs=f'LOCAL_CS["site",{unit}]', transform=turned)
    with Scene(path) as scene:
        assert scene.gsd_xy_m == pytest.approx((2 * unit_m, 0.5 * unit_m))
        assert scene.gsd_m == pytest.approx(unit_m)
        assert scene.warnings == []
        with pytest.raises(NotGeoreferenced):
            scene.to_lonlat((1, 1))


def test_a_plane_grid_whose_unit_is_no_length_says_that_its_size_is_unknown(make_raster):
    path = make_raster(
        BLANK, crs='LOCAL_CS["site",UNIT["degree",0.0174532925199433]]', transform=Affine(1, 0, 9, 0, -1, 9)
    )
    with Scene(path) as scene:
        assert scene.gsd_m is None
        assert "has no unit of length: its ground sampling distance is unknown" in scene.warnings[0]
    with Scene(path, overrides=Overrides(gsd_m=2.0)) as scene:
        assert (scene.gsd_m, scene.warnings) == (2.0, [])


def test_a_rotated_grid_is_measured_along_its_columns_and_rows(make_raster):
    rotated = Affine.translation(*UTM) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5)
    assert rotated.a == pytest.approx(0.433, abs=0.001)  # what a reader of transform.a would report
    found = gsd(make_raster, crs="EPSG:32632", transform=rotated)
    assert found == pytest.approx((0.5 / 0.9996, 0.5 / 0.9996), rel=1e-4)


def test_oblong_pixels_keep_both_sides_and_average_geometrically(make_raster):
    path = make_raster(BLANK, crs="EPSG:32632", transform=Affine(10, 0, UTM[0], 0, -20, UTM[1]))
    with Scene(path) as scene:
        assert scene.gsd_xy_m == pytest.approx((10, 20), rel=1e-3)
        assert scene.gsd_m == pytest.approx(math.sqrt(10 * 20), rel=1e-3)  # 14.1


def test_other_planets_have_metres_but_no_place_on_the_earth(make_raster):
    mars = "+proj=longlat +R=3396190 +no_defs"
    with Scene(make_raster(BLANK, crs=mars, transform=Affine(1, 0, -10, 0, -1, 10))) as scene:
        assert scene.gsd_xy_m == pytest.approx([math.radians(1) * 3396190] * 2, rel=1e-3)
        with pytest.raises(NotGeoreferenced, match="no way from"):
            scene.to_lonlat([0, 0])


def test_gsd_of_a_view_follows_its_scale_and_its_latitude(make_raster):
    path = make_raster(np.ones((1, 90, 10), np.uint8), crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 90))
    with Scene(path) as scene:
        near_equator = View(
            Window(0, 88, 2, 2), Size(4, 1)
        )  # 0.5 rows and 2 columns of the scene per view px
        at_60 = View(Window(0, 29, 2, 2), Size(2, 2))
        degree = 111_195
        assert scene.gsd_of(near_equator) == pytest.approx(degree, rel=0.01)  # sqrt(2 * 0.5) degrees
        assert scene.gsd_of(at_60) == pytest.approx(degree * math.sqrt(0.5), rel=0.01)


def test_a_south_up_grid_maps_downwards_to_the_north(make_raster):
    path = make_raster(BLANK, crs="EPSG:4326", transform=Affine(0.5, 0, 10, 0, 0.5, -40))
    with Scene(path) as scene:
        assert scene.to_lonlat([[0, 0], [20, 20]]).tolist() == [[10, -40], [20, -30]]
        assert scene.from_map([15, -35]).tolist() == [10, 10]
        assert min(scene.gsd_xy_m) > 0


def test_pixels_are_measured_across_the_antimeridian(make_raster):
    found = gsd(
        make_raster, crs="EPSG:4326", transform=Affine(1, 0, 170, 0, -1, 10)
    )  # 170 to 190 degrees east
    assert found == pytest.approx((111_320, 110_574), rel=1e-3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angle=st.floats(0, 360),
    shear=st.floats(-30, 30),
    pixel=st.tuples(st.floats(1, 100), st.floats(1, 100)),
    south_up=st.booleans(),
    window=st.builds(Window, *[st.floats(0, 15)] * 2, *[st.floats(1, 5)] * 2),
    shown=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4),
)
def test_view_to_scene_to_map_and_back_is_exact_for_rotated_grids(
    make_raster, angle, shear, pixel, south_up, window, shown
):
    scale = Affine.scale(pixel[0], pixel[1] if south_up else -pixel[1])
    transform = Affine.translation(*UTM) @ Affine.rotation(angle) @ Affine.shear(shear) @ scale
    with Scene(make_raster(BLANK, crs="EPSG:32632", transform=transform)) as scene:
        view = View(window, Size(700, 300))
        points = np.array(shown) * (300, 700)
        mapped = scene.to_map(view.to_scene(points))
        x, y = view.to_scene(points)[0]
        assert mapped[0] == pytest.approx(transform @ (x, y), rel=1e-12)
        # float64 holds 4,000 km to 5e-10 m, which a view of 1/700 of a pixel magnifies.
        again = scene.from_map(mapped)
        np.testing.assert_allclose(again, view.to_scene(points), rtol=0, atol=2e-9)
        np.testing.assert_allclose(view.from_scene(again), points, rtol=0, atol=2e-9 / min(view.scale))

        placed = scene.to_lonlat(view.to_scene(points))
        np.testing.assert_allclose(scene.from_lonlat(placed), view.to_scene(points), rtol=0, atol=1e-5)
        lon, lat = placed.T
        back = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True).transform(lon, lat)
        np.testing.assert_allclose(np.transpose(back), mapped, atol=1e-5)


def test_real_files_have_the_gsd_that_is_documented_for_them(rasters):
    documented = {
        "rasterio/RGB.byte.tif": 300,
        "rasterio/RGBA.uint16.tif": 1.38,
        "rio-tiler/201404_13SED190110_201404_0x1500m_CL_1.tif": 0.15,
        "rasterio/cogeo.tif": 0.597 * math.cos(math.radians(37.67)),  # web Mercator in Korea
    }
    for name, metres in documented.items():
        with Scene(rasters / name) as scene:
            assert scene.gsd_m == pytest.approx(metres, rel=0.01), name
    with Scene(rasters / "rasterio/389225main_sw_1965_1024.jpg") as scene:
        assert scene.gsd_m is None


def test_space_beyond_the_disc_of_a_geostationary_image_has_no_place(rasters):
    with Scene(rasters / "rasterio/goes.tif") as scene:
        assert not np.isfinite(scene.to_lonlat([1, 1])).any()
        corner = View(Window(0, 0, 10, 10), Size(10, 10))
        assert scene.gsd_of(corner) == pytest.approx(scene.gsd_m)  # falls back to the centre of the scene
