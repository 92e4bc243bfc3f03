"""Uncertainty of shares and of differences between two runs of the same questions.

Questions about one image are not independent, so intervals of sums resample images, not questions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.metrics.uncertainty import draw_scenes

SAMPLES = 1000
_AT_ONCE = 1 << 22  # numbers of a block of draws


class Interval(NamedTuple):
    """A value with the ends of its 95 % interval; NaN where nothing was asked."""

    value: float
    low: float
    high: float


def wilson(share: float, n: int, z: float = 1.959963984540054) -> Interval:
    """The score interval of a share of ``n`` independent questions (Wilson, 1927).

    Args:
        share: in [0, 1].
        n: questions.
        z: quantile of the normal distribution.
    """
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap_mean(
    scores: Sequence[float],
    clusters: Sequence[str],
    groups: Sequence[str] | None = None,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of scores, or the mean of group means, with its percentile interval over clusters.

    Args:
        scores: (n,) of questions.
        clusters: (n,) what is drawn as a whole: the image.
        groups: (n,) category of each question, whose means are averaged; None for one mean over all.
        samples: resamplings.
        seed: random seed.
    """
    sums, counts = _by_cluster(scores, clusters, groups)
    value = _mean(sums.sum(axis=0), counts.sum(axis=0))
    drawn = _resampled(sums, counts, samples, seed)
    if not len(drawn):
        return Interval(float(value), math.nan, math.nan)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[str],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of the first scores less that of the second, of the same questions in the same order.

    Args:
        first: (n,).
        second: (n,).
        clusters: (n,) what is drawn as a whole, for both at once.
        samples: resamplings.
        seed: random seed.
    """
    return bootstrap_mean(np.subtract(first, second).tolist(), clusters, None, samples=samples, seed=seed)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of the exact sign test; of right and wrong answers it is McNemar's exact test.

    Args:
        wins: questions on which the first is better.
        losses: questions on which the second is better.
    """
    n, few = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    ways = term = 1
    for k in range(1, few + 1):
        term = term * (n - k + 1) // k
        ways += term
    return min(1.0, float(Fraction(2 * ways, 2**n)))


def _by_cluster(
    scores: Sequence[float], clusters: Sequence[str], groups: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of scores and numbers of questions, (clusters, groups)."""
    names, cluster = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    kinds, group = np.unique(
        np.asarray(groups if groups is not None else [""] * len(scores), dtype=str), return_inverse=True
    )
    shape = (len(names), len(kinds))
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (cluster, group), np.asarray(scores, dtype=np.float64))
    np.add.at(counts, (cluster, group), 1.0)
    return sums, counts


def _mean(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of group means (..., groups) -> (...); groups that were not drawn are left out."""
    known = counts > 0
    means = np.where(known, sums / np.where(known, counts, 1.0), 0.0)
    asked = known.sum(axis=-1)
    return np.where(asked > 0, means.sum(axis=-1) / np.where(asked > 0, asked, 1), np.nan)


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], samples: int, seed: int
) -> NDArray[np.float64]:
    """The mean in each resampling, (samples,), drawn in blocks of bounded memory."""
    clusters = len(sums)
    if clusters == 0:
        return np.zeros(0)
    block = max(1, min(samples, _AT_ONCE // clusters))
    found = []
    for number, start in enumerate(range(0, samples, block)):
        weights = draw_scenes(clusters, min(block, samples - start), seed + number).astype(np.float64)
        found.append(_mean(weights @ sums, weights @ counts))
    return np.concatenate(found)
