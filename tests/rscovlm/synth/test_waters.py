"""Ships on open water and bridges over narrow water."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.synth.land import draw_terrain
from rscovlm.synth.terrain import ROAD_M, River
from rscovlm.synth.waters import bridges_of, ships_between


def test_ships_lie_in_water_with_all_of_their_box():
    seen = 0
    for seed in range(6):
        terrain = draw_terrain(np.random.default_rng(seed), "coast", 2000.0, 2000.0)
        for item in ships_between(terrain, 0.5, (0, 2000), (0, 2000)):
            seen += 1
            assert terrain.shore_at(*(item.polygon * 0.5).T).max() < 0
            assert item.moving
    assert seen > 10


def test_a_part_of_the_sea_has_the_ships_of_the_whole():
    terrain = draw_terrain(np.random.default_rng(3), "water", 2000.0, 2000.0)
    whole = ships_between(terrain, 0.5, (0, 2000), (0, 2000))
    part = ships_between(terrain, 0.5, (500, 900), (700, 1200))
    assert set(part) <= set(whole)
    inside = [o for o in whole if 500 < o.x * 0.5 < 900 and 700 < o.y * 0.5 < 1200]
    assert set(inside) <= set(part)


def test_dry_land_has_neither():
    terrain = replace(
        draw_terrain(np.random.default_rng(3), "desert", 900.0, 900.0), river=None, roads_u=(3,)
    )
    assert ships_between(terrain, 0.5, (0, 900), (0, 900)) == []
    assert bridges_of(terrain, 0.5, "red", (3,)) == []


def test_a_bridge_spans_the_river_at_the_road_and_a_railway_has_its_own():
    terrain = draw_terrain(np.random.default_rng(5), "desert", 1500.0, 1500.0)
    middle = terrain.grid.to_grid(750.0, 750.0)
    line = int(terrain.grid.u.cell(middle[0]))
    terrain = replace(
        terrain, river=River(float(middle[1]), (), 40.0), lakes=False, roads_u=(line,), rails=(line,)
    )
    (item,) = bridges_of(terrain, 0.5, "red", (line,))
    assert item.kind == "railway bridge"
    assert item.length * 0.5 == pytest.approx(40 + 12, abs=5)
    ends = np.array([item.polygon[[0, 3]].mean(axis=0), item.polygon[[1, 2]].mean(axis=0)]) * 0.5
    assert terrain.shore_at(*ends.T).min() > 0
    assert terrain.shore_at(np.array([item.x * 0.5]), np.array([item.y * 0.5]))[0] < 0
    (road,) = bridges_of(replace(terrain, rails=()), 0.5, "red", (line,))
    assert road.width * 0.5 == ROAD_M + 3
