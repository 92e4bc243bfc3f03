"""Distributions that are held within what can be."""

import pytest
import torch

from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.heads.numbers.bounded import Bounded, bounded


def gaussians():
    return Mixture.gaussian(torch.tensor([-20.0, 10, 490]), torch.tensor([10.0, 10, 10]))


def test_nothing_leaves_the_range():
    held = bounded(gaussians(), 0, 500)
    for values in (
        held.mean,
        held.quantile(0.01),
        held.quantile(0.99),
        held.sample(torch.Generator().manual_seed(0)),
    ):
        assert (values >= 0).all()
        assert (values <= 500).all()


def test_inside_the_range_nothing_changes():
    inner, held = gaussians(), bounded(gaussians(), 0, 500)
    assert held.quantile(0.5).tolist()[1:] == inner.quantile(0.5).tolist()[1:]
    assert held.nll(torch.full((3,), 5.0)).tolist() == inner.nll(torch.full((3,), 5.0)).tolist()
    assert held.variance.tolist() == inner.variance.tolist()


def test_what_would_lie_outside_lies_at_the_ends():
    held = bounded(gaussians(), 0, 500)
    assert held.cdf(torch.tensor([-1.0, -1, -1])).tolist() == [0, 0, 0]
    assert held.cdf(torch.tensor([0.0, 0, 0]))[0].item() == pytest.approx(0.977, abs=1e-3)
    assert held.cdf(torch.tensor([500.0, 500, 500])).tolist() == [1, 1, 1]


def test_a_range_without_ends_is_none():
    inner = gaussians()
    assert bounded(inner, None, None) is inner
    assert isinstance(bounded(inner, 0, None), Bounded)
