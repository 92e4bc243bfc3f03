"""Things placed in many blocks at once: random numbers of a block alone, and nothing in water."""

from dataclasses import replace

import numpy as np

from rscovlm.synth.blocks import BlockFilling
from rscovlm.synth.catalogue import CAR, POOL
from rscovlm.synth.land import draw_terrain
from rscovlm.synth.terrain import Basin, River

COLUMNS, ROWS = (each.ravel() for each in np.meshgrid(np.arange(4), np.arange(3)))
DRY = replace(draw_terrain(np.random.default_rng(2), "urban", 1200.0, 1200.0), lakes=False, river=None)


def test_random_numbers_of_a_block_do_not_depend_on_its_neighbours():
    all_blocks, last = BlockFilling(DRY, 0.3, COLUMNS, ROWS), BlockFilling(DRY, 0.3, COLUMNS[-1:], ROWS[-1:])
    whole, own = (each.slots(np.arange(len(each.i)), 5, 7) for each in (all_blocks, last))
    np.testing.assert_array_equal(whole(3)[-1:], own(3))
    assert 0 <= whole(3).min() < whole(3).max() < 1
    assert not np.array_equal(own(3), last.slots(np.arange(1), 5, 8)(3))


def test_what_is_placed_has_its_size_in_scene_pixels():
    blocks = BlockFilling(DRY, 0.5, COLUMNS, ROWS)
    middle = (blocks.u0 + blocks.u1)[:, None] / 2, (blocks.v0 + blocks.v1)[:, None] / 2
    blocks.build(*middle, 20, 10, 6, np.array([[[1.0, 2.0, 3.0]]]))
    blocks.plant(*middle, 2, 0.25, blocks.i[:, None] == 0)
    contents = blocks.contents()
    np.testing.assert_allclose(contents.buildings.poses[:, [2, 3, 5]], [[40, 20, 6]] * 12)
    np.testing.assert_allclose(contents.trees[:, 2:], [[4, 0.25]] * 3)
    x, y = DRY.grid.to_ground(*(each[0, 0] for each in middle))
    np.testing.assert_allclose(contents.buildings.poses[0, :2], (x / 0.5, y / 0.5))


def test_nothing_is_placed_in_water():
    blocks = BlockFilling(DRY, 0.5, COLUMNS, ROWS)
    basin = Basin((blocks.u0[0], blocks.u1[0]), (blocks.v0[0], blocks.v1[0]), (0.0, 0.0, 0.0))
    far_away = River(1e6, (), 10.0)
    wet = BlockFilling(replace(DRY, river=far_away, basins=(basin,)), 0.5, COLUMNS, ROWS)
    middle = (wet.u0 + wet.u1)[:, None] / 2, (wet.v0 + wet.v1)[:, None] / 2
    wet.build(*middle, 20, 10, 6, np.array([[[1.0, 2.0, 3.0]]]))
    assert len(wet.contents().buildings.poses) == 11


def test_parked_objects_stand_along_u_or_along_v_and_are_of_their_class():
    blocks = BlockFilling(DRY, 0.5, COLUMNS, ROWS)
    rows = np.arange(len(COLUMNS))
    middle = (blocks.u0 + blocks.u1)[:, None] / 2, (blocks.v0 + blocks.v1)[:, None] / 2
    blocks.park(CAR, *middle, True, blocks.slots(rows, 1, 1), ("red",))
    blocks.park(POOL, *middle, True, blocks.slots(rows, 1, 2), turned=True)
    cars, pools = blocks.objects[:12], blocks.objects[12:]
    assert {car.colour for car in cars} == {"red"}
    assert {car.kind for car in cars} <= set(CAR.kinds)
    assert {pool.colour for pool in pools} <= set(POOL.colours)
    along, across = DRY.grid.headings(*middle)
    for items, heading in ((cars, along), (pools, across)):
        turn = np.array([item.angle_rad for item in items]) - heading[:, 0]
        assert np.abs(np.sin(turn)).max() < 0.03  # to either side, and a little askew
