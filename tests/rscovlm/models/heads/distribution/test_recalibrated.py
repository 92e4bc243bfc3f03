"""Distributions whose quantiles were moved."""

import numpy as np
import torch

from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.heads.distribution.recalibrated import recalibrated
from rscovlm.scoring.predictions import LEVELS
from rscovlm.scoring.quantile_steps import QuantileSteps

STEP = tuple(0.0 if level <= 0.5 else 1.0 for level in LEVELS)
STEPS = QuantileSteps((50.0,), ((0.0,) * len(LEVELS), STEP), 100)
"""Predictions of 50 or more end one deviation higher."""


def test_quantiles_move_by_deviations_where_much_is_predicted():
    stated = Mixture.gaussian(torch.tensor([20.0, 100.0]), torch.tensor([5.0, 10.0]))
    found = recalibrated(stated, STEPS)
    np.testing.assert_array_equal(found.mean, stated.mean)
    torch.testing.assert_close(found.quantile(0.05), stated.quantile(0.05))
    torch.testing.assert_close(found.quantile(0.95), stated.quantile(0.95) + torch.tensor([0.0, 10.0]))
    torch.testing.assert_close(found.cdf(found.quantile(0.9)), torch.tensor([0.9, 0.9]))
    assert found.variance[1] > 1.2 * stated.variance[1]


def test_they_stay_within_what_can_be():
    stated = Mixture.gaussian(torch.tensor([3.0, 99.0]), torch.tensor([5.0, 10.0]))
    found = recalibrated(stated, STEPS, 0.0, 110.0)
    assert found.quantile(0.05)[0] == 0
    assert found.quantile(0.95)[1] == 110
    assert found.sample(torch.Generator().manual_seed(0)).min() >= 0
    assert found.nll(torch.tensor([3.0, 99.0])).isfinite().all()
