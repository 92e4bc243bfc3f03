"""Why detections are wrong and what each kind of error costs.

After TIDE (Bolya et al., ECCV 2020), with the error of place split as rotated boxes need it: where a
detection meets an object of its class too loosely, is it the centre, the size or the angle, or do width and
height stand the wrong way round?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import Floats
from detection_eval.geometry.rotated import LE90, boxes_to_quads, quads_to_boxes
from detection_eval.metrics.average_precision import mean_over_classes
from detection_eval.metrics.confidence_free import block_ap
from detection_eval.metrics.counts import Counts, count
from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import FALSE, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps

KINDS = ("class", "centre", "size", "angle", "swap", "both", "duplicate", "background", "missed")
"""Kinds of error, in the order of ``Anatomy.kind``; ``missed`` is one of objects, the others of detections.

class: overlaps an object of another class enough. centre, size, angle: overlaps an object of its own class,
but not enough, and correcting this one alone helps most. swap: the same, and turned by a right angle it would
overlap enough. both: overlaps an object of another class, and not enough. duplicate: overlaps an object that
a better detection has found. background: overlaps nothing by ``overlaps.LOWEST_LEVEL``. missed: an object
that no right detection, and no detection with an error of class or place, stands for.
"""

_CLASS, _CENTRE, _SIZE, _ANGLE, _SWAP, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(len(KINDS))
_PLACED = (_CLASS, _CENTRE, _SIZE, _ANGLE, _SWAP)  # errors that stand for an object


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The errors of one method at one level of overlap.

    Attributes:
        kind: (detections,) index into ``KINDS``, or -1 for one that is right, ignored or below the threshold.
        target: (detections,) the object that a detection was meant for, or -1.
        missed: (objects,) those that nothing stands for.
        numbers: errors of each kind by class, (kinds, classes): the class of the detection or missed object.
        apnc: mean APnc over classes.
        gain: (kinds,) how much higher it is if an oracle mends all errors of a kind: it gives the right class
            or place to the detections of objects that have no right one, takes other wrong ones away, and
            forgets missed objects.
    """

    kind: NDArray[np.int8]
    target: Indices
    missed: Mask
    numbers: Indices
    apnc: float
    gain: Floats


def anatomy(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> Anatomy:
    """Sort the errors of the detections that a threshold keeps into kinds, and measure what each kind costs.

    Ignored objects explain no error.
    """
    wrong = matches.verdict == FALSE
    right = matches.verdict == TRUE
    if keep is not None:
        wrong, right = wrong & keep, right & keep
    kind, target = _explained(overlaps, wrong, matches.level)
    found = np.zeros(len(overlaps.objects), dtype=bool)
    found[matches.matched[right]] = True
    covered = found.copy()
    covered[target[np.isin(kind, _PLACED)]] = True
    missed = ~covered & ~overlaps.ignored
    labels, classes = overlaps.detections.labels, len(overlaps.classes)
    numbers = np.array([np.bincount(labels[kind == k], minlength=classes) for k in range(len(KINDS))])
    numbers[_MISSED] = np.bincount(overlaps.objects.labels[missed], minlength=classes)
    counts = count(overlaps, matches, keep)
    mended = [_mended(overlaps, counts, k, kind, target, found, numbers) for k in range(len(KINDS))]
    apnc, *best = (
        float(mean_over_classes(block_ap(c, overlaps.preset), overlaps.preset)) for c in (counts, *mended)
    )
    return Anatomy(kind, target, missed, numbers, apnc, np.array(best) - apnc)


def _explained(overlaps: Overlaps, wrong: Mask, level: float) -> tuple[NDArray[np.int8], Indices]:
    """The kind of each wrong detection, and the object it was meant for, in TIDE's order of precedence."""
    detection, found, iou = overlaps.pairs_of_any_class
    used = wrong[detection] & ~overlaps.ignored[found]
    detection, found, iou = detection[used], found[used], iou[used]
    same = overlaps.detections.labels[detection] == overlaps.objects.labels[found]
    n = len(overlaps.detections)
    own, own_iou = _best(n, detection[same], found[same], iou[same])
    other, other_iou = _best(n, detection[~same], found[~same], iou[~same])
    again, named = (overlaps.preset.reaches(iou, level) for iou in (own_iou, other_iou))
    placed = (own >= 0) & ~again
    kind = np.full(n, -1, dtype=np.int8)
    kind[wrong] = _BACKGROUND
    target = np.full(n, -1)
    for mask, k, what in (
        (wrong & (other >= 0), _BOTH, other),
        (wrong & again, _DUPLICATE, own),
        (wrong & named, _CLASS, other),
        (wrong & placed, _CENTRE, own),
    ):
        kind[mask] = k
        target[mask] = what[mask]
    loose = np.flatnonzero(wrong & placed)
    kind[loose] = misplacement(
        overlaps.detections.polygons[loose], overlaps.objects.polygons[own[loose]], level
    )
    return kind, target


def _best(n: int, detection: Indices, found: Indices, iou: Floats) -> tuple[Indices, Floats]:
    """The object that each detection overlaps most among the pairs, (n,) or -1, and the IoU."""
    order = np.lexsort((-iou, detection))
    which, first = np.unique(detection[order], return_index=True)
    best, value = np.full(n, -1), np.zeros(n)
    best[which], value[which] = found[order[first]], iou[order[first]]
    return best, value


def misplacement(detections: Floats, objects: Floats, level: float = 0.5) -> NDArray[np.int8]:
    """Localisation error of detections that overlap their object too loosely.

    Width and height stand the wrong way round where the long sides are across each other and a turn by a
    right angle is enough. Otherwise sides may be paired either way, since a near-square has no long side.

    Args:
        detections: (n, 4, 2).
        objects: (n, 4, 2), the object of each.
        level: IoU that would have been enough.

    Returns:
        (n,) index into ``KINDS``: centre, size, angle or swap.
    """
    if not len(detections):
        return np.zeros(0, dtype=np.int8)
    found, there = quads_to_boxes(detections, LE90), quads_to_boxes(objects, LE90)
    quarter = np.array([0, 0, 0, 0, np.pi / 2])
    turned, crossed = found + quarter, there[:, [0, 1, 3, 2, 4]] + quarter

    def fit(boxes: Floats) -> Floats:
        return pair_iou(boxes_to_quads(boxes), objects)

    mended = np.stack(
        [
            fit(np.column_stack([there[:, :2], found[:, 2:]])),
            np.maximum(
                *(fit(np.column_stack([found[:, :2], x[:, 2:4], found[:, 4]])) for x in (there, crossed))
            ),
            np.maximum(*(fit(np.column_stack([found[:, :4], x[:, 4]])) for x in (there, crossed))),
        ]
    )
    kind = (_CENTRE + mended.argmax(axis=0)).astype(np.int8)
    between = np.abs((found[:, 4] - there[:, 4] + np.pi / 2) % np.pi - np.pi / 2)
    kind[(fit(turned) >= level) & (between > np.pi / 4)] = _SWAP
    return kind


def _mended(
    overlaps: Overlaps,
    counts: Counts,
    which: int,
    kind: NDArray[np.int8],
    target: Indices,
    found: Mask,
    numbers: Indices,
) -> Counts:
    """The counts after an oracle has mended all errors of one kind."""
    if which == _MISSED:
        return Counts(counts.true, counts.false, counts.positives - numbers[which])
    true = counts.true
    if which in _PLACED:
        gained = np.unique(target[kind == which])
        labels = overlaps.objects.labels[gained[~found[gained]]]
        true = true + np.bincount(labels, minlength=len(overlaps.classes))
    return Counts(true, counts.false - numbers[which], counts.positives)
