"""``rscovlm bench score``, ``compare`` and ``report``: logs of runs judged, without a model."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.options import AsJson, Seed
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.bench.protocol import Protocol
    from rscovlm.bench.results.scores import Scores
    from rscovlm.bench.results.tables import ResultTable
    from rscovlm.bench.runs.folder import Run

Folders = Annotated[
    list[Path], typer.Argument(help="Folders of runs, or folders that hold some.", metavar="DIR...")
]
Under = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="official, rscovlm, strict, answered, or an identifier; the benchmark's first by default.",
        metavar="NAME|ID",
    ),
]


class Scored(NamedTuple):
    """Runs of one benchmark under one protocol.

    Attributes:
        runs: in the order given.
        protocol: that judged them.
        scores: of each run, then of the baselines.
    """

    runs: list[Run]
    protocol: Protocol
    scores: list[Scores]


def score(folders: Folders, protocol: Under = None, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Judge the log of a run under a protocol, and write scores.json beside it.

    The tables hold the most frequent and a random answer as rows. A log of an interrupted run is judged as
    far as it goes, and then the exit code is 1.
    """
    found = scored(folders, protocol, seed=seed, write=True)
    print_scores(found, as_json=as_json)
    missing = [run for each in found for run in each.runs if len(run.rows) < run.asked]
    if missing:
        raise Incomplete(
            f"{missing[0].path} holds {len(missing[0].rows)} of {counted(missing[0].asked, 'item')}; "
            "continue the run with --resume"
        )


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Folder of another run of the same items.", metavar="B")],
    protocol: Under = None,
    flips: Annotated[int, typer.Option(help="List so many items that differ.", min=0, metavar="N")] = 20,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two runs item by item: the difference, whether it may be chance, and what flipped."""
    from rscovlm.bench.protocols.available import protocol_of
    from rscovlm.bench.results.compare import compare as compared
    from rscovlm.bench.results.tables import comparison_table
    from rscovlm.bench.runs.folder import read_run

    one, other = read_run(first), read_run(second)
    if one.benchmark != other.benchmark:
        raise UsageError(
            f"{first} is of {one.benchmark}, {second} of {other.benchmark}; give two runs of one benchmark"
        )
    labels = (one.label, other.label) if one.label != other.label else (str(first), str(second))
    found = compared(one.rows, other.rows, protocol_of(one.benchmark, protocol), labels, seed)
    if as_json:
        record = {
            "runs": found.labels,
            "protocol": found.protocol,
            "n": found.n,
            "means": found.means,
            "difference": found.difference._asdict(),
            "wins": found.wins,
            "losses": found.losses,
            "p_value": found.p_value,
            "groups": [
                {"column": column, "value": value, "n": n, "difference": difference, "p_value": p}
                for (column, value), (n, difference, p) in found.groups.items()
            ],
            "flips": [
                {"key": flip.item.key, "scores": flip.scores, "replies": flip.texts} for flip in found.flips
            ],
        }
        print(json.dumps(record, ensure_ascii=False, indent=1))
        return
    print(comparison_table(found).to_text(), end="")
    for flip in found.flips[:flips]:
        scores = " -> ".join(f"{value:.2g}" for value in flip.scores)
        said = " | ".join(repr(_short(text)) for text in flip.texts)
        subject = f"{_short(flip.item.subject)}: " if flip.item.subject else ""
        print(f"  {flip.item.key}: {scores}: {subject}{said}")
    if len(found.flips) > flips:
        more = counted(len(found.flips) - flips, "more item that differs", "more items that differ")
        print(f"  and {more}; --flips N or bench report")


def report(
    folders: Folders,
    protocol: Under = None,
    output: Annotated[
        Path | None, typer.Option(help="The page, with samples to look at.", metavar="PAGE.html")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write all tables.", metavar="FILE.csv")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write all tables.", metavar="FILE.md")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option("--latex", help="Write all tables.", metavar="FILE.tex")
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(
            help="Tables to stand beside: a name or YAML file; by default all that ship.", metavar="NAME"
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Samples of a benchmark that the page shows.", min=0, metavar="N")
    ] = 200,
    overwrite: Overwrite = False,
    seed: Seed = 0,
) -> None:
    """Write tables of runs: totals, categories, the protocol's own metrics, published rows; and a page."""
    outputs = {"--output": output, "--csv": csv, "--markdown": markdown, "--latex": latex}
    for (option, path), suffix in zip(outputs.items(), (".html", ".csv", ".md", ".tex")):
        check_file(path, option, (suffix,))
    check_outputs(outputs, (), overwrite=overwrite)
    from detection_eval.files import write_text
    from rscovlm.bench.results.page import report_html

    found = scored(folders, protocol, seed=seed, write=False)
    tables = [table for each in found for table in tables_of(each, published)]
    if not any(outputs.values()):
        print("\n".join(table.to_text() for table in tables), end="")
    if csv is not None:
        write_text(csv, "".join(table.to_csv() for table in tables))
    if markdown is not None:
        write_text(markdown, "\n".join(table.to_markdown() for table in tables))
    if latex is not None:
        write_text(latex, "\n".join(table.to_latex() for table in tables))
    if output is not None:
        parts = [(each.runs, each.protocol, tables_of(each, published)) for each in found]
        write_text(output, report_html(parts, samples=samples, seed=seed))
    for path in filter(None, outputs.values()):
        print(path)


def scored(folders: Sequence[Path], name: str | None, *, seed: int, write: bool) -> list[Scored]:
    """The runs of some folders, by benchmark, judged.

    Args:
        folders: of runs, or folders that hold some.
        name: of a protocol; None takes each benchmark's first.
        seed: of resampling.
        write: also write scores.json into each folder.

    Raises:
        DataError, JournalError, UsageError: with one clear line.
    """
    from rscovlm.bench.protocols.available import protocol_of
    from rscovlm.bench.results.baselines import baselines
    from rscovlm.bench.results.scores import score_rows
    from rscovlm.bench.runs.folder import find_runs, read_run

    by_benchmark: dict[str, list[Run]] = {}
    for folder in find_runs(folders):
        found = read_run(folder)
        by_benchmark.setdefault(found.benchmark, []).append(found)
    results = []
    for benchmark, runs in by_benchmark.items():
        protocol = protocol_of(benchmark, name)
        labels = [run.label if _alone(run, runs) else f"{run.label} ({run.path.name})" for run in runs]
        scores = [
            score_rows(
                run.rows,
                protocol,
                label=label,
                benchmark=benchmark,
                asked=run.asked,
                seed=seed,
                notes=run.notes,
            )
            for run, label in zip(runs, labels)
        ]
        if write:
            for run, each in zip(runs, scores):
                _write_scores(run, each)
        largest = max(runs, key=lambda run: len(run.rows))
        results.append(Scored(runs, protocol, scores + baselines(largest.rows, protocol, benchmark, seed)))
    return results


def _alone(run: Run, runs: Sequence[Run]) -> bool:
    return sum(other.label == run.label for other in runs) == 1


def _write_scores(run: Run, scores: Scores) -> None:
    from detection_eval.files import write_json
    from rscovlm.bench.results.scores import to_json
    from rscovlm.bench.runs.folder import SCORES

    write_json(run.path / SCORES, to_json(scores, str(run.manifest["hash"])), indent=1)


def print_scores(found: Sequence[Scored], *, as_json: bool) -> None:
    """The table of each benchmark, or all scores as JSON, on stdout."""
    from rscovlm.bench.results.scores import to_json
    from rscovlm.bench.results.tables import overview

    if as_json:
        records = [
            to_json(scores, "" if run is None else str(run.manifest["hash"]))
            for each in found
            for run, scores in zip_longest(each.runs, each.scores)
        ]
        print(json.dumps(records, ensure_ascii=False, indent=1))
        return
    for each in found:
        print(overview(each.scores).to_text())
        for run in each.runs:
            print(f"{run.label}: {run.path}", file=sys.stderr)


def tables_of(found: Scored, published: Sequence[str] | None) -> list[ResultTable]:
    """All tables of a benchmark, published ones last.

    Raises:
        ConfigError: for a publication that cannot be read.
    """
    from rscovlm.bench.results.published import load_publication, published_for
    from rscovlm.bench.results.tables import by_group, overview, own_metrics, published_table

    benchmark = found.scores[0].benchmark
    if published is None:
        beside = published_for(benchmark)
    else:
        beside = [t for name in published for t in load_publication(name) if t.benchmark == benchmark]
    models = [each for each in found.scores if not each.baseline]
    made = [overview(found.scores), by_group(found.scores), own_metrics(models)]
    return [*(table for table in made if table.rows), *map(published_table, beside)]


def _short(text: str, most: int = 60) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
