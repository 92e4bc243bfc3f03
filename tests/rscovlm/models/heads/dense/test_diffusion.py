"""The diffusion decoder: what it is without noise, under a seed, and what it learns."""

import pytest
import torch

from rscovlm.models.heads.dense.diffusion import Diffusion, _shares
from tests.rscovlm.models.heads.dense.material import features, losses_of, seeded


def lively(**settings) -> Diffusion:
    """A decoder whose residuals are not 0."""
    made = seeded(Diffusion, 8, 2, **settings)
    torch.nn.init.normal_(made.clean.weight, std=0.3)
    return made


def mean_of(decoder: Diffusion, places: torch.Tensor) -> torch.Tensor:
    return decoder.mean(decoder._context(places))[:, 0].flatten()


def test_zero_noise_returns_the_mean():
    places = features()
    quiet = lively(temperature=0.0)
    found = quiet(places)
    assert torch.equal(found.mean, mean_of(quiet, places))
    assert found.variance.max() == 0


def test_a_fresh_decoder_leaves_the_mean_as_it_is():
    # Its residuals begin as 0, whatever noise they are denoised from.
    fresh = seeded(Diffusion, 8, 2)
    torch.testing.assert_close(fresh(features()).mean, mean_of(fresh, features()), atol=1e-5, rtol=0)


def test_maps_are_a_function_of_the_seed():
    made, places = lively(draws=3), features()
    one, again = (made(places, torch.Generator().manual_seed(4)).values for _ in range(2))
    other = made(places, torch.Generator().manual_seed(5)).values
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert torch.equal(made(places).values, made(places).values)


def test_one_step_is_the_clean_residual_of_noise_alone():
    made, places = lively(steps=1, draws=1), features()
    drawn = torch.Generator().manual_seed(0)
    noise = torch.randn((2, 6, 6), generator=drawn)
    clean = made._denoised(noise, torch.ones(2), made._context(places))
    torch.testing.assert_close(made(places).values[:, 0], mean_of(made, places) + clean.flatten())


def test_signal_and_noise_share_the_power():
    keep, noise = _shares(torch.linspace(0, 1, 11))
    torch.testing.assert_close(keep**2 + noise**2, torch.ones(11))
    assert (keep[0].item(), noise[0].item()) == (1, 0)


def test_unknown_cells_cost_nothing():
    made, places = lively(), features()
    truth = torch.randn(2, 6, 6)
    known = torch.zeros(2, 6, 6, dtype=torch.bool)
    known[:, :3] = True
    changed = torch.where(known, truth, 99.0)
    losses = []
    for each in (truth, changed):
        torch.manual_seed(1)
        losses.append(made.learn(places, each, known).loss.item())
    assert losses[0] == losses[1]


def test_it_learns_a_spread_that_the_mean_cannot_tell():
    """All places look alike; half of the maps are 1 and half -1 everywhere: the mean is 0, no map is."""
    places = torch.ones(8, 1, 1, 8)
    truth = torch.ones(8, 2, 2)
    truth[::2] = -1
    made = seeded(Diffusion, 8, 2, draws=100, steps=8)
    losses = losses_of(made, places, truth, truth == truth, steps=150)
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
    found = made(places[:1], torch.Generator().manual_seed(0)).values.view(2, 2, 100)
    assert found.mean().abs() < 0.5
    assert 0.5 < found.std(dim=2).mean() < 1.6
    # Cells of one map go together.
    assert torch.corrcoef(torch.stack([found[0, 0], found[1, 1]]))[0, 1] > 0.7


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"draws": 0}, {"temperature": -1.0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(TypeError, match="have to be 1 or more"):
        Diffusion(8, 1, **wrong)
