"""Tables of a file of predictions: scores beside baselines, the spread before and after recalibration, bins.

Intervals resample whole tiles. Baselines need no model: the mean of training labels, or else of the labels in
all other tiles, and the same within each group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import without_nan
from detection_eval.words import counted
from rscovlm.bench.results.tables import INTERVAL, ResultTable
from rscovlm.data.readers.common import Options, read_records
from rscovlm.errors import DataError
from rscovlm.scoring.prediction_files import Stated, stated_in
from rscovlm.scoring.predictions import (
    LEVELS,
    Predictions,
    binned,
    difference,
    intervals,
    sparsification,
    spread_scores,
)
from rscovlm.scoring.recalibration import Method, recalibrated
from rscovlm.scoring.regression import Moments, answered, skill
from rscovlm.scoring.statistics import Interval

Floats = NDArray[np.float64]

AS_STATED = "as stated"
_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
COVERAGES = (50, 68, 80, 90, 95)
SCORES = ("rmse", "mae", "bias", "r2", "ccc", "slope")
_LEAST = 2  # plots of a group that has a row


@dataclass(frozen=True, eq=False)
class Card:
    """Scores of a file of predictions.

    Attributes:
        stated: the predictions.
        methods: the model's predictions first, then those of baselines.
        spreads: the model's with its spread as stated, then recalibrated.
        seed: of resampling.
        notes: what a reader has to know.
    """

    stated: Stated
    methods: Mapping[str, Predictions]
    spreads: Mapping[str, Predictions]
    seed: int
    notes: tuple[str, ...]

    def scores(self, method: str) -> dict[str, Interval]:
        """Scores of a method with intervals over resampled tiles."""
        return intervals(self.methods[method], SCORES, seed=self.seed)

    def spread(self, name: str) -> dict[str, float]:
        """Scores of a spread; those in closed form too where it is as stated."""
        found = spread_scores(self.spreads[name])
        if found and name == AS_STATED:
            usable = self.stated.predictions.usable
            for score, values in (("crps_closed", self.stated.crps), ("nll_closed", self.stated.nll)):
                if values is not None:
                    found[score] = float(values[usable].mean())
        return found


def read_predictions(path: Path, columns: Mapping[str, str], level: float, unit: str) -> Stated:
    """The predictions in a CSV, JSON, JSON lines or Parquet file.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a CSV, JSON, JSON lines or Parquet file")
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(f"{path} is no table of predictions; give {', '.join(_SUFFIXES)}")
    records = [record for _, record in read_records(path, Options(peek=True))]
    return stated_in(_by_row(records), str(path), columns, level, unit)


def _by_row(records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Records of a table that JSON holds by column, as pandas writes it: lists, values by row, or split."""
    if len(records) != 1:
        return records
    (whole,) = records
    if isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):
        return [dict(zip(whole["columns"], row, strict=False)) for row in whole["data"]]
    columns = [values for values in whole.values() if isinstance(values, (list, dict))]
    if len(columns) < max(len(whole), 2) or len({len(values) for values in columns}) > 1:
        return records
    lists = [list(values.values()) if isinstance(values, dict) else values for values in columns]
    return [dict(zip(whole, row, strict=True)) for row in zip(*lists, strict=True)]


def card(
    stated: Stated,
    *,
    train: Stated | None = None,
    validation: Stated | None = None,
    methods: Sequence[Method] = (),
    seed: int = 0,
    low: float = -math.inf,
    high: float = math.inf,
) -> Card:
    """Score predictions.

    Args:
        stated: to score.
        train: whose labels the baselines are made of; None takes those of all other tiles.
        validation: that recalibration is fitted on.
        methods: of recalibration.
        seed: of resampling.
        low, high: within which values can be.

    Raises:
        DataError: nothing can be scored, or validation shares a tile with what is scored.
    """
    own = stated.predictions
    if not own.usable.any():
        raise DataError("no plot has both a truth and a prediction")
    others = _baselines(own, None if train is None else train.predictions)
    made = {AS_STATED: own} if own.quantiles is not None else {}
    for method in methods:
        assert validation is not None
        try:
            made[method] = recalibrated(method, validation.predictions, own, low, high)
        except ValueError as error:
            raise DataError(str(error)) from None
    notes = tuple(_notes(stated, train is not None))
    return Card(stated, {"model": own, **others}, made, seed, notes)


def _baselines(own: Predictions, train: Predictions | None) -> dict[str, Predictions]:
    asked = own.of(own.usable)
    if train is not None:
        mean = float(np.nanmean(train.truth))
        found = {"mean of training labels": np.full(len(asked.key), mean)}
        if asked.group is not None and train.group is not None:
            means = {name: float(np.nanmean(train.truth[train.group == name])) for name in set(train.group)}
            found["mean of its group, training labels"] = np.array([means.get(g, mean) for g in asked.group])
    else:
        found = {"mean of other tiles": _of_other_tiles(asked)}
        if asked.group is not None:
            found["mean of its group, other tiles"] = _of_other_tiles(asked, asked.group)
    return {name: _with_means(own, values) for name, values in found.items()}


def _of_other_tiles(own: Predictions, group: NDArray[np.str_] | None = None) -> Floats:
    """(N,) the mean of labels outside of a plot's tile, and in its group; without any, the mean outside."""
    members = np.full(len(own.key), "") if group is None else group
    total, count = own.truth.sum(), len(own.truth)
    found = np.empty(count)
    for tile in np.unique(own.tile):
        here = own.tile == tile
        left = count - here.sum()
        outside = (total - own.truth[here].sum()) / left if left else own.truth.mean()
        for name in np.unique(members[here]):
            alike = (members == name) & ~here
            found[here & (members == name)] = own.truth[alike].mean() if alike.any() else outside
    return found


def _with_means(own: Predictions, values: Floats) -> Predictions:
    mean = np.full(len(own.key), np.nan)
    mean[own.usable] = values
    return replace(own, mean=mean, quantiles=None, deviation=None)


def _notes(stated: Stated, trained: bool) -> list[str]:
    own, notes = stated.predictions, []
    count, usable = len(own.key), int(own.usable.sum())
    taken = ", ".join(f"{name} from {column}" for name, column in stated.columns.items())
    notes.append(f"{usable:,} of {counted(count, 'plot')} are scored; columns: {taken}.")
    if stated.declined:
        notes.append(
            f"{counted(stated.declined, 'prediction in words says', 'predictions in words say')} "
            "that they cannot tell."
        )
    if "tile" not in stated.columns:
        notes.append("No column names tiles: intervals take plots as independent, and are too narrow.")
    if not trained:
        notes.append(
            "Baselines are means of the labels in all other tiles of this file; --train gives others."
        )
    implied = float(np.std(own.truth[own.usable]))
    notes.append(f"The labels have a deviation of {implied:.4g}: the RMSE of the best constant.")
    return notes


# --- tables ---------------------------------------------------------------------------------------


def tables(found: Card, unit: str) -> list[ResultTable]:
    """All tables of a card; those that would be empty are left out."""
    made = [
        _overall(found, unit),
        _given(found),
        _spreads(found),
        _dropped(found),
        _bins(found),
        _groups(found),
    ]
    return [table for table in made if table.rows]


def _overall(found: Card, unit: str) -> ResultTable:
    baselines = [name for name in found.methods if name != "model"]
    scores = {method: found.scores(method) for method in found.methods}
    head, rows = rows_of(found.methods, scores, baselines[0])
    own = found.methods["model"]
    apart = {name: difference(own, found.methods[name], seed=found.seed) for name in baselines}
    notes = [
        *found.notes,
        f"skill: 1 - MSE / MSE of {baselines[0]}; slope: below 1 where predictions saturate.",
        *(
            f"RMSE of the model less that of {name}: {number(each.value)} ({_ends(each)})."
            for name, each in apart.items()
        ),
    ]
    title = f"Scores, {unit}" if unit else "Scores"
    return ResultTable(title, head, rows, tuple(notes))


def rows_of(
    methods: Mapping[str, Predictions], scores: Mapping[str, Mapping[str, Interval]], reference: str
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Heads of columns and a row a method: scores with intervals over tiles, and the skill over one of them.

    Args:
        methods: by name.
        scores: ``SCORES`` of each.
        reference: name of the method that has a skill of 0.
    """
    head, rows = ["method", "n"], []
    for name in SCORES:
        head += [name.upper() if name != "bias" and name != "slope" else name, INTERVAL]
    against = _moments(methods[reference])
    for method, each in methods.items():
        cells = [method, f"{int(each.usable.sum()):,}"]
        for score in scores[method].values():
            cells += [number(score.value), _ends(score)]
        rows.append((*cells, f"{skill(_moments(each), against).item():+.3f}"))
    return (*head, "skill"), tuple(rows)


def _moments(predictions: Predictions) -> Moments:
    return Moments.of(predictions.mean, predictions.truth)


def _given(found: Card) -> ResultTable:
    """Where some are not answered: scores of those that are, and of all with a constant for the others."""
    own = found.methods["model"]
    stand_in = float(np.nanmean(next(each for name, each in found.methods.items() if name != "model").mean))
    given = answered(own.mean, own.truth, stand_in)
    rows = [
        (name, f"{each.n.sum():,.0f}", *(number(float(getattr(each, score).item())) for score in SCORES[:4]))
        for name, each in (("those answered", given.conditional), ("all", given.adjusted))
    ]
    note = f"{given.share:.1%} are answered; in place of the others stands {stand_in:.4g}."
    head = ("plots", "n", *(name.upper() if name != "bias" else name for name in SCORES[:4]))
    return ResultTable("Answered", head, tuple(rows) if given.share < 1 else (), (note,))


def _spreads(found: Card) -> ResultTable:
    names = ["nll", "crps", "ece", "ence", "interval_score_90", "sharpness", "z_mean", "z_deviation"]
    names += [f"coverage_{level}" for level in COVERAGES]
    scores = {name: found.spread(name) for name in found.spreads}
    extra = [
        name
        for name in ("nll_with_noise", "nll_closed", "crps_closed")
        if any(name in s for s in scores.values())
    ]
    rows = [
        (name, *(number(each.get(score, math.nan)) for score in (*names, *extra)))
        for name, each in scores.items()
    ]
    notes = (
        f"The spread is stated by: {found.stated.form}.",
        "ECE: mean of |coverage - level| over levels 0.05 to 0.95.",
        "ENCE: mean of |deviation - RMSE| / deviation over ten groups of equal size by deviation.",
    )
    return ResultTable("Spread", ("spread", *names, *extra), tuple(rows), notes)


def _dropped(found: Card) -> ResultTable:
    """RMSE when the least certain are left out: it falls where the spread tells how wrong a prediction is."""
    shares = (0.0, 0.1, 0.25, 0.5, 0.75)
    rows = [
        (name, *(number(value) for value in sparsification(each, shares)))
        for name, each in found.spreads.items()
    ]
    perfect = sparsification(found.methods["model"], shares, by_error=True)
    if rows:
        rows.append(("if errors were known", *(number(value) for value in perfect)))
    head = ("RMSE without the least certain", *(f"{share:.0%}" for share in shares))
    return ResultTable("Sparsification", head, tuple(rows))


def _bins(found: Card) -> ResultTable:
    rows = [
        (
            f"{each['from']:g} to {each['to']:g}",
            f"{each['n']:,.0f}",
            *(number(each[score]) for score in ("rmse", "mae", "bias")),
        )
        for each in binned(found.methods["model"])
        if each["n"]
    ]
    return ResultTable("By label", ("label", "n", "RMSE", "MAE", "bias"), tuple(rows))


def _groups(found: Card) -> ResultTable:
    own, rows = found.methods["model"], []
    if own.group is not None:
        for name in np.unique(own.group[own.usable]):
            part = own.of((own.group == name) & own.usable)
            if len(part.key) < _LEAST:
                continue
            each = _moments(part)
            held = spread_scores(part).get("coverage_90", math.nan)
            values = [float(getattr(each, score).item()) for score in ("rmse", "mae", "bias", "r2")]
            rows.append((str(name) or "(none)", f"{len(part.key):,}", *map(number, (*values, held))))
    rows.sort(key=lambda row: -int(row[1].replace(",", "")))
    return ResultTable("By group", ("group", "n", "RMSE", "MAE", "bias", "R2", "coverage 90"), tuple(rows))


def number(value: float) -> str:
    """Four digits; a dash for what is not known, and 0 for what rounding has left of it."""
    value = 0.0 if abs(value) < 1e-12 else value
    return "-" if not math.isfinite(value) else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _ends(score: Interval) -> str:
    return "-" if not math.isfinite(score.low) else f"{number(score.low)} to {number(score.high)}"


def to_json(found: Card) -> dict[str, Any]:
    """All of a card; what is not known is null."""
    own = found.methods["model"]
    data: dict[str, Any] = without_nan(
        {
            "n": len(own.key),
            "scored": int(own.usable.sum()),
            "form": found.stated.form,
            "columns": dict(found.stated.columns),
            "declined": found.stated.declined,
            "scores": {
                method: {name: each._asdict() for name, each in found.scores(method).items()}
                for method in found.methods
            },
            "spread": {name: found.spread(name) for name in found.spreads},
            "bins": binned(own),
            "notes": list(found.notes),
        }
    )
    return data


def records_of(predictions: Predictions) -> list[dict[str, Any]]:
    """Predictions as records of a file that ``read_predictions`` reads: quantiles and a deviation."""
    found = []
    for row in range(len(predictions.key)):
        record: dict[str, Any] = {
            "key": str(predictions.key[row]),
            "tile": str(predictions.tile[row]),
            "truth": float(predictions.truth[row]),
            "prediction": float(predictions.mean[row]),
        }
        if predictions.group is not None:
            record["group"] = str(predictions.group[row])
        if predictions.noise is not None:
            record["noise"] = float(predictions.noise[row])
        if predictions.quantiles is not None:
            record |= {f"q{level:g}": float(v) for level, v in zip(LEVELS, predictions.quantiles[row])}
        found.append(without_nan(record))
    return found
