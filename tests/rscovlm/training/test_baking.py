"""Baked adapters: the gap is that between a gated model told the scale and told that of its route."""

import pytest
import torch

from rscovlm.models.adapters.scaled import BucketedLora
from rscovlm.models.scale.routes import Routes
from rscovlm.models.weights import read_weights
from rscovlm.training.baking import largest_gap
from rscovlm.training.building import open_base
from rscovlm.training.export import QUESTIONS
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.training.alone import config
from zoom_chain.chat import Conversation


@pytest.fixture(scope="module")
def bucketed(tmp_path_factory):
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))
    base = open_base(config(model=str(folder)), folder)
    model = read_weights(folder, torch.float32)
    adapter = BucketedLora(2, 4.0, edges_m=(1.0,))
    names = [name for name, _ in model.named_modules() if name.endswith("q_proj") and "visual" not in name]
    adapter.apply(model, names)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_()
    return model, base


def test_buckets_are_met_exactly_where_routes_change_at_their_edges(bucketed):
    model, base = bucketed
    asked = [Conversation().say("user", QUESTIONS[0])]
    exact = largest_gap(model, base, Routes.of([0.1, 10.0], 1.0), asked)  # the routes change at 1 m
    assert (exact.probability, exact.logit) == (0.0, 0.0)
    off = largest_gap(model, base, Routes.of([0.1, 0.2], 1.0), asked)
    assert off.logit == 0.0  # all within one bucket
    wrong = largest_gap(model, base, Routes.of([0.5, 50.0], 1.0), asked)  # the routes change at 5 m
    assert wrong.logit > 0
    assert 1.0 <= wrong.gsd_m <= 5.0
