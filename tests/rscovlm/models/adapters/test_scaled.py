"""Gated low-rank adapters: plain LoRA where all gates are open, and at any one scale."""

import json
import math

import pytest
import torch
from peft.utils.save_and_load import load_peft_weights

from rscovlm.errors import ModelError
from rscovlm.models.adapters.low_rank import Lora, update_sizes
from rscovlm.models.adapters.scaled import BucketedLora, CsHlora, gate_numbers
from rscovlm.models.scale.state import scale_state, tell_scale
from tests.rscovlm.models.adapters.test_low_rank import Small

RANK, ALPHA = 3, 6.0
X = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))


def learnt(kind=CsHlora, **settings):
    """A model whose adapters are no longer those at the start."""
    model, adapter = Small(), kind(RANK, ALPHA, **settings)
    adapter.apply(model, ["first"])
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.rand_like(parameter))
    return model, adapter


def at(model, *metres):
    """What a model makes of ``X`` where the rows are of one scale each, or all of one."""
    rows = torch.tensor([math.log10(each) for each in metres])
    tell_scale(model, rows[:, None].expand(2, 5))
    return model(X)


def test_with_all_gates_open_it_is_plain_lora_bit_for_bit():
    plain, _ = learnt(Lora)
    # Half open at 1e30 m: at 1 m a gate is 1 - 1e-65, which float32 has as 1.
    gated, _ = learnt(tiers_m=(1e30,))
    assert torch.equal(at(gated, 1.0), plain(X))
    closed, _ = learnt(tiers_m=(1e-30,))
    assert torch.equal(at(closed, 1.0), Small()(X))


def test_a_layer_adds_b_times_the_weighted_a():
    model, adapter = learnt()
    weights = dict(model.named_parameters())
    a, b = weights["first.lora_A.default.weight"], weights["first.lora_B.default.weight"]
    gate = adapter.gates[0](torch.tensor(math.log10(2.0)))
    adapted = Small().first.weight + ALPHA / RANK * b @ (gate[:, None] * a)
    torch.testing.assert_close(at(model, 2.0), X @ adapted.T @ model.second.weight.T)


@pytest.mark.parametrize("kind", [CsHlora, BucketedLora])
def test_the_rows_of_a_mixed_batch_are_what_each_is_alone(kind):
    model, _ = learnt(kind)
    mixed, fine, coarse = at(model, 0.3, 10.0), at(model, 0.3), at(model, 10.0)
    assert torch.equal(mixed, torch.stack([fine[0], coarse[1]]))
    assert not torch.allclose(fine, coarse)


@pytest.mark.parametrize("gsd_m", [0.1, 2.0, 30.0])
def test_what_is_merged_at_a_scale_is_the_gated_model_at_that_scale(gsd_m):
    model, adapter = learnt()
    before = at(model, gsd_m)
    merged = adapter.merge_at(gsd_m)
    torch.testing.assert_close(merged(X), before, rtol=1e-5, atol=1e-5)
    assert scale_state(merged) is None
    assert {name for name, _ in merged.named_parameters()} == {"first.weight", "second.weight"}


def test_there_is_no_merging_without_a_scale():
    _, adapter = learnt()
    with pytest.raises(ModelError, match="cs_hlora has no weights that hold at every GSD; give one"):
        adapter.merge()


def test_what_is_baked_is_a_plain_adapter_of_pefts_and_leaves_the_gated_one_as_it_was(tmp_path):
    model, adapter = learnt()
    before = at(model, 0.3)
    adapter.save_at(tmp_path, 0.3)
    assert torch.equal(at(model, 0.3), before)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["peft_type"] == "LORA"
    assert not [name for name in load_peft_weights(str(tmp_path), device="cpu") if "gate" in name]
    plain = Lora(RANK, ALPHA)
    plain.apply(fresh := Small(), ["first"])
    plain.load(tmp_path)
    torch.testing.assert_close(fresh(X), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [CsHlora, BucketedLora])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_saved_is_loaded_again(kind, shared, tmp_path):
    model, adapter = learnt(kind, shared=shared)
    adapter.save(tmp_path)
    assert not (tmp_path / "adapter_config.json").exists()  # no program shall take it for plain LoRA
    again = kind(**json.loads((tmp_path / "scale_adapter.json").read_text())["settings"])
    again.apply(fresh := Small(), ["first"])
    again.load(tmp_path)
    assert torch.equal(at(fresh, 0.3, 10.0), at(model, 0.3, 10.0))


def test_adapters_of_other_layers_are_refused(tmp_path):
    _, adapter = learnt()
    adapter.save(tmp_path)
    other = CsHlora(RANK, ALPHA)
    other.apply(Small(), ["second"])
    with pytest.raises(ModelError, match="are of other layers"):
        other.load(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        other.load(tmp_path / "nowhere")


def test_gates_learn_with_a_and_b_and_a_fixed_slope_does_not():
    model, adapter = learnt(learns_sharpness=False)
    learning = {name for name, _ in model.named_parameters() if adapter.learns(name)}
    own = {"lora_A.default.weight", "lora_B.default.weight", "scale_gate.tau"}
    assert learning == {f"first.{name}" for name in own}
    assert "first.scale_gate.raw_sharpness" in {
        name for name, _ in learnt()[0].named_parameters() if CsHlora(RANK, ALPHA).learns(name)
    }


def test_one_gate_may_be_that_of_all_layers():
    def gates(shared):
        adapter = CsHlora(RANK, ALPHA, shared=shared)
        adapter.apply(Small(), ["first", "second"])
        return len(set(map(id, adapter.gates)))

    assert (gates(True), gates(False)) == (1, 2)


def test_the_gradient_moves_a_threshold_towards_what_helps():
    model, adapter = learnt()
    at(model, 1.0).sum().backward()
    assert adapter.gates[0].tau.grad.abs().sum() > 0


def test_layers_are_chosen_by_the_last_part_of_their_name():
    adapter = CsHlora(RANK, ALPHA, projections=("second",))
    adapter.apply(Small(), ["first", "second"])
    assert adapter.layers == ("second",)
    with pytest.raises(ModelError, match="no layer is called third"):
        CsHlora(RANK, ALPHA, projections=("third",)).apply(Small(), ["first"])
    with pytest.raises(ModelError, match="adapts the language model alone"):
        CsHlora(RANK, ALPHA).apply(Small(), ["model.visual.first"])


def test_the_log_tells_thresholds_in_metres_and_the_size_of_updates():
    model, _ = learnt()
    numbers = gate_numbers(model)
    found = [numbers[f"gate/tau_{tier}_m"] for tier in range(3)]
    assert found == pytest.approx([0.5, 5, 50], rel=1e-4)
    assert numbers["gate/sharpness"] == pytest.approx(5)
    assert gate_numbers(learnt(Lora)[0]) == {}
    weights = dict(model.named_parameters())
    update = ALPHA / RANK * weights["first.lora_B.default.weight"] @ weights["first.lora_A.default.weight"]
    assert update_sizes(model) == {"update/first": pytest.approx(float(update.norm()), rel=1e-5)}
