"""From a precision-recall curve to average precision: 11 points, the area, 101 points.

Everingham, Van Gool et al., "The Pascal Visual Object Classes Challenge", IJCV 88 (2010), section 4.2; the
101 points are those of pycocotools' COCOeval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import IGNORED, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps
from detection_eval.metrics.presets import Preset

_INTERVALS = {"11-point": 10, "101-point": 100}
# as the originals compute them; 0.3, 0.6 and 0.7 of the first come out a little too high
_FLOAT_GRIDS = {"11-point": np.arange(0.0, 1.1, 0.1), "101-point": np.linspace(0.0, 1.0, 101)}


def needed(positives: int, preset: Preset) -> Indices:
    """Number of objects to find for each recall point: (11,) or (101,)."""
    intervals = _INTERVALS[preset.interpolation]
    if preset.recall_grid == "exact":
        return -(-np.arange(intervals + 1) * positives // intervals)
    recalls = np.arange(positives + 1) / max(positives, 1)
    return np.searchsorted(recalls, _FLOAT_GRIDS[preset.interpolation], side="left")


def average_precision(true: ArrayLike, false: ArrayLike, positives: int, preset: Preset) -> float:
    """Average precision of one class.

    Args:
        true: (k,) right detections down to each point where the curve is read, ascending.
        false: (k,) wrong detections down to there.
        positives: objects that count.
        preset: says how the curve is interpolated.

    Returns:
        0 to 1, or NaN for a class without objects.
    """
    if positives == 0:
        return float("nan")
    right, wrong = np.asarray(true, dtype=np.int64), np.asarray(false, dtype=np.int64)
    read = right + wrong > 0
    right, wrong = right[read], wrong[read]
    precision = right / (right + wrong)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    if preset.interpolation == "area":
        return float((np.diff(right / positives, prepend=0.0) * envelope[:-1]).sum())
    points = envelope[np.searchsorted(right, needed(positives, preset), side="left")]
    return float(points.sum() / len(points))


def class_average_precision(overlaps: Overlaps, matches: Matches) -> Floats:
    """Average precision of each class, (classes,), NaN without objects; ties as the preset says.

    Detections without scores are one tie.
    """
    ap = np.full(len(overlaps.classes), np.nan)
    seen = best_scored(overlaps, overlaps.preset.max_detections)
    for label, ranked in enumerate(overlaps.by_class):
        ranked = ranked[seen[ranked] & (matches.verdict[ranked] != IGNORED)]
        right = matches.verdict[ranked] == TRUE
        ends = _readings(overlaps, ranked)
        true, false = np.cumsum(right)[ends], np.cumsum(~right)[ends]
        ap[label] = average_precision(true, false, int(overlaps.positives[label]), overlaps.preset)
    return ap


def best_scored(overlaps: Overlaps, most: int | None) -> Mask:
    """Mask (detections,) of the ``most`` highest scored of each image and class; None takes all."""
    seen = np.ones(len(overlaps.detections), dtype=bool)
    if most is None or overlaps.scores is None:
        return seen
    group = overlaps.detections.images * len(overlaps.classes) + overlaps.detections.labels
    ranked = overlaps.order[np.argsort(group[overlaps.order], kind="stable")]
    _, first, count = np.unique(group[ranked], return_index=True, return_counts=True)
    seen[ranked] = np.arange(len(ranked)) - np.repeat(first, count) < most
    return seen


def _readings(overlaps: Overlaps, ranked: Indices) -> Mask:
    """After which of the ranked detections the curve is read."""
    read = np.ones(len(ranked), dtype=bool)
    if overlaps.preset.ties == "block" and len(ranked):
        scores = np.zeros(len(ranked)) if overlaps.scores is None else overlaps.scores[ranked]
        read[:-1] = scores[1:] != scores[:-1]
    return read


def one_tie(true: ArrayLike, false: ArrayLike, positives: ArrayLike, preset: Preset) -> Floats:
    """Average precision of detections that are all tied, read at the end of the tie, in closed form.

    With precision P and recall R this is P (floor(10 R) + 1) / 11, P R, or P (floor(100 R) + 1) / 101. It is
    a lower bound on what orders with these counts give, since every curve ends in that point.

    Args:
        true: right detections, any shape.
        false: wrong detections.
        positives: objects that count.
        preset: says how the curve is interpolated.

    Returns:
        Average precision, in the shape of the counts; NaN without objects.
    """
    right, wrong, objects = np.broadcast_arrays(true, false, positives)
    precision = right / np.maximum(right + wrong, 1)
    return np.where(objects > 0, precision * _reached(right, np.maximum(objects, 1), preset), np.nan)


def one_tie_at_best(true: ArrayLike, positives: ArrayLike, preset: Preset) -> Floats:
    """Average precision of tied detections if all right ones came first: an upper bound over orders."""
    right, objects = np.broadcast_arrays(true, positives)
    reached = _reached(right, np.maximum(objects, 1), preset)
    return np.where(objects > 0, np.where(right > 0, reached, 0.0), np.nan)


def _reached(right: ArrayLike, objects: ArrayLike, preset: Preset) -> Floats:
    """The share of recall points that are reached."""
    right, objects = np.asarray(right), np.asarray(objects)
    if preset.interpolation == "area":
        return np.asarray(right / objects)
    intervals = _INTERVALS[preset.interpolation]
    if preset.recall_grid == "exact":
        return (intervals * right // objects + 1) / (intervals + 1)
    grid = _FLOAT_GRIDS[preset.interpolation]
    return np.searchsorted(grid, right / objects, side="right") / (intervals + 1)


def mean_over_classes(values: ArrayLike, preset: Preset) -> Floats:
    """The mean of values (..., classes) that are NaN for classes without objects, as the preset says."""
    values = np.asarray(values, dtype=np.float64)
    absent = np.isnan(values)
    if preset.absent == "zero":
        count = np.full(values.shape[:-1], values.shape[-1])
    else:
        count = (~absent).sum(axis=-1)
    empty = np.nan if preset.absent == "nan" else 0.0
    total = np.where(absent, 0.0, values).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), empty)
