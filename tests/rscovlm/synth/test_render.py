"""Rendering: any window alone, at any size, the same pixels."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.synth.catalogue import COLOURS, LAND_COVERS, OBJECT_CLASSES
from rscovlm.synth.objects import make_object
from rscovlm.synth.render import compose, render
from rscovlm.synth.world import plan_world
from tiling.view import Size, Window


def empty():
    """Desert of one scene, with nothing in it and no noise."""
    world = plan_world(1, 512, 512, cover="desert", sites=0)
    light = replace(world.light, noise=0.0, clouds=0.0, haze=0.0, gain=1.0, gamma=1.0, tint=(1.0, 1.0, 1.0))
    terrain = replace(world.terrain, river=None, lakes=False, roads_u=(), roads_v=())
    return replace(world, light=light, terrain=terrain, populated=False, scattered=())


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_a_block_has_the_same_pixels_whether_rendered_alone_or_within_its_neighbours(cover):
    world = plan_world(5, 2048, 2048, cover=cover)
    whole = render(world, Window(512, 256, 512, 768), Size(768, 512))
    part = render(world, Window(640, 512, 128, 256), Size(256, 128))
    np.testing.assert_array_equal(part, whole[256:512, 128:256])


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    window, size = Window(0, 0, 1024, 1024), Size(128, 128)
    first, again, other = (render(plan_world(seed, 1024, 1024), window, size) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_a_reduced_view_is_close_to_the_average_of_the_full_one(cover):
    world = plan_world(11, 1024, 1024, cover=cover)
    full = render(world, world.whole, Size(1024, 1024)).astype(float)
    for factor in (4, 8):
        side = 1024 // factor
        averaged = full.reshape(side, factor, side, factor, 3).mean(axis=(1, 3))
        reduced = render(world, world.whole, Size(side, side)).astype(float)
        assert np.abs(reduced - averaged).mean() < 9
        assert np.abs(reduced.mean(axis=(0, 1)) - averaged.mean(axis=(0, 1))).max() < 5


@pytest.mark.parametrize("kind_of", OBJECT_CLASSES, ids=lambda kind: kind.name)
def test_an_object_changes_pixels_inside_its_box_and_outside_only_darkens_them(kind_of):
    for kind in kind_of.kinds:
        colour = kind_of.colours[0]
        item = make_object(
            np.random.default_rng(0), kind_of, 256.0, 256.0, 0.3, colour=colour, kind=kind, angle_rad=0.4
        )
        window, size = Window(0, 0, 512, 512), Size(512, 512)
        bare, furnished = empty(), replace(empty(), scattered=(item,))
        before, after = (render(world, window, size).astype(int) for world in (bare, furnished))
        rows, columns = np.nonzero((before != after).any(axis=2))
        inverse = np.linalg.inv(np.vstack([item.frame, [0, 0, 1]]))
        unit = inverse[:2] @ np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
        inside = (np.abs(unit) <= 1 + 2.5 / min(item.length, item.width)).all(axis=0)
        assert inside.sum() > 0.25 * item.length * item.width
        outside = after[rows[~inside], columns[~inside]] - before[rows[~inside], columns[~inside]]
        assert (outside <= 0).all(), "a shadow"
        extent = np.ptp(unit[:, inside], axis=1)
        assert (extent > 1.8).all(), (kind, extent)


def test_paint_is_seen_in_its_colour():
    item = make_object(
        np.random.default_rng(0),
        OBJECT_CLASSES[4],
        256.0,
        256.0,
        0.3,
        colour="red",
        kind="ferry",
        angle_rad=0.0,
    )
    seen = render(replace(empty(), scattered=(item,)), Window(0, 0, 512, 512), Size(512, 512))
    assert (np.abs(seen.astype(int) - COLOURS["red"]) <= 1).all(axis=2).sum() > 20


def test_an_object_left_out_leaves_the_rest_as_it_was():
    world = plan_world(8, 2048, 2048, cover="urban")
    item = next(
        o
        for o in world.objects
        if o.kind_of.name == "small vehicle" and 200 < o.x < 1800 and 200 < o.y < 1800
    )
    window = Window(item.x - 100, item.y - 100, 200, 200)
    before, after = (render(w, window, Size(200, 200)) for w in (world, world.without(item)))
    rows, columns = np.nonzero((before != after).any(axis=2))
    reach = item.length / 2 + 4 / world.gsd_m
    assert len(rows) > 20
    assert np.hypot(rows - 100, columns - 100).max() < reach
    assert item not in world.without(item).objects


def test_shadows_fall_away_from_the_sun():
    item = make_object(np.random.default_rng(0), OBJECT_CLASSES[7], 256.0, 256.0, 0.3, colour="white")
    bare = empty()
    light = replace(bare.light, sun_rad=-np.pi / 2, shadow=1.0)
    before, after = (
        render(replace(bare, light=light, scattered=things), Window(0, 0, 512, 512), Size(512, 512)).astype(
            int
        )
        for things in ((), (item,))
    )
    darker = (after.sum(axis=2) < before.sum(axis=2) - 100).nonzero()[0]
    assert darker.mean() < 256 - item.length / 2
    high = item.kind_of.kind(item.kind).height_m / 0.3
    assert darker.min() == pytest.approx(256 - item.length / 2 - high, abs=3)


def test_what_is_too_small_for_a_pixel_is_not_painted():
    world = plan_world(8, 4096, 4096, cover="urban")
    close, far = (compose(world, world.whole, pixel) for pixel in (1.0, 12.0))
    assert sum(map(len, close)) > 4 * sum(map(len, far))
