"""Outputs of number heads: limits, order, and the values that can be reached."""

import pytest
import torch

from rscovlm.models.heads.distribution import Counts, Mixture, Point
from rscovlm.models.heads.numbers.outputs import OUTPUTS, IntervalsOutput, MixtureOutput, QuantilesOutput

SETTINGS = {"intervals": {"edges": (-1.0, 0.0, 0.5, 2.0)}}


def make(name, **settings):
    torch.manual_seed(0)
    return OUTPUTS[name](8, **(SETTINGS.get(name, {}) | settings))


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_is_a_distribution_that_can_learn(name):
    output = make(name)
    feature = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    truth = torch.tensor([0.0, 1, 2, 3, 0, 1])
    optimizer = torch.optim.Adam(output.parameters(), lr=0.05)
    first = None
    for _ in range(150):
        loss = output(feature).nll(truth).mean()
        first = loss.item() if first is None else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = output(feature)
    assert loss.item() < first
    assert (found.mean - truth).abs().mean() < 0.6
    assert (found.variance >= 0).all()
    assert (found.quantile(0.1) <= found.quantile(0.9)).all()
    assert found.sample(torch.Generator().manual_seed(2)).shape == (6,)


def test_a_mixture_of_one_component_is_the_gaussian():
    one, gaussian = make("mixture", components=1), make("gaussian")
    gaussian.load_state_dict(one.state_dict())
    feature, truth = torch.randn(3, 8), torch.randn(3)
    torch.testing.assert_close(one(feature).nll(truth), gaussian(feature).nll(truth))


def test_components_start_apart():
    means = MixtureOutput(8, components=3)(torch.zeros(1, 8)).means[0]
    assert means.tolist() == [-1, 0, 1]


def test_quantiles_never_cross_and_start_as_a_standard_normal():
    output = QuantilesOutput(8)
    start = output(torch.zeros(1, 8))
    assert start.quantile(0.5).item() == pytest.approx(0, abs=1e-5)
    assert start.quantile(0.95).item() == pytest.approx(1.645, abs=1e-3)
    wild = output(torch.randn(50, 8) * 100).values
    assert (wild.diff(dim=1) >= 0).all()


def intervals(logits, residual, fuse="soft"):
    output = IntervalsOutput(8, (-1.0, 0.0, 0.5, 2.0), fuse).eval()
    with torch.no_grad():
        output.value.weight.zero_()
        output.value.bias.copy_(torch.tensor([*logits, *residual, 0.0, 0, 0]))
    return output(torch.zeros(1, 8))


def test_soft_intervals_are_the_sum_of_centres_and_residuals():
    # centres -0.5, 0.25, 1.25; halves 0.5, 0.25, 0.75
    found = intervals([0.0, 0, 0], [0.0, 0, 0])
    assert found.mean.item() == pytest.approx((-0.5 + 0.25 + 1.25) / 3)
    moved = intervals([-60.0, 0, -60], [0.0, 20, 0])
    assert moved.mean.item() == pytest.approx(0.5), "a residual reaches the edge and no further"


def test_values_beyond_the_outermost_edges_can_be_reached():
    assert intervals([-60.0, -60, 0], [0.0, 0, 9]).mean.item() == pytest.approx(1.25 + 9 * 0.75)
    assert intervals([0.0, -60, -60], [-9.0, 0, 0]).mean.item() == pytest.approx(-0.5 - 9 * 0.5)


def test_hard_intervals_take_the_likeliest_one():
    assert intervals([0.0, 0.1, 0], [0.0, 0, 0], "hard").mean.item() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("mixture", {"components": 0}, "0 components"),
        ("quantiles", {"levels": (0.5, 0.1)}, "ascending"),
        ("quantiles", {"levels": (0.5, 1.0)}, "ascending"),
        ("intervals", {"edges": (0.0, 1.0)}, "three or more"),
        ("intervals", {"edges": (0.0, 2.0, 1.0)}, "ascending"),
    ],
)
def test_settings_that_make_no_output_are_refused(name, settings, words):
    with pytest.raises(TypeError, match=words):
        make(name, **settings)


def test_a_count_without_dispersion_is_a_poisson_distribution():
    found = make("count", dispersed=False)(torch.randn(4, 8))
    torch.testing.assert_close(found.variance, found.mean)
    torch.testing.assert_close(
        found.nll(torch.tensor([0.0, 1, 2, 5])),
        -torch.distributions.Poisson(found.mean).log_prob(torch.tensor([0.0, 1, 2, 5])),
    )


def test_a_dispersed_count_is_a_negative_binomial_distribution():
    mean, dispersion = torch.tensor([3.0, 8]), torch.tensor([0.5, 0.1])
    found = Counts(mean, dispersion)
    size = 1 / dispersion
    reference = torch.distributions.NegativeBinomial(size, probs=mean / (mean + size))
    counts = torch.tensor([0.0, 12])
    torch.testing.assert_close(found.nll(counts), -reference.log_prob(counts), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.variance, reference.variance)
    many = Counts(mean[:1].expand(20000), dispersion[:1].expand(20000))
    drawn = many.sample(torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(3, rel=0.03)
    assert drawn.var().item() == pytest.approx(3 + 0.5 * 9, rel=0.06)
    assert (drawn <= many.quantile(0.9)[0]).float().mean().item() >= 0.9


def test_kinds_of_distributions():
    assert isinstance(make("point")(torch.zeros(1, 8)), Point)
    assert isinstance(make("gaussian")(torch.zeros(1, 8)), Mixture)
