"""Errors of counts and other numbers, as sums over samples, so that shards add up in any order.

| metric | is |
|---|---|
| ``exact`` | share whose rounded number is the right one |
| ``within_one`` | share that is off by one at most |
| ``level`` | share in the right one of VHM's levels: to 2, to 6, to 12, above |
| ``mae``, ``rmse``, ``bias`` | of those that stated a number |
| ``coverage`` | share that stated a number |

Shares are of all samples: one without a number is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

LEVELS = (2, 6, 12)
"""Highest counts of VHM's levels, the last of which is open (RSEvalKit)."""

SHARES = ("exact", "within_one", "level", "coverage")


def level(number: float) -> int:
    """The level of a count: 0 to 3."""
    return sum(number > most for most in LEVELS)


def number_sums(stated: float | None, right: float) -> dict[str, float]:
    """What one sample adds to the sums.

    Args:
        stated: the number that a reply states; None for none.
        right: the right one.
    """
    error = 0.0 if stated is None else stated - right
    rights = (
        stated is not None and math.floor(stated + 0.5) == math.floor(right + 0.5),
        stated is not None and abs(error) <= 1,
        stated is not None and level(stated) == level(right),
        stated is not None,
    )
    sums = {f"{name}/hits": float(value) for name, value in zip(SHARES, rights)}
    sums |= {f"{name}/of": 1.0 for name in SHARES}
    for name, value in (("error", error), ("absolute_error", abs(error)), ("squared_error", error * error)):
        sums |= {f"{name}/hits": value, f"{name}/of": float(stated is not None)}
    return sums


def number_metrics(sums: Mapping[str, float]) -> dict[str, float]:
    """The metrics from sums; NaN where nothing was counted."""

    def mean(name: str) -> float:
        of = sums.get(f"{name}/of", 0.0)
        return sums[f"{name}/hits"] / of if of else math.nan

    return {
        **{name: mean(name) for name in SHARES},
        "mae": mean("absolute_error"),
        "rmse": math.sqrt(mean("squared_error")),
        "bias": mean("error"),
    }
