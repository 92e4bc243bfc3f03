"""Light: tones, shadows, clouds."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.synth.light import SEASONS, Light, draw_light
from rscovlm.synth.terrain import Cover

NOON = Light("summer", -np.pi / 2, 1.0, 0.0, 0.0, 1.0, 1.0, (1.0, 1.0, 1.0), 0.0, 0)


def test_a_sun_in_the_south_at_45_degrees_casts_a_shadow_as_long_as_high_to_the_north():
    np.testing.assert_allclose(NOON.cast, (0, -1), atol=1e-9)


def test_a_neutral_curve_changes_nothing_and_haze_lifts_the_dark():
    assert NOON.curve() == list(range(256)) * 3
    hazy = replace(NOON, haze=0.1).curve()
    assert hazy[0] == round(0.82 * 0.1 * 255)
    assert hazy[255] < 255


def test_noise_has_its_deviation_and_no_bias():
    pixels = np.full((200, 200, 3), 128, dtype=np.uint8)
    at = np.arange(200) * 0.3
    seen = replace(NOON, noise=3.0).veil(pixels, at, at, 0.3, 0.3).astype(float)
    assert seen.std() == pytest.approx(3, abs=0.3)
    assert seen.mean() == pytest.approx(128, abs=1)
    assert NOON.veil(pixels, at, at, 0.3, 0.3) is pixels


def test_clouds_brighten_and_their_shadows_darken_but_what_is_below_can_be_seen():
    cloudy = replace(NOON, clouds=0.6)
    at = np.arange(0, 4000.0, 20)
    pixels = np.full((200, 200, 3), 90, dtype=np.uint8)
    seen = cloudy.veil(pixels, at, at, 20.0, 0.3)
    assert seen.min() < 80
    assert 120 < seen.max() <= 90 + (236 - 90) / 2 + 1
    striped = pixels.copy()
    striped[::2] = 200
    assert (cloudy.veil(striped, at, at, 20.0, 0.3)[::2].mean() - seen[1::2].mean()) > 40


def test_random_light_varies_and_shadows_fall_to_the_north():
    lights = [draw_light(np.random.default_rng(seed), "urban") for seed in range(200)]
    assert {light.season for light in lights} == set(SEASONS)
    assert all(light.cast[1] < 0 for light in lights)
    assert 0.05 < np.mean([light.clouds > 0 for light in lights]) < 0.25
    assert len({light.ground(Cover.MEADOW) for light in lights}) == 4
