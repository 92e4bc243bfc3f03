"""Whether a score says how often a detection is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats
from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import IGNORED, TRUE, Matches
from detection_eval.metrics.overlaps import Overlaps


@dataclass(frozen=True, eq=False)
class Calibration:
    """Reliability of scores in bins of equal width over [0, 1].

    Attributes:
        edges: (bins + 1,) a score on an edge belongs to the bin below.
        number: (bins,) detections.
        score: (bins,) their mean score, NaN in an empty bin.
        precision: (bins,) the part of them that is right, NaN in an empty bin.
        error: expected calibration error, the mean over detections of |score - precision| of their bins;
            NaN without detections.
    """

    edges: Floats
    number: Indices
    score: Floats
    precision: Floats
    error: float


def calibration(overlaps: Overlaps, matches: Matches, bins: int = 10) -> Calibration:
    """Compare scores with precision (Guo et al., ICML 2017; for detections Kueppers et al., CVPRW 2020).

    Detections of ignored objects are left out.

    Raises:
        EvaluationError: detections without scores, or scores outside [0, 1].
    """
    if overlaps.scores is None:
        raise EvaluationError("detections without scores have no calibration; give scores")
    used = matches.verdict != IGNORED
    scores, right = overlaps.scores[used], matches.verdict[used] == TRUE
    outside = scores[(scores < 0) | (scores > 1)]
    if len(outside):
        raise EvaluationError(f"score {outside[0]} is outside [0, 1]; calibration needs probabilities")
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    number = np.bincount(index, minlength=bins)
    filled = np.where(number > 0, number, np.nan)
    score = np.bincount(index, weights=scores, minlength=bins) / filled
    precision = np.bincount(index, weights=right, minlength=bins) / filled
    total = number.sum()
    gap = np.nansum(np.abs(score - precision) * number)
    return Calibration(edges, number, score, precision, float(gap / total) if total else float("nan"))
