"""A training run from its configuration to an exported model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs import located
from detection_eval.files import locked, write_json, write_text
from rscovlm.data.broken import skipped_counts, skipped_line
from rscovlm.data.loading import Form, Loader, read_skipped
from rscovlm.data.mix import Mix
from rscovlm.data.planning import Batching, ExampleFlops
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.report import report_mix
from rscovlm.data.sources import FileSource, Generator, load_mix
from rscovlm.data.workers import explained_deaths
from rscovlm.errors import DataError, UsageError
from rscovlm.models.cost import CostModel
from rscovlm.nano.source import Lessons
from rscovlm.training.building import Base, build, open_base, write_fresh
from rscovlm.training.checkpoint import checkpoints, clear_partial
from rscovlm.training.conflicts import warmup_problem
from rscovlm.training.evaluate import evaluator
from rscovlm.training.export import INPUTS
from rscovlm.training.logs import Logs
from rscovlm.training.loop import Ending, prepare, resume, train
from rscovlm.training.parallel import start
from rscovlm.training.self_check import check_isolation
from rscovlm.training.settings import TrainConfig
from rscovlm.training.summary import write_summary

if TYPE_CHECKING:
    from accelerate import Accelerator

CONFIG, SKIPPED, LENGTHS = "config.yaml", "skipped.jsonl", "lengths"
PROBED = 32
"""Samples of each source that are encoded before training, to see whether there is anything to learn."""


GENERATORS: dict[str, Generator] = {"nano": Lessons, "agbd": PlotSource}
"""Generators of samples, by the names that mixes use."""


def open_mix(config: TrainConfig, base: Base) -> Mix:
    """The mix of a run, rendered for its model.

    Raises:
        ConfigError: naming all that is wrong with it.
    """
    return load_mix(
        located(config.mix, "mix"),
        base.family,
        base.encoder,
        config.seed,
        resolution=base.family.resolution,
        max_tokens=config.batch.max_tokens,
        root=config.mix_root,
        generators=GENERATORS,
    )


def run_folder(config: TrainConfig, name: str) -> Path:
    """Where a run writes: as configured, or ``runs/<name of the configuration>``."""
    return config.output or Path("runs") / Path(name).stem


def run_training(
    config: TrainConfig,
    folder: Path,
    *,
    going_on: bool = False,
    progress: Callable[[int, int], None] | None = None,
    mix: Callable[[TrainConfig, Base], Mix] = open_mix,
) -> Ending:
    """Train until the last step, or until told to stop; what is there then can be resumed.

    Args:
        config: of the run.
        folder: where it writes.
        going_on: whether to go on from the newest checkpoint, if there is one.
        progress: called with (steps done, steps).
        mix: opens the data.

    Raises:
        UsageError, ConfigError, ModelError, DataError: with one clear line.
    """
    if checkpoints(folder) and not going_on:
        raise UsageError(
            f"{folder} holds a run; go on with it by --resume, or give another folder by --output"
        )
    accelerator = start(config)
    with _alone_in(folder, accelerator.is_main_process):
        if accelerator.is_main_process:
            clear_partial(folder)
            write_fresh(config, folder)
            if not checkpoints(folder):
                (folder / SKIPPED).unlink(missing_ok=True)
        accelerator.wait_for_everyone()
        base = open_base(config, folder)
        data = mix(config, base)
        check_evaluation(config, data)
        unusable = check_usable(data, base, config.heads.wanted)
        built = build(base, config, accelerator.device)
        loader = open_loader(config, base, data, folder, accelerator)
        steps = loader.steps = config.steps or loader.steps_of(config.epochs or 1)
        check_warmup(config, steps)
        run = prepare(config, built, data, steps, folder, accelerator)
        state = resume(run) if going_on else None
        if config.batch.packing:
            with accelerator.autocast():
                check_isolation(run.learner.model, base.patches)
        if accelerator.is_main_process:
            _write_config(config, folder)
            _write_inputs(data, folder)
        loader.cursor = state.cursor if state else 0
        with Logs(
            folder,
            active=accelerator.is_main_process,
            tensorboard=config.logging.tensorboard,
            step=loader.cursor,
            progress=progress,
        ) as logs:
            for line in unusable:
                logs.say(f"warning: {line}")
            if state:
                logs.say(f"going on after step {loader.cursor} of {loader.steps}")
            with explained_deaths():
                ending = train(run, loader, state, logs, evaluator(config, base, data, accelerator))
            left_out = _left_out(config, data, folder, ending.step)
            if left_out:
                logs.say(left_out)
        if accelerator.is_main_process:
            write_summary(folder, left_out)
        return ending


def check_evaluation(config: TrainConfig, mix: Mix) -> None:
    """Make sure that an evaluation has something to look at.

    Raises:
        UsageError: where the mix holds nothing out.
    """
    if config.evaluation.every is not None and not any(mix.held_out.values()):
        raise UsageError(
            "evaluation.every has no effect: the mix holds nothing out; set holdout in the mix, or every "
            "to null"
        )


def check_usable(mix: Mix, base: Base, wanted: Mapping[str, str]) -> list[str]:
    """Encode some samples of each source; one line for each source of which nothing could be learnt.

    Args:
        mix: of the run.
        base: that it starts from.
        wanted: numbers that heads cannot do without, each with the setting that names it.

    Raises:
        DataError: where that is so for all of them, or no sample has one of these numbers.
    """
    report = report_mix(mix, base.patches.merge, probe=PROBED)
    lines = report.unusable()
    if lines and not any(source.measured for source in report.sources):
        raise DataError("; ".join(lines))
    known = {name for source in report.sources for name in source.numbers}
    for name, setting in wanted.items():
        if name not in known and not any(_brings(source, name) for source in mix.sources.values()):
            there = ", ".join(sorted(known)) or "none"
            raise DataError(f"{setting}: no sample has a number {name!r}; numbers of the mix are {there}")
    return lines


def _brings(source: object, name: str) -> bool:
    """Whether any sample of a source has a number, also where those that were encoded have not."""
    values = source.values(name) if isinstance(source, FileSource | PlotSource) else None
    return values is not None and bool(np.isfinite(values).any())


def _left_out(config: TrainConfig, mix: Mix, folder: Path, steps: int) -> str | None:
    """One line about the samples that the run left out, on all ranks and before an interruption, too."""
    drawn = sum(mix.trained_on(name) for name in mix.sources)
    if config.batch.samples is not None:
        drawn = min(drawn, steps * config.batch.samples)
    line = skipped_line(skipped_counts(read_skipped(folder / SKIPPED)), drawn)
    return None if line is None else f"{line}; all are listed in {folder / SKIPPED}"


def check_warmup(config: TrainConfig, steps: int) -> None:
    """Make sure that a run of epochs, whose steps are counted late, outlasts its warm-up.

    Raises:
        UsageError: where it does not.
    """
    warmup = config.schedule.warmup_steps
    problem = None if warmup is None else warmup_problem(warmup, steps)
    if problem:
        raise UsageError(f"schedule.warmup_steps: {problem}")


@contextmanager
def _alone_in(folder: Path, writes: bool) -> Iterator[None]:
    """Keep a second run out of the folder of this one."""
    if not writes:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        yield


def _write_config(config: TrainConfig, folder: Path) -> None:
    import json

    import yaml

    data = json.loads(config.model_dump_json())
    write_text(folder / CONFIG, yaml.safe_dump(data, sort_keys=False))


def _write_inputs(mix: Mix, folder: Path) -> None:
    """Keep how sources that say so show their data, for the export: a model is used on what it has learnt."""
    stated = {name: source.inputs for name, source in mix.sources.items() if hasattr(source, "inputs")}
    if stated:
        write_json(folder / INPUTS, stated, indent=2)


def open_loader(config: TrainConfig, base: Base, mix: Mix, folder: Path, accelerator: Accelerator) -> Loader:
    """This rank's packs, step by step."""
    cost = ExampleFlops(CostModel.of_config(base.settings))
    batch = config.batch
    return Loader(
        mix.sources,
        mix.order,
        Batching(batch.samples, batch.packs, batch.max_tokens, batch.packing),
        Form(base.patches, base.encoder.image_id, cost),
        seed=config.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        workers=config.workers,
        pinned=accelerator.device.type == "cuda",
        folder=folder / LENGTHS,
        fingerprint=mix.fingerprint,
        listing=folder / SKIPPED,
        most_broken=config.broken_limit,
    )
