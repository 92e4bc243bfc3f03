"""Captions say what the plan holds."""

from dataclasses import replace

import numpy as np

from rscovlm.synth.captions import scene_caption, view_caption
from rscovlm.synth.catalogue import CAR
from rscovlm.synth.objects import make_object
from rscovlm.synth.world import plan_world
from tiling.view import Size


def test_a_scene_is_named_with_its_places(worlds):
    for world in worlds:
        text = scene_caption(world)
        assert text.endswith(".")
        assert all(site.kind.name in text for site in world.sites)
        assert ("with a river" in text) == (world.terrain.river is not None)
    assert scene_caption(plan_world(1, 200, 200, cover="desert")).startswith("An aerial image of a desert")


def test_a_view_counts_what_is_large_enough_to_be_seen():
    rng = np.random.default_rng(0)
    cars = tuple(make_object(rng, CAR, x, 60.0, 0.3, angle_rad=0.0) for x in (40.0, 90.0, 140.0))
    world = replace(plan_world(1, 200, 200, cover="desert"), scattered=cars, populated=False)
    text = view_caption(world, world.whole, Size(200, 200))
    assert text == "An aerial image of a desert with three vehicles."
    one = world.without(*cars[1:])
    assert view_caption(one, world.whole, Size(200, 200)).endswith("with a small vehicle.")
    assert view_caption(world, world.whole, Size(20, 20)) == "An aerial image of a desert."
