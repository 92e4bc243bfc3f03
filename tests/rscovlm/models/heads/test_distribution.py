"""Predictive distributions of heads: closed forms, limits, and agreement with their own samples."""

import math

import pytest
import torch

from rscovlm.models.heads.distribution import Counts, Mixture, Point, Quantiles, picked, scaled
from rscovlm.models.heads.distribution.draws import Draws


def mixture(weights=(0.3, 0.7), means=(40.0, 160.0), deviations=(10.0, 30.0), count=1):
    log_weights = torch.tensor(weights).log()
    return Mixture(
        *(
            torch.as_tensor(part).expand(count, -1)
            for part in (log_weights, torch.tensor(means), torch.tensor(deviations))
        )
    )


def test_one_component_is_a_gaussian():
    one = Mixture.gaussian(torch.tensor([4.0]), torch.tensor([2.0]))
    assert one.mean.item() == 4
    assert one.variance.item() == 4
    assert one.nll(torch.tensor([7.0])).item() == pytest.approx(
        0.5 * math.log(2 * math.pi * 4) + 9 / 8, rel=1e-6
    )
    assert one.quantile(0.975).item() == pytest.approx(4 + 2 * 1.959964, rel=1e-5)


def test_mean_and_variance_of_a_mixture_by_hand():
    # mean 0.3 * 40 + 0.7 * 160 = 124; variance 0.3 * (100 + 84^2) + 0.7 * (900 + 36^2)
    found = mixture()
    assert found.mean.item() == pytest.approx(124)
    assert found.variance.item() == pytest.approx(0.3 * (100 + 84**2) + 0.7 * (900 + 36**2), rel=1e-5)


def test_the_variance_of_components_far_from_zero_is_not_lost_to_rounding():
    found = mixture(means=(1e5, 1e5 + 1), deviations=(0.1, 0.1), weights=(0.5, 0.5))
    assert found.variance.item() == pytest.approx(0.01 + 0.25, rel=0.05)


def test_samples_have_the_moments_and_quantiles_of_their_distribution():
    found = mixture(count=20000)
    drawn = found.sample(torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(124, rel=0.02)
    assert drawn.var().item() == pytest.approx(found.variance[0].item(), rel=0.03)
    for level in (0.05, 0.5, 0.95):
        quantile = found.quantile(level)[0]
        assert (drawn <= quantile).float().mean().item() == pytest.approx(level, abs=0.01)
        assert found.cdf(found.quantile(level))[0].item() == pytest.approx(level, abs=1e-4)


def test_the_likelihood_is_finite_a_thousand_deviations_away_and_has_a_gradient():
    means = torch.tensor([[0.0, 1.0]], requires_grad=True)
    found = Mixture(torch.tensor([[0.5, 0.5]]).log(), means, torch.ones(1, 2))
    nats = found.nll(torch.tensor([1000.0]))
    nats.sum().backward()
    assert nats.isfinite().all()
    assert means.grad.isfinite().all()


def test_the_gradient_pushes_the_deviation_to_the_error():
    for deviation, sign in ((6.0, -1), (8.0, 1)):
        spread = torch.tensor([deviation], requires_grad=True)
        Mixture.gaussian(torch.zeros(1), spread).nll(torch.tensor([7.0])).sum().backward()
        assert math.copysign(1, spread.grad.item()) == sign


def test_noise_of_the_label_adds_in_squares():
    found = Mixture.gaussian(torch.tensor([10.0]), torch.tensor([3.0]))
    wider = Mixture.gaussian(torch.tensor([10.0]), torch.tensor([5.0]))
    truth = torch.tensor([17.0])
    assert found.nll(truth, torch.tensor([4.0])).item() == pytest.approx(wider.nll(truth).item(), rel=1e-6)


def test_entropy_tells_a_collapsed_mixture():
    assert mixture(weights=(1 - 1e-9, 1e-9)).entropy.item() == pytest.approx(0, abs=1e-6)
    assert mixture(weights=(0.5, 0.5)).entropy.item() == pytest.approx(math.log(2))


def test_a_point_is_itself_at_every_level():
    point = Point(torch.tensor([3.0, 5.0]))
    assert point.variance.tolist() == [0, 0]
    assert point.quantile(0.1).tolist() == point.sample().tolist() == [3, 5]
    assert point.cdf(torch.tensor([2.9, 5.0])).tolist() == [0, 1]
    assert point.nll(torch.tensor([5.0, 5.0])).tolist() == [2, 0]


def quantiles():
    return Quantiles(torch.tensor([0.1, 0.5, 0.9]), torch.tensor([[10.0, 20.0, 40.0]]))


def test_quantiles_are_joined_by_straight_lines():
    found = quantiles()
    assert [found.quantile(level).item() for level in (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)] == pytest.approx(
        [10, 10, 15, 20, 30, 40, 40]
    )
    values = torch.tensor([5.0, 10, 15, 20, 30, 40, 60])
    each = Quantiles(found.levels, found.values.expand(7, -1))
    assert each.cdf(values).tolist() == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9])


def test_the_mean_of_quantiles_counts_each_for_its_levels():
    # 0.1 stands for levels up to 0.3, 0.5 up to 0.7, 0.9 for the rest
    assert quantiles().mean.item() == pytest.approx(0.3 * 10 + 0.4 * 20 + 0.3 * 40)


def test_pinball_is_least_at_the_quantiles_of_the_truth():
    truth = torch.randn(4001, generator=torch.Generator().manual_seed(1)) * 10
    levels = torch.tensor([0.1, 0.5, 0.9])
    best = torch.quantile(truth, levels)

    def loss(values):
        return Quantiles(levels, values.expand(len(truth), -1)).nll(truth).mean()

    assert loss(best) < min(loss(best + 1), loss(best - 1), loss(best * 1.1))


BATCHES = {
    "point": Point(torch.tensor([1.0, 5.0, 9.0])),
    "mixture": Mixture(torch.zeros(3, 1), torch.tensor([[1.0], [5.0], [9.0]]), torch.ones(3, 1)),
    "quantiles": Quantiles(torch.tensor([0.1, 0.5]), torch.tensor([[1.0, 2.0], [5.0, 6.0], [9.0, 10.0]])),
    "counts": Counts(torch.tensor([1.0, 5.0, 9.0]), torch.zeros(3)),
    "draws": Draws(torch.tensor([[1.0, 2.0], [5.0, 6.0], [9.0, 10.0]])),
}


@pytest.mark.parametrize("name", BATCHES)
def test_rows_of_a_batch_are_what_they_were_in_it(name):
    whole, rows = BATCHES[name], torch.tensor([2, 0])
    found = picked(whole, rows)
    for part in ("mean", "variance"):
        assert torch.equal(getattr(found, part), getattr(whole, part)[rows])
    assert torch.equal(found.quantile(0.3), whole.quantile(0.3)[rows])


@pytest.mark.parametrize("name", [name for name in BATCHES if name != "counts"])
def test_units_are_restored_exactly(name):
    whole = BATCHES[name]
    found = scaled(whole, 100.0, 8.0)
    torch.testing.assert_close(found.mean, 100 + 8 * whole.mean)
    torch.testing.assert_close(found.variance, 64 * whole.variance)
    torch.testing.assert_close(found.quantile(0.4), 100 + 8 * whole.quantile(0.4))


def test_counts_are_in_units_already():
    assert scaled(BATCHES["counts"], 100.0, 8.0) is BATCHES["counts"]


def test_what_is_not_one_of_them_has_no_rows():
    with pytest.raises(TypeError, match="int has no rows"):
        picked(3, torch.tensor([0]))
