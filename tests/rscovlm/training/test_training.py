"""Training on real processes: exact gradients, ``kill -9`` and resume, exports that answer."""

import json
import random
import time

import pytest

pytest.importorskip("accelerate", reason="training needs the extra: train")
pytest.importorskip("deepspeed", reason="ZeRO needs the extra: train")

import torch

from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.logs import read_log
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.training.ranks import Ranks, kill

ZERO1 = {"strategy": "deepspeed", "deepspeed": "zero1", "precision": "bf16"}


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    with Ranks(tmp_path_factory.mktemp("ranks") / "log.txt") as host:
        yield host


@pytest.fixture(scope="module")
def qwen25(tmp_path_factory):
    return tiny_qwen25_vl(tmp_path_factory.mktemp("qwen25"))


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def alone(ranks, qwen3, tmp_path_factory):
    """Weights and gradient norms of one process."""
    folder = tmp_path_factory.mktemp("gradients") / "alone"
    ranks.run(1, "gradients", folder, qwen3, "single")
    return load_gradients(folder)


def load_gradients(folder):
    norms = json.loads((folder / "norms.json").read_text())
    return torch.load(folder / "weights.pt", weights_only=True), norms


@pytest.mark.parametrize("strategy", ["ddp", "zero1", "zero2", "zero3"])
def test_two_ranks_take_the_steps_of_one_however_packs_are_dealt(ranks, qwen3, alone, tmp_path, strategy):
    """Plain gradient descent, so that a gradient of the wrong scale shows; three packs, then two."""
    ranks.run(2, "gradients", tmp_path / "two", qwen3, strategy)
    weights, norms = load_gradients(tmp_path / "two")
    assert weights.keys() == alone[0].keys()
    for name, weight in alone[0].items():
        torch.testing.assert_close(weights[name], weight, atol=1e-6, rtol=1e-5, msg=name)
    for found, expected in zip(norms, alone[1], strict=True):
        for group, value in found.items():
            assert value == pytest.approx(expected[group], rel=1e-4), group


def losses(run):
    return {line["step"]: line["loss"] for line in read_log(run / "log.jsonl") if "loss" in line}


def interrupted(ranks, world, folder, checkpoint, changes):
    """Start a run, kill it with -9 at a random moment after its first checkpoint, resume it to its end."""
    pids = ranks.start(world, "train", folder, checkpoint, json.dumps(changes))
    deadline = time.monotonic() + 120
    while not checkpoints(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.4))
    kill(pids)
    assert set(ranks.wait()) == {-9}
    assert checkpoints(folder), "killed before the first checkpoint"
    ranks.run(world, "train", folder, checkpoint, json.dumps(changes), "resume")


@pytest.mark.parametrize("family", ["qwen25", "qwen3"])
def test_zero1_bf16_checkpointing_packing_killed_and_resumed_has_the_same_losses(
    ranks, family, request, tmp_path
):
    checkpoint = request.getfixturevalue(family)
    ranks.run(2, "train", tmp_path / "whole", checkpoint, json.dumps(ZERO1))
    interrupted(ranks, 2, tmp_path / "killed", checkpoint, ZERO1)
    whole, killed = losses(tmp_path / "whole"), losses(tmp_path / "killed")
    assert list(whole) == list(killed) == [1, 2, 3, 4, 5, 6]
    for step, loss in whole.items():
        assert killed[step] == pytest.approx(loss, rel=1e-6), step
