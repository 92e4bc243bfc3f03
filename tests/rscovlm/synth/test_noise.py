"""Noise that depends on nothing but the position and the seed."""

import numpy as np
import pytest

from rscovlm.synth import noise


def test_noise_is_a_function_of_position_alone():
    x, y = np.arange(40.0), np.arange(30.0)
    whole = noise.smooth(x, y, 9.0, seed=2)
    np.testing.assert_allclose(noise.smooth(x[10:20], y[5:15], 9.0, seed=2), whole[5:15, 10:20], atol=1e-6)
    assert whole.min() >= 0
    assert whole.max() < 1


def test_patterns_finer_than_a_view_pixel_fade_out():
    assert noise.visible(wavelength=8, pixel=64) == 0.0
    assert noise.visible(wavelength=64, pixel=1) == 1.0
    assert noise.visible(wavelength=20, pixel=10) == 0.5, "20 / 10 / 2 - 1 / 2"


def test_smooth_noise_meets_its_lattice_and_is_half_way_in_the_middle_between_nodes():
    nodes = noise.lattice(np.arange(3), np.arange(2), seed=7)
    found = noise.smooth(np.array([0.0, 5.0, 10.0, 20.0]), np.array([0.0, 10.0]), 10.0, seed=7)
    np.testing.assert_allclose(found[:, [0, 2, 3]], nodes, atol=1e-6)
    # The weight is 3 t^2 - 2 t^3: one half at t = 1/2.
    np.testing.assert_allclose(found[:, 1], (nodes[:, 0] + nodes[:, 1]) / 2, atol=1e-6)


def test_lattices_are_uniform_and_unlike_each_other():
    first, other = (noise.lattice(np.arange(200), np.arange(200), seed) for seed in (1, 2))
    assert first.mean() == pytest.approx(0.5, abs=0.01)
    assert first.var() == pytest.approx(1 / 12, rel=0.05)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(first[:, :-1].ravel(), first[:, 1:].ravel())[0, 1]) < 0.02


def test_points_have_the_noise_of_the_raster_and_bounds_hold_it():
    x, y = np.linspace(-40, 90, 31), np.linspace(10, 60, 17)
    raster = noise.smooth(x, y, 13.0, 3)
    np.testing.assert_allclose(noise.smooth_at(*np.meshgrid(x, y), 13.0, 3), raster, atol=1e-5)
    low, high = noise.bounds(x, y, 13.0, 3)
    assert low <= raster.min() <= raster.max() <= high


def test_several_wavelengths_at_once_are_each_of_them():
    x, y = np.array([1.0, 5.0]), np.array([3.0, 900.0])
    both = noise.smooth_at(x, y, np.array([10.0, 70.0]), np.array([1, 2]))
    np.testing.assert_allclose(both[1], noise.smooth_at(x, y, 70.0, 2), atol=1e-6)


def test_hashes_broadcast_and_keep_the_shape_of_scalars():
    assert noise.hashed(1, 2, 3).shape == ()
    assert noise.hashed(np.arange(4), 2, np.arange(3)[:, None]).shape == (3, 4)
    assert noise.hashed(np.arange(4), 2, 3)[1] == noise.hashed(1, 2, 3)
