"""Textures: as they are, averaged, and repeated."""

import numpy as np
import pytest

from rscovlm.synth.textures import TEXEL_M, Texture, crowns, grain


def test_each_level_is_the_average_of_the_one_before():
    levels = grain().levels
    fine = levels[0]
    np.testing.assert_allclose(levels[1], fine.reshape(256, 2, 256, 2).mean(axis=(1, 3)), atol=1e-6)
    assert levels[-1].shape == (1, 1)
    assert levels[-1][0, 0] == pytest.approx(0, abs=1e-5)
    assert fine.std() == pytest.approx(1, abs=1e-4)


def test_a_texture_is_looked_up_by_position_and_repeats():
    texture = Texture((np.arange(16, dtype=np.float32).reshape(4, 4),))
    at = (np.array([0, 1, 5]) + 0.5) * TEXEL_M
    np.testing.assert_array_equal(texture.sample(at, at[:2], TEXEL_M), [[0, 1, 1], [4, 5, 5]])


def test_a_coarser_pixel_sees_less_contrast():
    at = np.arange(200.0)
    deviations = [grain().sample(at, at, pixel).std() for pixel in (0.3, 1.2, 5.0, 40.0)]
    assert deviations == sorted(deviations, reverse=True)


def test_crowns_are_bright_and_the_gaps_between_them_dark():
    canopy = crowns()
    tone = canopy.tone.levels[0]
    assert abs(tone.mean()) < 1e-4
    assert 0.02 < (tone < -0.3).mean() < 0.4
    assert abs(canopy.slope_x.levels[0].mean()) < 0.01
