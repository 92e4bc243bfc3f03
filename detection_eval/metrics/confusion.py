"""Confusion matrix of classes, and the mF1 that LMMRotate derives from it."""

from __future__ import annotations

import numpy as np

from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import FALSE, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps


def confusion_matrix(overlaps: Overlaps, level: float = 0.5, keep: Mask | None = None) -> Indices:
    """Pairs by class of the object (rows) and of the detection (columns), the last of each being background.

    As mmrotate counts them, every pair of an image that overlaps enough is an entry, so that one detection
    or object may stand for several. A detection without any pair is background found; an object without one
    of its own class is missed, even where a detection of another class is counted. Ignored objects are left
    out.

    Args:
        overlaps: a data set under its predictions.
        level: lowest IoU of a pair.
        keep: (detections,) those that count; None takes all.

    Returns:
        (classes + 1, classes + 1).
    """
    kept = overlaps.kept(keep)
    detection, found, iou = overlaps.pairs_of_any_class
    paired = (iou >= level) & kept[detection] & ~overlaps.ignored[found]
    detection, found = detection[paired], found[paired]
    rows, columns = overlaps.objects.labels[found], overlaps.detections.labels[detection]
    classes = len(overlaps.classes)
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    np.add.at(matrix, (rows, columns), 1)
    alone = kept.copy()
    alone[detection] = False
    matrix[-1, :-1] = np.bincount(overlaps.detections.labels[alone], minlength=classes)
    missed = ~overlaps.ignored
    missed[found[rows == columns]] = False
    matrix[:-1, -1] = np.bincount(overlaps.objects.labels[missed], minlength=classes)
    return matrix


def one_to_one_confusion(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> Indices:
    """Objects by class (rows) and what they were found as (columns), the last of each being background.

    Right detections stand on the diagonal. Wrong ones and objects that no right one was found for are then
    paired, those that overlap most first, whatever the classes, where they reach the level. What is left is
    background found (last row) or an object missed (last column). So the rows of classes sum to the objects,
    and the columns to the detections; ignored objects and detections of them are left out.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        keep: (detections,) those above a threshold; None takes all.

    Returns:
        (classes + 1, classes + 1).
    """
    kept = overlaps.kept(keep)
    right, wrong = kept & (matches.verdict == TRUE), kept & (matches.verdict == FALSE)
    lost = ~overlaps.ignored
    lost[matches.matched[right]] = False
    classes = len(overlaps.classes)
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    named = overlaps.detections.labels[right]
    matrix[:-1, :-1] = np.diag(np.bincount(named, minlength=classes))
    detection, found, iou = overlaps.pairs_of_any_class
    reaches = overlaps.preset.reaches(iou, matches.level)
    free = np.flatnonzero(reaches & wrong[detection] & lost[found])
    for pair in free[np.argsort(-iou[free], kind="stable")]:
        d, o = detection[pair], found[pair]
        if wrong[d] and lost[o]:
            matrix[overlaps.objects.labels[o], overlaps.detections.labels[d]] += 1
            wrong[d] = lost[o] = False
    matrix[-1, :-1] = np.bincount(overlaps.detections.labels[wrong], minlength=classes)
    matrix[:-1, -1] = np.bincount(overlaps.objects.labels[lost], minlength=classes)
    return matrix


def mf1_lmmrotate(overlaps: Overlaps, level: float = 0.5, at_least: float = 0.0) -> float:
    """The mF1 of LMMRotate's evaluator, for comparison with published values: 0 to 1.

    Precision and recall are means over the classes and the background, whose own are 0, so that a perfect
    detector of C classes has C / (C + 1); mF1 is the harmonic mean of the two means. LMMRotate prints the
    best over scores of at least 0, 0.1, ... 0.9.

    Args:
        overlaps: a data set under its predictions.
        level: lowest IoU of a pair.
        at_least: lowest score that counts. Detections without scores all do.
    """
    keep = None if overlaps.scores is None else overlaps.scores >= at_least
    matrix = confusion_matrix(overlaps, level, keep)
    right = np.diag(matrix).astype(np.float64)
    precision = (right / np.maximum(matrix.sum(axis=0), 1)).mean()
    recall = (right / np.maximum(matrix.sum(axis=1), 1)).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0
