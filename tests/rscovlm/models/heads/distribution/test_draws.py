"""Distributions by draws: closed forms, and agreement with the distribution that was drawn from."""

import math

import pytest
import torch

from rscovlm.models.heads.distribution.draws import Draws

FOUR = Draws(torch.tensor([[4.0, 1.0, 3.0, 2.0], [10.0, 10.0, 10.0, 10.0]]))


def test_moments_and_shares_by_hand():
    assert FOUR.mean.tolist() == [2.5, 10]
    assert FOUR.variance.tolist() == pytest.approx([5 / 3, 0])
    assert FOUR.cdf(torch.tensor([2.0, 9.0])).tolist() == [0.5, 0]


def test_quantiles_are_joined_by_straight_lines_and_level_beyond():
    # 1, 2, 3, 4 stand at 1/8, 3/8, 5/8, 7/8.
    levels = (0.01, 1 / 8, 0.25, 0.5, 7 / 8, 0.99)
    assert [FOUR.quantile(level)[0].item() for level in levels] == pytest.approx([1, 1, 1.5, 2.5, 4, 4])


def test_a_draw_is_one_column_for_all():
    drawn = Draws(torch.arange(5.0).repeat(3, 1)).sample(torch.Generator().manual_seed(3))
    assert len(set(drawn.tolist())) == 1


def test_many_draws_score_as_the_distribution_does():
    draws = Draws(torch.randn(400, 200, generator=torch.Generator().manual_seed(0)) * 3 + 7)
    truth = torch.full((400,), 10.0)
    z = 1.0
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + math.erf(z / math.sqrt(2)))
    closed = 3 * (z * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi))
    assert draws.nll(truth).mean().item() == pytest.approx(closed, rel=0.01)


def test_one_draw_has_no_spread_and_scores_its_distance():
    one = Draws(torch.tensor([[4.0]]))
    assert (one.variance.item(), one.quantile(0.9).item(), one.nll(torch.tensor([6.0])).item()) == (0, 4, 2)
