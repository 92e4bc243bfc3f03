"""West, south, east and north of a scene: across the antimeridian, around a pole, off the Earth."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from tiling.bounds import lonlat_bounds, map_bounds, outline_bounds
from tiling.scene import Scene
from tiling.view import Window

BLANK = np.ones((1, 20, 20), dtype=np.uint8)


def ring(*corners):
    return np.array([*corners, corners[0]], dtype=float)


def test_bounds_of_an_ordinary_outline():
    assert outline_bounds(ring((5, 50), (7, 50), (7, 52), (5, 52))) == (5, 50, 7, 52)


def test_across_the_antimeridian_west_is_above_east():
    assert outline_bounds(ring((178, -5), (-176, -5), (-176, 5), (178, 5))) == (178, -5, -176, 5)


def test_bounds_may_end_at_the_antimeridian():
    assert outline_bounds(ring((170, 0), (180, 0), (180, 5), (170, 5))) == (170, 0, 180, 5)
    assert outline_bounds(ring((-180, 0), (-170, 0), (-170, 5), (-180, 5))) == (-180, 0, -170, 5)


def test_the_whole_world_is_the_whole_world():
    lon = np.linspace(-180, 180, 17)
    outline = np.concatenate(
        [np.column_stack([lon, lon * 0 + 90]), np.column_stack([lon[::-1], lon * 0 - 90])]
    )
    assert outline_bounds(np.concatenate([outline, outline[:1]])) == (-180, -90, 180, 90)


def test_around_a_pole_all_longitudes_count():
    assert outline_bounds(ring((0, 80), (90, 81), (180, 80), (-90, 82))) == (-180, 80, 180, 90)
    assert outline_bounds(ring((0, -80), (90, -81), (180, -80), (-90, -82))) == (-180, -90, 180, -80)


def test_an_outline_that_leaves_the_earth_has_no_bounds():
    assert outline_bounds(ring((0, 0), (np.inf, np.inf), (1, 1))) is None


def test_no_place_lies_beyond_a_pole():
    assert outline_bounds(ring((0, 89), (4, 89), (4, 95), (0, 95))) is None


@pytest.mark.parametrize(("left", "right"), [(-100, 300), (-300, 100)])
def test_a_scene_with_the_pole_in_it_reaches_it_though_no_corner_does(make_raster, left, right):
    # Polar stereographic, 20 px of 20 m; the pole is a quarter of the way from one side.
    transform = Affine((right - left) / 20, 0, left, 0, -20, 200)
    with Scene(make_raster(BLANK, crs="EPSG:3413", transform=transform)) as scene:
        west, south, east, north = lonlat_bounds(scene, scene.window)
    assert (west, east, north) == (-180, 180, 90)
    assert 89.99 < south < 90


def test_degrees_that_count_on_from_180_are_those_of_the_same_meridians(make_raster):
    with Scene(make_raster(BLANK, crs="EPSG:4326", transform=Affine(1, 0, 290, 0, -1, 10))) as scene:
        assert lonlat_bounds(scene, scene.window) == pytest.approx((-70, -10, -50, 10))
        assert map_bounds(scene, scene.window) == (290, -10, 310, 10)


def test_bounds_of_a_part_are_less_than_those_of_the_scene(make_raster):
    with Scene(make_raster(BLANK, crs="EPSG:32631", transform=Affine(2, 0, 5e5, 0, -2, 4e6))) as scene:
        assert map_bounds(scene, Window(5, 0, 10, 20)) == (500_010, 3_999_960, 500_030, 4_000_000)


def test_a_scene_without_a_place_has_no_bounds(make_raster):
    with Scene(make_raster(BLANK)) as scene:
        assert map_bounds(scene, scene.window) is None
        assert lonlat_bounds(scene, scene.window) is None


def test_a_side_that_bulges_towards_the_pole_counts(make_raster):
    """Seen from the pole, the middle of the nearer side is nearer to it than both of its ends."""
    transform = Affine(100_000, 0, -1_000_000, 0, -100_000, -1_000_000)  # 2000 km wide, 1000 km from the pole
    with Scene(make_raster(BLANK, crs="EPSG:3413", transform=transform)) as scene:
        _, _, _, north = lonlat_bounds(scene, scene.window)
        corner, middle = scene.to_lonlat([(0, 0), (10, 0)])[:, 1]
    assert corner < middle == pytest.approx(north)
