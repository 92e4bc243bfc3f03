"""Gates: between 0 and 1, closing as pixels grow, by the formula of the paper."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.errors import ModelError
from rscovlm.models.scale.gates import BucketGate, SigmoidGate, tier_of_dimensions

LOG_GSDS = st.floats(-2, 2)


def at(gate, *metres):
    return gate(torch.tensor([math.log10(each) for each in metres]))


@given(LOG_GSDS, LOG_GSDS)
def test_weights_lie_between_0_and_1_and_fall_as_pixels_grow(one, other):
    gate = SigmoidGate(6)
    fine, coarse = gate(torch.tensor(sorted([one, other])))
    assert ((fine >= 0) & (fine <= 1)).all()
    assert (coarse <= fine).all()


def test_weights_are_those_of_the_formula():
    gate = SigmoidGate(3, (0.5, 5.0, 50.0), sharpness=5.0)
    # sigmoid(5 (log10 0.5 - s)) at 0.1, 1 and 10 m: the values of the object tier.
    assert at(gate, 0.1, 1, 10)[:, 0].tolist() == pytest.approx([0.9706, 0.1816, 0.0015], abs=1e-4)
    assert at(gate, 0.5, 5, 50).diagonal().tolist() == pytest.approx([0.5, 0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize("learnt", [-30.0, -1.0, 0.0, 20.0])
def test_the_slope_stays_positive_whatever_is_learnt(learnt):
    gate = SigmoidGate(3)
    with torch.no_grad():
        gate.raw_sharpness.fill_(learnt)
    assert float(gate.sharpness.detach()) > 0


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 5.0, 40.0])
def test_a_fresh_gate_has_the_slope_that_is_stated(sharpness):
    assert float(SigmoidGate(3, sharpness=sharpness).sharpness.detach()) == pytest.approx(sharpness, rel=1e-5)


def test_an_unknown_scale_is_read_as_the_neutral_one():
    gate = SigmoidGate(6, neutral_m=3.0)
    assert torch.equal(gate(torch.tensor([math.nan])), gate(torch.tensor([math.log10(3.0)])))


@given(LOG_GSDS)
def test_normalised_weights_sum_to_the_rank_at_every_scale(log_gsd):
    for gate in (SigmoidGate(7, normalised=True), BucketGate(7, normalised=True)):
        assert float(gate(torch.tensor(log_gsd)).detach().sum()) == pytest.approx(7, rel=1e-4)


def test_a_bucket_opens_its_own_dimensions_and_no_other():
    gate = BucketGate(4, (1.0, 10.0))
    assert at(gate, 0.3, 3.0, 30.0).tolist() == [[2, 2, 0, 0], [0, 0, 4, 0], [0, 0, 0, 4]]
    assert not list(gate.parameters())
    plain = BucketGate(4, (1.0, 10.0), normalised=False)
    assert at(plain, 0.3, 3.0, 30.0).tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_settings_are_whole_and_none_is_unknown():
    assert BucketGate.settled(edges_m=(2.0,)) == {"edges_m": (2.0,), "neutral_m": 1.0, "normalised": True}
    assert SigmoidGate(3, **SigmoidGate.settled(sharpness=4.0)).sharpness.item() == pytest.approx(4.0)
    with pytest.raises(TypeError, match="edges_m"):
        SigmoidGate.settled(edges_m=(2.0,))


def test_dimensions_are_shared_out_evenly_and_in_order():
    assert tier_of_dimensions(8, 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SigmoidGate(2), "3 tiers cannot share out a rank of 2"),
        (lambda: SigmoidGate(4, sharpness=0.0), "have to be positive"),
        (lambda: BucketGate(4, (5.0, 1.0)), "have to be positive and ascend"),
        (lambda: BucketGate(1, (1.0,)), "2 buckets cannot share out a rank of 1"),
    ],
)
def test_settings_that_make_no_gate_are_one_line(make, told):
    with pytest.raises(ModelError, match=told):
        make()
