"""The check before training that packed samples do not see each other."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from rscovlm.data.packing import model_inputs
from rscovlm.errors import ModelError
from rscovlm.training.self_check import check_isolation
from tests.rscovlm.data.examples import FAMILIES, load_subject


@pytest.fixture(scope="module", params=FAMILIES)
def subject(request, tmp_path_factory):
    return load_subject(tmp_path_factory.mktemp("checkpoint"), request.param)


def three_rows(pack):
    """What all peers give: M-RoPE positions alone."""
    return model_inputs(pack) | {"position_ids": pack.position_ids[1:]}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_model_that_keeps_samples_apart_passes_with_room_to_spare(subject, attention):
    subject.model.set_attn_implementation(attention)
    subject.model.train()
    found = check_isolation(subject.model, subject.spec)
    assert max(found.differences) < 1e-5
    assert found.leak > 0.1
    assert subject.model.training, "it is left as it was"


def test_half_precision_passes_and_its_leaks_are_refused(subject):
    half = type(subject.model)(subject.model.config).to(torch.bfloat16)
    half.load_state_dict(subject.model.state_dict())
    found = check_isolation(half, subject.spec)
    assert max(found.differences) < found.leak / 100
    with pytest.raises(ModelError, match="the second sample sees the first"):
        check_isolation(half, subject.spec, inputs_of=three_rows)


def test_autocast_passes(subject):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert check_isolation(subject.model, subject.spec).leak > 0.1


BREAKS = {
    "all-ones mask": lambda pack: {"attention_mask": torch.ones_like(pack.input_ids)},
    "three rows": lambda pack: {"position_ids": pack.position_ids[1:]},
    "cache": lambda pack: {"use_cache": True},
}


@pytest.mark.parametrize("how", BREAKS)
def test_each_known_way_to_leak_is_refused(subject, how):
    def leaky(pack):
        return model_inputs(pack) | BREAKS[how](pack)

    with pytest.raises(ModelError, match=r"the second sample sees the first.*nats per token"):
        check_isolation(subject.model, subject.spec, inputs_of=leaky)


def test_a_leak_in_a_freshly_initialised_model_is_refused_too(subject):
    """Small weights make small leaks; the tolerance follows."""
    torch.manual_seed(0)
    fresh = type(subject.model)(subject.model.config)
    found = check_isolation(fresh, subject.spec)
    assert max(found.differences) < found.leak / 10
    with pytest.raises(ModelError, match="the second sample sees the first"):
        check_isolation(fresh, subject.spec, inputs_of=three_rows)


class Mixed(torch.nn.Module):
    """Logits partly of a model that keeps samples apart, partly of one that shows the first to the second."""

    def __init__(self, model, leaking, share):
        super().__init__()
        self.model, self.leaking, self.share = model, leaking, share
        self.config = model.config

    def forward(self, position_ids, **inputs):
        apart = self.model(position_ids=position_ids, **inputs).logits
        if not self.leaking or len(position_ids) == 3:
            return SimpleNamespace(logits=apart)
        seen = self.model(position_ids=position_ids[1:], **inputs).logits
        return SimpleNamespace(logits=(1 - self.share) * apart + self.share * seen)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.3])
def test_part_of_a_leak_is_refused_like_the_whole(subject, share):
    leak = check_isolation(Mixed(subject.model, False, share), subject.spec).leak
    with pytest.raises(ModelError, match="the second sample sees the first") as caught:
        check_isolation(Mixed(subject.model, True, share), subject.spec)
    # The tolerance that is told is a hundredth of a nat at most, and a tenth of the leak.
    allowed = float(re.search(r"([\d.e-]+) is allowed", str(caught.value))[1])
    assert allowed <= min(1e-2, leak / 10 * 1.05)


def test_images_that_are_mixed_up_are_told_from_attention(subject):
    def mixed(pack):
        inputs = model_inputs(pack)
        return inputs | {"pixel_values": inputs["pixel_values"].flip(0)}

    with pytest.raises(ModelError, match="images are mixed up"):
        check_isolation(subject.model, subject.spec, inputs_of=mixed)


def test_losses_that_are_no_numbers_are_refused(subject):
    def broken(pack):
        return model_inputs(replace(pack, spec=replace(pack.spec, mean=(float("nan"),) * 3)))

    with pytest.raises(ModelError, match="nan"):
        check_isolation(subject.model, subject.spec, inputs_of=broken)
