"""DenseHead: maps in the unit of the target, from any decoder."""

from dataclasses import replace

import pytest
import torch

from rscovlm.models.heads.dense.head import DECODERS, DenseHead
from tests.rscovlm.models.heads.dense.material import grid, seeded

EACH = pytest.mark.parametrize("decoder", DECODERS)


def head(decoder: str, **settings) -> DenseHead:
    return seeded(DenseHead, 8, "height_m", {"name": decoder}, inner=8, **settings)


@EACH
def test_maps_have_the_shape_of_the_tokens_and_the_middle_is_one_of_its_cells(decoder):
    made = head(decoder, detail=3)
    found = made.field(grid(side=3))
    assert found.mean.shape == found.variance.shape == found.quantile(0.9).shape == (2, 9, 9)
    assert torch.equal(made(grid(side=3)).mean, found.mean[:, 4, 4])


@EACH
def test_units_are_restored_exactly(decoder):
    plain, scaled = head(decoder), head(decoder, mean=20.0, deviation=8.0)
    one, other = plain.field(grid()), scaled.field(grid())
    torch.testing.assert_close(other.mean, 20 + 8 * one.mean)
    torch.testing.assert_close(other.variance, 64 * one.variance)
    torch.testing.assert_close(other.quantile(0.3), 20 + 8 * one.quantile(0.3), rtol=1e-4, atol=1e-3)


@EACH
def test_units_of_a_region_hold_in_all_cells_of_its_sample(decoder):
    plain, states = head(decoder, mean=20.0, deviation=8.0), grid()
    regional = replace(states, about=torch.tensor([[5.0, 2.0], [20.0, 8.0]]))
    own, found = plain.field(states), plain.field(regional)
    torch.testing.assert_close(found.mean[1], own.mean[1])
    torch.testing.assert_close((found.mean[0] - 5) / 2, (own.mean[0] - 20) / 8, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.variance[0] / 4, own.variance[0] / 64, rtol=1e-4, atol=1e-5)
    known = torch.ones(2, 3, 3, dtype=torch.bool)
    truth = torch.stack(
        [torch.full((3, 3), 7.0), torch.full((3, 3), 28.0)]
    )  # 1 in deviations, in each region
    losses = []
    for each, values in ((regional, truth), (states, torch.full((2, 3, 3), 28.0))):
        torch.manual_seed(0)
        losses.append(plain.loss(each, (values, known))["height_m_map"].value)
    torch.testing.assert_close(losses[0], losses[1])


@EACH
def test_maps_are_held_within_what_can_be(decoder):
    found = head(decoder, low=-0.01, high=0.01).field(grid())
    for part in (found.mean, found.quantile(0.01), found.quantile(0.99)):
        assert part.min() >= -0.01
        assert part.max() <= 0.01


@EACH
def test_the_loss_is_of_known_cells_of_samples_with_images(decoder):
    made, states = head(decoder, mean=20.0, deviation=8.0), grid()
    values = torch.full((2, 3, 3), 24.0)
    nothing = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert made.loss(states, (values, nothing))["height_m_map"].value.item() == 0
    assert made.loss(states, None)["height_m_map"].value.item() == 0
    terms = made.loss(states, (values, ~nothing))
    assert terms["height_m_map"].value.item() != 0
    assert all(term.weight == 0 for name, term in terms.items() if name != "height_m_map")


@EACH
def test_every_weight_of_it_learns_even_where_nothing_is_known(decoder):
    made = head(decoder)
    for fields in (None, (torch.ones(2, 3, 3), torch.ones(2, 3, 3) > 0)):
        made.zero_grad()
        torch.manual_seed(0)
        made.loss(grid(), fields)["height_m_map"].value.backward()
        assert [name for name, weight in made.named_parameters() if weight.grad is None] == []


@EACH
def test_a_pack_without_samples_costs_nothing(decoder):
    made = head(decoder)
    terms = made.loss(grid(samples=0), None)
    assert terms["height_m_map"].value.item() == 0
    terms["height_m_map"].value.backward()


def test_the_tower_is_read_where_it_is_tapped():
    made = seeded(DenseHead, 8, "height_m", inner=8, taps=(1, 3), vision_width=6)
    assert made.taps == (1, 3)
    states = grid()
    states.tapped.requires_grad_()
    made.field(states).mean.sum().backward()
    assert states.tapped.grad.abs().max() > 0


def test_an_unknown_decoder_is_told():
    with pytest.raises(TypeError, match="decoder 'flow' is unknown; choose from diffusion, codebook, masked"):
        DenseHead(8, "height_m", {"name": "flow"})


@EACH
def test_it_learns_in_bfloat16_and_under_autocast_as_in_float32(decoder):
    fields = (torch.full((2, 3, 3), 24.0), torch.ones(2, 3, 3) > 0)
    losses = []
    for half, autocast in ((False, False), (False, True), (True, False)):
        made = head(decoder, mean=20.0, deviation=8.0)
        made = made.to(torch.bfloat16) if half else made
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            torch.manual_seed(0)
            loss = made.loss(grid(), fields)["height_m_map"].value
        loss.backward()
        losses.append(loss.item())
        assert made.eval().field(grid()).mean.isfinite().all()
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=0.05)
