"""Plans of scenes."""

import numpy as np
import pytest
import shapely

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.terrain import GROUND_COVERS
from rscovlm.synth.world import plan_world
from tiling.view import Window


def test_each_named_site_stands_at_most_once_and_with_its_objects_inside_the_scene(worlds):
    for world in worlds:
        names = [site.kind.name for site in world.sites]
        assert len(names) == len(set(names))
        for site in world.sites:
            assert world.whole.pad(60).contains(site.window)
            assert all(site.window.pad(10).contains(Window.around(o.polygon)) for o in site.objects)


def test_every_class_is_drawn_and_most_kinds_of_places_are_found(worlds):
    assert {world.cover for world in worlds} == set(LAND_COVERS)
    assert len({site.kind.name for world in worlds for site in world.sites}) == 8
    assert {plan_world(seed, 256, 256).cover for seed in range(60)} == set(LAND_COVERS)


def test_objects_do_not_overlap(worlds):
    for world in worlds:
        shapes = [shapely.Polygon(item.polygon) for item in world.objects]
        first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        for a, b in zip(first.tolist(), second.tolist()):
            if a < b:
                common = shapes[a].intersection(shapes[b]).area
                least = min(shapes[a].area, shapes[b].area)
                assert common < 0.02 * least, (world.seed, world.cover, world.objects[a], world.objects[b])


def test_ships_lie_in_water_and_vehicles_do_not(worlds):
    ships = 0
    for world in worlds:
        for item in world.objects:
            shore = world.terrain.shore_at(*(item.polygon * world.gsd_m).T)
            if item.kind_of.name == "ship":
                ships += 1
                assert shore.max() < 0
            elif item.kind_of.name != "bridge":
                assert shore.min() > 0, (world.seed, world.cover, item)
    assert ships > 20


def test_objects_in_a_window_are_those_whose_bounds_touch_it(worlds):
    for world in worlds[:7]:
        window = Window(1000, 1000, 1500, 1200)
        found = set(world.objects_in(window))
        for item in world.objects:
            assert (item in found) == (Window.around(item.polygon).intersection(window) is not None)


def test_small_objects_may_be_left_out_but_no_others(worlds):
    world = next(world for world in worlds if world.cover == "urban")
    large = {item for item in world.objects_in(world.whole) if item.length * world.gsd_m > 40}
    assert large <= set(world.objects_in(world.whole, least_m=40))


def test_the_same_seed_and_size_give_the_same_plan_and_another_seed_another():
    first, again, other = (plan_world(seed, 2048, 2048) for seed in (5, 5, 6))
    assert first == again
    assert first.objects == again.objects
    assert first != other


def test_seeds_of_scenes_differ_in_land_and_light():
    plans = [plan_world(seed, 1024, 1024) for seed in range(50)]
    assert (
        len({(world.terrain.seed, world.light.seed, world.terrain.grid.angle_rad) for world in plans}) == 50
    )


def test_the_cover_at_a_point_and_the_shares_of_a_window(worlds):
    for world in worlds:
        shares = world.cover_shares(world.whole)
        assert set(shares) <= set(GROUND_COVERS)
        assert 0.6 < sum(shares.values()) <= 1
        if world.cover != "coast":
            assert max(shares, key=shares.get) == world.cover
    words = worlds[0].covers_at(np.array([10.0, 4000.0]), np.array([20.0, 80.0]))
    assert len(words) == 2


def test_a_site_without_objects_is_looked_at_as_a_whole_and_others_where_their_objects_are(worlds):
    sites = [site for world in worlds for site in world.sites]
    for site in sites:
        if not site.objects:
            assert site.focus == site.window
        else:
            centres = [Window.around(o.polygon) for o in site.objects]
            assert all(site.focus.pad(1).contains(window) for window in centres)
    assert any(not site.objects for site in sites)


def test_a_scene_of_few_sites_has_no_more_than_those():
    assert plan_world(3, 8192, 8192, sites=0).sites == ()
    assert len(plan_world(3, 8192, 8192, sites=2).sites) == 2
    assert (
        plan_world(3, 8192, 8192, cover="farmland", first="tank farm", sites=1).sites[0].kind.name
        == "tank farm"
    )


@pytest.mark.parametrize("size", [(1, 1), (40, 3000), (700, 90)])
def test_a_scene_can_be_of_any_size(size):
    world = plan_world(2, *size)
    assert all(0 <= item.x < size[0] and 0 <= item.y < size[1] for item in world.objects)
