"""Conformal recalibration of each quantile by itself, among predictions of about the same size.

A quantile of level t is moved by as many predicted deviations as it takes for a share t of validation truths
to lie below it: its step is the ``(n + 1) t``-th smallest ``(truth - quantile) / deviation`` (conformalised
quantile regression, Romano et al., 2019, each quantile by itself), between two of them by a straight line.
Taking the next larger one would promise at least the level; of the few plots of a bin it holds 1 to 2 %
too much. So an interval becomes longer on the side on which it fell short, and stays where it holds. Plots
are taken in bins of equal counts by their prediction (Mondrian, Vovk et al., 2003): what is predicted is
known where a map is made, what is true or grows there is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.scoring.predictions import LEVELS, Predictions

Floats = NDArray[np.float64]

LEAST = 40
"""Plots of a bin below which an outermost level would have no plot beyond it."""
OF_BIN, MOST_BINS = 60, 6
"""Plots for which there is one more bin, and most bins."""


@dataclass(frozen=True)
class QuantileSteps:
    """Steps of the quantiles at ``LEVELS`` by the bin of the prediction.

    Attributes:
        edges: ascending predictions between the B bins, B - 1 of them.
        steps: (B, levels) in predicted deviations.
        plots: that they were fitted on.
    """

    edges: tuple[float, ...]
    steps: tuple[tuple[float, ...], ...]
    plots: int

    @classmethod
    def fit(cls, validation: Predictions) -> QuantileSteps:
        """Steps that suit plots of validation, which are none of those that are scored.

        Raises:
            ValueError: fewer usable plots than ``LEAST``, or predictions without a spread.
        """
        known = validation.of(validation.usable)
        if known.quantiles is None or known.deviation is None:
            raise ValueError("recalibration needs predictions with a spread; a point has none")
        if len(known.key) < LEAST:
            raise ValueError(f"{len(known.key)} plots with a truth and an answer; steps need {LEAST} or more")
        bins = max(1, min(MOST_BINS, len(known.key) // OF_BIN))
        edges = np.unique(np.quantile(known.mean, np.arange(1, bins) / bins))
        scores = (known.truth[:, None] - known.quantiles) / np.maximum(known.deviation, 1e-9)[:, None]
        place = np.searchsorted(edges, known.mean, side="right")
        # Many equal predictions, such as 0, may leave a bin with few plots; it takes those of all.
        found = [
            _steps(own if len(own := scores[place == index]) >= LEAST else scores)
            for index in range(len(edges) + 1)
        ]
        return cls(tuple(edges.tolist()), tuple(tuple(row.tolist()) for row in found), len(known.key))

    @classmethod
    def of(cls, stated: Mapping[str, Any]) -> QuantileSteps:
        """What ``stated`` gave.

        Raises:
            ValueError: it is none of them.
        """
        try:
            edges = tuple(float(each) for each in stated["edges"])
            steps = tuple(tuple(float(each) for each in row) for row in stated["steps"])
            plots = int(stated["plots"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no steps of quantiles: {error!r}") from None
        if len(steps) != len(edges) + 1 or any(len(row) != len(LEVELS) for row in steps):
            raise ValueError(
                f"{len(steps)} rows of steps for {len(edges)} edges; one more is right, of {len(LEVELS)} each"
            )
        return cls(edges, steps, plots)

    def stated(self) -> dict[str, Any]:
        """For a file."""
        return {"edges": list(self.edges), "steps": [list(row) for row in self.steps], "plots": self.plots}

    def moved(
        self, mean: ArrayLike, deviation: ArrayLike, quantiles: ArrayLike, low: float, high: float
    ) -> Floats:
        """(N, levels) quantiles after their steps, in order and within what can be.

        Args:
            mean, deviation: (N,).
            quantiles: (N, levels) at ``LEVELS``.
            low, high: least and largest value that can be.
        """
        place = np.searchsorted(np.array(self.edges), np.asarray(mean, np.float64), side="right")
        steps = np.array(self.steps)[place] * np.asarray(deviation, np.float64)[:, None]
        stated, levels = np.asarray(quantiles, np.float64), np.array(LEVELS)
        # A head that puts the lower end at 0 says that there may be nothing at all; that is left to it.
        ends = ((stated <= low) & (levels < 0.5)) | ((stated >= high) & (levels > 0.5))
        moved: Floats = np.sort(np.where(ends, stated, stated + steps), axis=1)
        return np.clip(moved, low, high)


def _steps(scores: Floats) -> Floats:
    """(levels,) steps of (n, levels) signed scores."""
    ordered, count = np.sort(scores, axis=0), len(scores)
    places = np.clip((count + 1) * np.array(LEVELS), 1, count) - 1
    return np.array(
        [np.interp(place, np.arange(count), ordered[:, index]) for index, place in enumerate(places)]
    )
