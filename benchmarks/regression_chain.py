"""REO-Instruct's four tasks and its chain on synthetic plots: words, heads, and guesses without a model.

    python benchmarks/regression_chain.py --folder build/regression

trains nano on the chain of the plots of ``benchmarks/regression.py`` (``rscovlm train agbd-nano-chain``),
asks it ``reo-chain`` with its heads and without them, and prints each task with nothing given, with the right
answers of the links before, and with the model's own. What is there already is taken as it is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.regression import SEED
from rscovlm.bench.protocols.regression import NumberRule, words_rule
from rscovlm.bench.results.baselines import most_frequent
from rscovlm.bench.row import Row
from rscovlm.bench.runs.folder import read_run
from rscovlm.data.plot_chain import LINKS
from rscovlm.models.sidecars import OWN
from rscovlm.reo.made_plots import write_plots
from rscovlm.scoring.predictions import Predictions, difference, intervals
from rscovlm.scoring.statistics import Interval

GIVEN = ("none", "oracle", "predicted")
RULES = {"number": NumberRule(), "count": NumberRule(whole=True)}


def rscovlm(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "rscovlm", *arguments], check=True)


def without_heads(model: Path, folder: Path) -> Path:
    """The same checkpoint, which answers in words alone."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("heads"))
    stated = json.loads((folder / OWN).read_text())
    stated.pop("heads", None)
    (folder / OWN).write_text(json.dumps(stated))
    return folder


def asked(folder: Path, model: Path, name: str, limit: int) -> Sequence[Row]:
    """The rows of a run of the benchmark."""
    run = folder / f"chain-{name}"
    plots = ("--data", str(folder), "--limit", str(limit))
    if not (run / "scores.json").is_file():
        again = ("--resume",) if run.is_dir() else ()
        rscovlm(
            "bench",
            "run",
            "reo-chain",
            *plots,
            "--model",
            str(model),
            "--zoom",
            "off",
            "--output",
            str(run),
            *again,
        )
    return read_run(run).rows


def right_or_wrong(rows: Sequence[Row]) -> Predictions:
    """1 for each right answer beside 1, so that the mean is the share of right ones, by tile."""
    score = [float((RULES.get(row.item.kind) or words_rule)(row).score or 0.0) for row in rows]
    return _table(rows, np.array(score), np.zeros(len(rows)))


def numbers(rows: Sequence[Row]) -> Predictions:
    """Numbers beside the right ones; what could not be read is the mean of the right ones."""
    found = RULES["number"].table(rows)
    return _table(rows, np.where(found.usable, found.mean, found.truth.mean()), found.truth)


def _table(rows: Sequence[Row], mean: np.ndarray, truth: np.ndarray) -> Predictions:
    keys = np.array(["/".join(row.item.key.split("/")[:3]) for row in rows])
    return Predictions(keys, np.array([str(row.item.extra["tile"]) for row in rows]), truth, mean)


MEASURES: Mapping[str, tuple[str, Callable[[Sequence[Row]], Predictions], str]] = {
    "activity": ("right, %", right_or_wrong, "bias"),
    "cover": ("right, %", right_or_wrong, "bias"),
    "count": ("right, %", right_or_wrong, "bias"),
    "count, RMSE": ("patches", numbers, "rmse"),
    "number": ("RMSE, Mg/ha", numbers, "rmse"),
}
"""What is measured of a task: its unit, the table, and its score; a share is a bias from 0."""


def of(rows: Sequence[Row], task: str, given: str) -> Sequence[Row]:
    return [row for row in rows if row.item.groups["given"] == f"{task}, {given}"]


def told(score: Interval, unit: str) -> str:
    factor, digits = (100, 1) if unit.endswith("%") else (1, 2 if unit == "patches" else 1)
    value, low, high = (f"{factor * each:.{digits}f}" for each in score)
    return f"{value} ({low} to {high})"


def lines_of(answers: Mapping[str, Sequence[Row]]) -> list[str]:
    """Markdown: a row for each task and what is given, a column for each way to answer; then differences."""
    lines = [f"| task | given | n | {' | '.join(answers)} |", "|" + "---|" * (3 + len(answers))]
    apart = ["", "| task | own answers given, less none | right answers given, less none |", "|---|---|---|"]
    for name, (unit, table, score) in MEASURES.items():
        task = name.split(",")[0]
        for given in GIVEN if task != LINKS[0] else GIVEN[:1]:
            tables = {way: table(of(rows, task, given)) for way, rows in answers.items()}
            cells = [told(intervals(each, (score,))[score], unit) for each in tables.values()]
            count = len(next(iter(tables.values())).key)
            lines.append(f"| {name}, {unit} | {given} | {count} | {' | '.join(cells)} |")
        if task == LINKS[0]:
            continue
        for way, rows in answers.items():
            none, oracle, own = (table(of(rows, task, given)) for given in GIVEN)
            moved = [told(difference(each, none, score), unit) for each in (own, oracle)]
            apart.append(f"| {name}, {way} | {' | '.join(moved)} |")
    return lines + apart


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression"))
    parser.add_argument("--tiles", type=int, default=240)
    parser.add_argument("--plots", type=int, default=12, help="plots of each tile")
    parser.add_argument("--limit", type=int, default=1500, help="questions, 10 of a plot")
    options = parser.parse_args()
    folder: Path = options.folder
    write_plots(folder / "plots.h5", SEED, options.tiles, options.plots)
    run = folder / "run-chain"
    if not (run / "model").is_dir():
        rscovlm("train", "agbd-nano-chain", f"mix_root={folder}", "--output", str(run), "--resume")
    words = without_heads(run / "model", folder / "chain-of-words")
    answers = {
        "words": asked(folder, words, "words", options.limit),
        "heads": asked(folder, run / "model", "heads", options.limit),
    }
    answers["most frequent, or mean"] = most_frequent(answers["words"])
    print(*lines_of(answers), sep="\n")


if __name__ == "__main__":
    main()
