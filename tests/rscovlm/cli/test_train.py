"""``rscovlm train`` and ``rscovlm export``: what is wrong is said in one line, before anything is loaded."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from rscovlm.cli import main
from rscovlm.cli.train import quiet_libraries
from rscovlm.data.loading import read_skipped
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.data.store import write_samples
from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.logs import read_log


@pytest.fixture
def mix(tmp_path):
    """A mix of one source: 24 pictures of one of two colours, each with its name."""
    samples = []
    for index in range(24):
        name, colour = (("water", (20, 40, 200)), ("forest", (10, 120, 20)))[index % 2]
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.full((64, 64, 3), colour, dtype=np.uint8)).save(path)
        image = ImageRef(path.name, size=(64, 64))
        samples.append(
            Sample(str(index), "classification", (image,), classes=("water", "forest"), answer=name)
        )
    write_samples(tmp_path / "places.jsonl", samples)
    (tmp_path / "mix.yaml").write_text("holdout: 4\nsources: [places]\n")
    return tmp_path / "mix.yaml"


def arguments(mix, *more):
    return [
        "train",
        "synth",
        f"mix={mix}",
        "steps=2",
        "optimizer.lr=3e-4",
        "batch.samples=4",
        "workers=0",
        "evaluation={every: 2, samples: 2, max_new_tokens: 8}",
        "logging.tensorboard=false",
        *more,
    ]


def test_a_mistake_in_the_configuration_is_one_line_and_exit_2(capsys):
    assert main(["train", "synth", "optimizer.lrr=1", "worker=2"]) == 2
    error = capsys.readouterr().err
    assert "the command line: optimizer.lrr: unknown setting; did you mean lr?" in error
    assert "the command line: worker: unknown setting; did you mean workers?" in error


def test_a_dry_run_says_what_the_mix_brings_before_any_weights_are_read(mix, capsys):
    assert main(arguments(mix, "--dry-run", "--json")) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["name"], source["samples"], source["held_out"]) == ("places", 20, 4)
    assert source["loss_share"]["sqrt"] == 1
    assert main(arguments(mix, "--dry-run")) == 0
    assert "places" in capsys.readouterr().out


def test_a_run_trains_evaluates_exports_and_is_not_overwritten(mix, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(arguments(mix, "--output", str(run))) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(run / "model")
    assert "language" in captured.err, "the table of what learns"
    lines = read_log(run / "log.jsonl")
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2]
    assert lines[-1]["eval/places/accuracy"] in (0, 0.5, 1)
    logged = {"loss/source/places", "loss/task/classification", "speed/fill", "gradient/vision"}
    assert logged <= steps[0].keys()
    assert len(checkpoints(run)) == 1

    assert main(arguments(mix, "--output", str(run))) == 2
    assert "go on with it by --resume" in capsys.readouterr().err
    assert main(arguments(mix, "--output", str(run), "--resume", "optimizer.lr=1e-5", "seed=3")) == 2
    error = capsys.readouterr().err
    assert "optimizer.lr was 0.0003, now 1e-05; seed was 0, now 3; the mix" in error
    assert main(arguments(mix, "--output", str(run), "--resume", "logging.every=5")) == 0
    capsys.readouterr()

    assert main(["export", str(run), "--output", str(tmp_path / "again"), "--merge"]) == 2
    assert "trained no adapters, so there is nothing to merge" in capsys.readouterr().err
    assert main(["export", str(tmp_path), "--output", str(tmp_path / "again")]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err


def spoil(mix, indices):
    """Damage pictures in a way that their headers do not show."""
    for index in indices:
        path = mix.parent / f"{index}.png"
        path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("fault", ["20 too long for a pack", "20 broken: "])
def test_a_run_of_which_every_sample_is_too_long_or_broken_is_refused(mix, tmp_path, capsys, fault):
    run, changes = tmp_path / "run", []
    if "broken" in fault:
        for index in range(24):
            (mix.parent / f"{index}.png").unlink()
    else:
        changes = ["batch.max_tokens=8"]
    assert main(arguments(mix, *changes, "--output", str(run))) == 2
    error = capsys.readouterr().err
    assert f"source places: none of its samples can be trained on; {fault}" in error
    assert "language" not in error, "refused before the model is loaded"
    assert not checkpoints(run)
    assert not (run / "model").exists()


def test_pictures_that_only_reading_shows_to_be_broken_are_told_at_the_end(mix, tmp_path, capsys):
    spoil(mix, range(0, 24, 2))
    quiet = ["evaluation.every=null", "steps=5"]
    assert main(arguments(mix, *quiet, "--output", str(tmp_path / "run"))) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "were not trained on" in line]
    left_out = read_skipped(tmp_path / "run" / "skipped.jsonl")
    assert 8 <= len(left_out) <= 12, "of 12 broken pictures, at most four are held out"
    assert f"{len(left_out)} of 20 samples ({100 * len(left_out) / 20:.0f} %)" in line
    assert f"{len(left_out)} broken: " in line
    assert "skipped.jsonl" in line
    assert f"{len(left_out)} of 20 samples" in (tmp_path / "run" / "summary.html").read_text()

    spoil(mix, range(1, 24, 2))
    assert main(arguments(mix, *quiet, "--output", str(tmp_path / "none"))) == 2
    assert "all samples of all 5 steps were left out; nothing was learnt" in capsys.readouterr().err
    assert not (tmp_path / "none" / "model").exists()


def test_an_evaluation_that_has_nothing_to_look_at_is_refused(mix, tmp_path, capsys):
    mix.write_text("sources: [places]\n")
    assert main(arguments(mix, "--output", str(tmp_path / "run"))) == 2
    assert "evaluation.every has no effect: the mix holds nothing out" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="DeepSpeed warns where there is no GPU")
def test_what_libraries_say_does_not_stand_beside_a_result_on_stdout(monkeypatch):
    # DeepSpeed, which transformers imports wherever it is installed, warns on stdout unless it is told.
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    quiet_libraries()
    assert os.environ["DS_ACCELERATOR"] == "cpu"
