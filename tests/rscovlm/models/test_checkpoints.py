"""What a ``--model`` string names, without weights in memory and without a network."""

import json
import os
from dataclasses import replace

import pytest

from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import NANO_FOLDER, resolve, resolve_here
from rscovlm.models.families import FAMILIES, family_of


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "checkpoint"
    path.mkdir()
    vision = {"patch_size": 16, "spatial_merge_size": 2}
    (path / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "vision_config": vision}))
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_nano_is_the_shipped_folder():
    found = resolve("nano")
    assert (found.runner, found.folder, found.family) == ("transformers", NANO_FOLDER, FAMILIES["nano"])


@pytest.mark.parametrize(("prefix", "runner"), [("", "transformers"), ("vllm:", "vllm")])
def test_a_folder_is_run_by_transformers_or_vllm(folder, prefix, runner):
    found = resolve(f"{prefix}{folder}")
    assert (found.runner, found.local, found.family) == (runner, folder, family_of(folder))


@pytest.mark.parametrize(("prefix", "runner"), [("", "transformers"), ("vllm:", "vllm")])
def test_an_adapter_is_found_over_its_base_for_both(folder, tmp_path, prefix, runner):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    found = resolve(f"{prefix}{adapter}")
    assert (found.runner, found.folder, found.adapter) == (runner, folder, adapter)


def test_gates_that_depend_on_the_scale_are_nothing_that_vllm_runs(folder, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "scale_adapter.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    assert resolve(str(adapter)).adapter == adapter
    with pytest.raises(ModelError, match="depends on the scale; for vLLM bake it"):
        resolve(f"vllm:{adapter}")


def test_a_server_has_a_url_a_name_and_no_folder():
    found = resolve("http://localhost:8000/v1#Qwen3-VL-8B")
    assert (found.runner, found.url, found.served) == ("http", "http://localhost:8000/v1", "Qwen3-VL-8B")
    assert found.family.name == "qwen3-vl"
    assert found.identity == "http://localhost:8000/v1#Qwen3-VL-8B"
    with pytest.raises(ModelError, match="on a server"):
        _ = found.local


def test_a_server_without_a_name_needs_the_family():
    with pytest.raises(ModelError, match="--family"):
        resolve("http://localhost:8000/v1")
    assert resolve("http://localhost:8000/v1", family="rscovlm").served is None


def test_the_named_family_speaks_and_the_checkpoint_bounds(folder):
    found = resolve(str(folder), family="qwen2.5-vl").family
    assert found == replace(FAMILIES["qwen2.5-vl"], resolution=family_of(folder).resolution)


def test_max_pixels_bounds_the_family(folder):
    assert resolve(str(folder), max_pixels=256**2).family.resolution.max_pixels == 256**2
    with pytest.raises(ModelError, match="--max-pixels 1 "):
        resolve(str(folder), max_pixels=1)


def test_the_identity_follows_what_vllm_is_told(folder):
    plain = resolve(f"vllm:{folder}")
    assert plain.identity != replace(plain, settings={"quantization": "fp8"}).identity


def test_the_identity_follows_the_weights(folder):
    first = resolve(str(folder)).identity
    assert resolve(str(folder)).identity == first
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert resolve(str(folder)).identity != first
    os.utime(folder / "model.safetensors", ns=(1, 1))
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert resolve(str(folder)).identity != first


@pytest.mark.parametrize("name", ["heads/weights.safetensors", "rscovlm.json"])
def test_the_identity_follows_heads_and_their_calibration(folder, name):
    first = resolve(str(folder)).identity
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("{}")
    assert resolve(str(folder)).identity != first


@pytest.mark.parametrize("spec", ["./no/such/folder", "a/b/c", "unknown"])
def test_what_is_nowhere_is_refused_with_the_forms_that_exist(spec):
    with pytest.raises(ModelError, match="neither a folder nor known"):
        resolve(spec)


def test_a_hub_id_is_fetched_at_its_revision(folder, monkeypatch):
    asked = []

    def download(repository, revision, allow_patterns):
        asked.append((repository, revision))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve("Qwen/Qwen3-VL@abc").revision == "abc"
    assert resolve("Qwen/Qwen3-VL").revision is None
    assert asked == [("Qwen/Qwen3-VL", "abc"), ("Qwen/Qwen3-VL", None)]


def test_a_hub_that_does_not_answer_is_one_line(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("offline\nmore")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(ModelError, match=r"^model 'a/b' .* does not give it: offline$"):
        resolve("a/b")


def test_a_precision_that_was_asked_for_is_part_of_the_identity():
    plain = resolve("nano")
    assert replace(plain, dtype="bfloat16").identity != plain.identity


@pytest.mark.parametrize("spec", ["http://127.0.0.1:9/v1", "https://host/v1#nano", "vllm:nano"])
def test_what_needs_hidden_states_refuses_models_that_are_run_elsewhere_before_all_else(spec):
    with pytest.raises(ModelError, match=r"is run elsewhere; number heads need a checkpoint in this process"):
        resolve_here(spec, "number heads need")
    assert resolve_here("nano", "number heads need").local == NANO_FOLDER
