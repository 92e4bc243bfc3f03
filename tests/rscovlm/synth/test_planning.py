"""Where places stand: apart, on dry ground, beside roads."""

import numpy as np

from rscovlm.synth.catalogue import SITES
from rscovlm.synth.land import draw_terrain
from rscovlm.synth.planning import plan_places

NAMES = [kind.name for kind in SITES]


def planned(seed, cover, most=8, names=NAMES, side=2000.0):
    rng = np.random.default_rng(seed)
    return plan_places(rng, draw_terrain(rng, cover, side, side), names, most)


def test_no_two_places_take_the_same_block_and_each_kind_is_there_at_most_once():
    for seed in range(6):
        terrain, spots = planned(seed, "farmland")
        for i, first in enumerate(terrain.places):
            assert not any(first.meets(other) for other in terrain.places[:i])
        names = [spot.name for spot in spots]
        assert len(names) == len(set(names))
        assert len(names) >= 5


def test_places_stand_on_dry_ground_and_beside_a_road():
    for seed in range(6):
        terrain, spots = planned(seed, "urban")
        for spot in spots:
            if spot.name in ("harbour", "river crossing"):
                continue
            c, s = np.cos(spot.angle_rad), np.sin(spot.angle_rad)
            marks = np.array([(a, b) for a in (-0.5, 0, 0.5) for b in (-0.5, 0, 0.5)])
            xy = marks * (spot.length_m, spot.width_m) @ np.array([[c, s], [-s, c]]) + (spot.x_m, spot.y_m)
            assert terrain.shore_at(xy[:, 0], xy[:, 1]).min() > 0
        for place in terrain.places[1:]:
            beside = {place.i0, place.i1} & set(terrain.roads_u) | {place.j0, place.j1} & set(terrain.roads_v)
            assert beside


def test_a_harbour_has_water_before_its_quay_and_land_behind():
    found = 0
    for seed in range(8):
        terrain, spots = planned(seed, "coast", most=1, names=["harbour"])
        for spot in spots:
            c, s = np.cos(spot.angle_rad), np.sin(spot.angle_rad)
            behind, before = (
                terrain.shore_at(np.array([spot.x_m - s * y]), np.array([spot.y_m + c * y]))[0]
                for y in (-0.45 * spot.width_m, 0.2 * spot.width_m)
            )
            assert before < 0 < behind
            found += 1
    assert found >= 5


def test_no_more_places_than_wanted_and_none_in_a_scene_that_is_too_small():
    assert len(planned(1, "farmland", most=2)[1]) == 2
    assert planned(1, "farmland", most=0)[1] == []
    assert planned(1, "farmland", side=40.0)[1] == []
