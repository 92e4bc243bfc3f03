"""Regression: numbers with units, from a head or from words, by the metrics of AGBD and more.

A score of 0 or 1 tells whether a number is as good as ESA's Biomass mission asks: within 20 %, or 10 Mg/ha
below 50 Mg/ha (Le Toan et al., 2011). A count is right where it rounds to the right one. RMSE is the
headline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rscovlm.bench.protocol import Protocol, Status, Verdict
from rscovlm.bench.protocols.classification import strict_class
from rscovlm.bench.protocols.questions import strict_rule
from rscovlm.bench.protocols.replies import answer_in
from rscovlm.bench.protocols.scored import ByKind, Scored
from rscovlm.bench.row import Row
from rscovlm.scoring.predictions import Predictions, intervals, spread_scores
from rscovlm.scoring.quantities import quantity_in
from rscovlm.scoring.regression import answered

RELATIVE, ABSOLUTE, BELOW = 0.2, 10.0, 50.0
MOST_MG_HA = 500.0
"""Biomass that AGBD's own evaluation cuts predictions off at."""
_METRICS = ("rmse", "mae", "bias", "r2", "ccc", "slope")


@dataclass(frozen=True)
class NumberRule:
    """How good the number of a row is.

    Attributes:
        most: predictions are cut off at 0 and here; None leaves them as they are.
        whole: whether numbers are counts.
        every: whether a row without a number counts with the mean of all right numbers in its place.
    """

    most: float | None = None
    whole: bool = False
    every: bool = False

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        value, status = self.value(row)
        right = _right(row)
        if math.isnan(right):
            return Verdict(None)
        if value is None:
            return Verdict(0.0 if self.every else None, "", status)
        good = round(value) == round(right) if self.whole else _within(value, right)
        return Verdict(float(good), f"{value:.6g}", "read")

    def value(self, row: Row) -> tuple[float | None, Status]:
        """The number of a row in the unit of its item, and whether it could be read."""
        if row.error is not None:
            return None, "failed"
        if row.numbers is not None:
            value = float(row.numbers["mean"])
        else:
            found = quantity_in(answer_in(row.text), str(row.item.extra.get("unit", "")))
            if found.value is None:
                return None, "refused" if found.outcome == "declined" else "unread"
            value = found.value
        return (value if self.most is None else min(max(value, 0.0), self.most)), "read"

    def metrics(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Mapping[str, float]:
        """Errors in the unit of the target, and scores of the spread where a head states one."""
        table = self.table(rows)
        given = answered(table.mean, table.truth, float(np.mean(table.truth)) if len(rows) else math.nan)
        chosen = given.adjusted if self.every else given.conditional
        found = {name: float(getattr(chosen, name).item()) for name in _METRICS}
        found["answered"] = given.share
        if not self.every:
            found["rmse_adjusted"] = float(given.adjusted.rmse.item())
        if len(rows) and table.usable.any():
            ends = intervals(table, ("rmse",), draws=400)["rmse"]
            found |= {"rmse_low": ends.low, "rmse_high": ends.high}
        spread = spread_scores(table)
        names = ("crps", "coverage_90", "ece", "interval_score_90")
        return found | {name: spread[name] for name in names if name in spread}

    def table(self, rows: Sequence[Row]) -> Predictions:
        """The numbers of rows beside the right ones."""
        values = [self.value(row)[0] for row in rows]
        stated = [row.numbers or {} for row in rows]
        spread = bool(rows) and all("quantiles" in each for each in stated)
        return Predictions(
            np.array([row.item.key for row in rows], dtype=np.str_),
            np.array([str(row.item.extra.get("tile", row.item.key)) for row in rows], dtype=np.str_),
            np.array([_right(row) for row in rows]),
            np.array([math.nan if value is None else value for value in values]),
            np.array([each["quantiles"] for each in stated]) if spread else None,
            np.array([each["deviation"] for each in stated]) if spread else None,
        )


def _right(row: Row) -> float:
    """The right number of a row; NaN where it has none."""
    try:
        return float(row.item.truth.answers[0])
    except (ValueError, IndexError):
        return math.nan


def _within(value: float, right: float) -> bool:
    """Whether a biomass is as near as the Biomass mission asks."""
    return abs(value - right) <= (ABSOLUTE if right < BELOW else RELATIVE * right)


def _numbers(name: str, rule: NumberRule, protocol: str) -> Scored:
    id_ = f"{name}/{protocol}/1"
    more = rule.metrics
    return Scored(id_, rule, "cover", "rmse", failed_is_wrong=rule.every, more=more, in_groups=more)


def _protocols(name: str) -> tuple[Protocol, ...]:
    """Official, rscovlm, strict: cut off as AGBD does, as said, and with every item counted."""
    return (
        _numbers(name, NumberRule(MOST_MG_HA), "official"),
        _numbers(name, NumberRule(), "rscovlm"),
        _numbers(name, NumberRule(every=True), "strict"),
    )


def words_rule(row: Row) -> Verdict:
    """An answer in words: the one class of a closed list, or the same words by our normal form."""
    return strict_class(row) if row.item.options else strict_rule(row)


def _mixed(name: str) -> tuple[Protocol, ...]:
    """Of the four tasks of REO-Instruct, biomass first."""
    made = []
    for protocol, own in zip(("official", "rscovlm", "strict"), _protocols(name), strict=True):
        every = protocol == "strict"
        id_ = f"{name}/{protocol}/1"
        parts: dict[str, Protocol] = {
            "number": own,
            "count": _numbers(name, NumberRule(whole=True, every=every), protocol),
            "open": Scored(id_, words_rule, "task", "micro", failed_is_wrong=every),
        }
        made.append(ByKind(id_, parts))
    return tuple(made)


REGRESSION: Mapping[str, tuple[Protocol, ...]] = {
    "agbd": _protocols("agbd"),
    "agbd-lite": _protocols("agbd-lite"),
    "reo-instruct": _mixed("reo-instruct"),
    "reo-chain": _mixed("reo-chain"),
}
"""Protocols by benchmark: official, rscovlm, strict."""
