"""The verdict on each box and the sums of each image, as columns of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from detection_eval.metrics.anatomy import KINDS, Anatomy
from detection_eval.metrics.localisation import matched_iou
from detection_eval.metrics.matching import FALSE, IGNORED, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps

Columns = dict[str, list[Any]]
"""Values by column name, None where there is none; all columns are equally long."""

_CORNERS = tuple(f"{axis}{corner}" for corner in range(1, 5) for axis in "xy")


def box_verdicts(overlaps: Overlaps, matches: Matches, errors: Anatomy, keep: Mask | None = None) -> Columns:
    """One row for each detection, in the order given, and then one for each object that nothing found.

    Columns:
        image, scene: ids.
        box: ``detection`` or ``object``.
        index: place of the box in the list of its image, from 0.
        class, score: of the box.
        verdict: ``tp``, ``fp``, ``ignored`` (of an ignored object), ``below threshold``, or ``fn``.
        error: kind of error of a wrong detection (``anatomy.KINDS``: class, centre, size, angle, swap, both,
            duplicate, background); of a missed object ``missed``, or ``mistaken`` where a detection with an
            error of class or place stands for it.
        object, object_class, iou: the object that a detection was matched to, or that its error is about, by
            its place in the list of its image; its class; and their IoU.
        x1, y1 ... x4, y4: corners in pixels.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        errors: their anatomy.
        keep: (detections,) those above the threshold; None for all.
    """
    detections, objects = overlaps.detections, overlaps.objects
    kept = np.ones(len(detections), dtype=bool) if keep is None else keep
    names = {int(TRUE): "tp", int(FALSE): "fp", int(IGNORED): "ignored"}
    verdict = [names[int(v)] if k else "below threshold" for v, k in zip(matches.verdict, kept)]
    target = np.where(matches.matched >= 0, matches.matched, errors.target)
    target = np.where(kept, target, -1)
    iou = _iou_with(overlaps, matches, target)
    found = np.zeros(len(objects), dtype=bool)
    found[matches.matched[(matches.verdict == TRUE) & kept]] = True
    lost = np.flatnonzero(~found & ~overlaps.ignored)
    nothing = [None] * len(lost)
    scores = [None] * len(detections) if overlaps.scores is None else overlaps.scores.tolist()
    aimed = [int(t) if t >= 0 else None for t in target]
    images = np.concatenate([detections.images, objects.images[lost]]).tolist()
    labels = np.concatenate([detections.labels, objects.labels[lost]]).tolist()
    corners = np.concatenate([detections.polygons, objects.polygons[lost]]).reshape(-1, 8)
    return {
        "image": [overlaps.images[i] for i in images],
        "scene": [overlaps.scenes[i] for i in images],
        "box": ["detection"] * len(detections) + ["object"] * len(lost),
        "index": [*detections.positions.tolist(), *objects.positions[lost].tolist()],
        "class": [overlaps.classes[label] for label in labels],
        "score": [*scores, *nothing],
        "verdict": [*verdict, *["fn"] * len(lost)],
        "error": [
            *(KINDS[k] if k >= 0 else None for k in errors.kind),
            *("missed" if errors.missed[o] else "mistaken" for o in lost),
        ],
        "object": [*(None if t is None else int(objects.positions[t]) for t in aimed), *nothing],
        "object_class": [
            *(None if t is None else overlaps.classes[int(objects.labels[t])] for t in aimed),
            *nothing,
        ],
        "iou": [*(None if t is None else float(v) for t, v in zip(aimed, iou)), *nothing],
        **{name: column.tolist() for name, column in zip(_CORNERS, corners.T)},
    }


def _iou_with(overlaps: Overlaps, matches: Matches, target: Any) -> Any:
    """The IoU of each detection with the object it is compared with; 0 without one."""
    iou = matched_iou(overlaps, matches)
    detection, found, value = overlaps.pairs_of_any_class
    meant = target[detection] == found
    iou[detection[meant]] = value[meant]
    return iou


def image_sums(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> Columns:
    """One row for each image of the ground truth, in its order.

    Columns: image, scene, width, height (pixels), objects, ignored (objects), detections (above the
    threshold), tp, fp, fn, and precision, recall and f1 of all classes together.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        keep: (detections,) those above the threshold; None for all.
    """
    kept = overlaps.kept(keep)
    images = len(overlaps.images)

    def number(of: Any, mask: Any) -> Any:
        return np.bincount(of.images[mask], minlength=images)

    objects = number(overlaps.objects, ~overlaps.ignored)
    true = number(overlaps.detections, kept & (matches.verdict == TRUE))
    false = number(overlaps.detections, kept & (matches.verdict == FALSE))
    sizes = overlaps.sizes.tolist()
    return {
        "image": list(overlaps.images),
        "scene": list(overlaps.scenes),
        "width": [None if np.isnan(w) else int(w) for w, _ in sizes],
        "height": [None if np.isnan(h) else int(h) for _, h in sizes],
        "objects": objects.tolist(),
        "ignored": number(overlaps.objects, overlaps.ignored).tolist(),
        "detections": number(overlaps.detections, kept).tolist(),
        "tp": true.tolist(),
        "fp": false.tolist(),
        "fn": (objects - true).tolist(),
        "precision": _shares(true, true + false),
        "recall": _shares(true, objects),
        "f1": _shares(2 * true, true + false + objects),
    }


def _shares(part: Any, whole: Any) -> list[float | None]:
    return [p / w if w else None for p, w in zip(part.tolist(), whole.tolist())]
