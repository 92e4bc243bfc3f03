"""What gates are told: each token its scale, and nothing stale."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rscovlm.models.scale.gates import BucketGate
from rscovlm.models.scale.state import ScaleState, give_state, scale_state, tell_pack, tell_scale

GATE = BucketGate(2, (1.0,), normalised=False)
TOKENS = torch.ones(1, 4, 2)


def pack(log_gsd, sample=(0, 0, 1, 1)):
    extras = {"log_gsd": torch.tensor([log_gsd])}
    return SimpleNamespace(token_extras=extras, sample=torch.tensor([sample]), keys=("a", "b"))


def model_with(**settings):
    model = nn.Linear(1, 1)
    give_state(model, ScaleState(**settings))
    return model


def test_each_token_of_a_mixed_batch_has_its_own_weights():
    model = model_with()
    tell_pack(model, pack([-1.0, -1.0, 1.0, 1.0]))
    found = scale_state(model).gated(GATE, TOKENS)
    assert found.tolist() == [[[1, 0], [1, 0], [0, 1], [0, 1]]]


def test_what_was_told_of_other_tokens_is_refused():
    model = model_with()
    tell_scale(model, torch.zeros(1, 3))
    with pytest.raises(RuntimeError, match=r"scales of \(1, 3\) tokens and the layer reads \(1, 4\)"):
        scale_state(model).gated(GATE, TOKENS)


def test_where_nothing_is_told_all_is_neutral():
    assert torch.equal(ScaleState().gated(GATE, TOKENS), TOKENS * GATE(torch.tensor(float("nan"))))


def test_a_model_without_gates_has_nothing_to_be_told():
    model = nn.Linear(1, 1)
    tell_scale(model, torch.zeros(1, 4))
    assert scale_state(model) is None


def test_scales_are_withheld_sample_by_sample_and_in_training_alone():
    model, shown = model_with(withheld=0.5), pack([-1.0, -1.0, 1.0, 1.0])
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        tell_pack(model.train(), shown)
        hidden = scale_state(model).log_gsd.isnan()[0].tolist()
        assert hidden[0] == hidden[1]
        assert hidden[2] == hidden[3]
        seen.add((hidden[0], hidden[2]))
    assert seen == {(a, b) for a in (False, True) for b in (False, True)}
    tell_pack(model.eval(), shown)
    assert not scale_state(model).log_gsd.isnan().any()
