"""Scores of predictive distributions: likelihood, CRPS, coverage, calibration and width of intervals.

All take arrays of one shape and give a score for each element, in the unit of the target where they have one;
lower is better. CRPS of Gaussians and mixtures: Gneiting and Raftery (2007), Grimit et al. (2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Levels of central intervals over which the calibration error is a mean: 0.05 to 0.95."""
COUNTED = (*LEVELS, 0.68)
"""Levels at which coverage is counted."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


def normal_cdf(z: ArrayLike) -> Floats:
    """Distribution function of the standard normal distribution."""
    below: Floats = 0.5 * (1 + _erf(np.asarray(z, dtype=np.float64) / math.sqrt(2)))
    return below


def _normal_pdf(z: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return density


def gaussian_nll(mean: ArrayLike, deviation: ArrayLike, truth: ArrayLike, noise: ArrayLike = 0.0) -> Floats:
    """Negative log-likelihood in nats.

    Args:
        mean, deviation: of the predicted distribution; ``deviation`` above 0.
        truth: the observed value.
        noise: standard deviation of the observation itself (``agbd_se``), added in squares.
    """
    error, s, own = (np.asarray(each, np.float64) for each in (np.subtract(truth, mean), deviation, noise))
    variance = s**2 + own**2
    nats: Floats = 0.5 * np.log(2 * math.pi * variance) + 0.5 * error**2 / variance
    return nats


def gaussian_crps(mean: ArrayLike, deviation: ArrayLike, truth: ArrayLike) -> Floats:
    """Continuous ranked probability score of Gaussians; the absolute error where ``deviation`` is 0."""
    error, s = np.asarray(np.subtract(truth, mean), np.float64), np.asarray(deviation, np.float64)
    error, s = np.broadcast_arrays(error, s)
    return _mean_distance(error, s) - s / math.sqrt(math.pi)


def _mean_distance(shift: Floats, deviation: Floats) -> Floats:
    """Mean of ``|X|`` for a normal X with mean ``shift``."""
    certain = deviation <= 0
    z = shift / np.where(certain, 1, deviation)
    spread = deviation * (z * (2 * normal_cdf(z) - 1) + 2 * _normal_pdf(z))
    return np.where(certain, np.abs(shift), spread)


def mixture_nll(weights: ArrayLike, means: ArrayLike, deviations: ArrayLike, truth: ArrayLike) -> Floats:
    """Negative log-likelihood of Gaussian mixtures (..., components) in nats."""
    share, mu, s = (np.asarray(each, np.float64) for each in (weights, means, deviations))
    z = (np.asarray(truth, np.float64)[..., None] - mu) / s
    with np.errstate(divide="ignore"):
        logs = np.log(share) - np.log(s) - 0.5 * math.log(2 * math.pi) - 0.5 * z**2
    peak = logs.max(axis=-1)
    nats: Floats = -(peak + np.log(np.exp(logs - peak[..., None]).sum(axis=-1)))
    return nats


def mixture_crps(weights: ArrayLike, means: ArrayLike, deviations: ArrayLike, truth: ArrayLike) -> Floats:
    """Continuous ranked probability score of Gaussian mixtures (..., components), in closed form."""
    share, mu, s = (np.asarray(each, np.float64) for each in (weights, means, deviations))
    error = np.asarray(truth, np.float64)[..., None] - mu
    near = (share * _mean_distance(error, s)).sum(axis=-1)
    pairs = share[..., :, None] * share[..., None, :]
    apart = _mean_distance(
        mu[..., :, None] - mu[..., None, :], np.sqrt(s[..., :, None] ** 2 + s[..., None, :] ** 2)
    )
    score: Floats = near - 0.5 * (pairs * apart).sum(axis=(-2, -1))
    return score


def ensemble_crps(members: ArrayLike, truth: ArrayLike) -> Floats:
    """Continuous ranked probability score of M members (..., M), in its fair form ``1 / (2 M (M - 1))``.

    Raises:
        ValueError: for fewer than two members.
    """
    drawn = np.sort(np.asarray(members, np.float64), axis=-1)
    count = drawn.shape[-1]
    if count < 2:
        raise ValueError(f"{count} member states no spread; the fair CRPS needs at least 2")
    near = np.abs(drawn - np.asarray(truth, np.float64)[..., None]).mean(axis=-1)
    # Sum over pairs i < j of x_j - x_i, from the ranks.
    ranks = 2 * np.arange(count) - count + 1
    score: Floats = near - (drawn * ranks).sum(axis=-1) / (count * (count - 1))
    return score


def pinball(quantile: ArrayLike, level: ArrayLike, truth: ArrayLike) -> Floats:
    """Pinball loss of a quantile of a level in (0, 1)."""
    error, share = np.asarray(np.subtract(truth, quantile), np.float64), np.asarray(level, np.float64)
    return np.maximum(share * error, (share - 1) * error)


def quantile_crps(quantiles: ArrayLike, levels: ArrayLike, truth: ArrayLike) -> Floats:
    """The CRPS as far as quantiles tell: twice their pinball losses, each for the levels nearest to it.

    Args:
        quantiles: (..., q).
        levels: (q,) ascending, in (0, 1).
        truth: (...).
    """
    at = np.asarray(levels, np.float64)
    nearest = np.diff([0.0, *((at[1:] + at[:-1]) / 2), 1.0])
    losses = pinball(quantiles, at, np.asarray(truth, np.float64)[..., None])
    score: Floats = 2 * (losses @ nearest)
    return score


def interval_score(low: ArrayLike, high: ArrayLike, truth: ArrayLike, level: float) -> Floats:
    """Winkler's score of a central interval: width plus distance outside times ``2 / (1 - level)``."""
    below, above = np.subtract(low, truth), np.subtract(truth, high)
    outside = np.maximum(below, 0) + np.maximum(above, 0)
    score: Floats = np.subtract(high, low) + 2 / (1 - level) * outside
    return score


@dataclass(frozen=True)
class Calibration:
    """How often central intervals held the truth; adds up over batches and shards.

    Attributes:
        n: predictions.
        held: number whose interval held the truth, for each of ``COUNTED``.
        error: sum of absolute errors of the mean.
        deviation: sum of standard deviations.
    """

    n: int = 0
    held: tuple[int, ...] = (0,) * len(COUNTED)
    error: float = 0.0
    deviation: float = 0.0

    @classmethod
    def of(cls, mean: ArrayLike, deviation: ArrayLike, truth: ArrayLike, pit: ArrayLike) -> Calibration:
        """From predictions and their probability integral transforms, the predicted share below the truth.

        Args:
            mean, deviation, truth: (n,).
            pit: (n,) in [0, 1].
        """
        away = 2 * np.abs(np.asarray(pit, np.float64) - 0.5)
        held = tuple(int((away <= level + 1e-12).sum()) for level in COUNTED)
        errors = np.abs(np.subtract(truth, mean))
        return cls(len(away), held, math.fsum(errors.ravel()), math.fsum(np.ravel(deviation)))

    def __add__(self, other: Calibration) -> Calibration:
        held = tuple(a + b for a, b in zip(self.held, other.held, strict=True))
        return Calibration(self.n + other.n, held, self.error + other.error, self.deviation + other.deviation)

    def coverage(self, level: float) -> float:
        """Share of truths that the central interval of a level held.

        Raises:
            ValueError: for a level that is not among ``COUNTED``.
        """
        if level not in COUNTED:
            raise ValueError(
                f"coverage was not counted at {level}; choose from {', '.join(map(str, COUNTED))}"
            )
        return self.held[COUNTED.index(level)] / self.n if self.n else math.nan

    @property
    def ece(self) -> float:
        """Mean of ``|coverage - level|`` over ``LEVELS``."""
        return sum(abs(self.coverage(level) - level) for level in LEVELS) / len(LEVELS)

    @property
    def error_ratio(self) -> float:
        """Mean absolute error over mean deviation: 0.798 for calibrated Gaussians."""
        return self.error / self.deviation if self.deviation else math.nan

    @property
    def sharpness(self) -> float:
        """Mean standard deviation."""
        return self.deviation / self.n if self.n else math.nan
