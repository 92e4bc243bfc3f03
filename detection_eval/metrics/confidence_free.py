"""APnc: average precision of detections without confidence, which makes them one tie.

Nothing says in which order tied detections stand, yet the interpolated curve rewards a lucky one. The
primary value reads the curve at the end of the tie only. Beside it stand the value of the order as given,
which is what MMRotate computes when every score is 1, the spread over random orders, each of them matched
anew, and an upper bound.

Under ``voc`` matching the numbers of right and wrong detections depend on no order, so the primary value
does not either, and it is a lower bound on what any order gives: every curve ends in its point. It is reached
where all wrong detections can come first, and they cannot where several detections claim one object, since
the first of them is right. The upper bound is reached by the order that puts the first claim on each object
before everything else. Under ``coco`` matching a detection may fall back to another object, so the numbers
themselves depend on the order: the primary value is that of the scores, or else of the order given, and no
bound; the upper bound holds, but need not be reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import (
    class_average_precision,
    mean_over_classes,
    one_tie,
    one_tie_at_best,
)
from detection_eval.metrics.counts import Counts, count
from detection_eval.metrics.matching import Matches, match
from detection_eval.metrics.orders import most_true, shuffled_ap
from detection_eval.metrics.overlaps import Mask, Overlaps, select
from detection_eval.metrics.presets import Preset


@dataclass(frozen=True, eq=False)
class ConfidenceFreeAP:
    """APnc at one level of overlap; arrays are (classes,), NaN for classes without objects.

    Attributes:
        level: IoU.
        block: the primary value, read at the end of the tie; under ``voc`` matching a lower bound.
        given: detections in the order given.
        upper: an upper bound on what any order gives; under ``voc`` matching one order reaches it.
        shuffled: (shuffles, classes), one row a uniformly random order, matched anew.
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
        overlaps: matched overlaps.
        matches: the verdicts at one level.
        keep: (detections,) those above the threshold; None keeps all.
        shuffles: random orders.
        seed: random seed of the orders. Each class draws from its own stream.
    """
    counts = count(overlaps, matches, keep)
    return ConfidenceFreeAP(
        matches.level,
        block_ap(counts, overlaps.preset),
        given_ap(overlaps, matches.level, keep),
        one_tie_at_best(most_true(overlaps, matches.level, keep), counts.positives, overlaps.preset),
        shuffled_ap(overlaps, matches.level, keep, shuffles=shuffles, seed=seed),
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
