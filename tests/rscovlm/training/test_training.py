"""Training on real processes: exact gradients, ``kill -9`` and resume, exports that answer."""

import json
import random
import re
import shutil
import time

import pytest

pytest.importorskip("accelerate", reason="training needs the extra: train")
pytest.importorskip("deepspeed", reason="ZeRO needs the extra: train")

import psutil
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from rscovlm.cli import main
from rscovlm.errors import UsageError
from rscovlm.models.heads import make_heads, read_heads
from rscovlm.models.scale.gates import SigmoidGate
from rscovlm.models.weights import read_weights
from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.export import export_run
from rscovlm.training.head_settings import Heads
from rscovlm.training.logs import read_log
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.painted import paint
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


NUMBERS = {
    "mixed": {"target": "redness", "trunk": "mixer", "output": "mixture", "taps": "half", "deviation": 99.0},
    "gated": {"target": "redness", "trunk": "gated", "output": "quantiles", "readout": "center"},
}


def test_heads_that_read_layers_of_the_tower_take_the_same_steps_on_two_ranks_of_zero1(
    ranks, qwen3, tmp_path
):
    heads = json.dumps({"numbers": NUMBERS})
    ranks.run(1, "gradients", tmp_path / "one", qwen3, "single", heads)
    ranks.run(2, "gradients", tmp_path / "two", qwen3, "zero1", heads)
    alone, two = (load_gradients(tmp_path / name) for name in ("one", "two"))
    assert any(name.startswith("heads.mixed.trunk.back") for name in alone[0])
    for name, weight in alone[0].items():
        torch.testing.assert_close(two[0][name], weight, atol=1e-6, rtol=1e-5, msg=name)
    for found, expected in zip(two[1], alone[1], strict=True):
        assert found["heads"] == pytest.approx(expected["heads"], rel=1e-4)


def test_in_a_second_stage_heads_learn_and_all_else_stays_to_the_bit(ranks, qwen3, tmp_path):
    """REO-VLM's second stage, packed, in bfloat16 under ZeRO-1; what it exports is the head that learnt."""
    changes = {"heads": {"numbers": NUMBERS}, "freeze": ["vision", "merger", "language"]}
    rates = {"optimizer": {"lr": 2e-3}, "checkpointing": {"language": True}}
    ranks.run(2, "train", tmp_path / "run", qwen3, json.dumps(ZERO1 | changes | rates))
    ranks.run(1, "export", tmp_path / "run", tmp_path / "model")
    before, after = (load_file(folder / "model.safetensors") for folder in (qwen3, tmp_path / "model"))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], weight.bfloat16()) for name, weight in before.items())
    model = read_weights(tmp_path / "model", torch.float32)
    heads = read_heads(tmp_path / "model", model)
    torch.manual_seed(0)
    fresh = make_heads(model, Heads.model_validate(changes["heads"]).chosen).bfloat16().state_dict()
    assert list(heads) == ["mixed", "gated"]
    assert heads["mixed"].taps == (1, 3)
    for name, weight in heads.state_dict().items():
        assert weight.isfinite().all()
        assert not torch.equal(weight, fresh[name].float()), name
    assert all(line["redness"] > 1e-4 for line in read_log(tmp_path / "run" / "log.jsonl") if "loss" in line)


def losses(run):
    return {line["step"]: line["loss"] for line in read_log(run / "log.jsonl") if "loss" in line}


def interrupted(ranks, world, folder, checkpoint, changes):
    """Start a run, kill it with -9 at a random moment after its first checkpoint, resume it to its end."""
    codes = set()
    while codes != {-9}:  # a run that was faster than the kill proves nothing
        shutil.rmtree(folder, ignore_errors=True)
        pids = ranks.start(world, "train", folder, checkpoint, json.dumps(changes))
        deadline = time.monotonic() + 120
        while not checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.4))
        kill(pids)
        codes = set(ranks.wait())
        assert codes <= {-9, 0}
    assert checkpoints(folder), "killed before the first checkpoint"
    ranks.run(world, "train", folder, checkpoint, json.dumps(changes), "resume")


@pytest.fixture(scope="module")
def zero_runs(ranks, qwen25, qwen3, tmp_path_factory):
    """A run of each family on two ranks that nothing interrupted."""
    folder = tmp_path_factory.mktemp("zero")
    for name, checkpoint in (("qwen25", qwen25), ("qwen3", qwen3)):
        ranks.run(2, "train", folder / name, checkpoint, json.dumps(ZERO1))
    return folder


@pytest.mark.parametrize("family", ["qwen25", "qwen3"])
def test_zero1_bf16_checkpointing_packing_killed_and_resumed_has_the_same_losses(
    ranks, zero_runs, family, request, tmp_path
):
    interrupted(ranks, 2, tmp_path / "killed", request.getfixturevalue(family), ZERO1)
    whole, killed = losses(zero_runs / family), losses(tmp_path / "killed")
    assert list(whole) == list(killed) == [1, 2, 3, 4, 5, 6]
    for step, loss in whole.items():
        assert killed[step] == pytest.approx(loss, rel=1e-6), step


@pytest.mark.parametrize("family", ["qwen25", "qwen3"])
def test_a_model_exported_from_zero_has_the_engines_weights_and_answers(
    ranks, zero_runs, family, tmp_path, capsys
):
    """Several optimizer groups, whose shards once came back in the wrong place (DeepSpeed issue 1412)."""
    ranks.run(1, "export", zero_runs / family, tmp_path / "model")
    shard = checkpoints(zero_runs / family)[-1] / "zero" / "mp_rank_00_model_states.pt"
    engine = torch.load(shard, map_location="cpu", weights_only=False)["module"]
    exported = AutoModelForImageTextToText.from_pretrained(tmp_path / "model", dtype=torch.bfloat16)
    for name, weight in exported.named_parameters():
        assert torch.equal(weight, engine[f"model.{name}"]), name
    paint(tmp_path / "scene.tif")
    scene, model = str(tmp_path / "scene.tif"), str(tmp_path / "model")
    limits = ["--zoom", "off", "--max-tokens", "8", "--max-pixels", "65536"]
    # A model of random weights says anything or nothing, and rarely ends its turn, which exits with 1.
    assert main(["ask", scene, "How many ships?", "--model", model, *limits, "--json"]) in (0, 1)
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert answer["error"] is None
    assert answer["stop_reason"] in ("answered", "cut_off")
    assert len(answer["views"]) == 1


@pytest.fixture(scope="module")
def single(ranks, qwen25, tmp_path_factory):
    """A run of one process that nothing interrupted."""
    folder = tmp_path_factory.mktemp("single") / "whole"
    ranks.run(1, "train", folder, qwen25)
    return folder


def assert_same_weights(one, other):
    first, second = (load_file(checkpoints(run)[-1] / "weights.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_one_process_killed_at_a_random_moment_ends_with_the_same_weights_to_the_bit(
    ranks, single, qwen25, tmp_path
):
    interrupted(ranks, 1, tmp_path / "killed", qwen25, {})
    assert losses(single) == losses(tmp_path / "killed")
    assert_same_weights(single, tmp_path / "killed")


def test_gates_and_their_head_are_resumed_exactly_while_scales_are_withheld_at_random(ranks, qwen3, tmp_path):
    gated = {"rank": 6, "alpha": 6, "towers": ["language"], "withheld": 0.5}
    changes = {"adapters": {"cs_hlora": gated}, "heads": {"gsd": {}}, "precision": "fp32"}
    changes |= {"checkpointing": {"language": True}, "optimizer": {"lr": 2e-3}}
    ranks.run(1, "train", tmp_path / "whole", qwen3, json.dumps(changes))
    interrupted(ranks, 1, tmp_path / "killed", qwen3, changes)
    assert losses(tmp_path / "whole") == losses(tmp_path / "killed")
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    weights = load_file(checkpoints(tmp_path / "whole")[-1] / "weights.safetensors")
    learnt = [weight for name, weight in weights.items() if name.endswith("scale_gate.tau")]
    fresh = SigmoidGate(6).tau.detach()
    assert learnt
    assert all(not torch.equal(tau, fresh) for tau in learnt)
    assert any("heads.gsd" in name for name in weights)


def test_a_run_killed_while_it_saves_goes_on_from_the_checkpoint_before(ranks, single, qwen25, tmp_path):
    pids = ranks.start(1, "train_with_slow_saves", tmp_path, qwen25)
    deadline = time.monotonic() + 120
    while not (tmp_path / "saving").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    kill(pids)
    ranks.wait()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002"]
    ranks.run(1, "train", tmp_path, qwen25, "{}", "resume")
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000004", "step-00000006"]
    assert not list((tmp_path / "checkpoints").glob(".*")), "what was half-written is gone"
    assert losses(single) == losses(tmp_path)
    assert_same_weights(single, tmp_path)


def test_another_number_of_processes_goes_on_with_ddp(ranks, single, qwen25, tmp_path):
    """Steps do not depend on the world size; sums over ranks are rounded in another order."""
    ranks.run(1, "train", tmp_path, qwen25, json.dumps({"checkpoints": {"steps": 2, "keep": 9}}))
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000004")
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000006")
    ranks.run(2, "train", tmp_path, qwen25, "{}", "resume")
    for step, loss in losses(single).items():
        assert losses(tmp_path)[step] == pytest.approx(loss, rel=5e-3), step


def gone(processes, seconds):
    """Whether processes end by themselves within some seconds."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_data_workers_end_with_a_main_process_that_was_killed_alone_and_the_run_goes_on(
    ranks, single, qwen25, tmp_path
):
    """The out-of-memory killer takes one process; its workers would hold the folder's lock and memory."""
    changes = json.dumps({"workers": 2})
    (main_process,) = ranks.start(1, "train", tmp_path / "run", qwen25, changes)
    deadline = time.monotonic() + 120
    while not checkpoints(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(main_process).children(recursive=True)
    kill([main_process])
    assert ranks.wait() == [-9]
    assert len(workers) >= 2
    assert gone(workers, seconds=3), "torch's own watch takes five seconds and more"
    ranks.run(1, "train", tmp_path / "run", qwen25, changes, "resume")
    assert_same_weights(single, tmp_path / "run")


def test_a_worker_that_was_killed_is_told_as_that(ranks, qwen25, tmp_path):
    (main_process,) = ranks.start(1, "train", tmp_path / "run", qwen25, json.dumps({"workers": 2}))
    deadline = time.monotonic() + 120
    while not checkpoints(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.01)
    kill([psutil.Process(main_process).children()[0].pid])
    assert ranks.wait() == [1]
    assert re.search(
        r"DataError: a data worker \(process \d+\) was killed by SIGKILL, which is what the system does when "
        "memory runs out; use fewer workers",
        ranks.log.read_text(),
    )


LORA = {"rank": 4, "alpha": 8, "towers": ["language"], "full": ["merger"]}


def test_adapters_learn_are_resumed_exactly_and_merge_to_the_same_words(ranks, qwen3, tmp_path):
    adapters = {"lora": LORA | {"dropout": 0.1}}
    changes = {"adapters": adapters, "checkpointing": {"language": True}, "precision": "fp32"}
    ranks.run(1, "train", tmp_path / "whole", qwen3, json.dumps(changes))
    interrupted(ranks, 1, tmp_path / "killed", qwen3, changes)
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    names = load_file(checkpoints(tmp_path / "whole")[-1] / "weights.safetensors")
    assert all("lora_" in name or "merger" in name for name in names)
    assert any("language_model" in name for name in names)
    assert any("deepstack_merger_list" in name for name in names)
    ranks.run(1, "export", tmp_path / "whole", tmp_path / "merged", "merge")
    assert json.loads((tmp_path / "merged" / "checked.json").read_text()) is True
    with pytest.raises(
        UsageError, match="trained merger in full beside its adapters; export it with --merge"
    ):
        export_run(tmp_path / "whole", tmp_path / "adapter")
