"""Weights into memory: device, precision and attention, and what cannot be loaded."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import resolve
from rscovlm.models.weights import (
    attention_for,
    best_device,
    default_dtype,
    dtype_named,
    model_for_inference,
    read_settings,
    read_tokenizer,
    read_weights,
    stop_tokens,
)
from tests.rscovlm.checkpoints import lora_over, tiny_qwen3_vl

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_best_device_is_the_first_that_is_there(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == best


def test_precision_follows_the_device_or_the_name():
    assert default_dtype(torch.device("cuda", 1)) == torch.bfloat16
    assert default_dtype(CPU) == default_dtype(torch.device("mps")) == torch.float32
    assert dtype_named("float16") == torch.float16
    with pytest.raises(ModelError, match="'fp16' is unknown; choose from bfloat16, float16, float32"):
        dtype_named("fp16")


@pytest.mark.parametrize(
    ("capability", "dtype", "installed", "attention", "reason"),
    [
        ((7, 5), torch.bfloat16, True, "sdpa", "compute capability 8.0"),
        ((8, 0), torch.float32, True, "sdpa", "the model runs in float32"),
        ((8, 0), torch.float16, False, "sdpa", "not installed"),
        ((8, 0), torch.bfloat16, True, "flash_attention_2", "is installed"),
    ],
)
def test_attention_on_a_gpu_depends_on_card_precision_and_library(
    monkeypatch, capability, dtype, installed, attention, reason
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr("transformers.utils.import_utils.is_flash_attn_2_available", lambda: installed)
    chosen, why = attention_for(torch.device("cuda"), dtype)
    assert chosen == attention
    assert reason in why


def test_weights_come_in_the_precision_and_attention_asked_for(folder):
    model = read_weights(folder, torch.bfloat16, "eager")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "eager"
    ready = model_for_inference(folder, CPU, torch.float32)
    assert not ready.training
    assert next(ready.parameters()).dtype == torch.float32


def test_a_device_that_cannot_hold_the_model_is_one_clear_error(folder, monkeypatch):
    def full(self, device):
        raise RuntimeError("out of memory\nand a long explanation")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(ModelError) as caught:
        model_for_inference(folder, CPU, torch.float32)
    assert str(caught.value) == "device cpu cannot hold the model: out of memory"


@pytest.mark.parametrize(
    "read", [read_settings, read_tokenizer, lambda path: read_weights(path, torch.float32)]
)
def test_an_empty_folder_is_one_line_that_names_it(tmp_path, read):
    with pytest.raises(ModelError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path} cannot be ")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_a_chat_template_is_refused(folder, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ModelError, match="has no chat template"):
        read_tokenizer(tmp_path)
    assert read_tokenizer(folder).chat_template


@pytest.mark.parametrize(
    ("configured", "own", "stops"), [([5, 6], 6, {5, 6, 9}), (5, 7, {5, 7, 9}), (None, None, {9})]
)
def test_a_turn_ends_at_any_of_the_configured_tokens_and_at_the_templates(configured, own, stops):
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=configured))
    tokenizer = SimpleNamespace(eos_token_id=own, convert_tokens_to_ids={"<|im_end|>": 9}.get)
    assert stop_tokens(model, tokenizer) == stops


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"quant_method": "awq"}, "quantised by awq, which needs gptqmodel: pip install gptqmodel"),
        ({"quant_method": "gptq"}, "needs gptqmodel optimum"),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            "by bitsandbytes, which needs bits",
        ),
        ({"load_in_8bit": True}, "quantised by bitsandbytes"),
        ({"quant_method": "compressed-tensors"}, "needs compressed-tensors: pip install compressed-tensors"),
        ({"quant_method": "fp8"}, "quantised by fp8, which needs accelerate kernels"),
    ],
)
def test_weights_in_few_bits_name_the_library_that_is_missing(folder, tmp_path, monkeypatch, stated, says):
    monkeypatch.setattr("rscovlm.models.weights.util.find_spec", lambda name: None)
    shutil.copytree(folder, tmp_path / "few")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "few" / "config.json").write_text(json.dumps({**config, "quantization_config": stated}))
    with pytest.raises(ModelError, match=says):
        read_weights(tmp_path / "few", torch.float32)


def test_layers_can_be_spread_over_what_devices_there_are(folder):
    spread = model_for_inference(folder, None, torch.float32)
    whole = model_for_inference(folder, CPU, torch.float32)
    for one, other in zip(spread.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_adapter_lies_over_its_base_and_is_found_by_its_folder(folder, tmp_path):
    pytest.importorskip("peft")
    lora_over(folder, tmp_path / "adapter", ["q_proj"], rank=2)

    found = resolve(str(tmp_path / "adapter"))
    assert (found.folder, found.adapter, found.family.name) == (folder, tmp_path / "adapter", "qwen3-vl")
    assert "adapter_model.safetensors" in found.identity
    plain = dict(model_for_inference(folder, CPU, torch.float32).named_parameters())
    merged = dict(model_for_inference(folder, CPU, torch.float32, found.adapter).named_parameters())
    assert merged.keys() == plain.keys()
    changed = {name for name in plain if not torch.equal(plain[name], merged[name])}
    assert changed == {name for name in plain if name.endswith("q_proj.weight")}

    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="names no base model"):
        resolve(str(tmp_path / "adapter"))
