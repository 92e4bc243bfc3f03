"""Losses by hand, by their gradients, and however a batch is split."""

import math

import pytest
import torch

from rscovlm.models.heads.distribution import Mixture, Point
from rscovlm.models.heads.numbers.losses import concordance, loss_of, range_penalty
from rscovlm.scoring.regression import Moments

THIRDS = torch.full((3,), 1 / 3)
TRUTH = torch.tensor([0.0, 1, 4])
POINTS = Point(torch.tensor([1.0, 1, 1]))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mse", (1 + 0 + 9) / 3),
        ("mae", (1 + 0 + 3) / 3),
        ("huber", (0.5 + 0 + 2.5) / 3),
        ("logcosh", (math.log(math.cosh(1)) + math.log(math.cosh(3))) / 3),
        ("ccc", 1.0),
    ],
)
def test_losses_by_hand(kind, expected):
    assert loss_of(kind, POINTS, TRUTH, THIRDS).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["nll", "mse", "mae", "huber", "logcosh"])
def test_the_loss_is_the_same_however_a_batch_is_split(kind):
    draw = torch.Generator().manual_seed(0)
    mean, truth = torch.randn(12, generator=draw), torch.randn(12, generator=draw)
    weights = torch.full((12,), 1 / 12)

    def part(rows):
        found = Mixture.gaussian(mean[rows], torch.ones(12)[rows])
        return loss_of(kind, found, truth[rows], weights[rows]).item()

    whole = part(slice(None))
    assert part(slice(0, 5)) + part(slice(5, 12)) == pytest.approx(whole, rel=1e-5)


def test_gradients_are_those_of_finite_differences():
    truth, weights = TRUTH.double(), THIRDS.double()
    for kind in ("mse", "huber", "logcosh", "ccc"):

        def loss(mean, kind=kind):
            return loss_of(kind, Point(mean), truth, weights)

        start = torch.tensor([0.3, 1.7, 2.0], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(loss, (start,))


def test_log_cosh_is_finite_and_linear_far_away():
    far = loss_of("logcosh", Point(torch.tensor([1e4])), torch.zeros(1), torch.ones(1))
    assert far.item() == pytest.approx(1e4 - math.log(2))


def test_concordance_is_that_of_the_metric():
    mean, truth = torch.tensor([1.0, 3, 2, 9]), torch.tensor([2.0, 2, 4, 7])
    found = concordance(mean, truth, torch.full((4,), 0.25))
    assert found.item() == pytest.approx(Moments.of(mean.numpy(), truth.numpy()).ccc.item(), rel=1e-6)


def test_noise_of_the_truth_flattens_its_likelihood():
    found = Mixture.gaussian(torch.zeros(3), torch.ones(3))
    plain = loss_of("nll", found, TRUTH, THIRDS)
    noisy = loss_of("nll", found, TRUTH, THIRDS, noise=torch.full((3,), 2.0))
    assert noisy < plain


def test_a_penalty_is_zero_inside_the_range_and_the_distance_outside():
    mean = torch.tensor([-2.0, 0, 250, 500, 503])
    fifths = torch.full((5,), 0.2)
    assert range_penalty(mean, 0, 500, fifths).item() == pytest.approx((2 + 3) / 5)
    assert range_penalty(mean, None, None, fifths).item() == 0
    assert range_penalty(mean[1:4], 0, 500, fifths[1:4]).item() == 0
