"""The ground: its colours, its edges, and how it looks from afar."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.ground import grass_of, render_ground
from rscovlm.synth.land import draw_terrain
from rscovlm.synth.light import draw_light
from rscovlm.synth.terrain import Blocks, Cover, River

SIDE = 1200.0


def land(cover, seed=0):
    rng = np.random.default_rng(seed)
    return draw_terrain(rng, cover, SIDE, SIDE), replace(draw_light(rng, cover), season="summer")


@pytest.mark.parametrize(
    ("cover", "brightest"), [("water", "blue"), ("forest", "green"), ("desert", "red")], ids=str
)
def test_a_cover_has_its_own_colour(cover, brightest):
    at = np.arange(5, SIDE, 10)
    colour = render_ground(*land(cover), at, at, 10.0).mean(axis=(0, 1))
    assert ("red", "green", "blue")[colour.argmax()] == brightest


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_a_part_is_what_the_whole_shows_there(cover):
    terrain, light = land(cover, 2)
    at = 400 + np.arange(160) * 0.9
    whole = render_ground(terrain, light, at, at, 0.9)
    part = render_ground(terrain, light, at[50:90], at[30:110], 0.9)
    np.testing.assert_array_equal(part, whole[30:110, 50:90])


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_a_view_from_afar_is_close_to_the_average_of_a_close_one(cover):
    terrain, light = land(cover, 1)
    fine_at = 300 + (np.arange(512) + 0.5) * 0.3
    fine = render_ground(terrain, light, fine_at, fine_at, 0.3).reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
    coarse_at = 300 + (np.arange(64) + 0.5) * 2.4
    coarse = render_ground(terrain, light, coarse_at, coarse_at, 2.4)
    assert np.abs(coarse.mean(axis=(0, 1)) - fine.mean(axis=(0, 1))).max() < 4
    assert np.abs(coarse - fine).mean() < 9


def test_a_street_is_grey_where_the_terrain_says_and_a_river_hides_it():
    terrain, light = land("urban", 1)
    terrain = replace(terrain, river=None, lakes=False, roads_u=(3,))
    u = float(terrain.grid.u.line(3)) + 1.0
    x, y = (float(a) for a in terrain.grid.to_ground(u, float(terrain.grid.v.line(4)) + 40))
    dry = render_ground(terrain, light, np.array([x]), np.array([y]), 0.3)[0, 0]
    assert np.ptp(dry) < 6
    assert 90 < dry.mean() < 115
    wet = replace(terrain, river=River(float(terrain.grid.to_grid(x, y)[1]), (), 30.0))
    flooded = render_ground(wet, light, np.array([x]), np.array([y]), 0.3)[0, 0]
    assert flooded[2] > flooded[0] + 15


def test_the_blocks_of_a_place_have_the_colour_of_grass_or_sand():
    for cover, use in (("desert", Cover.DESERT), ("urban", Cover.MEADOW)):
        terrain, light = land(cover, 4)
        terrain = replace(terrain, places=(Blocks(0, 0, 3, 3),), river=None, lakes=False)
        u, v = float(terrain.grid.u.line(1)) + 45, float(terrain.grid.v.line(1)) + 35
        x, y = (np.array([float(a)]) for a in terrain.grid.to_ground(u, v))
        found = render_ground(terrain, light, x, y, 4.0)[0, 0]
        assert grass_of(terrain, light) == light.ground(use)
        np.testing.assert_allclose(found, light.ground(use), rtol=0.25)
