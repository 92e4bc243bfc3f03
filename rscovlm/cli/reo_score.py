"""``rscovlm reo score``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from rscovlm.cli.options import AsJson, Seed
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.cli.reo import Report, write_report
from rscovlm.errors import UsageError
from rscovlm.progress import note


def score(
    predictions: Annotated[
        Path, typer.Argument(help="CSV, JSON, JSON lines or Parquet: a plot a line.", metavar="FILE")
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Column by what it holds, where its name does not tell: truth=agb prediction=y tile=mgrs.",
            metavar="WHAT=NAME",
        ),
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Labels of training plots, for the baselines.", metavar="FILE")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Predictions of other tiles, that recalibration is fitted on.", metavar="FILE"),
    ] = None,
    recalibrate: Annotated[
        str | None,
        typer.Option(
            help="temperature, isotonic, conformal, mondrian, binned, several with commas, or all.",
            metavar="METHOD",
        ),
    ] = None,
    recalibrated: Annotated[
        Path | None,
        typer.Option(help="Write the predictions after the last method: .csv, .jsonl.", metavar="FILE"),
    ] = None,
    level: Annotated[
        float, typer.Option(help="Level of the interval from lower to upper.", min=0.01, max=0.999)
    ] = 0.9,
    low: Annotated[float | None, typer.Option(help="Least value that can be.", metavar="VALUE")] = None,
    high: Annotated[float | None, typer.Option(help="Greatest value that can be.", metavar="VALUE")] = None,
    unit: Annotated[
        str, typer.Option(help="Of the target, also for predictions in words: Mg/ha, m, K.", metavar="UNIT")
    ] = "Mg/ha",
    output: Report = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions: errors beside baselines with intervals over tiles, and the spread.

    A spread is a std, lower and upper, quantiles (q05, q0.5, ...), members of an ensemble or a mixture. Where
    it is recalibrated, validation tiles that are scored too are refused.
    """
    from rscovlm.reo.score import card, read_predictions, tables, to_json

    check_file(output, "--output", (".html", ".md", ".json"))
    check_file(recalibrated, "--recalibrated", (".csv", ".jsonl"))
    read = [predictions, train, validation]
    check_outputs({"--output": output, "--recalibrated": recalibrated}, read, overwrite=overwrite)
    methods = _methods(recalibrate, validation, recalibrated)
    named = _named(columns or [])
    test, trained, held = (
        None if path is None else read_predictions(path, named, level, unit) for path in read
    )
    assert test is not None
    for path, each in zip(read, (test, trained, held), strict=True):
        for told in () if each is None else each.notes:
            note(f"{path}: {told}")
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    found = card(test, train=trained, validation=held, methods=methods, seed=seed, low=ends[0], high=ends[1])
    made = tables(found, unit)
    data = to_json(found)
    if output is not None:
        write_report(output, f"Predictions of {predictions.name}", made, data, found)
    if recalibrated is not None:
        _write_predictions(recalibrated, found.spreads[methods[-1]])
    print(json.dumps(data, indent=1) if as_json else "\n".join(each.to_text() for each in made))


def _methods(text: str | None, validation: Path | None, recalibrated: Path | None) -> list[Any]:
    from rscovlm.scoring.recalibration import METHODS

    if text is None:
        if validation is not None or recalibrated is not None:
            raise UsageError(f"--recalibrate says how; choose from {', '.join(METHODS)}, or all")
        return []
    if validation is None:
        raise UsageError("--recalibrate is fitted on predictions of other tiles; give --validation FILE")
    names = list(METHODS) if text == "all" else [each.strip() for each in text.split(",")]
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise UsageError(f"--recalibrate {unknown[0]!r} is unknown; choose from {', '.join(METHODS)}, or all")
    return names


def _named(columns: list[str]) -> dict[str, str]:
    pairs = [part.partition("=") for text in columns for part in text.split(",")]
    wrong = [name for name, equals, rest in pairs if not (equals and rest)]
    if wrong:
        raise UsageError(f"--columns {wrong[0]!r}: write what it holds and its name, such as truth=agb")
    return {name.strip(): rest.strip() for name, _, rest in pairs}


def _write_predictions(path: Path, predictions: Any) -> None:
    import csv
    import io

    from detection_eval.files import write_text
    from rscovlm.reo.score import records_of

    records = records_of(predictions)
    if path.suffix.lower() == ".jsonl":
        write_text(path, "".join(json.dumps(record) + "\n" for record in records))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(path, text.getvalue())
