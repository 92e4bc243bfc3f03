"""Precision-recall curves of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats
from detection_eval.metrics.matching import IGNORED, TRUE, Matches
from detection_eval.metrics.overlaps import Overlaps

RECALLS = np.linspace(0.0, 1.0, 101)
"""COCO's 101 recall points."""


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Curves of scored detections at one level of overlap, read at recall points.

    Attributes:
        level: IoU.
        recall: (points,) ``RECALLS``.
        precision: (classes, points) the highest precision at this recall or beyond, 0 where no detection
            reaches it; NaN for classes without objects.
        score: (classes, points) the score down to which detections are taken to reach this recall, NaN where
            it is not reached.
    """

    level: float
    recall: Floats
    precision: Floats
    score: Floats


def precision_recall(overlaps: Overlaps, matches: Matches) -> PrecisionRecall:
    """The curve of each class; equal scores are one point.

    Raises:
        EvaluationError: detections without scores, which are one point and no curve.
    """
    if overlaps.scores is None:
        raise EvaluationError("detections without scores are one point and no curve; take counts()")
    shape = (len(overlaps.classes), len(RECALLS))
    precision, score = np.full(shape, np.nan), np.full(shape, np.nan)
    for label, ranked in enumerate(overlaps.by_class):
        positives = int(overlaps.positives[label])
        if positives == 0:
            continue
        ranked = ranked[matches.verdict[ranked] != IGNORED]
        right, scores = matches.verdict[ranked] == TRUE, overlaps.scores[ranked]
        ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], [True] * bool(len(scores))))
        true = np.cumsum(right)[ends]
        envelope = np.maximum.accumulate((true / (ends + 1))[::-1])[::-1]
        # in integers, so that 3 of 10 reach a recall of 0.3
        needed = -(-np.arange(len(RECALLS)) * positives // (len(RECALLS) - 1))
        first = np.searchsorted(true, needed, side="left")
        reached = first < len(ends)
        precision[label] = np.append(envelope, 0.0)[first]
        score[label, reached] = scores[ends[first[reached]]]
    return PrecisionRecall(matches.level, RECALLS, precision, score)
