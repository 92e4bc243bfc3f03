"""Checkpoints that are there whole or not at all, and from which a run goes on exactly.

A checkpoint is a folder ``checkpoints/step-00001200``. It is written beside that name, brought to the disk,
and renamed, so that ``kill -9`` at any moment leaves the previous one intact; the newest is found by looking.
Random choices are functions of the seed and the step, so there is no state of a generator to keep.

| file | holds |
|---|---|
| ``state.json`` | step, cursor of the data, configuration, fingerprint of the mix, processes, versions |
| ``weights.safetensors`` | what learns, float32 master weights (one process and DDP) |
| ``optimizer.pt`` | the optimizer's state (one process and DDP) |
| ``zero/`` | DeepSpeed's own shards, of as many processes as the run has |
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from detection_eval.files import commit_folder
from rscovlm.errors import UsageError
from rscovlm.training.config import changes
from rscovlm.training.parallel import engine_of, plain, zero_stage

if TYPE_CHECKING:
    from accelerate import Accelerator

SCHEMA = "rscovlm.checkpoint/2"
FOLDER, STATE, WEIGHTS, OPTIMIZER, ZERO = (
    "checkpoints",
    "state.json",
    "weights.safetensors",
    "optimizer.pt",
    "zero",
)
_NAME = re.compile(r"step-(\d{8,})")
_PARTIAL = ".partial"


@dataclass(frozen=True)
class State:
    """The record that a checkpoint keeps of its run, besides weights.

    Attributes:
        step: optimizer steps taken.
        cursor: of the data, where the next step begins.
        seen: running totals for the log, by name (samples, tokens, seconds).
        config: of the run, as JSON.
        mix: fingerprint of the data.
        processes: that trained together.
        zero_stage: DeepSpeed's, or None.
        adapters: whether adapters were trained.
        versions: of the packages that matter.
    """

    step: int
    cursor: int
    seen: dict[str, float]
    config: dict[str, Any]
    mix: str
    processes: int
    zero_stage: int | None
    adapters: bool
    versions: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA


def save(
    run: Path,
    state: State,
    accelerator: Accelerator,
    wrapped: nn.Module,
    optimizer: torch.optim.Optimizer,
    keep: int,
) -> Path:
    """Write a checkpoint and remove those beyond the newest ``keep``; all ranks call it together.

    Raises:
        OSError: where it cannot be written; what was there before stays.
    """
    final = run / FOLDER / f"step-{state.step:08d}"
    if final.exists():
        # Of the same step of the same run, so it holds the same.
        return final
    partial = final.with_name(f"{_PARTIAL}-{final.name}")
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    if zero_stage(accelerator) is not None:
        engine_of(wrapped).save_checkpoint(
            str(partial), tag=ZERO, save_latest=False, exclude_frozen_parameters=True
        )
    elif accelerator.is_main_process:
        _save_plain(partial, plain(wrapped), optimizer)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (partial / STATE).write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
        commit_folder(partial, final)
        _prune(run, keep)
    accelerator.wait_for_everyone()
    return final


def _save_plain(folder: Path, learner: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    from safetensors.torch import save_file

    save_file(learnt_weights(learner), folder / WEIGHTS)
    torch.save(optimizer.state_dict(), folder / OPTIMIZER)


def learnt_weights(learner: nn.Module) -> dict[str, torch.Tensor]:
    """Weights that learn, by name, on the CPU; frozen ones are those of the starting checkpoint."""
    return {
        name: parameter.detach().to("cpu").contiguous()
        for name, parameter in learner.named_parameters()
        if parameter.requires_grad
    }


def _prune(run: Path, keep: int) -> None:
    """Remove all but the newest checkpoints."""
    for path in checkpoints(run)[:-keep]:
        # Renamed first, so that one that is half removed is never taken for whole.
        doomed = path.with_name(f"{_PARTIAL}-{path.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
    clear_partial(run)


def clear_partial(run: Path) -> None:
    """Remove checkpoints that an interrupted run left half-written or half-removed."""
    for path in (run / FOLDER).glob(f"{_PARTIAL}-*"):
        shutil.rmtree(path, ignore_errors=True)


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    found = []
    for path in (run / FOLDER).glob("step-*") if (run / FOLDER).is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and (path / STATE).is_file():
            found.append((int(match[1]), path))
    return [path for _, path in sorted(found)]


def read_state(checkpoint: Path) -> State:
    """Read the record that a checkpoint keeps of its run.

    Raises:
        UsageError: where it is of another version of this program, or unreadable.
    """
    try:
        data = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        if data.get("schema") != SCHEMA:
            raise UsageError(
                f"{checkpoint} is no checkpoint of this version ({data.get('schema')!r}, not {SCHEMA!r})"
            )
        return State(**data)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{checkpoint / STATE} cannot be read: {error}") from None


def check_resume(
    state: State, config: Mapping[str, Any], mix: str, processes: int, stage: int | None
) -> None:
    """Make sure that going on from a checkpoint continues the same run.

    Raises:
        UsageError: naming all settings that differ, and why another number of processes will not do.
    """
    problems = changes(state.config, config)
    if state.mix != mix:
        problems.append(
            f"the mix (its sources, their samples or what it holds out) was {state.mix}, now {mix}"
        )
    if state.processes != processes and (state.zero_stage is not None or stage is not None):
        problems.append(
            f"processes were {state.processes}, now {processes}: DeepSpeed's checkpoints hold one shard "
            "of the optimizer for each process and cannot be read by another number of them"
        )
    if problems:
        raise UsageError(
            f"this is not the run that was interrupted: {'; '.join(problems)}. "
            "Use the same settings to resume, or another --output to start anew"
        )


def load(
    checkpoint: Path, accelerator: Accelerator, wrapped: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Put a checkpoint's weights and optimizer state back; all ranks call it together.

    Raises:
        UsageError: where it does not hold what this run trains.
    """
    if zero_stage(accelerator) is not None:
        path, _ = engine_of(wrapped).load_checkpoint(str(checkpoint), tag=ZERO, load_module_strict=False)
        if path is None:
            raise UsageError(f"DeepSpeed cannot read {checkpoint / ZERO}")
        return
    restore_weights(checkpoint, plain(wrapped))
    held = torch.load(checkpoint / OPTIMIZER, map_location="cpu", weights_only=True)
    optimizer.load_state_dict(held)


def restore_weights(checkpoint: Path, learner: nn.Module) -> None:
    """Put the weights of a checkpoint of one process or DDP into a learner.

    Args:
        checkpoint: to read.
        learner: that gets them.

    Raises:
        UsageError: where they are not those that this learner trains.
    """
    from safetensors.torch import load_file

    weights = load_file(checkpoint / WEIGHTS)
    own = {name: parameter for name, parameter in learner.named_parameters() if parameter.requires_grad}
    differing = sorted(weights.keys() ^ own.keys())
    if differing:
        raise UsageError(f"{checkpoint} holds other weights than this run trains, such as {differing[0]}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
