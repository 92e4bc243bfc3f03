"""Numbers that distributions state."""

import numpy as np
import torch
from scipy.stats import norm

from rscovlm.models.heads.distribution import Mixture, Point
from rscovlm.models.heads.distribution.stated import stated
from rscovlm.scoring.predictions import LEVELS


def test_a_gaussian_states_the_quantiles_of_a_gaussian():
    mean, deviation = torch.tensor([0.0, 100.0], requires_grad=True), torch.tensor([1.0, 20.0])
    said = stated(Mixture.gaussian(mean, deviation))
    assert said.has_spread
    np.testing.assert_allclose(said.mean, [0, 100])
    np.testing.assert_allclose(said.deviation, [1, 20], rtol=1e-6)
    expected = np.array([norm.ppf(LEVELS, 0, 1), norm.ppf(LEVELS, 100, 20)])
    np.testing.assert_allclose(said.quantiles, expected, rtol=1e-5, atol=1e-5)


def test_numbers_without_a_spread_are_all_of_their_quantiles():
    said = stated(Point(torch.tensor([3.0, 7.0], dtype=torch.bfloat16)))
    assert not said.has_spread
    assert said.quantiles.dtype == np.float64
    np.testing.assert_array_equal(said.quantiles, np.repeat([[3.0], [7.0]], len(LEVELS), axis=1))


def test_variances_that_rounding_left_below_zero_are_no_spread():
    class Rounded(Point):
        @property
        def variance(self):
            return torch.full_like(self.mean, -1e-9)

    np.testing.assert_array_equal(stated(Rounded(torch.ones(2))).deviation, [0, 0])
