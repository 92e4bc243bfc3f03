"""``rscovlm bench run``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from detection_eval.words import counted
from rscovlm.cli.bench_plan import (
    HTTP_TOGETHER,
    TOGETHER,
    Limit,
    PlannedRun,
    ReplaceRuns,
    Split,
    planned_runs,
    tell_costs,
)
from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.opening import open_model
from rscovlm.cli.option_groups import ModelOptions, with_options
from rscovlm.cli.options import AsJson
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.bench.row import Row
    from rscovlm.bench.runs.job import Job
    from rscovlm.bench.runs.plan import Entry
    from rscovlm.engines import Engine
    from rscovlm.engines.transformers import TransformersEngine
    from rscovlm.models.checkpoints import Checkpoint


class Shown(StrEnum):
    """What a model is shown, for the help text."""

    off = "off"
    single = "single"
    chain = "chain"
    focus = "focus"
    tree = "tree"
    retrieve = "retrieve"
    sweep = "sweep"
    auto = "auto"
    direct = "direct"
    oracle = "oracle"


class Blinded(StrEnum):
    """What a model is shown in place of the image, for the help text."""

    none = "none"
    text = "text"
    gray = "gray"
    shuffle = "shuffle"


@with_options(running=ModelOptions)
def run(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            help="Names (rscovlm bench list), files of items, or one YAML file of runs.",
            metavar="NAME...|CONFIG.yaml",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the benchmark; of several, it holds a folder of each name.", metavar="ROOT"
        ),
    ] = None,
    split: Split = None,
    zoom: Annotated[
        Shown | None,
        typer.Option(
            help="off: the overview; single, chain, focus, tree, retrieve, sweep, auto: closer looks, "
            "detection in tiles; direct: at the checkpoint's own largest size; oracle: the evidence alone. "
            "As --config says by default."
        ),
    ] = None,
    blind: Annotated[
        Blinded, typer.Option(help="Show nothing, an even grey, or another item's image in its place.")
    ] = Blinded.none,
    audit: Annotated[
        bool, typer.Option("--audit", help="Run direct, off, --zoom, oracle and blind, one after another.")
    ] = False,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Words of the requests: a profile (default, short, rscovlm, ...) or a YAML file; the "
            "benchmark's own by default.",
            metavar="PROFILE|FILE",
        ),
    ] = None,
    seen_tiles: Annotated[
        bool,
        typer.Option(
            "--seen-tiles", help="Score plots on tiles that the model was fitted on, too; the scores say so."
        ),
    ] = False,
    limit: Limit = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help=f"Items that are asked together; {TOGETHER}, of a server {HTTP_TOGETHER}.",
            min=1,
            metavar="N",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder of the run; of several, it holds a folder of each.", metavar="DIR")
    ] = Path("bench-runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was interrupted; ask again what failed.")
    ] = False,
    overwrite: ReplaceRuns = False,
    as_json: AsJson = False,
    *,
    running: ModelOptions,
) -> None:
    """Ask a model the items of benchmarks and log its replies, which `bench score` judges.

    A run that was killed goes on with --resume. Items that fail are listed, and then the exit code is 1.
    """
    from rscovlm.bench.runs.folder import refuse_what_is_there
    from rscovlm.bench.runs.plan import Entry

    given = Entry(
        data=None if data is None else str(data),
        split=split,
        zoom=None if zoom is None else zoom.value,
        blind=blind.value,
        prompts=prompts,
        limit=limit,
    )
    entries = _entries(benchmarks, given)
    planned = planned_runs(entries, running, batch_size, output, audit=audit, seen_tiles=seen_tiles)
    if running.dry_run:
        tell_costs(planned, as_json)
        return
    for each in planned:
        refuse_what_is_there(each.folder, resume=resume, overwrite=overwrite)
    failed: list[tuple[Path, Row]] = []
    with engines(running.device) as engine_of:
        for each in planned:
            failed += carried_out(each, engine_of(each.job), resume, overwrite)
    _tell_scores([each.folder for each in planned], as_json)
    for folder, row in failed[:20]:
        print(f"{folder}: {row.item.key}: {row.error}", file=sys.stderr)
    if failed:
        raise Incomplete(
            f"{counted(len(failed), 'item failed and counts', 'items failed and count')} "
            "as wrong under strict; --resume asks them again: "
            f"{failed[0][1].item.key}: {failed[0][1].error}"
        )


def _entries(names: Sequence[str], given: Entry) -> list[Entry]:
    """A run for each name, or those of a file; what a file leaves out is as the options say.

    Raises:
        UsageError, ConfigError: with one clear line.
    """
    from rscovlm.bench.runs.plan import load_plan

    if len(names) == 1 and _is_plan(names[0]):
        defaults = {name: value for name, value in given if value is not None}
        return [
            given.model_copy(update=defaults | {name: value for name, value in entry if value is not None})
            for entry in load_plan(names[0])
        ]
    return [given.model_copy(update={"benchmark": name}) for name in names]


def _is_plan(name: str) -> bool:
    """Whether a file holds runs rather than the description of a benchmark."""
    from configs import load_config

    return Path(name).suffix.lower() in (".yaml", ".yml") and "runs" in load_config(name)


@contextmanager
def engines(device: str | None) -> Iterator[Callable[[Job], Engine]]:
    """A function that gives the engine of a job; one that the last job had is kept, another let go."""
    held: list[tuple[Checkpoint, Engine]] = []

    def engine_of(job: Job) -> Engine:
        checkpoint = job.checkpoint
        if not held or held[0][0] != checkpoint:
            while held:
                held.pop()[1].close()
            held.append((checkpoint, open_model(checkpoint, device)))
        return held[0][1]

    try:
        yield engine_of
    finally:
        for _, engine in held:
            engine.close()


def carried_out(planned: PlannedRun, engine: Engine, resume: bool, overwrite: bool) -> list[tuple[Path, Row]]:
    """Make a run; the rows that failed.

    Raises:
        Interrupted: by Ctrl-C, with how to go on.
    """
    from rscovlm.bench.runs.job import carry_out

    job, folder = planned.job, planned.folder
    print(f"{job.questions.benchmark.name}: {job.label}: {folder}", file=sys.stderr, flush=True)
    try:
        with Progress("asking", "item") as progress:
            rows = carry_out(
                job,
                engine,
                folder,
                resume=resume and folder.exists(),
                overwrite=overwrite,
                progress=progress,
                more={"command": sys.argv[1:], "engine_name": engine.name},
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; what was answered is in {folder}, continue with the same command and --resume"
        ) from None
    _tell_scale_head(engine, job, folder)
    _tell_regions(job, rows)
    return [(folder, row) for row in rows if row.error is not None]


def _tell_regions(job: Job, rows: Sequence[Row]) -> None:
    """How many plots lie in regions that a model which learnt targets by region does not know."""
    regions = None if job.asking.inputs is None else job.asking.inputs.regions
    if regions is not None:
        stated = [row.numbers for row in rows if row.numbers is not None]
        if told := regions.told(each.get("region") for each in stated):
            print(f"{job.questions.benchmark.name}: {told}", file=sys.stderr)


def _tell_scale_head(engine: Engine, job: Job, folder: Path) -> None:
    """How far off the scale is that a model reads from pixels, over images whose scale is known."""
    if getattr(engine, "estimate_gsd", None) is None:
        return
    from detection_eval.files import write_json
    from rscovlm.scale.head import read_scenes

    sources = (source for item in job.questions.items for source in item.images)
    readings = read_scenes(cast("TransformersEngine", engine), sources)
    if not len(readings):
        return
    scores = readings.scores()
    write_json(folder / "scale_head.json", scores, indent=1)
    print(
        f"scale from pixels, {counted(len(readings), 'image')} of known scale: "
        f"off by {scores['error_decades']:.2f} "
        f"decades in the mean; 90 % intervals hold {100 * scores['coverage_90']:.0f} %",
        file=sys.stderr,
    )


def _tell_scores(folders: Sequence[Path], as_json: bool) -> None:
    from rscovlm.cli.bench_results import print_scores, scored

    print_scores(scored(folders, None, seed=0, write=True), as_json=as_json)
