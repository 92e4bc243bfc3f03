"""Runs of several stages: each starts from the one before, and ``kill -9`` at any moment costs nothing."""

import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from configs import ConfigError
from rscovlm.cli import main
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.data.store import write_samples
from rscovlm.errors import UsageError
from rscovlm.training import export
from rscovlm.training.checkpoint import checkpoints, read_state
from rscovlm.training.config import load_stages
from rscovlm.training.logs import read_log
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.training.ranks import Ranks, kill


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    pytest.importorskip("deepspeed", reason="ranks import it beforehand (extra: train)")
    with Ranks(tmp_path_factory.mktemp("ranks") / "log.txt") as host:
        yield host


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Three stages: the merger alone, adapters in the language model, and all but the vision tower."""
    folder = tmp_path_factory.mktemp("stages")
    samples = []
    for index in range(12):
        name, colour = (("water", (20, 40, 200)), ("forest", (10, 120, 20)))[index % 2]
        Image.fromarray(np.full((64, 64, 3), colour, dtype=np.uint8)).save(folder / f"{index}.png")
        image = ImageRef(f"{index}.png", size=(64, 64))
        samples.append(
            Sample(str(index), "classification", (image,), classes=("water", "forest"), answer=name)
        )
    write_samples(folder / "places.jsonl", samples)
    (folder / "mix.yaml").write_text("sources: [places]\n")
    data = {
        "model": str(tiny_qwen3_vl(folder / "checkpoint")),
        "mix": str(folder / "mix.yaml"),
        "steps": 3,
        "batch": {"samples": 4, "max_tokens": 256},
        "optimizer": {"lr": 1e-2},
        "precision": "fp32",
        "workers": 0,
        "checkpoints": {"steps": 1, "keep": 1},
        "logging": {"tensorboard": False},
        "stages": [
            {"name": "align", "freeze": ["vision", "language"], "optimizer": {"weight_decay": 0.0}},
            {"name": "adapt", "adapters": {"lora": {"rank": 2}}, "epochs": 1},
            {"name": "tune", "freeze": ["vision"], "optimizer": {"lr": 1e-3}},
        ],
    }
    (folder / "stages.yaml").write_text(yaml.safe_dump(data))
    return folder / "stages.yaml"


def changed(file, tmp_path, change):
    data = yaml.safe_load(file.read_text())
    change(data)
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(data))
    return tmp_path / "changed.yaml"


def test_a_stage_is_the_files_settings_with_its_own_over_them_and_the_command_line_over_all(file):
    align, adapt, tune = load_stages(file, ["seed=7", "optimizer.epsilon=1e-6"])
    assert [align.name, adapt.name, tune.name] == ["align", "adapt", "tune"]
    rates = [(s.config.optimizer.lr, s.config.optimizer.weight_decay) for s in (align, adapt, tune)]
    assert rates == [(1e-2, 0.0), (1e-2, 0.1), (1e-3, 0.1)]
    assert (adapt.config.steps, adapt.config.epochs) == (None, 1), "of two that exclude each other its own"
    assert {s.config.seed for s in (align, adapt, tune)} == {7}
    assert {s.config.optimizer.epsilon for s in (align, adapt, tune)} == {1e-6}


def test_the_adapters_of_a_stage_take_the_place_of_the_files(file, tmp_path):
    def other(data):
        data["adapters"] = {"lora": {"rank": 8, "towers": ["vision"]}}
        data["stages"] = [
            {"name": "more", "adapters": {"lora": {"rank": 2}}},
            {"name": "other", "adapters": {"dora": {}}},
            {"name": "none", "adapters": {"lora": None}},
        ]

    more, dora, none = (stage.config.adapters for stage in load_stages(changed(file, tmp_path, other)))
    assert list(more.chosen) == ["lora"]
    assert (more.lora.rank, more.lora.towers) == (2, ("vision",)), "settings of the same kind are laid over"
    assert (list(dora.chosen), list(none.chosen)) == (["dora"], [])


def test_a_configuration_without_stages_is_one():
    (only,) = load_stages("synth", ["steps=2"])
    assert (only.name, only.config.steps) == ("", 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["stages"][1].update(stepss=3), "stages.1: stepss: unknown setting"),
        (lambda data: data["stages"][1].update(name="a b"), "stages.1.name: a stage needs a name"),
        (lambda data: data["stages"][1].update(name="align"), "two stages have the same name"),
        (lambda data: data["stages"][1].update(model="nano"), "stages.1: starts from what the stage before"),
        (lambda data: data["stages"][1].update(output="x"), "stages.1.output: is that of the whole run"),
        (lambda data: data["stages"][1].update(precision="bf16"), "precision has to be the same in all"),
        (lambda data: data.update(stages={}), "expected a list of stages"),
    ],
)
def test_what_is_wrong_with_a_stage_is_one_line(file, tmp_path, change, message):
    with pytest.raises(ConfigError) as caught:
        load_stages(changed(file, tmp_path, change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def whole(ranks, file, tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    ranks.run(1, "stages", folder, file)
    return folder


def weights(model):
    return load_file(model / "model.safetensors")


def test_each_stage_starts_from_the_model_of_the_one_before(whole, file):
    start = weights(file.parent / "checkpoint")
    align, adapt, tune = (
        weights(model)
        for model in (
            whole / "stages" / "1-align" / "model",
            whole / "stages" / "2-adapt" / "model",
            whole / "model",
        )
    )

    def moved(before, after):
        return {
            "merger" if "merger" in name else "vision" if "visual" in name else "language"
            for name in before
            if not torch.equal(before[name].float(), after[name].float())
        }

    assert moved(start, align) == {"merger"}
    assert moved(align, adapt) == {"language"}
    assert moved(adapt, tune) == {"merger", "language"}
    assert not (whole / "stages" / "3-tune" / "model").exists()
    for name, steps in (("1-align", 3), ("2-adapt", 3), ("3-tune", 3)):
        logged = [line for line in read_log(whole / "stages" / name / "log.jsonl") if "loss" in line]
        assert [line["step"] for line in logged] == list(range(1, steps + 1))


def test_killed_at_any_moment_a_run_of_stages_ends_with_the_same_model_to_the_bit(
    ranks, whole, file, tmp_path
):
    """Killed with -9 again and again, once for each place where a new checkpoint or model appears."""
    folder, seen, kills = tmp_path / "run", set(), 0

    def appeared():
        places = {str(path) for path in folder.glob("stages/*/checkpoints/step-*")}
        return places | {str(path) for path in folder.glob("stages/*/model")}

    while not (folder / "model").exists() and kills < 8:
        pids = ranks.start(1, "stages", folder, file, "resume")
        deadline = time.monotonic() + 120
        while not appeared() - seen and not (folder / "model").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        seen |= appeared()
        kill(pids)
        kills += set(ranks.wait()) == {-9}
    assert kills >= 2, "never killed, nothing shown"
    # As a kill leaves it that comes while the last save removes the checkpoint before.
    (folder / "stages" / "3-tune" / "checkpoints" / ".partial-step-00000002").mkdir(
        parents=True, exist_ok=True
    )
    ranks.run(1, "stages", folder, file, "resume")
    expected, found = weights(whole / "model"), weights(folder / "model")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not list(folder.rglob(".partial*")), "what was half-written is gone"


def test_zero3_ends_with_the_model_that_its_checkpoint_holds_when_it_is_resumed_too(ranks, file, tmp_path):
    """The process that trained cannot load a whole model any more, so another one exports."""

    def single(data):
        del data["stages"]
        data |= {"strategy": "deepspeed", "deepspeed": "zero3", "precision": "bf16", "steps": 2}

    config, run = changed(file, tmp_path, single), tmp_path / "run"
    ranks.run(2, "stages", run, config)
    ranks.run(1, "export", run, tmp_path / "expected")
    expected, start = weights(tmp_path / "expected"), weights(file.parent / "checkpoint")
    found = weights(run / "model")
    assert found.keys() == expected.keys() == start.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not any(torch.equal(found[name].float(), start[name].float()) for name in start if "mlp" in name)
    shutil.rmtree(run / "model")
    ranks.run(2, "stages", run, config, "resume")
    assert all(torch.equal(weights(run / "model")[name], expected[name]) for name in expected)


def test_an_export_that_is_killed_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "export_run", killed)
    with pytest.raises(UsageError, match=r"was killed, as the system does when memory runs out; .* whole"):
        export.export_apart(tmp_path, tmp_path / "model")


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_finished_stage_is_not_done_again_and_other_settings_are_refused(whole, file, tmp_path, capsys):
    first = checkpoints(whole / "stages" / "1-align")[-1]
    before = (first / "weights.safetensors").stat().st_mtime_ns
    assert main(["train", str(file), "--output", str(whole)]) == 2
    assert "holds a finished stage; go on by --resume" in capsys.readouterr().err
    assert main(["train", str(file), "--output", str(whole), "--resume", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["model"] == str(whole / "model")
    assert (first / "weights.safetensors").stat().st_mtime_ns == before
    other = changed(file, tmp_path, lambda data: data["stages"][0].update(seed=9))
    assert main(["train", str(other), "--output", str(whole), "--resume"]) == 2
    assert "stage align was finished with other settings: seed was 0, now 9" in capsys.readouterr().err
    assert read_state(first).step == 3
