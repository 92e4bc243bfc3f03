"""Shots of synthetic scenes: views, boxes and chains of zooms."""

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.synthetic import SHOTS, Scale, make_shot, photograph, zoom_chain
from rscovlm.data.synthetic_files import plan_zoom_world
from rscovlm.models.families import FAMILIES
from rscovlm.synth.render import render
from rscovlm.synth.views import single_site, visible_polygons
from tiling.view import Size, Window

NANO, QWEN = Scale.of(FAMILIES["nano"]), Scale.of(FAMILIES["qwen2.5-vl"])


def test_a_box_is_where_its_object_is_painted():
    """Without an object a scene looks different where its box is."""
    checked = 0
    for index in range(16):
        shot = make_shot("detection", index, 1, QWEN)
        photo = shot.photo
        polygons, objects = visible_polygons(photo.world, photo.window, photo.size)
        for polygon, item in list(zip(polygons, objects))[:3]:
            worlds = (photo.world, photo.world.without(item))
            with_it, without = (render(world, photo.window, photo.size).astype(int) for world in worlds)
            x, y = polygon.mean(axis=0).astype(int)
            difference = np.abs(with_it - without).sum(axis=2)
            assert difference[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].max() > 8, item
            checked += 1
    assert checked >= 10


def test_windows_of_a_chain_stay_inside_the_scene():
    world = plan_zoom_world(0, 0)
    whole = Window(0, 0, world.width, world.height)
    for evidence in (Window(0, 0, 30, 30), Window(world.width - 40, 700, 40, 20)):
        chain = list(zoom_chain(whole, evidence))
        assert len(chain) >= 2
        assert all(whole.contains(window) for window in chain)


def test_polygons_of_a_view_that_is_not_square_are_cut_at_its_own_edges():
    shot = make_shot("detection", 3, 0, QWEN)
    size = Size(60, 200)
    seen = shot.photo.window
    window = Window(seen.x, seen.y, seen.width, seen.width * 60 / 200)
    polygons, objects = visible_polygons(shot.photo.world, window, size)
    assert len(polygons) == len(objects)
    assert (polygons >= 0).all()
    assert (polygons <= (200, 60)).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_sees_the_views_of_its_scale_without_resizing_them(name):
    """Shrunk views would show objects at other metres per pixel than the family detects at."""
    family = FAMILIES[name]
    scale, wanted = Scale.of(family), family.detect_gsd_m or 1.2
    for task in SHOTS:
        for index in range(6):
            photo = make_shot(task, index, 3, scale).photo
            height, width = photo.size
            shown = family.resolution.fit(height, width)
            if name == "nano":
                assert shown == photo.size == (128, 128)
            assert abs(shown.height - height) <= family.resolution.factor / 2
            assert abs(shown.width - width) <= family.resolution.factor / 2
            if task in ("grounding", "detection"):
                assert 0.6 * wanted < photo.gsd_m < 1.5 * wanted


def test_a_view_finer_than_a_file_shows_no_more_than_its_pixels():
    world, site = single_site(np.random.default_rng(3), "car park")
    x, y = site.focus.center
    window = Window(x - 20, y - 20, 40, 40)
    photo = photograph(np.random.default_rng(0), world, window, Size(160, 160)).read().astype(float)
    own = Image.fromarray(render(world, window, Size(40, 40), supersample=3))
    enlarged = np.asarray(own.resize((160, 160), Image.Resampling.BICUBIC)).astype(float)
    drawn = render(world, window, Size(160, 160), supersample=3).astype(float)
    # Noise and brightness apart, it is the one and not the other.
    assert np.corrcoef(photo.ravel(), enlarged.ravel())[0, 1] > 0.99
    assert np.corrcoef(photo.ravel(), drawn.ravel())[0, 1] < 0.985
