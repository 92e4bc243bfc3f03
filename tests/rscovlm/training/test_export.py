"""A trained model as a checkpoint: its weights, the files beside them, and what cannot be exported."""

import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load_file, save_file

from rscovlm.errors import UsageError
from rscovlm.models.families import family_of
from rscovlm.models.weights import read_weights
from rscovlm.training.building import build, open_base
from rscovlm.training.checkpoint import State, learnt_weights
from rscovlm.training.export import export_run, write_sidecars
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.training.alone import config


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))


def write_checkpoint(run, settings, step=3, adapters=False, weights=None):
    folder = run / "checkpoints" / f"step-{step:08d}"
    folder.mkdir(parents=True)
    stated = json.loads(settings.model_dump_json())
    state = State(step, step, {}, stated, "mix", 1, None, adapters)
    (folder / "state.json").write_text(json.dumps(asdict(state)))
    if weights is not None:
        save_file(weights, folder / "weights.safetensors")


def test_a_model_has_the_weights_of_the_newest_checkpoint_and_speaks_as_it_was_trained(checkpoint, tmp_path):
    changes = {"resolution": {"max_pixels": 16 * 32**2}, "detection": "rscovlm-obb", "precision": "fp32"}
    settings = config(model=str(checkpoint), freeze=["vision", "merger"], **changes)
    learner = build(open_base(settings, tmp_path), settings, torch.device("cpu")).learner
    start = {name: weight.clone() for name, weight in learnt_weights(learner).items()}
    assert not any("visual" in name for name in start)
    write_checkpoint(tmp_path / "run", settings, 2, weights=start)
    write_checkpoint(tmp_path / "run", settings, 3, weights={name: 2 * start[name] for name in start})
    done = export_run(tmp_path / "run", tmp_path / "model")
    assert (done.folder, done.step, done.checked) == (tmp_path / "model", 3, None)
    before, after = (read_weights(folder, torch.float32) for folder in (checkpoint, tmp_path / "model"))
    for name, weight in after.named_parameters():
        factor = 2 if f"model.{name}" in start else 1
        assert torch.equal(weight, factor * before.get_parameter(name)), name
    family = family_of(tmp_path / "model")
    assert (family.detection, family.resolution.max_pixels) == ("rscovlm-obb", 16 * 32**2)
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_adapters_alone_are_as_peft_reads_them_and_say_what_was_trained(checkpoint, tmp_path, kind):
    adapters = {kind: {"rank": 2, "alpha": 8, "towers": ["language"]}}
    settings = config(model=str(checkpoint), adapters=adapters, precision="fp32")
    built = build(open_base(settings, tmp_path), settings, torch.device("cpu"))
    torch.manual_seed(0)
    trained = {name: torch.randn_like(weight) for name, weight in learnt_weights(built.learner).items()}
    assert all(built.adapters.learns(name) for name in trained)
    write_checkpoint(tmp_path / "run", settings, adapters=True, weights=trained)
    done = export_run(tmp_path / "run", tmp_path / "adapters")
    assert done.checked is True
    stated = json.loads((tmp_path / "adapters" / "adapter_config.json").read_text())
    assert (stated["r"], stated["lora_alpha"], stated["use_dora"]) == (2, 8, kind == "dora")
    written = load_file(tmp_path / "adapters" / "adapter_model.safetensors")
    assert len(written) == len(trained)
    for name, weight in written.items():
        where = name.replace("base_model.model.", "model.").removesuffix(".weight")
        (own,) = (value for key, value in trained.items() if key.startswith(where))
        assert torch.equal(weight, own), name
    assert not (tmp_path / "adapters" / "config.json").exists()


def test_the_files_beside_the_weights_are_copied_and_bounds_are_those_of_the_run(checkpoint, tmp_path):
    settings = config(model=str(checkpoint), resolution={"min_pixels": 9 * 32**2})
    base = open_base(settings, tmp_path)
    write_sidecars(tmp_path, base)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (checkpoint / name).read_bytes()
    stated = json.loads((tmp_path / "preprocessor_config.json").read_text())
    own = json.loads((checkpoint / "preprocessor_config.json").read_text())
    assert stated["size"] == {"shortest_edge": 9 * 32**2, "longest_edge": 64 * 32**2}
    assert {**stated, "size": None} == {**own, "size": None}
    assert json.loads((tmp_path / "rscovlm.json").read_text())["family"] == base.family.name


def test_what_cannot_be_exported_is_refused_before_anything_is_loaded(tmp_path):
    def refused(line, **more):
        with pytest.raises(UsageError, match=line):
            export_run(tmp_path / "run", tmp_path / "model", **more)

    refused("holds no checkpoint; give the folder of a training run")
    write_checkpoint(tmp_path / "run", config(model="/no/such/model"))
    refused("trained no adapters, so there is nothing to merge; leave --merge out", merge=True)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").touch()
    refused("model is not empty; give a new folder")
    adapters = {"lora": {"towers": ["language"], "full": ["merger"]}}
    write_checkpoint(
        tmp_path / "run", config(model="/no/such/model", adapters=adapters), step=4, adapters=True
    )
    refused("trained merger in full beside its adapters; export it with --merge")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]


GATED = {"cs_hlora": {"rank": 3, "alpha": 6, "towers": ["language"], "projections": ["q_proj", "down_proj"]}}


@pytest.fixture
def gated(checkpoint, tmp_path):
    """A run of gated adapters whose weights are random."""
    settings = config(model=str(checkpoint), adapters=GATED, precision="fp32")
    built = build(open_base(settings, tmp_path), settings, torch.device("cpu"))
    torch.manual_seed(0)
    weights = {
        name: weight if "gate" in name else 0.3 * torch.randn_like(weight)
        for name, weight in learnt_weights(built.learner).items()
    }
    write_checkpoint(tmp_path / "run", settings, adapters=True, weights=weights)
    return tmp_path / "run"


def test_gated_adapters_are_written_in_files_of_their_own_and_answer_as_they_did(gated, tmp_path):
    assert export_run(gated, tmp_path / "adapters").checked is True
    assert sorted(path.name for path in (tmp_path / "adapters").iterdir()) == [
        "scale_adapter.json",
        "scale_adapter.safetensors",
    ]


def test_gated_adapters_are_baked_into_plain_ones_and_the_gap_is_told(gated, tmp_path):
    done = export_run(gated, tmp_path / "baked", gsds_m=(0.1, 10.0))
    assert {path.name for path in (tmp_path / "baked").iterdir()} == {"gsd-0.1", "gsd-10", "routes.json"}
    assert (tmp_path / "baked" / "gsd-10" / "adapter_model.safetensors").is_file()
    assert 0 < done.gap.probability <= 1
    finer = export_run(gated, tmp_path / "finer", gsds_m=(0.1, 0.3, 1.0, 3.0, 10.0))
    assert finer.gap.logit < done.gap.logit


def test_gated_adapters_are_merged_at_one_scale_alone(gated, tmp_path):
    done = export_run(gated, tmp_path / "merged", merge=True, gsds_m=(0.3,))
    assert done.checked is True
    assert (tmp_path / "merged" / "config.json").is_file()
    with pytest.raises(UsageError, match="--merge folds in what holds at one ground sampling distance"):
        export_run(gated, tmp_path / "other", merge=True)


def test_scales_mean_nothing_to_plain_adapters(tmp_path):
    settings = config(model="/no/such/model", adapters={"lora": {"towers": ["language"]}})
    write_checkpoint(tmp_path / "run", settings, adapters=True)
    with pytest.raises(UsageError, match="--gsd is for adapters that depend on it"):
        export_run(tmp_path / "run", tmp_path / "model", gsds_m=(0.3,))


def test_a_model_that_starts_from_one_with_heads_does_not_claim_them(tmp_path):
    """nano ships heads of biomass; a run without heads that starts from it has none."""
    settings = config(model="nano", precision="fp32")
    base = open_base(settings, tmp_path)
    assert "heads" in json.loads((base.folder / "rscovlm.json").read_text())
    write_sidecars(tmp_path, base)
    known = json.loads((tmp_path / "rscovlm.json").read_text())
    assert known["family"] == "nano"
    assert not {"heads", "inputs"} & known.keys()
