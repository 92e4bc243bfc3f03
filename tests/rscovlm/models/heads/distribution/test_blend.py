"""Mixtures of any distributions, and products of Gaussians, against closed forms."""

import math

import pytest
import torch

from rscovlm.models.heads.distribution import Mixture, Point, Quantiles, picked
from rscovlm.models.heads.distribution.blend import Blend, precisions


def gaussian(mean: float, deviation: float, count: int = 1) -> Mixture:
    return Mixture.gaussian(torch.full((count,), float(mean)), torch.full((count,), float(deviation)))


def same_mixture(count: int = 1) -> tuple[Blend, Mixture]:
    """Two ways to say 0.25 N(0, 1) + 0.75 N(10, 2)."""
    whole = Mixture(
        torch.tensor([[0.25, 0.75]]).log().expand(count, -1),
        torch.tensor([[0.0, 10.0]]).expand(count, -1),
        torch.tensor([[1.0, 2.0]]).expand(count, -1),
    )
    return Blend([gaussian(0, 1, count), gaussian(10, 2, count)], [0.25, 0.75]), whole


def test_a_blend_of_gaussians_is_their_mixture():
    blend, whole = same_mixture()
    for part in ("mean", "variance"):
        torch.testing.assert_close(getattr(blend, part), getattr(whole, part))
    for value in (-1.0, 5.0, 11.0):
        at = torch.tensor([value])
        torch.testing.assert_close(blend.cdf(at), whole.cdf(at))
        torch.testing.assert_close(blend.nll(at), whole.nll(at))
    for level in (0.05, 0.2, 0.5, 0.9):
        torch.testing.assert_close(blend.quantile(level), whole.quantile(level), rtol=1e-4, atol=1e-3)


def test_disagreement_is_part_of_the_variance():
    # Two points 4 apart have no spread of their own: (2^2 + 2^2) / 2.
    blend = Blend([Point(torch.tensor([8.0])), Point(torch.tensor([12.0]))], [0.5, 0.5])
    assert (blend.mean.item(), blend.variance.item()) == (10, 4)


def test_a_part_of_no_weight_plays_no_part():
    blend = Blend([gaussian(0, 1), gaussian(1e3, 1)], [1.0, 0.0])
    assert blend.mean.item() == 0
    assert blend.quantile(0.5).item() == pytest.approx(0, abs=1e-5)
    assert blend.nll(torch.zeros(1)).item() == pytest.approx(0.5 * math.log(2 * math.pi), rel=1e-5)


def test_distributions_of_other_kinds_go_together():
    lines = Quantiles(torch.tensor([0.1, 0.5, 0.9]), torch.tensor([[0.0, 10.0, 20.0]]))
    blend = Blend([lines, gaussian(10, 5)], [0.5, 0.5])
    assert blend.quantile(0.5).item() == pytest.approx(10, abs=1e-3)
    assert lines.quantile(0.2).item() < blend.quantile(0.2).item() < gaussian(10, 5).quantile(0.2).item()


def test_samples_are_of_the_parts_as_often_as_their_weights_say():
    blend, whole = same_mixture(4000)
    drawn = blend.sample(torch.Generator().manual_seed(0))
    assert (drawn > 5).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert drawn.mean().item() == pytest.approx(whole.mean[0].item(), rel=0.05)


def test_rows_of_a_blend():
    blend = Blend([Point(torch.tensor([1.0, 2.0])), Point(torch.tensor([3.0, 6.0]))], [0.5, 0.5])
    assert picked(blend, torch.tensor([1])).mean.tolist() == [4]


def test_precisions_add_and_weigh_the_means():
    # 1/4 and 1/16: mean (10/4 + 20/16) / (5/16) = 12, variance 16/5.
    mean, variance = precisions([gaussian(10, 2), gaussian(20, 4)])
    assert (mean.item(), variance.item()) == (pytest.approx(12), pytest.approx(3.2))


def test_errors_of_independent_parts_have_the_stated_variance():
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(20000, generator=draw) * deviation for deviation in (2.0, 4.0))
    parts = [
        Mixture.gaussian(one, torch.full_like(one, 2)),
        Mixture.gaussian(other, torch.full_like(other, 4)),
    ]
    mean, variance = precisions(parts)
    assert mean.var().item() == pytest.approx(variance[0].item(), rel=0.03)
