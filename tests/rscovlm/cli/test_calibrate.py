"""``rscovlm calibrate``: intervals of the head hold what they say, and the factor stays with the model."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.store import write_samples
from rscovlm.models.heads import make_heads, write_heads
from rscovlm.models.weights import read_weights
from tests.rscovlm.checkpoints import tiny_qwen3_vl


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model with a head that has learnt nothing."""
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))
    torch.manual_seed(0)
    write_heads(folder, make_heads(read_weights(folder, torch.float32), {"gsd": {"taps": "last"}}))
    return folder


def write_scenes(folder, count):
    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        turns = (Turn("user", "<image>What?"), Turn("assistant", "This."))
        image = (ImageRef(f"{number}.png"),)
        samples.append(Sample(str(number), "vqa", image, turns, gsd_m=10 ** rng.uniform(-1, 1.5)))
    write_samples(folder / "scenes.jsonl", samples)
    return folder / "scenes.jsonl"


def test_the_factor_is_kept_with_the_model_and_intervals_then_hold(run, model, tmp_path):
    scenes = write_scenes(tmp_path, 40)
    done = run("calibrate", model, scenes, "--json")
    assert done.code == 0, done.err
    first = json.loads(done.out)
    assert first["before"]["coverage_90"] < 0.85  # half a decade stated for two and a half
    assert first["factor"] > 1.2
    facts = json.loads((model / "rscovlm.json").read_text())
    assert facts["heads"]["gsd"]["calibration"] == pytest.approx(first["factor"])
    again = json.loads(run("calibrate", model, scenes, "--json").out)
    assert again["factor"] == pytest.approx(1, abs=1e-4)  # nothing is left to mend
    assert again["before"]["coverage_90"] >= 0.9
    assert again["before"]["error_decades"] == pytest.approx(first["before"]["error_decades"], abs=1e-4)


def test_what_cannot_be_calibrated_is_one_line_and_changes_nothing(run, model, tmp_path):
    before = (model / "rscovlm.json").read_text()
    few = run("calibrate", model, write_scenes(tmp_path, 5))
    assert (few.code, few.err.count("\n")) == (2, 1)
    assert "states the scale of 5 images; give at least 20" in few.err
    assert (model / "rscovlm.json").read_text() == before
    plain = tiny_qwen3_vl(tmp_path / "plain")
    assert "has no head of ground sampling distance" in run("calibrate", plain, tmp_path / "scenes.jsonl").err
