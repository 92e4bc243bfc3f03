"""Localisation, recall and precision in one error: LRP, and its lowest value over score thresholds.

Oksuz, Cam, Akbas and Kalkan, "Localization Recall Precision (LRP): A New Performance Metric for Object
Detection", ECCV 2018, equation 3: at an overlap of tau,

    LRP = (sum over right detections of (1 - IoU) / (1 - tau) + wrong + missed) / (right + wrong + missed)

It needs no order, so it is as well defined for boxes without scores as for those with: 0 is perfect, 1 means
that nothing was found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.counts import count
from detection_eval.metrics.matching import FALSE, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps


@dataclass(frozen=True, eq=False)
class Localisation:
    """LRP and its parts by class (classes,).

    Attributes:
        error: LRP; like all of its parts NaN for a class without objects.
        displacement: mean 1 - IoU of right detections, NaN without any.
        wrong: share of detections that are wrong (1 - precision), NaN without any.
        missed: share of objects that are missed (1 - recall).
        threshold: the score above which detections are kept, NaN where all are.
    """

    error: Floats
    displacement: Floats
    wrong: Floats
    missed: Floats
    threshold: Floats

    def mean(self) -> dict[str, float]:
        """Means over the classes that have a value."""
        return {
            name: float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
            for name, values in vars(self).items()
            if name != "threshold"
        }


def localisation(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> Localisation:
    """LRP of the detections that a threshold keeps.

    Args:
        overlaps: matched overlaps.
        matches: the verdicts at one level.
        keep: (detections,) those above the threshold; None keeps all.
    """
    counts = count(overlaps, matches, keep)
    right = matches.verdict == TRUE if keep is None else (matches.verdict == TRUE) & keep
    displaced = 1 - matched_iou(overlaps, matches)[right]
    order = np.argsort(displaced)  # summed in one order, whatever that of the detections: the same bits
    far = np.bincount(
        overlaps.detections.labels[right][order],
        weights=displaced[order],
        minlength=len(overlaps.classes),
    )
    parts = (
        _share(
            far / (1 - matches.level) + counts.false + counts.missed,
            counts.true + counts.false + counts.missed,
        ),
        _share(far, counts.true),
        _share(counts.false, counts.true + counts.false),
        _share(counts.missed, counts.positives),
    )
    error, displacement, wrong, missed = (np.where(counts.positives > 0, part, np.nan) for part in parts)
    return Localisation(error, displacement, wrong, missed, np.full(len(overlaps.classes), np.nan))


def best_localisation(overlaps: Overlaps, matches: Matches) -> Localisation:
    """The lowest LRP over score thresholds, each class at its own (oLRP); an oracle chooses it.

    Raises:
        ValueError: detections without scores.
    """
    if overlaps.scores is None:
        raise ValueError("the lowest LRP over thresholds needs scores; take localisation()")
    iou = matched_iou(overlaps, matches)
    columns = np.full((5, len(overlaps.classes)), np.nan)
    for label, ranked in enumerate(overlaps.by_class):
        verdict, scores = matches.verdict[ranked], overlaps.scores[ranked]
        right, wrong, far = (
            np.append(0.0, np.cumsum(values))
            for values in (verdict == TRUE, verdict == FALSE, (verdict == TRUE) * (1 - iou[ranked]))
        )
        positives = int(overlaps.positives[label])
        # a threshold lies between different scores
        ends = np.flatnonzero(
            np.append(True, np.append(scores[1:] != scores[:-1], [True] * bool(len(scores))))
        )
        right, wrong, far = right[ends], wrong[ends], far[ends]
        error = _share(far / (1 - matches.level) + wrong + positives - right, wrong + positives)
        if positives == 0:
            continue
        best = int(error.argmin())
        below = ends[best]
        columns[:, label] = (
            error[best],
            _share(far[best], right[best]),
            _share(wrong[best], right[best] + wrong[best]),
            _share(positives - right[best], positives),
            scores[below] if below < len(scores) else np.nan,
        )
    return Localisation(*columns)


def matched_iou(overlaps: Overlaps, matches: Matches) -> Floats:
    """The IoU of each detection (detections,) with the object it was matched to; 0 where it was to none."""
    iou = np.zeros(len(overlaps.detections))
    pairs = matches.matched[overlaps.pair_detection] == overlaps.pair_object
    iou[overlaps.pair_detection[pairs]] = overlaps.pair_iou[pairs]
    return iou


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    parts, wholes = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.where(wholes > 0, parts / np.where(wholes > 0, wholes, 1.0), np.nan)
