"""What fills ordinary blocks."""

import numpy as np
import pytest
import shapely

from rscovlm.synth.land import draw_terrain
from rscovlm.synth.streets import fill_blocks
from rscovlm.synth.terrain import Cover

GSD_M = 0.3


def land(cover, seed=0):
    return draw_terrain(np.random.default_rng(seed), cover, 1200.0, 1200.0)


@pytest.mark.parametrize("cover", ["urban", "industrial", "farmland", "desert"])
def test_what_a_block_holds_depends_on_the_block_alone(cover):
    terrain = land(cover, 2)
    whole = fill_blocks(terrain, GSD_M, 0, 0, 4, 3)
    parts = [fill_blocks(terrain, GSD_M, i, j, i + 2, j + 1) for j in range(3) for i in (0, 2)]
    assert set(whole.objects) == {item for part in parts for item in part.objects}
    assert len(whole.trees) == sum(len(part.trees) for part in parts)
    assert len(whole.buildings.poses) == sum(len(part.buildings.poses) for part in parts)


@pytest.mark.parametrize("cover", ["urban", "industrial"])
def test_houses_and_objects_do_not_overlap(cover):
    for seed in range(3):
        contents = fill_blocks(land(cover, seed), GSD_M, 0, 0, 6, 6)
        shapes = [shapely.Polygon(item.polygon) for item in contents.objects]
        tree = shapely.STRtree(shapes)
        first, second = tree.query(shapes, predicate="overlaps")
        assert all(
            shapes[a].intersection(shapes[b]).area < 0.02 * shapes[a].area for a, b in zip(first, second)
        )
        assert len(shapes) > 30


def test_streets_of_a_town_have_cars_houses_trees_and_pools_and_a_works_has_trucks():
    town = fill_blocks(land("urban", 1), GSD_M, 0, 0, 10, 10)
    assert {"small vehicle", "swimming pool"} <= {item.kind_of.name for item in town.objects}
    assert len(town.buildings.poses) > 300
    assert len(town.trees) > 300
    works = fill_blocks(land("industrial", 1), GSD_M, 0, 0, 10, 10)
    assert "large vehicle" in {item.kind_of.name for item in works.objects}


def test_nothing_stands_in_water():
    for seed in range(4):
        terrain = land("coast", seed)
        contents = fill_blocks(terrain, GSD_M, 0, -6, 12, 6)
        for places in (contents.buildings.poses[:, :2], contents.trees[:, :2]):
            if len(places):
                assert terrain.shore_at(*(places * GSD_M).T).min() > 0
        for item in contents.objects:
            assert terrain.shore_at(*(item.polygon * GSD_M).T).min() > 0


def test_places_are_left_to_themselves():
    from dataclasses import replace

    from rscovlm.synth.terrain import Blocks

    terrain = replace(land("urban", 1), places=(Blocks(0, 0, 3, 3),))
    contents = fill_blocks(terrain, GSD_M, 0, 0, 3, 3)
    assert not len(contents.buildings.poses)
    assert contents.objects == ()
    assert (terrain.use_of(*np.meshgrid(np.arange(3), np.arange(3))) == Cover.PLACE).all()
