"""Measuring: what is asked, what counts as right, and how sure the head is."""

import numpy as np
import pytest
import torch

from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.models.scale.gates import SigmoidGate
from rscovlm.scale.measure import (
    TestItem,
    accuracy,
    hits,
    lead,
    question,
    thresholds,
    without_tier,
)
from rscovlm.scale.methods import METHODS
from zoom_chain.chat import Reply

BY_NAME = {method.name: method for method in METHODS}


def item(view, gsd_m, answer="20 m", topic="width"):
    turns = (Turn("user", "<image>How wide?"), Turn("assistant", answer))
    attributes = {"scene": view, "kind": "discriminative", "tier": "objects", "topic": topic}
    sample = Sample(view, "vqa", (ImageRef("a.png"),), turns, gsd_m=gsd_m, attributes=attributes)
    return TestItem(sample, np.zeros((32, 32, 3), np.uint8))


def test_a_method_in_words_is_told_in_words_and_all_are_told_beside_the_image():
    asked = question(item("a", 2.0), BY_NAME["text"], 0.25)
    assert asked.messages[0].text == "One pixel is 0.25 m on the ground.\nHow wide?"
    assert question(item("a", 2.0), BY_NAME["text"], None).messages[0].text.startswith("One pixel is unknown")
    gated = question(item("a", 2.0), BY_NAME["cs_hlora"], 0.25)
    assert (gated.messages[0].text, gated.images[0].gsd_m) == ("How wide?", 0.25)


class Echo:
    """Answers with the scale that it is told."""

    def chat(self, conversations, options):
        return [Reply(f"{conversation.images[0].gsd_m:g} m") for conversation in conversations]


def test_an_answer_is_right_where_it_is_the_same():
    items = [item("a", 20.0), item("b", 2.0)]
    assert hits(Echo(), BY_NAME["cs_hlora"], items, lambda view, gsd_m: gsd_m) == [True, False]
    assert hits(Echo(), BY_NAME["cs_hlora"], items, lambda view, gsd_m: 20.0) == [True, True]


def test_shares_come_with_intervals_over_views_and_by_group():
    items = [item("a", 1.0), item("a", 1.0), item("b", 1.0, topic="tier")]
    found = accuracy([True, False, True], items)
    assert found["share"] == pytest.approx(2 / 3)
    assert found["low"] <= found["share"] <= found["high"]
    assert found["topic"] == {"tier": {"share": 1.0, "n": 1}, "width": {"share": 0.5, "n": 2}}
    assert found["tier and topic"]["objects, width"] == {"share": 0.5, "n": 2}


def test_what_was_right_is_kept_so_that_methods_are_compared_on_the_same_views():
    items = [item("a", 1.0), item("a", 1.0), item("b", 1.0)]
    first, second = (accuracy(right, items)["right"] for right in ([True] * 3, [False, True, True]))
    ahead = lead(first, second, items)
    assert ahead["share"] == pytest.approx(1 / 3)
    assert ahead["low"] == 0 < ahead["high"] == 0.5  # only view b, or only view a
    assert lead(first, first, items)["share"] == 0


def test_a_tier_is_left_out_and_put_back():
    gate = SigmoidGate(3)
    before = gate(torch.zeros(1)).detach()
    with without_tier([gate], 1):
        assert gate(torch.zeros(1)).detach()[0].tolist() == [before[0, 0], 0.0, before[0, 2]]
    assert torch.equal(gate(torch.zeros(1)).detach(), before)


def test_thresholds_are_read_out_in_metres():
    found = thresholds([SigmoidGate(6), SigmoidGate(6)])
    assert [tier["mean_m"] for tier in found["tiers"]] == pytest.approx([0.5, 5, 50], rel=1e-4)
    assert found["gates"] == 2
    assert found["sharpness"] == pytest.approx(5)
