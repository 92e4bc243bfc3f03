"""``rscovlm bench zoom``: all zoom policies on the same questions."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.bench_plan import Limit, PlannedRun, ReplaceRuns, Split, planned_runs, tell_costs
from rscovlm.cli.bench_run import carried_out, engines
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.option_groups import ModelOptions, with_options
from rscovlm.cli.options import AsJson
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.bench.results.policies import PolicyScore
    from rscovlm.bench.row import Row
    from rscovlm.bench.runs.plan import Entry

PAGE, TABLES, NUMBERS = "zoom.html", "zoom.md", "zoom.json"
"""What a comparison writes beside the folders of its runs."""


@with_options(running=ModelOptions)
def zoom(
    benchmark: Annotated[
        str, typer.Argument(help="A name (rscovlm bench list), or a file of items.", metavar="NAME")
    ],
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmark.", metavar="ROOT")] = None,
    split: Split = None,
    policies: Annotated[
        str | None,
        typer.Option(
            help="Those to compare, separated by commas; all by default, with direct, oracle and blind.",
            metavar="NAME,NAME",
        ),
    ] = None,
    max_zooms: Annotated[int | None, typer.Option(help="Most crops of a question.", min=0)] = None,
    max_views: Annotated[
        int | None, typer.Option(help="Most views that tree and retrieve rank.", min=1)
    ] = None,
    max_tiles: Annotated[int | None, typer.Option(help="Most tiles of a sweep.", min=1)] = None,
    limit: Limit = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Items that are asked together.", min=1, metavar="N")
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder of the comparison, with a folder of each run.", metavar="DIR")
    ] = Path("zoom-runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with runs that were interrupted; ask again what failed.")
    ] = False,
    overwrite: ReplaceRuns = False,
    as_json: AsJson = False,
    *,
    running: ModelOptions,
) -> None:
    """Compare zoom policies on the same model, questions and words: accuracy, cost, and what was seen.

    Also direct (all pixels that the checkpoint takes), oracle (the evidence alone) and blind (no image), for
    a resize audit. Writes zoom.html with plots of accuracy against cost, zoom.md and zoom.json.
    """
    from rscovlm.bench.runs.folder import refuse_what_is_there

    entries = _entries(benchmark, data, split, limit, policies)
    given = {"max_zooms": max_zooms, "max_views": max_views, "max_tiles": max_tiles}
    bounds = {name: value for name, value in given.items() if value is not None}
    planned = planned_runs(entries, running, batch_size, output, bounds=bounds)
    planned = [
        PlannedRun(each.job, output / _slug(entry)) for entry, each in zip(entries, planned, strict=True)
    ]
    if running.dry_run:
        tell_costs(planned, as_json)
        return
    for each in planned:
        refuse_what_is_there(each.folder, resume=resume, overwrite=overwrite)
    done, failed = _carry_out(planned, running.device, resume=resume, overwrite=overwrite)
    _write(done, output, running.seed, as_json=as_json)
    if failed:
        raise Incomplete(
            f"{counted(len(failed), 'item failed and counts', 'items failed and count')} as wrong; "
            f"--resume asks them again: "
            f"{failed[0].item.key}: {failed[0].error}"
        )


def _entries(
    benchmark: str, data: Path | None, split: str | None, limit: int | None, policies: str | None
) -> list[Entry]:
    """A run for each policy, and for each way of looking that is none.

    Raises:
        UsageError: for a name that is none of them.
    """
    from rscovlm.bench.runs.looking import MODES
    from rscovlm.bench.runs.plan import Entry

    known = [*MODES, "blind"]
    wanted = known if policies is None else [name.strip() for name in policies.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise UsageError(f"--policies {name!r} is unknown; choose from {', '.join(known)}")
    if not wanted:
        raise UsageError(f"--policies names none; choose from {', '.join(known)}")
    shared = Entry(benchmark=benchmark, data=None if data is None else str(data), split=split, limit=limit)
    return [
        shared.model_copy(update={"blind": "text"} if name == "blind" else {"zoom": name, "blind": "none"})
        for name in dict.fromkeys(wanted)
    ]


def _slug(entry: Entry) -> str:
    return "blind" if entry.blind == "text" else str(entry.zoom)


def _carry_out(
    planned: Sequence[PlannedRun], device: str | None, *, resume: bool, overwrite: bool
) -> tuple[list[Path], list[Row]]:
    """Make the runs that the model can make: the folders of those, and the rows that failed."""
    from zoom_chain.policies import POLICIES
    from zoom_chain.scores import NoScores, require_scores

    done, failed = [], []
    with engines(device) as engine_of:
        for each in planned:
            engine, mode = engine_of(each.job), each.job.asking.mode
            try:
                if mode in POLICIES and POLICIES[mode].needs_scores:
                    require_scores(engine, mode)
            except NoScores as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            failed += [row for _, row in carried_out(each, engine, resume, overwrite)]
            done.append(each.folder)
    return done, failed


def _write(folders: Sequence[Path], output: Path, seed: int, *, as_json: bool) -> None:
    """The comparison of some runs: tables to stdout, and files beside the runs."""
    from detection_eval.files import write_json, write_text
    from rscovlm.bench.protocols.available import protocol_of
    from rscovlm.bench.results.policies import compare_policies, tables, to_json
    from rscovlm.bench.results.policies_page import policies_html
    from rscovlm.bench.runs.folder import read_run

    runs = [read_run(folder) for folder in folders]
    protocol = protocol_of(runs[0].benchmark, None)
    scores: list[PolicyScore] = compare_policies(runs, protocol, seed)
    facts = runs[0].manifest["facts"]
    told = [
        ("model", str(runs[0].manifest["engine_name"])),
        (
            "benchmark",
            f"{runs[0].benchmark}, {counted(len(runs[0].rows), 'question')}, protocol {protocol.id}",
        ),
        ("version", " ".join(filter(None, (facts["version"], runs[0].manifest.get("commit"))))),
    ]
    found = tables(scores)
    write_text(output / PAGE, policies_html(scores, "Zoom policies compared", told))
    write_text(output / TABLES, "\n".join(table.to_markdown() for table in found))
    record = {"facts": dict(told), "policies": to_json(scores)}
    write_json(output / NUMBERS, record, indent=1)
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=1))
    else:
        print("\n".join(table.to_text() for table in found), end="")
    print(output / PAGE, file=sys.stderr)
