"""APnc: average precision of detections without confidence, which makes them one tie.

Nothing says in which order tied detections stand, yet the interpolated curve rewards a lucky one. The
primary value reads the curve at the end of the tie only: it depends on no order and is the lowest that any
order gives. Beside it stand the value of the order as given, which is what MMRotate computes when every score
is 1, the spread over random orders, and the highest value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import (
    class_average_precision,
    mean_over_classes,
    needed,
    one_tie,
    one_tie_at_best,
)
from detection_eval.metrics.counts import Counts, count
from detection_eval.metrics.matching import Mask, Matches, Overlaps, match, select
from detection_eval.metrics.presets import Preset

_DRAWS_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class ConfidenceFreeAP:
    """APnc at one level of overlap; arrays are (classes,), NaN for classes without objects.

    Attributes:
        level: IoU.
        block: the primary value, read at the end of the tie.
        given: detections in the order given.
        upper: all right detections first.
        shuffled: (shuffles, classes), one row a uniformly random order.
        preset: the protocol.
    """

    level: float
    block: Floats
    given: Floats
    upper: Floats
    shuffled: Floats
    preset: Preset

    def mean(self) -> dict[str, float]:
        """Means over classes: ``block``, ``given``, ``upper``, and of the random orders ``shuffle_mean``,
        ``shuffle_sd``, ``shuffle_p5`` and ``shuffle_p95``.
        """
        draws = mean_over_classes(self.shuffled, self.preset)
        spread = (draws.mean(), draws.std(), *np.percentile(draws, [5, 95])) if len(draws) else [np.nan] * 4
        names = ("shuffle_mean", "shuffle_sd", "shuffle_p5", "shuffle_p95")
        return {
            **{
                name: float(mean_over_classes(getattr(self, name), self.preset))
                for name in ("block", "given", "upper")
            },
            **{name: float(value) for name, value in zip(names, spread)},
        }


def confidence_free_ap(
    overlaps: Overlaps,
    matches: Matches,
    keep: Mask | None = None,
    *,
    shuffles: int = 200,
    seed: int = 0,
) -> ConfidenceFreeAP:
    """APnc of the detections that a threshold keeps, with the values that other orders would give.

    Args:
        overlaps: what was matched.
        matches: the verdicts at one level.
        keep: (detections,) those above the threshold; None keeps all.
        shuffles: random orders.
        seed: of the random orders. Each class draws from its own stream.
    """
    counts = count(overlaps, matches, keep)
    return ConfidenceFreeAP(
        matches.level,
        block_ap(counts, overlaps.preset),
        given_ap(overlaps, matches.level, keep),
        one_tie_at_best(counts.true, counts.positives, overlaps.preset),
        shuffled_ap(counts, overlaps.preset, shuffles, seed),
        overlaps.preset,
    )


def block_ap(counts: Counts, preset: Preset) -> Floats:
    """APnc of each class (..., classes), read at the end of the tie."""
    return one_tie(counts.true, counts.false, counts.positives, preset)


def given_ap(overlaps: Overlaps, level: float, keep: Mask | None = None) -> Floats:
    """APnc of each class (classes,) with detections in the order given, images as in the ground truth.

    The scores are forgotten before matching, so that of several detections of one object the first as given
    is the right one.
    """
    unscored = without_scores(overlaps, keep)
    return class_average_precision(unscored, match(unscored, level))


def without_scores(overlaps: Overlaps, keep: Mask | None = None) -> Overlaps:
    """The detections that a threshold keeps, in the order given, as if they had no scores."""
    if keep is not None:
        overlaps = select(overlaps, keep)
    return replace(overlaps, scores=None, preset=replace(overlaps.preset, ties="given"))


def shuffled_ap(counts: Counts, preset: Preset, shuffles: int, seed: int) -> Floats:
    """Average precision of each class under uniformly random orders of its detections: (shuffles, classes).

    It depends on the counts and the seed alone.
    """
    drawn = np.full((shuffles, len(counts.true)), np.nan)
    for label, (true, false, positives) in enumerate(zip(counts.true, counts.false, counts.positives)):
        if positives:
            rng = np.random.default_rng([seed, label, int(true), int(false)])
            drawn[:, label] = _shuffled(int(true), int(false), int(positives), preset, shuffles, rng)
    return drawn


def _shuffled(
    true: int, false: int, positives: int, preset: Preset, shuffles: int, rng: np.random.Generator
) -> Floats:
    if true == 0 or false == 0:
        return np.full(shuffles, float(one_tie(true, false, positives, preset)))
    ordered = np.arange(true + false) < true
    at_once = max(1, _DRAWS_AT_ONCE // len(ordered))
    values = np.empty(shuffles)
    for begin in range(0, shuffles, at_once):
        rows = min(at_once, shuffles - begin)
        right = rng.permuted(np.broadcast_to(ordered, (rows, len(ordered))), axis=1)
        place = np.nonzero(right)[1].reshape(rows, true)
        # the curve peaks at right detections, so wrong ones need not be read
        precision = np.arange(1, true + 1) / (place + 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        values[begin : begin + rows] = _interpolated(envelope, positives, preset)
    return values


def _interpolated(envelope: Floats, positives: int, preset: Preset) -> Floats:
    """AP of curves (curves, true), given as the best precision at or beyond each right detection."""
    if preset.interpolation == "area":
        return np.asarray(envelope.sum(axis=1) / positives)
    found = np.maximum(needed(positives, preset), 1)
    reached = found[found <= envelope.shape[1]]
    return np.asarray(envelope[:, reached - 1].sum(axis=1) / len(found))
