"""SSE-U: what it reads, the likelihood that it learns by, and how sure it says it is."""

import math
from types import SimpleNamespace

import pytest
import torch

from rscovlm.models.heads.gsd import GsdHead, LogGsd
from tiling.gsd import LARGEST_M, LEAST_M


def head(**settings):
    torch.manual_seed(0)
    return GsdHead(8, taps=(1,), vision_width=4, **settings)


def pack(gsds_m, grids):
    extras = {} if gsds_m is None else {"gsd_m": torch.tensor(gsds_m)}
    return SimpleNamespace(
        image_extras=extras, image_grid_thw=torch.tensor(grids), spec=SimpleNamespace(merge=2)
    )


TWO = [[1, 4, 2], [1, 2, 2]]  # two visual tokens and one
FEATURES = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))


def test_the_likelihood_is_the_gaussian_one():
    found = LogGsd(torch.tensor([0.5]), torch.tensor([0.2]))
    # (0.1)^2 / (2 * 0.04) + ln 0.2
    assert float(found.nll(torch.tensor([0.6]))) == pytest.approx(0.125 + math.log(0.2))


@pytest.mark.parametrize("error", [0.05, 0.3, 1.2])
def test_the_likelihood_pushes_the_deviation_to_the_size_of_the_error(error):
    deviation = torch.tensor([error], requires_grad=True)
    LogGsd(torch.zeros(1), deviation).nll(torch.tensor([error])).sum().backward()
    assert float(deviation.grad) == pytest.approx(0, abs=1e-5)
    for wrong, sign in ((0.5 * error, -1), (2 * error, 1)):
        off = torch.tensor([wrong], requires_grad=True)
        LogGsd(torch.zeros(1), off).nll(torch.tensor([error])).sum().backward()
        assert sign * float(off.grad) > 0  # descent widens what is too sure, and narrows what is not


def test_an_image_is_told_by_its_own_features_alone():
    made = head()
    both = made(FEATURES, [2, 1])
    alone = made(FEATURES[:2], [2])
    torch.testing.assert_close(both.mean[:1], alone.mean)
    assert (both.deviation > made.settings["least_deviation"]).all()


def test_images_of_unknown_scale_and_the_dummy_do_not_count():
    made = head()
    known = made.terms(None, [], pack([0.3, float("nan")], TWO), FEATURES)["gsd"].value
    dummy = made.terms(None, [], pack([0.3, 0.0], TWO), FEATURES)["gsd"].value
    alone = made.terms(None, [], pack([0.3], TWO[:1]), FEATURES[:2])["gsd"].value
    assert float(known.detach()) == float(dummy.detach()) == pytest.approx(float(alone.detach()), rel=1e-5)
    for nothing in (pack(None, TWO), pack([float("nan")] * 2, TWO)):
        value = made.terms(None, [], nothing, FEATURES)["gsd"].value
        value.backward()
        assert float(value.detach()) == 0


@pytest.mark.parametrize("detached", [True, False])
def test_the_vision_tower_learns_from_it_where_that_is_asked_for(detached):
    features = FEATURES.clone().requires_grad_()
    head(detached=detached).terms(None, [], pack([0.3, 3.0], TWO), features)["gsd"].value.backward()
    assert (features.grad is None) == detached


def test_its_weight_rises_over_the_ramp():
    assert [head(ramp=0.5).share_at(done) for done in (0, 0.25, 0.5, 1)] == [0, 0.5, 1, 1]
    assert head(ramp=0.0).share_at(0) == 1


def test_an_interval_holds_nine_tenths_and_stays_within_what_can_be():
    low, high = LogGsd(torch.tensor([0.0]), torch.tensor([0.1])).interval(0)
    assert (low, high) == (pytest.approx(10**-0.16449), pytest.approx(10**0.16449))
    for mean in (-400.0, 0.0, 400.0):
        wide = LogGsd(torch.tensor([mean]), torch.tensor([500.0])).interval(0)
        assert LEAST_M <= wide.low <= wide.high <= LARGEST_M


def test_it_learns_the_scale_that_features_tell():
    made, generator = head(hidden=16), torch.Generator().manual_seed(2)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    scales = torch.rand(64, generator=generator) * 2 - 1
    features = torch.stack([scales, -scales, scales**2, torch.ones(64)], dim=1)
    for _ in range(150):
        optimizer.zero_grad()
        found = made(features, [1] * 64)
        found.nll(scales).mean().backward()
        optimizer.step()
    assert float((found.mean - scales).abs().mean().detach()) < 0.1
