"""``rscovlm reo inspect`` and ``audit``: data sets of numbers about plots."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.options import AsJson
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.reo.audit import Check
    from rscovlm.reo.inspection import Inspection

reo = typer.Typer(
    name="reo",
    help="Data sets of numbers about plots (AGBD, REO-Instruct), and what models say of them.",
    no_args_is_help=True,
)

Sources = Annotated[
    list[Path],
    typer.Argument(help="AGBD HDF5, Parquet, or JSON of conversations; files or folders.", metavar="FILE..."),
]
Report = Annotated[Path | None, typer.Option(help="Write the result: .html, .md or .json.", metavar="FILE")]


class FailOn(StrEnum):
    """Verdicts at which an audit ends with exit code 1."""

    none = "none"
    failed = "failed"
    doubtful = "doubtful"


@reo.command()
def inspect(
    files: Sources,
    plots: Annotated[int, typer.Option(help="Plots whose pixels are read.", min=1, metavar="N")] = 200,
    as_json: AsJson = False,
) -> None:
    """Say what a data set holds: layout, bands, units, labels, and the traps that such files have."""
    from rscovlm.reo.inspection import inspect as look

    found = look(files, plots)
    print(json.dumps(found.to_json(), indent=1) if as_json else _inspected(found))


def _inspected(found: Inspection) -> str:
    held = f"{counted(found.samples, 'sample')} in {counted(found.tiles, 'tile')}"
    lines = [f"{found.stored}: {held}, {counted(len(found.files), 'file')}"]
    lines += [f"  {name:<12} {told}" for name, told in found.layers.items()]
    if found.channels:
        lines.append("channels         1 %   median     99 %  no data")
        lines += [
            f"  {name:<10}"
            + "".join(f"{each[part]:>9.4g}" for part in ("p1", "median", "p99"))
            + f"  {each['without_data']:>7.1%}"
            for name, each in found.channels.items()
        ]
    lines.append("numbers                 n      mean  deviation     least    median  greatest")
    for name, each in found.labels.items():
        rest = "".join(
            f"{each[part]:>10.4g}"
            for part in ("mean", "deviation", "least", "median", "greatest")
            if part in each
        )
        lines.append(f"  {name:<16} {each['n']:>7,.0f}{rest}")
    told = ", ".join(f"{name}: {count:,}" for name, count in found.bins.items() if count)
    lines.append(f"labels by bin of Mg/ha: {told or 'none'}")
    if found.covers:
        lines.append("land cover: " + ", ".join(f"{name} {count:,}" for name, count in found.covers.items()))
    lines += [f"{trap.kind}: {trap.about}: {trap.what}" for trap in found.traps]
    return "\n".join(lines)


@reo.command()
def audit(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders; with their split where names do not tell: train=a.h5 test=b.h5.",
            metavar="[SPLIT=]FILE...",
        ),
    ],
    apart_km: Annotated[
        float, typer.Option(help="Distance that samples of two splits should have.", min=0, metavar="KM")
    ] = 10.0,
    sensors: Annotated[
        bool, typer.Option("--sensors/--no-sensors", help="Fit models to see which sensors are necessary.")
    ] = True,
    sensitivity: Annotated[
        Path | None,
        typer.Option(help="What reo sensitivity --output wrote about a model.", metavar="FILE.json"),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="End with exit code 1 where a check comes out so, or worse.")
    ] = FailOn.none,
    output: Report = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Check a data set against the criteria of a benchmark for regression.

    Spread over the globe, sensors that are necessary, knowledge in the text, dates, leakage between splits by
    tile and distance, and a model's sensitivity to meaning.
    """
    from detection_eval.files import without_nan
    from rscovlm.reo.audit import audit as check
    from rscovlm.reo.facts import read_facts

    check_file(output, "--output", (".html", ".md", ".json"))
    splits, paths = _with_splits(files)
    check_outputs({"--output": output}, [*paths, sensitivity], overwrite=overwrite)
    semantic = None if sensitivity is None else _read_json(sensitivity)
    facts = read_facts(paths, splits)
    checks = check(facts, apart_km=apart_km, sensors=sensors, sensitivity=semantic)
    data = without_nan([vars(each) for each in checks])
    if output is not None:
        write_report(
            output, f"Audit of {facts.stored}, {counted(len(facts), 'sample')}", [_checked(checks)], data
        )
    print(json.dumps(data, indent=1) if as_json else _lines(checks))
    worst = {"none": (), "failed": ("failed",), "doubtful": ("failed", "doubtful")}[fail_on.value]
    bad = [each for each in checks if each.verdict in worst]
    if bad:
        named = ", ".join(f"{each.criterion}: {each.name}" for each in bad)
        raise Incomplete(f"{len(bad)} of {counted(len(checks), 'check')} are not met: {named}")


def _lines(checks: list[Check]) -> str:
    """A line for each check, and what would be good where it is not."""
    return "\n".join(
        f"{each.verdict:<9} {each.criterion}, {each.name}: {each.found}"
        + (f" (due: {each.asked})" if each.asked and each.verdict != "met" else "")
        for each in checks
    )


def _with_splits(files: list[str]) -> tuple[dict[str, str], list[Path]]:
    splits, paths = {}, []
    for text in files:
        name, equals, rest = text.partition("=")
        if equals and name in ("train", "val", "test"):
            splits[str(Path(rest))] = name
            text = rest
        elif equals and not Path(text).exists():
            raise UsageError(f"{text!r}: {name!r} is no split; choose train, val or test")
        paths.append(Path(text))
    return splits, paths


def _checked(checks: list[Check]) -> Any:
    from rscovlm.bench.results.tables import ResultTable

    rows = tuple((each.criterion, each.name, each.verdict, each.found, each.asked) for each in checks)
    return ResultTable("Checks", ("criterion", "check", "verdict", "found", "due"), rows)


def _read_json(path: Path) -> Any:
    from detection_eval.formats.lines import read_json

    found = read_json(path)
    if not isinstance(found, dict) or not {"verdict", "told", "asked"} <= found.keys():
        raise UsageError(f"{path} is not what rscovlm reo sensitivity --output writes")
    return found


def write_report(path: Path, title: str, made: list[Any], data: Any, card: Any = None) -> None:
    """Write tables as a page or Markdown, or everything as JSON.

    Args:
        path: ``.html``, ``.md`` or ``.json``.
        title: of the page.
        made: the tables.
        data: everything.
        card: scores whose charts the page has.

    Raises:
        OSError: where it cannot be written.
    """
    from detection_eval.files import write_json, write_text
    from rscovlm.reo.page import page

    if path.suffix.lower() == ".json":
        write_json(path, data, indent=1)
    elif path.suffix.lower() == ".md":
        write_text(path, f"# {title}\n\n" + "\n".join(each.to_markdown() for each in made))
    else:
        write_text(path, page(title, made, card))
    print(path, file=sys.stderr)
