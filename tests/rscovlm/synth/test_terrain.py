"""The land: rasters that agree with points, water where it is said to be."""

import numpy as np
import pytest

from rscovlm.synth.land import draw_terrain
from rscovlm.synth.terrain import Cover, wooded_uses

SIDE = 1200.0


def land(cover, seed=0, side=SIDE):
    return draw_terrain(np.random.default_rng(seed), cover, side, side)


def lattice(terrain, count=60):
    steps = (np.arange(count) + 0.5) / count
    return np.meshgrid(steps * terrain.width_m, steps * terrain.height_m)


@pytest.mark.parametrize("cover", ["coast", "farmland", "water"])
def test_a_raster_of_the_shore_agrees_with_its_points(cover):
    for seed in range(5):
        terrain = land(cover, seed)
        x, y = np.linspace(3, SIDE - 3, 80), np.linspace(5, SIDE - 5, 70)
        points = terrain.shore_at(*np.meshgrid(x, y))
        raster = terrain.shore_raster(x, y, *terrain.grid.raster(x, y), 0.3)
        if raster is None:
            assert points.min() > 0
        else:
            near = np.abs(points) < 10
            np.testing.assert_allclose(raster[near], points[near], atol=0.2)


def test_a_raster_of_the_woods_agrees_with_its_points():
    terrain = land("farmland", 3)
    x, y = np.linspace(0, SIDE, 50), np.linspace(0, SIDE, 40)
    raster = terrain.woods_raster(x, y, 0.3)
    np.testing.assert_allclose(raster, terrain.woods_at(*np.meshgrid(x, y)), atol=0.01)


def test_where_it_cannot_be_wet_it_is_dry():
    terrain = next(t for seed in range(9) if (t := land("forest", seed)).lakes)
    dry = 0
    for x in np.arange(0, SIDE, 150):
        for y in np.arange(0, SIDE, 150):
            box = np.array([x, x + 150]), np.array([y, y + 150])
            if not terrain.may_be_wet(*box):
                dry += 1
                points = np.meshgrid(np.linspace(*box[0], 20), np.linspace(*box[1], 20))
                assert terrain.lakes_at(*points).min() > 0
    assert dry > 10


def test_a_river_is_as_wide_as_it_is():
    terrain = next(t for seed in range(9) if (t := land("farmland", seed)).river)
    u = np.linspace(200, 900, 15)
    middle = terrain.river.course(u)
    half = terrain.river.width_m / 2
    for shift, wet in ((0.0, True), (half - 1, True), (half + 1, False)):
        shore = terrain.shore_at(*terrain.grid.to_ground(u, middle + shift))
        assert (shore < 0).all() if wet else (shore > 0).any()


def test_streets_run_beside_built_blocks_and_not_through_places():
    terrain = land("urban", 1)
    across, along = terrain.edge_widths(-2, -2, 6, 5)
    assert across.shape == (7, 9)
    assert along.shape == (8, 8)
    i, j = np.meshgrid(np.arange(-2, 6), np.arange(-2, 5))
    use = terrain.use_of(i, j)
    built = (use == Cover.URBAN) | (use == Cover.INDUSTRIAL)
    assert (across[:, :-1][built] == 7).all(), "the street at the first line of a block"
    assert (along[1:][built] == 7).all(), "and at its last"


def test_woods_grow_on_open_ground_alone():
    codes = np.array([int(cover) for cover in Cover], dtype=np.uint8)
    assert [Cover(code).word for code in codes[wooded_uses(codes)]] == ["farmland", "meadow", "desert"]


def test_asphalt_lies_beside_the_lines_of_streets_and_nowhere_else():
    terrain = land("urban", 1)
    line = int(terrain.grid.u.cell(terrain.grid.to_grid(600.0, 600.0)[0]))
    v = float(terrain.grid.v.line(int(terrain.grid.v.cell(terrain.grid.to_grid(600.0, 600.0)[1])))) + 40
    for away, paved in ((3.0, True), (4.5, False)):
        x, y = (
            np.array([float(a)]) for a in terrain.grid.to_ground(float(terrain.grid.u.line(line)) + away, v)
        )
        street = terrain.edge_widths(line, 0, line + 1, 1)[0][0, 0]
        assert street == 7
        assert bool(terrain.asphalt_raster(x, y)[0, 0]) is paved
