"""Targets standardised by region: means and deviations of the regions of a training split.

A head then learns how far a plot is from what is usual where it lies. The statistics stand in the entry
``inputs`` of ``rscovlm.json``. A sample brings those of its region among its numbers, by which the head
restores units; of a region that is not known, those of all training plots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from configs.checking import Section
from detection_eval.words import counted

MEAN, DEVIATION = "region_mean/", "region_deviation/"
"""Prefixes of the numbers of a sample that say how a target is distributed in its region."""

LEAST = 20
"""Plots that a region has to have for statistics of its own."""

MOST_NAMED = 8
"""Regions that a message names."""

NOWHERE, ALL_PLOTS = "no region", "all training plots"
"""In words: outside of all regions; the statistics that count there."""


class Statistics(Section):
    """Of a target, in its unit."""

    mean: float
    """Stands for 0 inside the head."""
    deviation: float = Field(gt=0)
    """Stands for 1 inside the head."""
    plots: int
    """That they are of."""


class Regions(Section):
    """Statistics of the targets in each region."""

    by: str
    """That regions are: ``tile``, ``cover``, a number of GEDI in AGBD's files, or a column of a table."""
    overall: Mapping[str, Statistics]
    """By target; of all training plots."""
    own: Mapping[str, Mapping[str, Statistics]]
    """By target and region."""

    @classmethod
    def of(
        cls,
        by: str,
        names: NDArray[np.str_],
        numbers: Mapping[str, NDArray[np.float64]],
        least: int = LEAST,
    ) -> Regions:
        """The statistics of training plots.

        Args:
            by: that regions are.
            names: (N,) region of each plot; empty for none.
            numbers: (N,) by target, NaN where unknown; targets that do not vary are left out.
            least: plots that a region has to have.
        """
        overall, own = {}, {}
        for target, values in numbers.items():
            found = _statistics(values)
            if found is None:
                continue
            overall[target] = found
            each = {str(name): _statistics(values[names == name], least) for name in np.unique(names) if name}
            own[target] = {name: one for name, one in each.items() if one is not None}
        return cls(by=by, overall=overall, own=own)

    @property
    def names(self) -> tuple[str, ...]:
        """Regions with statistics of at least one target, sorted."""
        return tuple(sorted({name for each in self.own.values() for name in each}))

    def told(self, names: Iterable[str | None], what: str = "plot") -> str:
        """How many plots lie in regions that are not known, and what counts there; empty for none.

        Args:
            names: of their regions; of many as ``Counter.elements`` gives them.
            what: they are.
        """
        every = Counter(name or "" for name in names)
        unknown = strangers(every, self.names)
        if not unknown:
            return ""
        return (
            f"{unknown.total():,} of {counted(every.total(), what)} lie in no region ({self.by}) that the "
            f"model knows ({numbered(unknown)}); the mean and deviation of all training plots count for them"
        )

    def numbers(self, region: str | None) -> dict[str, float]:
        """What a sample of a region brings among its numbers.

        Args:
            region: its name; None or one that is not known takes the statistics of all training plots.
        """
        found: dict[str, float] = {}
        for target, whole in self.overall.items():
            one = self.own.get(target, {}).get(region or "", whole)
            found |= {f"{MEAN}{target}": one.mean, f"{DEVIATION}{target}": one.deviation}
        return found


def strangers(every: Mapping[str, int], known: Iterable[str]) -> Counter[str]:
    """Regions that are not known, and how many lie there; those of no name under ``no region``."""
    names = frozenset(known)
    found: Counter[str] = Counter()
    for name, count in every.items():
        if name not in names:
            found[name or NOWHERE] += count
    return found


def numbered(every: Mapping[str, int]) -> str:
    """Regions and how many lie in each, the most first; the first of many."""
    ranked = sorted(every.items(), key=lambda each: (-each[1], each[0]))
    more = f", {counted(len(ranked) - MOST_NAMED, 'other')}" if len(ranked) > MOST_NAMED else ""
    return ", ".join(f"{name} {count}" for name, count in ranked[:MOST_NAMED]) + more


def _statistics(values: NDArray[np.float64], least: int = 2) -> Statistics | None:
    """Of the finite values; None of too few, or of those that do not vary."""
    known = values[np.isfinite(values)]
    if len(known) < max(least, 2) or not known.std() > 0:
        return None
    return Statistics(mean=float(known.mean()), deviation=float(known.std()), plots=len(known))
