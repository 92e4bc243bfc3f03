"""Plan of the benchmark commands: names and options become runs, each with its job and its folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.bench.benchmark import Benchmark
    from rscovlm.bench.runs.job import Job, Questions
    from rscovlm.bench.runs.plan import Entry
    from rscovlm.cli.option_groups import ModelOptions

HTTP_TOGETHER, TOGETHER = 64, 16
"""Items that are asked together: of a server, whose requests overlap, and in process."""

Split = Annotated[str | None, typer.Option(help="Part of it; its first by default.")]
Limit = Annotated[int | None, typer.Option(help="Ask so many items, drawn with --seed.", min=1, metavar="N")]
ReplaceRuns = Annotated[bool, typer.Option("--overwrite", help="Replace runs that exist.")]


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be made, and where."""

    job: Job
    folder: Path


def benchmark_named(name: str) -> Benchmark:
    """A benchmark by name, or a user's own from a file.

    Raises:
        UsageError: naming those that are known.
        ConfigError, OSError: of a file.
    """
    import difflib

    from rscovlm.bench.suites import SUITES
    from rscovlm.bench.suites.custom import is_file_of_items, load_benchmark

    if name in SUITES:
        return SUITES[name]
    if is_file_of_items(name):
        return load_benchmark(Path(name)).benchmark
    near = difflib.get_close_matches(name, SUITES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(SUITES)}"
    raise UsageError(f"no benchmark {name!r}; {hint}")


def planned_runs(
    entries: Sequence[Entry],
    running: ModelOptions,
    batch_size: int | None,
    output: Path,
    *,
    audit: bool = False,
    bounds: Mapping[str, int] | None = None,
    seen_tiles: bool = False,
) -> list[PlannedRun]:
    """All runs in order, each with its folder; nothing but headers and annotations is read.

    Args:
        entries: what each run asks and shows.
        running: how models are run.
        batch_size: items that are asked together; None takes what suits the engine.
        output: folder of the run; of several, it holds a folder of each.
        audit: make the runs of a resize audit of each.
        bounds: of the budget of zoom policies, in place of the recipe's.
        seen_tiles: ask about plots on tiles that a model was fitted on, too.

    Raises:
        UsageError, DataError, ModelError, ConfigError: with one clear line.
    """
    from rscovlm.bench.runs.plan import audit as audited
    from rscovlm.bench.runs.plan import slug

    jobs: list[Job] = []
    several = len({entry.benchmark for entry in entries}) > 1
    known: dict[tuple[Any, ...], Questions] = {}
    for entry in entries:
        key = (entry.benchmark, entry.data, entry.split, entry.limit)
        if key not in known:
            known[key] = _questions(entry, running.seed, several)
        questions = known[key]
        for each in audited(entry, questions.items) if audit else [entry]:
            jobs.append(_job(each, questions, running, batch_size, bounds or {}, seen_tiles))
    if len(jobs) == 1:
        return [PlannedRun(jobs[0], output)]
    planned = [PlannedRun(job, output / job.questions.benchmark.name / slug(job.label)) for job in jobs]
    unique = {each.folder: each for each in reversed(planned)}
    return [each for each in planned if unique[each.folder] is each]


def _questions(entry: Entry, seed: int, several: bool) -> Questions:
    from rscovlm.bench.runs.job import read_questions
    from rscovlm.bench.suites.custom import is_file_of_items, load_benchmark

    if entry.benchmark is None:
        raise UsageError("a run names no benchmark; rscovlm bench list shows those that there are")
    benchmark = benchmark_named(entry.benchmark)
    if entry.data is not None:
        root = Path(entry.data)
        root = root / benchmark.name if several and (root / benchmark.name).is_dir() else root
    elif is_file_of_items(entry.benchmark):
        root = load_benchmark(Path(entry.benchmark)).root
    else:
        raise UsageError(
            f"{benchmark.name} needs --data, the folder that holds its files; "
            f"rscovlm bench info {benchmark.name} tells how they are laid out"
        )
    questions = read_questions(benchmark, root, entry.split, entry.limit, seed)
    for note in questions.notes:
        print(f"{benchmark.name}: {note}", file=sys.stderr)
    return questions


def _job(
    entry: Entry,
    questions: Questions,
    running: ModelOptions,
    batch_size: int | None,
    bounds: Mapping[str, int],
    seen_tiles: bool,
) -> Job:
    from rscovlm.bench.prompts import load_profile
    from rscovlm.bench.runs.job import plan_job

    changes = {
        name: value
        for name in ("model", "family", "config", "max_pixels", "max_tokens")
        if (value := getattr(entry, name)) is not None
    }
    options = replace(running, **changes)
    recipe = options.recipe()
    checkpoint = options.checkpoint(recipe)
    settings = recipe.zoom(checkpoint.family)
    job = plan_job(
        questions,
        checkpoint,
        recipe,
        load_profile(entry.prompts or questions.benchmark.prompts),
        mode=entry.zoom,
        blind=entry.blind or "none",
        seed=options.seed,
        settings=replace(settings, budget=replace(settings.budget, **bounds)),
        batch_size=batch_size or (HTTP_TOGETHER if checkpoint.runner == "http" else TOGETHER),
        seen_tiles=seen_tiles,
    )
    for note in job.notes:
        print(f"{questions.benchmark.name}: {note}", file=sys.stderr)
    return job if entry.label is None else replace(job, label=entry.label)


def tell_costs(planned: Sequence[PlannedRun], as_json: bool) -> None:
    """What each run would cost, on stdout."""
    from rscovlm.bench.runs.estimate import estimate

    found = [(each, estimate(each.job.asking, each.job.questions.items)) for each in planned]
    if as_json:
        records = [
            {"benchmark": each.job.questions.benchmark.name, "run": each.job.label, **cost.to_json()}
            for each, cost in found
        ]
        print(json.dumps(records, ensure_ascii=False, indent=1))
        return
    for each, cost in found:
        questions = each.job.questions
        published = questions.benchmark.counts.get(questions.split)
        beside = "" if published is None else f" ({published:,} published)"
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in cost.kinds.items())
        print(f"{questions.benchmark.name} {questions.split}: {each.job.label}: {each.folder}")
        print(
            f"  items: {cost.items:,} of {questions.of:,}{beside}: {kinds}; {counted(cost.images, 'image')}"
        )
        print(f"  requests: {_range(cost.requests)}; visual tokens: {_range(cost.visual_tokens)}")
        print(f"  reply tokens: at most {cost.reply_tokens:,}")
        first = questions.items[0]
        prompt = each.job.asking.profile.prompt(first)
        print(f"  first request ({first.key}): {json.dumps(prompt.user, ensure_ascii=False)}")
        for source, reason in list(cost.unreadable.items())[:5]:
            print(f"  unreadable: {source}: {reason}")
        if cost.unreadable:
            print(f"  {counted(len(cost.unreadable), 'image')} cannot be opened")


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
