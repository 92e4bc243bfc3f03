"""Random land: its shares are as planned, and the same seed gives the same land."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.land import draw_terrain
from rscovlm.synth.terrain import GROUND_COVERS


def land(cover, seed, side):
    return draw_terrain(np.random.default_rng(seed), cover, side, side)


def lattice(terrain, count=60):
    steps = (np.arange(count) + 0.5) / count
    return np.meshgrid(steps * terrain.width_m, steps * terrain.height_m)


@pytest.mark.parametrize("cover", LAND_COVERS)
@pytest.mark.parametrize("side", [300.0, 1200.0, 5000.0])
def test_the_scene_class_is_what_most_of_the_ground_is(cover, side):
    for seed in range(4):
        terrain = land(cover, seed, side)
        words = [GROUND_COVERS[code] for code in terrain.cover_at(*lattice(terrain)).ravel()]
        share = words.count("water" if cover == "coast" else cover) / len(words)
        if cover == "coast":
            assert 0.3 < share < 0.7
        else:
            assert share > 0.5, (seed, cover, share)


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_land_is_a_function_of_the_seed(cover):
    assert land(cover, 1, 600.0) == land(cover, 1, 600.0) != land(cover, 2, 600.0)
