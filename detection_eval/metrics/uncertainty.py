"""Uncertainty of a value or a difference: bootstrap over scenes, sign-flip tests, Holm's correction.

Patches of one scene show the same place, season and sensor, so whole scenes are drawn, not images or objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import average_precision, mean_over_classes
from detection_eval.metrics.counts import Counts
from detection_eval.metrics.matching import IGNORED, TRUE, Matches
from detection_eval.metrics.overlaps import Overlaps

Statistic = Callable[[Counts], Floats]
"""A value from counts (..., classes): (...) for one number, (..., classes) for one a class."""

_DRAWS_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Interval:
    """A value with its bootstrap percentile interval; arrays have the shape of the statistic.

    Attributes:
        value: value over all scenes.
        low: lower end.
        high: upper end.
        samples: (samples, ...) the values of the resampled scenes.
    """

    value: Floats
    low: Floats
    high: Floats
    samples: Floats


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """A difference between two methods on the same scenes, with interval and sign-flip test.

    Attributes:
        interval: confidence interval of the first method's value minus the second's.
        p_value: two-sided: how often swapping the methods in random scenes gives a difference as large.
    """

    interval: Interval
    p_value: Floats


def draw_scenes(scenes: int, samples: int, seed: int) -> NDArray[np.int64]:
    """Draws of each scene, (samples, scenes): as many draws as scenes, with replacement."""
    if scenes == 0:
        return np.zeros((samples, 0), dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(scenes, np.full(scenes, 1 / scenes), size=samples)


def bootstrap(
    by_scene: Counts, statistic: Statistic, *, samples: int = 1000, seed: int = 0, coverage: float = 0.95
) -> Interval:
    """Percentile interval of a statistic of counts under resampling of scenes (Efron, 1979).

    Args:
        by_scene: counts (scenes, classes).
        statistic: function of their sum.
        samples: resamplings.
        seed: random seed; equal seeds draw equal scenes.
        coverage: coverage of the interval, 0-1.
    """
    drawn = draw_scenes(len(by_scene.true), samples, seed)
    return _interval(statistic(_total(by_scene)), statistic(_weighted(by_scene, drawn)), coverage)


def paired_test(
    first: Counts,
    second: Counts,
    statistic: Statistic,
    *,
    samples: int = 1000,
    seed: int = 0,
    coverage: float = 0.95,
) -> PairedDifference:
    """Compare two methods on the same scenes.

    The interval resamples scenes for both at once. The test swaps the methods' counts in random scenes, which
    changes nothing if they are equally good (Fisher's randomisation test).

    Args:
        first: counts (scenes, classes) of one method.
        second: the other method's, scenes and classes in the same order.
        statistic: function of the sum over scenes.
        samples: resamplings, and random swaps.
        seed: random seed of both.
        coverage: coverage of the interval, 0-1.

    Raises:
        ValueError: counts of different scenes or objects.
    """
    if first.true.shape != second.true.shape or not np.array_equal(first.positives, second.positives):
        raise ValueError("the methods were evaluated on different ground truth; compare on the same scenes")
    drawn = draw_scenes(len(first.true), samples, seed)
    difference = statistic(_total(first)) - statistic(_total(second))
    resampled = statistic(_weighted(first, drawn)) - statistic(_weighted(second, drawn))
    swap = np.random.default_rng([seed, 1]).integers(0, 2, drawn.shape)
    one, other = _swapped(first, second, swap), _swapped(second, first, swap)
    flipped = statistic(one) - statistic(other)
    as_large = (np.abs(flipped) >= np.abs(difference) - 1e-12).sum(axis=0)
    p_value = np.where(np.isnan(difference), np.nan, (1 + as_large) / (1 + samples))
    return PairedDifference(_interval(difference, resampled, coverage), p_value)


def _total(by_scene: Counts) -> Counts:
    return Counts(*(x.sum(axis=0) for x in (by_scene.true, by_scene.false, by_scene.positives)))


def _weighted(by_scene: Counts, weights: NDArray[np.int64]) -> Counts:
    return Counts(*(_times(weights, x) for x in (by_scene.true, by_scene.false, by_scene.positives)))


def _swapped(first: Counts, second: Counts, swap: NDArray[np.int64]) -> Counts:
    total = _total(first)
    return Counts(
        total.true + _times(swap, second.true - first.true),
        total.false + _times(swap, second.false - first.false),
        np.broadcast_to(total.positives, (len(swap), len(total.positives))),
    )


def _times(weights: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """A product of integer matrices by way of float64, which is exact below 2**53 and much faster."""
    return np.rint(weights.astype(np.float64) @ values.astype(np.float64)).astype(np.int64)


def _interval(value: Floats, samples: Floats, coverage: float) -> Interval:
    tail = 50 * (1 - coverage)
    known = samples if len(samples) else np.full((1, *np.shape(value)), np.nan)
    # a class that no drawn scene holds has no value in that sample
    lost = np.isnan(known).all(axis=0)
    low, high = np.nanpercentile(np.where(lost, 0.0, known), [tail, 100 - tail], axis=0)
    return Interval(value, np.where(lost, np.nan, low), np.where(lost, np.nan, high), samples)


def bootstrap_ap(
    overlaps: Overlaps, matches: Matches, *, samples: int = 1000, seed: int = 0, coverage: float = 0.95
) -> Interval:
    """Percentile interval of the mean AP of scored detections, read at the ends of ties.

    Scenes are drawn as in ``bootstrap``; a scene that is drawn twice counts its detections and objects twice.
    """
    _, scene = np.unique(np.array(overlaps.scenes, dtype=str), return_inverse=True)
    drawn = draw_scenes(int(scene.max(initial=-1)) + 1, samples, seed)
    everything = np.ones((1, drawn.shape[1]), dtype=np.int64)
    value = _weighted_ap(overlaps, matches, scene, everything)[0]
    return _interval(value, _weighted_ap(overlaps, matches, scene, drawn), coverage)


def _weighted_ap(
    overlaps: Overlaps, matches: Matches, scene: NDArray[np.int64], weights: NDArray[np.int64]
) -> Floats:
    """Mean AP over classes, (samples,), with the detections and objects of each scene counted so often."""
    values = np.full((len(weights), len(overlaps.classes)), np.nan)
    objects = overlaps.objects.select(~overlaps.ignored)
    for label, ranked in enumerate(overlaps.by_class):
        ranked = ranked[matches.verdict[ranked] != IGNORED]
        right = matches.verdict[ranked] == TRUE
        ends = _tie_ends(overlaps, ranked)
        where = scene[overlaps.detections.images[ranked]]
        positives = weights[:, scene[objects.images[objects.labels == label]]].sum(axis=1)
        at_once = max(1, _DRAWS_AT_ONCE // max(len(ranked), 1))
        for begin in range(0, len(weights), at_once):
            weight = weights[begin : begin + at_once][:, where]
            true = np.cumsum(weight * right, axis=1)[:, ends]
            false = np.cumsum(weight * ~right, axis=1)[:, ends]
            for row in range(len(weight)):
                n = int(positives[begin + row])
                values[begin + row, label] = average_precision(true[row], false[row], n, overlaps.preset)
    return mean_over_classes(values, overlaps.preset)


def _tie_ends(overlaps: Overlaps, ranked: NDArray[np.int64]) -> NDArray[np.int64]:
    scores = np.zeros(len(ranked)) if overlaps.scores is None else overlaps.scores[ranked]
    return np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(ranked)])


def holm(p_values: ArrayLike) -> Floats:
    """p-values (n,) corrected for their number (Holm, Scand. J. Statistics 6, 1979); NaN marks no test."""
    p = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected
