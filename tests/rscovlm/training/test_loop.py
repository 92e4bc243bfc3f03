"""The training loop, by a learner whose every step can be worked out by hand."""

import os
import signal

import pytest

pytest.importorskip("accelerate", reason="training needs the extra: train")

from rscovlm.errors import UsageError
from rscovlm.training.checkpoint import checkpoints, read_state
from rscovlm.training.logs import Logs, read_log
from rscovlm.training.loop import resume, train
from rscovlm.training.objective import Moment
from tests.rscovlm.training.alone import a_run, config, packs


def steps_of(run, state=None, evaluate=None, progress=None):
    first = state.step if state else 0
    batches = (packs(step) for step in range(first, run.steps))
    with Logs(run.folder, active=True, tensorboard=False, step=first, progress=progress) as logs:
        return train(run, batches, state, logs, evaluate)


def test_each_step_takes_its_share_of_the_peak_rate_down_a_gradient_of_one(tmp_path):
    run = a_run(tmp_path, config())
    ending = steps_of(run)
    # A warm-up of two steps of 1/2 and 1 of 0.5, then four of 0.5: 0.25 + 5 * 0.5.
    assert run.learner.weight.item() == pytest.approx(-2.75)
    assert (ending.step, ending.stopped_by) == (6, None)
    lines = [line for line in read_log(tmp_path / "log.jsonl") if "loss" in line]
    assert [line["rate/language"] for line in lines] == [0.25, *[0.5] * 5]
    # The loss of a step is the weight before it.
    assert [line["loss"] for line in lines] == pytest.approx([0, -0.25, -0.75, -1.25, -1.75, -2.25])
    assert [line["gradient/all"] for line in lines] == pytest.approx([1.0] * 6)
    assert [line["gradient/language"] for line in lines] == pytest.approx([1.0] * 6)
    assert [line["seen/samples"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert run.learner.moments[::2] == [Moment(step, 6) for step in range(6)]
    assert run.accelerator.unsynchronised == 6, "gradients are exchanged in the last of two packs alone"


def test_a_gradient_is_clipped_and_its_norm_is_noted_before(tmp_path):
    run = a_run(tmp_path, config(steps=2, optimizer={"lr": 0.5, "clip": 0.1}, schedule={"warmup": 0}))
    steps_of(run)
    assert read_log(tmp_path / "log.jsonl")[0]["gradient/all"] == pytest.approx(1.0)
    assert run.learner.weight.item() == pytest.approx(-0.05 * (1 + 0.5), rel=1e-4), (
        "half a cosine: 1, then 1/2"
    )


def test_checkpoints_are_written_by_steps_and_at_the_end(tmp_path):
    run = a_run(tmp_path, config())
    steps_of(run)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000004", "step-00000006"]
    state = read_state(checkpoints(tmp_path)[-1])
    assert (state.step, state.cursor, state.mix, state.processes) == (6, 6, "m", 1)
    assert (state.zero_stage, state.adapters, state.seen["samples"]) == (None, False, 12)


def test_a_signal_ends_the_run_after_the_step_at_hand_and_it_goes_on_exactly(tmp_path):
    whole = a_run(tmp_path / "whole", config())
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    steps_of(whole)

    def stop(done, _):
        if done == 2:
            os.kill(os.getpid(), signal.SIGUSR1)

    first = a_run(tmp_path / "stopped", config())
    ending = steps_of(first, progress=stop)
    # The signal comes when the second step is done, so the third is finished and saved.
    assert (ending.step, ending.stopped_by) == (3, "SIGUSR1")
    assert ending.checkpoint.name == "step-00000003"
    again = a_run(tmp_path / "stopped", config(), start=99.0)
    state = resume(again)
    assert state.step == 3
    steps_of(again, state)
    assert again.learner.weight.item() == whole.learner.weight.item()
    assert first.learner.drawn + again.learner.drawn == whole.learner.drawn, "dropout is the same, too"
    assert len(set(whole.learner.drawn)) == 12, "and another in each pack of each step"
    assert [line["seen/samples"] for line in read_log(tmp_path / "stopped" / "log.jsonl")] == [
        2,
        4,
        6,
        8,
        10,
        12,
    ]


def test_a_run_without_a_checkpoint_begins_and_one_of_other_settings_is_refused(tmp_path):
    run = a_run(tmp_path, config())
    assert resume(run) is None
    steps_of(run)
    with pytest.raises(UsageError, match=r"optimizer\.lr was 0\.5, now 0\.25"):
        resume(a_run(tmp_path, config(optimizer={"lr": 0.25, "clip": None})))


def test_evaluations_come_before_the_first_step_when_due_and_at_the_end(tmp_path):
    seen = []

    def evaluate(learner):
        seen.append(round(learner.weight.item(), 3))
        return {"eval/loss": 1.0}

    run = a_run(tmp_path, config(evaluation={"every": 4}))
    steps_of(run, evaluate=evaluate)
    # After 0, 4 and 6 steps.
    assert seen == [0.0, -1.75, -2.75]
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl") if "eval/loss" in line] == [0, 4, 6]


def test_a_gradient_that_is_not_finite_stops_the_run_and_leaves_the_last_checkpoint(tmp_path):
    run = a_run(tmp_path, config(checkpoints={"steps": 2, "minutes": None}))

    def spoil(done, _):
        if done == 3:
            run.learner.weight.register_hook(lambda gradient: gradient * float("nan"))

    with pytest.raises(
        UsageError, match="the gradient of step 4 is not finite; the last checkpoint is sound"
    ):
        steps_of(run, progress=spoil)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002"]


def test_numbers_are_logged_every_so_many_steps_and_at_the_end(tmp_path):
    run = a_run(tmp_path, config(logging={"every": 4, "tensorboard": False}))
    steps_of(run)
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["step"] for line in lines] == [4, 6]
    # Means of the weights before four and before two steps.
    assert [line["loss"] for line in lines] == pytest.approx([-2.25 / 4, -2.0])
