"""Plans of scenes and the questions about them."""

import numpy as np
import pytest

from tiling.view import Window


def test_each_named_site_stands_at_most_once_and_inside_the_scene(worlds):
    for world in worlds:
        names = [site.kind.name for site in world.sites]
        assert len(names) == len(set(names))
        whole = Window(0, 0, world.width, world.height)
        assert all(whole.contains(site.window) for site in world.sites)


def test_the_objects_of_a_site_share_class_colour_and_kind(worlds):
    for site in (site for world in worlds for site in world.sites):
        assert len({(o.kind_of.name, o.colour, o.kind) for o in site.objects}) <= 1
        assert all(site.window.pad(site.side * 0.2).contains(Window.around(o.polygon)) for o in site.objects)


def test_objects_do_not_overlap(worlds):
    import shapely

    for world in worlds[:4]:
        shapes = [shapely.Polygon(item.polygon) for item in world.objects]
        for i, a in enumerate(shapes):
            for b in shapes[:i]:
                assert a.intersection(b).area < 0.2 * min(a.area, b.area)


def test_objects_in_a_window_are_those_whose_bounds_touch_it(worlds):
    world = worlds[0]
    window = Window(1000, 1000, 1500, 1200)
    found = {id(item) for item in world.objects_in(window)}
    for item in world.objects:
        assert (id(item) in found) == (Window.around(item.polygon).intersection(window) is not None)


def test_a_box_has_the_sides_and_heading_of_its_object(worlds):
    for item in worlds[0].objects:
        a, b, c, d = item.polygon
        assert np.linalg.norm(b - a) == pytest.approx(item.length)
        assert np.linalg.norm(c - b) == pytest.approx(item.width)
        np.testing.assert_allclose((a + c) / 2, (item.x, item.y))
        np.testing.assert_allclose((b + d) / 2, (item.x, item.y))
