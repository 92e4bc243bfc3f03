"""Masked autoregression: every cell is filled, what is given stays, one round is one shot."""

import pytest
import torch

from rscovlm.models.heads.dense.masked import Masked
from tests.rscovlm.models.heads.dense.material import features, losses_of, seeded


def test_given_values_stay_as_they_are_to_the_bit():
    made = seeded(Masked, 8, 2)
    given = torch.full((2, 6, 6), float("nan"))
    given[:, 2:4, 1:5] = torch.randn(2, 2, 4) * 1e3
    values, mean, deviation = made.fill(features(), given)
    known = given.isfinite()
    assert torch.equal(values[known], given[known])
    assert torch.equal(mean[known], given[known])
    assert deviation[known].max() == deviation.min()


@pytest.mark.parametrize("rounds", [1, 2, 3, 9, 40])
def test_every_cell_is_filled_in_any_number_of_rounds(rounds):
    made = seeded(Masked, 8, 2, rounds=rounds)
    for part in made.fill(features()):
        assert part.isfinite().all()
    # What is left out by no round has the deviation that was said, which is more than the least.
    assert made.fill(features())[2].min() > 0.021


def test_one_round_is_one_shot():
    made, places = seeded(Masked, 8, 2, rounds=1, draws=1), features()
    nothing = torch.zeros(2, 9, 4)
    mean, _ = made._said(places, nothing, nothing)
    torch.testing.assert_close(made(places).mean.view(2, 6, 6)[:, :2, :2].flatten(1), mean[:, 0])


def test_filled_cells_are_read_in_the_next_round():
    places = features(1)
    one, several = (seeded(Masked, 8, 2, rounds=rounds, draws=1)(places).mean for rounds in (1, 3))
    assert not torch.allclose(one, several)


def test_an_order_is_a_function_of_the_seed():
    made, places = seeded(Masked, 8, 2), features()
    one, again, other = (made(places, torch.Generator().manual_seed(seed)).mean for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_unknown_cells_cost_nothing_and_are_not_read():
    made, places = seeded(Masked, 8, 2), features()
    truth = torch.randn(2, 6, 6)
    known = torch.ones(2, 6, 6, dtype=torch.bool)
    known[:, 4:] = False
    losses = []
    for each in (truth, torch.where(known, truth, 1e3)):
        torch.manual_seed(2)
        losses.append(made.learn(places, each, known).loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_rounds_agree_with_each_other_where_places_cannot_tell():
    """All places look alike, maps are 1 or -1 everywhere: one shot is unsure of each cell, rounds agree."""
    places = torch.ones(16, 2, 2, 8)
    truth = torch.ones(16, 2, 2)
    truth[::2] = -1
    made = seeded(Masked, 8, 1, rounds=4, draws=2)
    losses = losses_of(made, places, truth, truth == truth, steps=120)
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])
    values, _, _ = made.fill(places, generator=torch.Generator().manual_seed(0))
    signs = values.sign().flatten(1).mean(dim=1).abs()
    assert signs.mean() > 0.8, "the cells of a map go together"
    assert 0.2 < (values[:, 0, 0] > 0).float().mean() < 0.8, "and maps are of both kinds"


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"draws": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(TypeError, match="have to be 1 or more"):
        Masked(8, 1, **wrong)
