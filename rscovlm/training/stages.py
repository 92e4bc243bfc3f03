"""A run of one or several stages: each starts from the model of the one before, in one folder.

| | one stage | several |
|---|---|---|
| checkpoints, logs | the folder itself | ``stages/1-NAME/``, ``stages/2-NAME/``, ... |
| the model of a stage | ``model/`` | ``stages/1-NAME/model/`` |
| what was learnt | ``model/`` | ``model/`` |

A stage is finished once its model is there, which appears whole. A run that was killed at any moment goes on
at the first stage that is not finished, from its newest checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rscovlm.errors import UsageError
from rscovlm.models.adapters import ADAPTERS
from rscovlm.training.checkpoint import checkpoints, read_state
from rscovlm.training.config import Stage, changes
from rscovlm.training.export import Exported, export_apart, export_run
from rscovlm.training.loop import Ending
from rscovlm.training.run import run_training

MODEL = "model"


@dataclass(frozen=True)
class Trained:
    """How a run of stages ended.

    Attributes:
        ending: of the last stage that was worked on.
        model: the export of the last stage; None where the run was stopped, and on all but the first process.
    """

    ending: Ending
    model: Exported | None


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    *,
    going_on: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train all stages that are not finished, and export what each has learnt.

    Args:
        stages: of ``load_stages``.
        folder: of the run.
        going_on: whether to go on with what is there.
        progress: called with (steps done, steps) of a stage.

    Raises:
        UsageError, ConfigError, ModelError, DataError: with one clear line.
    """
    trained = None
    for stage, place, model in _placed(stages, folder):
        last = stage.name == stages[-1].name
        if not last and model.is_dir():
            _check_finished(stage, place, going_on)
            continue
        ending = run_training(stage.config, place, going_on=going_on, progress=progress)
        if ending.stopped_by is not None:
            return Trained(ending, None)
        trained = Trained(ending, _export(stage, place, model))
    assert trained is not None, "the last stage always runs"
    return trained


def _placed(stages: Sequence[Stage], folder: Path) -> list[tuple[Stage, Path, Path]]:
    """Each stage with what it starts from, its folder and that of its model."""
    if not stages[0].name:
        return [(stages[0], folder, folder / MODEL)]
    placed: list[tuple[Stage, Path, Path]] = []
    for number, stage in enumerate(stages, start=1):
        place = folder / "stages" / f"{number}-{stage.name}"
        model = folder / MODEL if number == len(stages) else place / MODEL
        if placed:
            config = stage.config.model_copy(update={"model": str(placed[-1][2])})
            stage = replace(stage, config=config)
        placed.append((stage, place, model))
    return placed


def _check_finished(stage: Stage, place: Path, going_on: bool) -> None:
    """Make sure that a finished stage is one of this run.

    Raises:
        UsageError: where it is not, naming what differs.
    """
    if not going_on:
        raise UsageError(
            f"{place} holds a finished stage; go on by --resume, or give another folder by --output"
        )
    state = read_state(checkpoints(place)[-1])
    different = changes(state.config, stage.config.model_dump(mode="json"))
    if different:
        raise UsageError(
            f"stage {stage.name} was finished with other settings: {'; '.join(different)}. "
            "Use the same settings to resume, or another --output to start anew"
        )


def _export(stage: Stage, place: Path, model: Path) -> Exported | None:
    """Export a stage on the first process, while the others wait for it."""
    from accelerate import PartialState

    processes, exported = PartialState(), None
    if processes.is_main_process:
        # DeepSpeed leaves marks on its process: with ZeRO-3, whatever loads a model there partitions it.
        apart = stage.config.strategy == "deepspeed"
        export = export_apart if apart else export_run
        merge = all(ADAPTERS[name].mergeable for name in stage.config.adapters.chosen)
        exported = export(place, model, merge=merge and stage.config.adapted is not None, replace=True)
    processes.wait_for_everyone()
    return exported
