"""Files of predictions: a line for each plot, with its truth and with a spread in whatever form it is stated.

| spread stated by | columns |
|---|---|
| standard deviation | ``std`` |
| interval | ``lower`` and ``upper`` of a level |
| quantiles | ``q05``, ``q0.5``, ``quantile_0.95`` ... |
| members of an ensemble, or draws | ``members`` (a list), or ``member_0``, ``member_1`` ... |
| mixture of Gaussians | ``weights``, ``means``, ``deviations`` (lists) |

Everything becomes quantiles at ``LEVELS``, so that forms can be compared; the CRPS and the likelihood of
Gaussians, mixtures and ensembles are also given in closed form. A prediction in words is read as a quantity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.errors import DataError
from rscovlm.scoring.distributions import (
    ensemble_crps,
    gaussian_crps,
    gaussian_nll,
    mixture_crps,
    mixture_nll,
)
from rscovlm.scoring.prediction_columns import COLUMNS, columns_in, plain
from rscovlm.scoring.predictions import LEVELS, Predictions
from rscovlm.scoring.quantities import FACTORS, quantity_in
from rscovlm.scoring.recalibration import deviation_of

Floats = NDArray[np.float64]
Form = Literal["none", "gaussian", "interval", "quantiles", "members", "mixture"]

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "."))
_NO_DATA = (-9999.0, -99999.0, -32768.0, float(np.finfo(np.float32).min))
"""Numbers that are written where there are none; no quantity of this program reaches them."""
_NORMAL = NormalDist()
_Z = np.array([_NORMAL.inv_cdf(level) for level in LEVELS])
_LEAST = 1e-9  # deviation of a prediction that is stated as certain


@dataclass(frozen=True, eq=False)
class Stated:
    """A table of predictions as a file states it.

    Attributes:
        predictions: with quantiles at ``LEVELS`` where a spread is stated.
        form: of the spread.
        crps, nll: (N,) in closed form where the form has one; else None.
        columns: that were taken, by what they hold.
        declined: predictions in words that say that they cannot tell.
        notes: on what was read otherwise than it stands, in words.
    """

    predictions: Predictions
    form: Form
    crps: Floats | None
    nll: Floats | None
    columns: Mapping[str, str]
    declined: int = 0
    notes: tuple[str, ...] = ()


def stated_in(
    records: Iterable[Mapping[str, Any]],
    place: str,
    columns: Mapping[str, str] | None = None,
    level: float = 0.9,
    unit: str = "",
) -> Stated:
    """The predictions of records.

    Args:
        records: a plot each.
        place: of the file, for errors.
        columns: name of the column by what it holds (``COLUMNS``), where it is not one of the usual.
        level: of the interval between ``lower`` and ``upper``.
        unit: of the target, for predictions in words; of ``rscovlm.scoring.quantities.FACTORS``.

    Raises:
        DataError: a column is missing, or holds what it cannot.
    """
    rows = list(records)
    if not rows:
        raise DataError(f"{place} holds no predictions")
    found = columns_in(dict.fromkeys(name for row in rows for name in row), dict(columns or {}), place)
    level = float(found.pop("level", level))
    said = [_said(row.get(found["prediction"]), unit) for row in rows] if "prediction" in found else None
    truth, gaps = _emptied(_numbers(rows, found["truth"], place, unit))
    text = {name: _texts(rows, found.get(name)) for name in ("key", "tile", "group")}
    mean = np.full(len(rows), np.nan) if said is None else np.array([value for value, _ in said])
    mean, empty = _emptied(mean)
    form, spread = _spread(rows, found, mean, level, place)
    mean = spread.pop("mean", mean)
    noise = _numbers(rows, found["noise"], place) if "noise" in found else None
    tile = text["tile"] if "tile" in found else np.array([f"row {place}" for place in range(len(rows))])
    predictions = Predictions(
        text["key"] if "key" in found else np.arange(len(rows)).astype(str),
        tile,
        truth,
        mean,
        spread.pop("quantiles", None),
        spread.pop("deviation", None),
        text["group"] if "group" in found else None,
        noise,
    )
    crps, nll = _closed(form, predictions, spread)
    declined = 0 if said is None else sum(declined for _, declined in said)
    notes = tuple(_notes(found, columns or {}, predictions.key, gaps + empty))
    return Stated(predictions, form, crps, nll, found, declined, notes)


# --- values ----------------------------------------------------------------------------------------


def _numbers(rows: Sequence[Mapping[str, Any]], name: str, place: str, unit: str = "") -> Floats:
    """(N,) of a column; NaN where there is none.

    Raises:
        DataError: words, other than a number with its unit.
    """
    found = []
    for number, row in enumerate(rows):
        value, percent = _plain_number(row.get(name), unit), str(row.get(name)).rstrip().endswith("%")
        if value is None and not percent:
            value = quantity_in(str(row[name]), unit if unit in FACTORS else "").value
        if value is None:
            told = f"{place}: {name} of row {number + 1} is {row[name]!r:.40}; a number is due"
            raise DataError(told + (", or --unit %" if percent else ""))
        found.append(value)
    return np.array(found, np.float64)


def _plain_number(value: Any, unit: str) -> float | None:
    """A number, with its unit or without; NaN where there is none, and None for other words."""
    if value is None:
        return math.nan
    text = str(value).strip()
    if text.lower() in _MISSING:
        return math.nan
    try:
        return float(text.removesuffix(unit) if unit else text)
    except ValueError:
        return None


def _texts(rows: Sequence[Mapping[str, Any]], name: str | None) -> NDArray[np.str_]:
    return np.array(["" if name is None or row.get(name) is None else str(row[name]) for row in rows])


def _said(value: Any, unit: str) -> tuple[float, bool]:
    """A prediction as a number, and whether it declines; words are read as a quantity."""
    number = _plain_number(value, unit)
    if number is not None:
        return number, False
    found = quantity_in(str(value), unit if unit in FACTORS else "")
    return math.nan if found.value is None else found.value, found.outcome == "declined"


def _emptied(values: Floats) -> tuple[Floats, int]:
    """Numbers that stand for none as NaN, and how many there were."""
    empty = np.isin(values, _NO_DATA)
    return np.where(empty, np.nan, values), int(empty.sum())


def _notes(
    found: Mapping[str, str], stated: Mapping[str, str], key: NDArray[np.str_], empty: int
) -> Iterator[str]:
    """What was read otherwise than it stands, or by a name that is not one of the usual."""
    if empty:
        yield f"{counted(empty, 'number')} such as {_NO_DATA[0]:g} stand for no data and do not count"
    again = len(key) - len(set(key.tolist()))
    if again:
        yield f"{again} of {counted(len(key), 'row')} have the {found['key']} of another; each counts"
    for own in ("truth", "prediction"):
        if own in found and own not in stated and plain(found[own]) not in COLUMNS[own]:
            yield f"the {own} is taken from the column {found[own]}"


def _lists(rows: Sequence[Mapping[str, Any]], name: str, place: str) -> Floats:
    """(N, M) of a column of lists."""
    try:
        found = np.array([row[name] for row in rows], np.float64)
    except (TypeError, ValueError, KeyError):
        raise DataError(f"{place}: {name} has to hold lists of numbers, all of one length") from None
    if found.ndim != 2 or not found.shape[1]:
        raise DataError(f"{place}: {name} has to hold lists of numbers, all of one length")
    return found


# --- spreads --------------------------------------------------------------------------------------


def _spread(
    rows: Sequence[Mapping[str, Any]], found: Mapping[str, str], mean: Floats, level: float, place: str
) -> tuple[Form, dict[str, Floats]]:
    """The form in which a spread is stated, and its quantiles, deviation and parts."""
    if {"weights", "means", "deviations"} <= found.keys():
        parts = {name: _lists(rows, found[name], place) for name in ("weights", "means", "deviations")}
        return "mixture", parts | _of_mixture(**parts)
    own = [name for name in found if name.startswith("member ")]
    if own or "members" in found:
        members = (
            np.stack([_numbers(rows, found[name], place) for name in own], axis=1)
            if own
            else _lists(rows, found["members"], place)
        )
        quantiles = np.quantile(members, LEVELS, axis=1).T
        deviation = members.std(axis=1, ddof=1) if members.shape[1] > 1 else np.zeros(len(rows))
        centre = np.where(np.isfinite(mean), mean, members.mean(axis=1))
        return "members", {"members": members, "quantiles": quantiles, "deviation": deviation, "mean": centre}
    stated = sorted((float(name.split()[1]), name) for name in found if name.startswith("quantile "))
    if len(stated) > 1:
        values = np.stack([_numbers(rows, found[name], place) for _, name in stated], axis=1)
        return "quantiles", _of_quantiles(np.array([at for at, _ in stated]), values, mean)
    if "deviation" in found:
        deviation = np.maximum(_numbers(rows, found["deviation"], place), _LEAST)
        return "gaussian", {"quantiles": mean[:, None] + deviation[:, None] * _Z, "deviation": deviation}
    if {"lower", "upper"} <= found.keys():
        lower, upper = (_numbers(rows, found[name], place) for name in ("lower", "upper"))
        if (lower > upper).any():
            raise DataError(f"{place}: lower is above upper in row {int((lower > upper).argmax()) + 1}")
        return "interval", _of_interval(lower, upper, mean, level)
    return "none", {}


def _of_quantiles(levels: Floats, values: Floats, mean: Floats) -> dict[str, Floats]:
    """Straight lines between quantiles over the normal distribution's, which go on beyond the outermost."""
    if (np.diff(values, axis=1) < 0).any():
        values = np.sort(values, axis=1)
    z = np.array([_NORMAL.inv_cdf(min(max(level, 1e-4), 1 - 1e-4)) for level in levels])
    right = np.clip(np.searchsorted(z, _Z), 1, len(z) - 1)
    share = (_Z - z[right - 1]) / (z[right] - z[right - 1])
    quantiles = values[:, right - 1] + share * (values[:, right] - values[:, right - 1])
    centre = np.where(np.isfinite(mean), mean, quantiles[:, LEVELS.index(0.5)])
    return {"quantiles": quantiles, "deviation": deviation_of(quantiles), "mean": centre}


def _of_interval(lower: Floats, upper: Floats, mean: Floats, level: float) -> dict[str, Floats]:
    """Two halves of Gaussians about the mean, each as wide as its side of the interval."""
    reach = _NORMAL.inv_cdf((1 + level) / 2)
    below, above = (mean - lower) / reach, (upper - mean) / reach
    quantiles = mean[:, None] + np.where(_Z < 0, below[:, None], above[:, None]) * _Z
    return {"quantiles": quantiles, "deviation": np.maximum((below + above) / 2, _LEAST)}


def _of_mixture(weights: Floats, means: Floats, deviations: Floats) -> dict[str, Floats]:
    """Quantiles by bisection of the distribution function."""
    from rscovlm.scoring.distributions import normal_cdf

    mean = (weights * means).sum(axis=1)
    variance = (weights * (deviations**2 + (means - mean[:, None]) ** 2)).sum(axis=1)
    columns = []
    for level in LEVELS:
        low = (means - 9 * deviations).min(axis=1)
        high = (means + 9 * deviations).max(axis=1)
        for _ in range(60):
            middle = (low + high) / 2
            below = (weights * normal_cdf((middle[:, None] - means) / deviations)).sum(axis=1) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        columns.append((low + high) / 2)
    return {"quantiles": np.stack(columns, axis=1), "deviation": np.sqrt(variance), "mean": mean}


def _closed(form: Form, p: Predictions, parts: Mapping[str, Floats]) -> tuple[Floats | None, Floats | None]:
    """CRPS and negative log-likelihood of each plot in closed form."""
    if form == "gaussian":
        assert p.deviation is not None
        return gaussian_crps(p.mean, p.deviation, p.truth), gaussian_nll(p.mean, p.deviation, p.truth)
    if form == "mixture":
        own = parts["weights"], parts["means"], parts["deviations"]
        return mixture_crps(*own, p.truth), mixture_nll(*own, p.truth)
    if form == "members" and parts["members"].shape[1] > 1:
        return ensemble_crps(parts["members"], p.truth), None
    return None, None
