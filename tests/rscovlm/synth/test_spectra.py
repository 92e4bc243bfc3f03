"""Other sensors: surfaces that can be told apart by what is known of them."""

import numpy as np
import pytest

from rscovlm.synth.paint import Material
from rscovlm.synth.spectra import (
    POLARISATIONS,
    SENTINEL_2_BANDS,
    backscatter,
    multispectral,
    surfaces,
)
from rscovlm.synth.terrain import Cover
from rscovlm.synth.world import plan_world
from tiling.view import Size, Window

SIZE = Size(200, 200)


def view(cover, seed=3):
    return plan_world(seed, 2048, 2048, cover=cover), Window(200, 200, 1600, 1600), SIZE


def test_bare_ground_has_its_cover_and_what_stands_on_it_its_material():
    world, window, size = view("urban")
    codes, dark = surfaces(world, window, size)
    steps = (np.arange(200) + 0.5) * 8 + 200
    covers = world.terrain.cover_at(*(a * 0.3 for a in np.meshgrid(steps, steps)))
    bare = codes < len(Cover)
    np.testing.assert_array_equal(codes[bare], covers[bare])
    assert {len(Cover) + Material.ROOF, len(Cover) + Material.TREE} <= set(codes.ravel().tolist())
    assert 0.005 < dark.mean() < 0.4


def test_vegetation_is_bright_in_the_near_infrared_and_water_is_dark():
    red, infrared, swir = (SENTINEL_2_BANDS.index(name) for name in ("B04", "B08", "B11"))
    index = {}
    for cover in ("forest", "water", "desert"):
        bands = multispectral(*view(cover))
        assert bands.shape == (12, 200, 200)
        assert 0 < bands.min() < bands.max() < 1
        index[cover] = np.median((bands[infrared] - bands[red]) / (bands[infrared] + bands[red]))
        assert (np.median(bands[swir]) < 0.05) == (cover == "water")
    assert index["forest"] > 0.6 > index["desert"] > 0 > index["water"]


def test_water_is_dark_and_built_ground_bright_for_radar_and_speckle_has_its_looks():
    level = {cover: np.median(backscatter(*view(cover))[0]) for cover in ("water", "forest", "industrial")}
    assert level["water"] < level["industrial"] - 5
    assert level["water"] < level["forest"] - 8
    world, window, size = view("water")
    calm = surfaces(world, window, size)[0] == Cover.WATER
    for looks in (1, 16):
        power = 10 ** (backscatter(world, window, size, looks)[0][calm] / 10)
        assert power.std() / power.mean() == pytest.approx(looks**-0.5, rel=0.1)
    assert len(POLARISATIONS) == 2


def test_the_same_window_gives_the_same_picture():
    np.testing.assert_array_equal(backscatter(*view("coast")), backscatter(*view("coast")))
