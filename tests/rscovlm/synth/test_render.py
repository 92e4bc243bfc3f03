"""Rendering: any window alone, at any size, the same pixels."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import COLOURS, LAND_COVERS, OBJECT_CLASSES
from rscovlm.synth.render import render
from rscovlm.synth.world import World, make_object, plan_world
from tiling.view import Size, Window


def test_a_block_has_the_same_pixels_whether_rendered_alone_or_within_its_neighbours():
    world = plan_world(5, 2048, 2048)
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
    full = render(world, Window(0, 0, 1024, 1024), Size(1024, 1024)).astype(float)
    averaged = full.reshape(128, 8, 128, 8, 3).mean(axis=(1, 3))
    reduced = render(world, Window(0, 0, 1024, 1024), Size(128, 128)).astype(float)
    assert np.abs(reduced - averaged).mean() < 9
    assert np.abs(reduced.mean(axis=(0, 1)) - averaged.mean(axis=(0, 1))).max() < 5


@pytest.mark.parametrize("kind_of", OBJECT_CLASSES, ids=lambda kind: kind.name)
def test_an_object_paints_its_colour_inside_its_box_and_nothing_outside(kind_of):
    rng = np.random.default_rng(0)
    item = make_object(rng, kind_of, 256.0, 256.0, 0.3, colour="red", angle_rad=0.4)
    bare = World(1, 512, 512, 0.3, "desert", "desert", (), ())
    furnished = World(1, 512, 512, 0.3, "desert", "desert", (), (item,))
    window, size = Window(0, 0, 512, 512), Size(512, 512)
    changed = (render(bare, window, size) != render(furnished, window, size)).any(axis=2)
    rows, columns = np.nonzero(changed)
    x0, y0 = item.polygon.min(axis=0)
    x1, y1 = item.polygon.max(axis=0)
    assert columns.min() >= x0 - 1.5
    assert columns.max() <= x1 + 1.5
    assert rows.min() >= y0 - 1.5
    assert rows.max() <= y1 + 1.5
    assert (columns.max() - columns.min()) > 0.7 * (x1 - x0)  # a plane leaves the corners of its box empty
    red = (render(furnished, window, size) == COLOURS["red"]).all(axis=2)
    assert red.sum() > 0.1 * changed.sum()
