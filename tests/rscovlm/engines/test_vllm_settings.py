"""Arguments of vLLM: what a user states, and what an adapter needs. vLLM itself is not needed here."""

import json

import pytest

from rscovlm.engines.vllm_settings import adapter_settings, read_settings, require_known, serving_arguments
from rscovlm.errors import ModelError, UsageError
from tests.rscovlm.checkpoints import lora_over, tiny_qwen3_vl


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    pytest.importorskip("peft")
    return tiny_qwen3_vl(tmp_path_factory.mktemp("base") / "qwen3-vl")


def test_values_are_json_or_text_and_names_may_be_written_as_options():
    lines = [
        "tensor_parallel_size=2",
        "--enforce-eager=True",
        "kv_cache_dtype=fp8",
        'limit_mm_per_prompt={"image": 8}',
        "hf_overrides=a=b",
    ]
    assert read_settings(lines) == {
        "tensor_parallel_size": 2,
        "enforce_eager": True,
        "kv_cache_dtype": "fp8",
        "limit_mm_per_prompt": {"image": 8},
        "hf_overrides": "a=b",
    }
    assert read_settings([]) == {}


@pytest.mark.parametrize("line", ["enforce_eager", "=2", "a b=2", ""])
def test_a_line_without_a_name_and_a_value_is_refused(line):
    with pytest.raises(UsageError, match="give NAME=VALUE"):
        read_settings([line])


@pytest.mark.parametrize("name", ["dtype", "model", "mm-processor-kwargs"])
def test_what_follows_from_other_options_is_not_stated_twice(name):
    with pytest.raises(UsageError, match=f"{name.replace('-', '_')} follows from --model, --dtype"):
        read_settings([f"{name}=float32"])


def test_an_argument_that_vllm_does_not_have_is_named_with_what_comes_close():
    known = ["tensor_parallel_size", "enforce_eager"]
    require_known({"enforce_eager": True}, known)
    with pytest.raises(ModelError, match="no argument 'tensor_parallel'; tensor_parallel_size is one"):
        require_known({"tensor_parallel": 2}, known)
    with pytest.raises(ModelError, match="no argument 'zoom', see vllm serve"):
        require_known({"zoom": 2}, known)


@pytest.mark.parametrize(("rank", "held"), [(1, 1), (2, 8), (8, 8), (9, 16)])
def test_an_adapter_is_held_at_the_smallest_rank_that_vllm_has_for_it(base, tmp_path, rank, held):
    adapter = lora_over(base, tmp_path / "adapter", ["q_proj"], rank)
    assert adapter_settings([adapter])["max_lora_rank"] == held


def test_the_largest_rank_of_any_layer_counts(base, tmp_path):
    adapter = lora_over(base, tmp_path / "adapter", ["q_proj"], rank=2)
    stated = adapter / "adapter_config.json"
    stated.write_text(json.dumps({**json.loads(stated.read_text()), "rank_pattern": {"q_proj": 33}}))
    assert adapter_settings([adapter])["max_lora_rank"] == 64
    stated.write_text(json.dumps({"r": 513}))
    with pytest.raises(ModelError, match="of rank 513; vLLM takes up to 512"):
        adapter_settings([adapter])


def test_layers_of_the_vision_tower_are_asked_for_where_an_adapter_has_some(base, tmp_path):
    """Without that argument vLLM leaves them out in silence, and answers with half an adapter."""
    language = lora_over(base, tmp_path / "language", ["q_proj"])
    both = lora_over(base, tmp_path / "both")
    assert not adapter_settings([language])["enable_tower_connector_lora"]
    assert adapter_settings([both])["enable_tower_connector_lora"]


def test_a_server_of_several_adapters_is_told_their_number_and_their_largest_rank(base, tmp_path):
    fine = lora_over(base, tmp_path / "gsd-0.3", ["q_proj"], rank=2)
    coarse = lora_over(base, tmp_path / "gsd-10", ["q_proj"], rank=33)
    assert serving_arguments([fine, coarse]) == (
        f"--enable-lora --max-loras 2 --max-lora-rank 64 --lora-modules gsd-0.3={fine} gsd-10={coarse}"
    )
    assert "--enable-tower-connector-lora" in serving_arguments([lora_over(base, tmp_path / "both")])


def test_an_adapter_without_weights_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    with pytest.raises(ModelError, match=r"adapter_model.safetensors cannot be read"):
        adapter_settings([tmp_path])
