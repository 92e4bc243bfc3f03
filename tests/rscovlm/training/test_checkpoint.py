"""Which folders are checkpoints, and which run goes on from them."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from rscovlm.errors import UsageError
from rscovlm.training.checkpoint import (
    SCHEMA,
    STATE,
    State,
    check_resume,
    checkpoints,
    clear_partial,
    learnt_weights,
    read_state,
    restore_weights,
)

STATE_OF_TWO = State(7, 7, {}, {"seed": 0}, "mix-a", processes=2, zero_stage=None, adapters=False)


def write(run, name, state=STATE_OF_TWO):
    folder = run / "checkpoints" / name
    folder.mkdir(parents=True)
    if state is not None:
        (folder / STATE).write_text(json.dumps(asdict(state)))
    return folder


def test_checkpoints_are_whole_folders_by_number_oldest_first(tmp_path):
    write(tmp_path, "step-100000000")
    write(tmp_path, "step-99999999")
    write(tmp_path, "step-00000030", state=None)
    write(tmp_path, ".partial-step-00000040")
    write(tmp_path, "step-00000050.old")
    assert [path.name for path in checkpoints(tmp_path)] == ["step-99999999", "step-100000000"]
    assert checkpoints(tmp_path / "nothing") == []


def test_what_is_half_written_goes_and_nothing_else(tmp_path):
    write(tmp_path, "step-00000030")
    write(tmp_path, ".partial-step-00000020")
    write(tmp_path, ".partial-old-step-00000030", state=None)
    clear_partial(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000030"]
    clear_partial(tmp_path / "nothing")


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    folder = write(tmp_path, "step-00000007")
    assert read_state(folder) == STATE_OF_TWO
    folder = write(tmp_path, "step-00000008", replace(STATE_OF_TWO, schema="rscovlm.checkpoint/0"))
    with pytest.raises(UsageError, match=f"no checkpoint of this version .*/0', not '{SCHEMA}'"):
        read_state(folder)
    (folder / STATE).write_text("[1]")
    with pytest.raises(UsageError, match="cannot be read"):
        read_state(folder)


def going_on(state, processes=2, stage=None, mix="mix-a", config=None):
    check_resume(state, config or {"seed": 0}, mix, processes, stage)


def test_another_number_of_processes_goes_on_unless_deepspeed_wrote_or_reads():
    going_on(STATE_OF_TWO)
    going_on(STATE_OF_TWO, processes=3)
    sharded = replace(STATE_OF_TWO, zero_stage=1)
    going_on(sharded, stage=1)
    for state, stage in ((sharded, 1), (sharded, None), (STATE_OF_TWO, 1)):
        with pytest.raises(UsageError, match="processes were 2, now 3: DeepSpeed"):
            going_on(state, processes=3, stage=stage)


def test_other_data_and_other_settings_are_told_together():
    with pytest.raises(UsageError, match=r"seed was 0, now 1; the mix .* was mix-a, now mix-b\."):
        going_on(STATE_OF_TWO, mix="mix-b", config={"seed": 1})


def test_weights_come_back_into_what_learns_and_other_modules_are_refused(tmp_path):
    from safetensors.torch import save_file

    learner = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    learner[0].requires_grad_(False)
    saved = learnt_weights(learner)
    assert saved.keys() == {"1.weight", "1.bias"}
    other = {name: weight + 1 for name, weight in saved.items()}
    save_file(other, tmp_path / "weights.safetensors")
    before = learner[0].weight.clone()
    restore_weights(tmp_path, learner)
    assert torch.equal(learner[1].weight, other["1.weight"])
    assert torch.equal(learner[1].bias, other["1.bias"])
    assert torch.equal(learner[0].weight, before)
    learner[0].requires_grad_(True)
    with pytest.raises(UsageError, match=r"holds other weights than this run trains, such as 0\.bias"):
        restore_weights(tmp_path, learner)
