"""AP, APnc and recall of small, medium and large objects, and average recall, as COCO's users expect them.

COCO's rule (``COCOeval.evaluateImg``): objects of another size are ignored, so detections of them are neither
right nor wrong; a detection of another size that meets no object is not wrong either. The area is that of the
rotated polygon. Unlike in COCOeval an ignored object excuses any number of detections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats, area
from detection_eval.metrics.average_precision import (
    best_scored,
    class_average_precision,
    mean_over_classes,
)
from detection_eval.metrics.confidence_free import block_ap
from detection_eval.metrics.counts import count
from detection_eval.metrics.matching import FALSE, IGNORED, LEVELS, Matches, match
from detection_eval.metrics.overlaps import Mask, Overlaps, select

SIZE_RANGES: Mapping[str, tuple[float, float]] = {
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, np.inf),
}
"""COCO's ranges of area in square pixels; both ends belong to a range, as in COCOeval."""


def of_size(overlaps: Overlaps, low: float, high: float) -> Overlaps:
    """The same data with objects outside a range of area, in square pixels, ignored."""
    size = area(overlaps.objects.polygons)
    return replace(overlaps, ignored=overlaps.ignored | (size < low) | (size > high))


def match_size(sized: Overlaps, level: float, low: float, high: float) -> Matches:
    """The verdicts where objects outside the range are ignored: ``sized`` is what ``of_size`` returns."""
    matches = match(sized, level)
    size = area(sized.detections.polygons)
    elsewhere = (matches.verdict == FALSE) & (matches.matched < 0) & ((size < low) | (size > high))
    return replace(matches, verdict=np.where(elsewhere, IGNORED, matches.verdict))


@dataclass(frozen=True)
class SizeResult:
    """Means over classes for objects of one range of area; NaN without objects.

    Attributes:
        name: name of the range.
        objects: that count.
        apnc_50: APnc at IoU 0.5.
        apnc: mean of APnc over 50:95.
        ap_50: AP at IoU 0.5; None without scores.
        ap: mean of AP over 50:95; None without scores.
        recall: ``average_recall`` of everything above the threshold.
    """

    name: str
    objects: int
    apnc_50: float
    apnc: float
    ap_50: float | None
    ap: float | None
    recall: float


def by_size(
    overlaps: Overlaps,
    keep: Mask | None = None,
    ranges: Mapping[str, tuple[float, float]] = SIZE_RANGES,
    levels: Sequence[float] = LEVELS,
) -> tuple[SizeResult, ...]:
    """AP, APnc and recall of objects by their size.

    Args:
        overlaps: a data set under its predictions.
        keep: (detections,) those above a threshold, for APnc and recall; None keeps all. AP sees all.
        ranges: lowest and highest area in square pixels, by name.
        levels: IoU, 0.5 first.
    """
    rows = []
    for name, (low, high) in ranges.items():
        sized = of_size(overlaps, low, high)
        matched = [match_size(sized, level, low, high) for level in levels]
        counts = [count(sized, matches, keep) for matches in matched]

        def mean(values: Floats, protocol: Overlaps = sized) -> float:
            return float(mean_over_classes(values, protocol.preset))

        apnc = [mean(block_ap(each, sized.preset)) for each in counts]
        scored = overlaps.scores is not None
        ap = [mean(class_average_precision(sized, matches)) for matches in matched] if scored else []
        rows.append(
            SizeResult(
                name,
                int(sized.positives.sum()),
                apnc[0],
                float(np.mean(apnc)),
                ap[0] if scored else None,
                float(np.mean(ap)) if scored else None,
                float(np.mean([mean(each.recall) for each in counts])),
            )
        )
    return tuple(rows)


def average_recall(
    overlaps: Overlaps, most: int | None = None, keep: Mask | None = None, levels: Sequence[float] = LEVELS
) -> float:
    """Recall, the mean over levels and then over classes with objects.

    Args:
        overlaps: a data set under its predictions.
        most: best-scored detections of each image and class that are looked at: COCO's AR at 1, 10 or 100.
            None looks at all, which is what detections without scores allow.
        keep: (detections,) those above a threshold; None keeps all.
        levels: IoU.

    Raises:
        EvaluationError: ``most`` of detections without scores.
    """
    if most is not None:
        if overlaps.scores is None:
            raise EvaluationError(f"without scores no {most} detections are the best; leave `most` out")
        best = best_scored(overlaps, most)
        keep = best if keep is None else keep & best
    if keep is not None:
        overlaps = select(overlaps, keep)
    recalls = [count(overlaps, match(overlaps, level)).recall for level in levels]
    return float(np.mean([mean_over_classes(recall, overlaps.preset) for recall in recalls]))
