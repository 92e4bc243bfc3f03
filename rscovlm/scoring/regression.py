"""Regression scores from moments that add up exactly, whatever the batches, shards or resampled tiles.

An error is a prediction minus the truth. R2 is ``1 - SSE / SST`` about the mean of the truth, never the
square of a correlation. Bias and bins are AGBD's (loss.py, wrapper.py), but the last bin holds its upper
edge; the concordance correlation is that of Lin (1989).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

AGB_EDGES = tuple(float(edge) for edge in range(0, 501, 50))
"""Edges of AGBD's bins of biomass in Mg/ha."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of predictions and truth by group, each an array of the shape of the groups.

    Attributes:
        n: number of pairs.
        truth, prediction, error: means.
        truth_m2, prediction_m2, error_m2: sums of squared deviations from those means.
        cross: sum of products of the deviations of prediction and truth.
        absolute: mean absolute error.
    """

    n: Floats
    truth: Floats
    prediction: Floats
    error: Floats
    truth_m2: Floats
    prediction_m2: Floats
    error_m2: Floats
    cross: Floats
    absolute: Floats

    @classmethod
    def of(
        cls, prediction: ArrayLike, truth: ArrayLike, group: ArrayLike | None = None, groups: int = 1
    ) -> Moments:
        """The moments of pairs, (groups,); pairs of which one is not finite are left out.

        Args:
            prediction: (n,).
            truth: (n,).
            group: (n,) index of the group that each pair belongs to, negative for none; None for one group.
            groups: number of groups.

        Raises:
            ValueError: for arrays of different lengths.
        """
        guess, right = (np.asarray(each, dtype=np.float64).ravel() for each in (prediction, truth))
        member = np.zeros(len(right), np.int64) if group is None else np.asarray(group).ravel()
        if not len(guess) == len(right) == len(member):
            raise ValueError(
                f"{len(guess)} predictions, {len(right)} true values and {len(member)} groups do not pair up"
            )
        usable = np.isfinite(guess) & np.isfinite(right) & (member >= 0)
        guess, right, member = guess[usable], right[usable], member[usable]

        def sums(values: Floats) -> Floats:
            return np.bincount(member, values, groups).astype(np.float64)

        n = sums(np.ones_like(right))
        count = np.maximum(n, 1)
        error = guess - right
        absolute = sums(np.abs(error)) / count
        truth_mean, guess_mean, error_mean = (sums(values) / count for values in (right, guess, error))
        right, guess, error = (
            right - truth_mean[member],
            guess - guess_mean[member],
            error - error_mean[member],
        )
        return cls(
            n=n,
            truth=truth_mean,
            prediction=guess_mean,
            error=error_mean,
            truth_m2=sums(right**2),
            prediction_m2=sums(guess**2),
            error_m2=sums(error**2),
            cross=sums(guess * right),
            absolute=absolute,
        )

    def __add__(self, other: Moments) -> Moments:
        """The moments of both, group by group (Chan, Golub and LeVeque, 1979)."""
        return _stacked([self, other]).total()

    def total(self, weights: ArrayLike | None = None) -> Moments:
        """The moments of all groups of the first axis together.

        Args:
            weights: (draws, groups) how often each group counts, for a result of shape (draws,); None counts
                each once.
        """
        if weights is None:
            return self._summed(lambda values: values.sum(axis=0))
        times = np.asarray(weights, dtype=np.float64)
        return self._summed(lambda values: times @ values, times)

    def _summed(self, add: Callable[[Floats], Floats], weights: Floats | None = None) -> Moments:
        n = add(self.n)
        count = np.where(n > 0, n, 1)
        means = {
            name: add(self.n * getattr(self, name)) / count
            for name in ("truth", "prediction", "error", "absolute")
        }

        def apart(name: str) -> Floats:
            """Deviation of each group's mean from the whole's: (groups,) or (draws, groups)."""
            own, whole = getattr(self, name), means[name]
            away: Floats = own - (whole if weights is None else whole[:, None])
            return away

        def between(first: str, second: str) -> Floats:
            """What means that differ add: for resampled groups the product depends on the draw."""
            product = self.n * apart(first) * apart(second)
            summed: Floats = product.sum(axis=0) if weights is None else (weights * product).sum(axis=1)
            return summed

        return Moments(
            n=n,
            truth_m2=add(self.truth_m2) + between("truth", "truth"),
            prediction_m2=add(self.prediction_m2) + between("prediction", "prediction"),
            error_m2=add(self.error_m2) + between("error", "error"),
            cross=add(self.cross) + between("truth", "prediction"),
            **means,
        )

    @property
    def mse(self) -> Floats:
        """Mean squared error; NaN without pairs."""
        return _ratio(self.error_m2, self.n) + self.error**2

    @property
    def rmse(self) -> Floats:
        """Root mean squared error."""
        return np.sqrt(self.mse)

    @property
    def mae(self) -> Floats:
        """Mean absolute error."""
        return np.where(self.n > 0, self.absolute, np.nan)

    @property
    def bias(self) -> Floats:
        """Mean error, positive where predictions are too high."""
        return np.where(self.n > 0, self.error, np.nan)

    @property
    def unbiased_rmse(self) -> Floats:
        """Root mean squared error that is left when the bias is taken off."""
        return np.sqrt(_ratio(self.error_m2, self.n))

    @property
    def r2(self) -> Floats:
        """Coefficient of determination; NaN for fewer than two pairs or where the truth does not vary."""
        return 1 - _ratio(self.n * self.mse, np.where(self.n >= 2, self.truth_m2, 0))

    @property
    def pearson(self) -> Floats:
        """Pearson's correlation; NaN where either does not vary."""
        return _ratio(self.cross, np.sqrt(self.truth_m2 * self.prediction_m2))

    @property
    def ccc(self) -> Floats:
        """Lin's concordance correlation."""
        return _ratio(2 * self.cross, self.truth_m2 + self.prediction_m2 + self.n * self.error**2)

    @property
    def slope(self) -> Floats:
        """Slope of predictions over the truth: below 1 where they saturate."""
        return _ratio(self.cross, self.truth_m2)

    def metrics(self) -> dict[str, float]:
        """All of them by name, of a single group."""
        names = ("rmse", "mae", "bias", "unbiased_rmse", "r2", "pearson", "ccc", "slope")
        return {"n": float(self.n.sum())} | {name: float(getattr(self, name).item()) for name in names}


def _stacked(parts: list[Moments]) -> Moments:
    return Moments(
        **{each.name: np.stack([getattr(part, each.name) for part in parts]) for each in fields(Moments)}
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, NaN where there is nothing to divide by."""
    known = below > 0
    return np.where(known, above / np.where(known, below, 1), np.nan)


def bin_index(truth: ArrayLike, edges: ArrayLike = AGB_EDGES) -> NDArray[np.int64]:
    """Bin of each true value, -1 outside all of them; the last bin holds its upper edge."""
    values, bounds = np.asarray(truth, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    found = np.searchsorted(bounds, values, side="right") - 1
    found = np.where(values == bounds[-1], len(bounds) - 2, found)
    outside = ~np.isfinite(values) | (values < bounds[0]) | (values > bounds[-1])
    return np.where(outside, -1, found).astype(np.int64)


class Answered(NamedTuple):
    """Scores where some questions were not answered.

    Attributes:
        share: part that was answered, 0-1; NaN where nothing was asked.
        conditional: moments of the answered ones alone; not comparable between models that answer different
            shares.
        adjusted: moments of all, with a constant in place of missing answers.
    """

    share: float
    conditional: Moments
    adjusted: Moments


def answered(prediction: ArrayLike, truth: ArrayLike, stand_in: float) -> Answered:
    """Scores of predictions of which some are missing (not finite).

    Args:
        prediction: (n,).
        truth: (n,).
        stand_in: prediction in place of a missing one: the mean of the training set, not of the test set.
    """
    guess, right = (np.asarray(each, dtype=np.float64) for each in (prediction, truth))
    asked = np.isfinite(right)
    given = np.isfinite(guess)
    share = float(given[asked].mean()) if asked.any() else float("nan")
    return Answered(share, Moments.of(guess, right), Moments.of(np.where(given, guess, stand_in), right))


def skill(moments: Moments, reference: Moments) -> Floats:
    """``1 - MSE / MSE of a reference``: above 0 where predictions are better than it."""
    return 1 - _ratio(moments.mse, reference.mse)
