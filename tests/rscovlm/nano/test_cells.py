"""What each visual token of an image shows."""

from dataclasses import replace

import numpy as np
import pytest

from detection_eval.geometry.quads import canonical
from rscovlm.nano.cells import cell_truth
from rscovlm.synth.catalogue import PLANE
from rscovlm.synth.terrain import Cover
from rscovlm.synth.world import World, make_object, plan_world
from tiling.view import Window


def bare(side: int, *objects, gsd_m: float = 1.0) -> World:
    """Desert with nothing in it but the objects."""
    world = plan_world(5, side, side, gsd_m, cover="desert", sites=0)
    terrain = replace(world.terrain, mix=((Cover.DESERT, np.inf),), river=None)
    return replace(world, terrain=terrain, scattered=objects, populated=False)


def test_each_visual_token_has_the_name_of_what_it_shows():
    rng = np.random.default_rng(0)
    item = make_object(rng, PLANE, 96.0, 32.0, 1.0, angle_rad=0.0)
    world = bare(128, item)
    truth = cell_truth(world, Window(0, 0, 128, 128))
    corner = [truth.words[8 * row + column] for row in (1, 2) for column in (5, 6)]
    assert corner == ["plane"] * 4, "the plane stands on the corner of four cells"
    assert truth.words[56] == "desert"
    assert [truth.traits[8 * row + column] for row in (1, 2) for column in (5, 6)] == [
        (item.kind, item.colour)
    ] * 4
    assert truth.traits[56] == ("", "")
    assert np.isnan(truth.outlines[56]).all()
    np.testing.assert_allclose(
        truth.outlines[13].reshape(4, 2) * 128, canonical(item.polygon[None])[0], atol=1e-3
    )


def test_the_shares_of_one_object_add_up_to_one_and_land_cover_has_none():
    rng = np.random.default_rng(0)
    objects = tuple(make_object(rng, PLANE, x, 64.0, 1.0, angle_rad=0.0) for x in (32.0, 96.0))
    truth = cell_truth(bare(128, *objects), Window(0, 0, 128, 128))
    shown = np.array(truth.words) == "plane"
    left = np.tile(np.arange(8) < 4, 8)
    for half in (left, ~left):
        assert truth.shares[shown & half].sum() == pytest.approx(1, abs=1e-6)
    assert (truth.shares[~shown] == 0).all()
    assert set(truth.words) == {"plane", "desert"}


def test_an_object_in_one_cell_alone_has_the_whole_share():
    item = make_object(np.random.default_rng(0), PLANE, 1032.0, 1032.0, 2.0, kind="fighter", angle_rad=0.0)
    item = replace(item, length=20.0, width=16.0)
    # 20 px about the middle of a cell of 32 px.
    truth = cell_truth(bare(2048, item, gsd_m=2.0), Window(888, 888, 256, 256))
    assert [share for share, word in zip(truth.shares, truth.words) if word == "plane"] == [1.0]


def test_an_object_too_small_to_show_is_not_named():
    item = make_object(np.random.default_rng(0), PLANE, 4000.0, 4000.0, 1.0, angle_rad=0.0)
    world = bare(8000, item)

    def words(pixels):
        """What cells show where the plane is as long as so many pixels of their map, 64 a side."""
        side = 64 * item.length / pixels
        corner = 4000 - side * 20.5 / 64
        return set(cell_truth(world, Window(corner, corner, side, side)).words)

    # Both are painted as 3 x 3 of the 64 pixels of a cell: 14 %.
    assert words(1.9) == {"desert"}
    assert words(2.1) == {"desert", "plane"}
