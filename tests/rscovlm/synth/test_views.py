"""Windows of synthetic scenes: where to look next, and what lies in them."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import PLANE, SITES
from rscovlm.synth.objects import make_object
from rscovlm.synth.views import (
    NEIGHBOURHOOD,
    around,
    neighbourhood,
    next_window,
    single_site,
    visible_polygons,
)
from rscovlm.synth.world import plan_world
from tiling.view import Size, Window


def test_an_observer_answers_when_the_place_fills_half_the_view_and_else_goes_closer():
    view = Window(0, 0, 8192, 8192)
    assert next_window(Window(0, 0, 100, 100), Window(20, 20, 50, 50)) is None
    speck = next_window(view, Window(4000, 4000, 300, 300))
    assert (speck.width, speck.height) == (2048, 2048)
    assert speck.contains(Window(4000, 4000, 300, 300))
    framed = next_window(Window(0, 0, 1000, 1000), Window(400, 400, 250, 250))
    assert framed.width == pytest.approx(300)
    corner = next_window(view, Window(0, 0, 300, 300))
    assert view.contains(corner)


def test_an_object_cut_by_the_edge_is_outlined_inside_the_view():
    from dataclasses import replace

    item = make_object(np.random.default_rng(0), PLANE, 2.0, 64.0, 1.0, angle_rad=0.3)
    world = replace(plan_world(5, 128, 128, 1.0, cover="desert"), scattered=(item,), populated=False)
    size = Size(128, 128)
    polygons, objects = visible_polygons(world, Window(0, 0, 128, 128), size)
    assert objects == [item]
    assert polygons.min() >= 0
    assert polygons.max() <= 128
    gone, _ = visible_polygons(world, Window(4, 0, 128, 128), size)
    assert len(gone) == 0, "its centre is outside, so the neighbouring tile has it"


def test_a_window_around_holds_the_evidence_off_centre_and_is_no_larger_than_asked_for():
    rng, evidence = np.random.default_rng(0), Window(100, 200, 30, 10)
    windows = [around(rng, evidence, farthest=4.0) for _ in range(200)]
    assert all(window.contains(evidence) and window.width == window.height for window in windows)
    sides = [window.width for window in windows]
    assert 30 <= min(sides) < 35
    assert 110 < max(sides) <= 120, "four times the longer side of 30"
    assert len({window.center for window in windows}) == 200


def test_a_single_site_is_of_the_kind_that_was_asked_for():
    for kind in SITES:
        world, site = single_site(np.random.default_rng(1), kind.name)
        assert site.kind is kind
        assert site in world.sites
        assert 0.27 <= world.gsd_m <= 0.33
    drawn = {single_site(np.random.default_rng(seed))[1].kind.name for seed in range(30)}
    assert len(drawn) > 5


def test_a_neighbourhood_is_a_small_scene_without_places():
    world = neighbourhood(np.random.default_rng(0))
    assert world.sites == ()
    assert world.width == world.height == NEIGHBOURHOOD
