"""Typical errors drawn from geometry alone: objects and detections around each, without the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.anatomy import KINDS, Anatomy
from detection_eval.metrics.matching import FALSE, TRUE, Mask, Matches, Overlaps
from detection_eval.report.svg import Shape, drawing

MISSED = KINDS.index("missed")
"""Index of the one kind that is an error of objects."""


@dataclass(frozen=True)
class Drawing:
    """One error.

    Attributes:
        kind: of the error.
        words: class and score.
        place: image, and how much of it is shown.
        svg: the drawing.
    """

    kind: str
    words: str
    place: str
    svg: Markup


def gallery(
    overlaps: Overlaps, matches: Matches, errors: Anatomy, keep: Mask | None, each: int = 3
) -> list[Drawing]:
    """Drawings of the errors of each kind, most confident first, from as many images as there are.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        errors: their anatomy.
        keep: (detections,) above the threshold; None for all.
        each: drawings of a kind.
    """
    shown = np.ones(len(overlaps.detections), dtype=bool) if keep is None else keep
    figures = []
    for kind, name in enumerate(KINDS):
        for index in _typical(overlaps, errors, kind, each):
            figures.append(_figure(overlaps, matches, errors, shown, kind, name, index))
    return figures


def _typical(overlaps: Overlaps, errors: Anatomy, kind: int, each: int) -> Iterator[int]:
    """Indices of errors of a kind, one an image as long as there are images."""
    if kind == MISSED:
        candidates, images = np.flatnonzero(errors.missed), overlaps.objects.images
    else:
        candidates, images = np.flatnonzero(errors.kind == kind), overlaps.detections.images
        if overlaps.scores is not None:
            candidates = candidates[np.argsort(-overlaps.scores[candidates], kind="stable")]
    _, first = np.unique(images[candidates], return_index=True)
    ones = candidates[np.sort(first)]
    rest = candidates[~np.isin(candidates, ones)]
    yield from (int(index) for index in [*ones, *rest][:each])


def _figure(
    overlaps: Overlaps, matches: Matches, errors: Anatomy, shown: Mask, kind: int, name: str, index: int
) -> Drawing:
    boxes = overlaps.objects if kind == MISSED else overlaps.detections
    focus, image = boxes.polygons[index], int(boxes.images[index])
    target = -1 if kind == MISSED else int(errors.target[index])
    around = focus if target < 0 else np.concatenate([focus, overlaps.objects.polygons[target]])
    low, high = around.min(axis=0), around.max(axis=0)
    side = max(float((high - low).max()) * 2.2, 1e-6)
    x0, y0 = (low + high) / 2 - side / 2
    objects = np.flatnonzero(overlaps.objects.images == image)
    detections = np.flatnonzero((overlaps.detections.images == image) & shown)
    drawn = [
        _polygon(overlaps.objects.polygons[i], "ignored" if overlaps.ignored[i] else "object")
        for i in objects
    ]
    verdicts = {int(TRUE): "right", int(FALSE): "wrong"}
    drawn += [
        _polygon(overlaps.detections.polygons[i], verdicts.get(int(matches.verdict[i]), "ignored"))
        for i in detections
        if i != index or kind == MISSED
    ]
    drawn.append(_polygon(focus, "focus missed" if kind == MISSED else "focus"))
    words = overlaps.classes[int(boxes.labels[index])]
    if target >= 0 and overlaps.objects.labels[target] != boxes.labels[index]:
        words += f" for {overlaps.classes[int(overlaps.objects.labels[target])]}"
    if kind != MISSED and overlaps.scores is not None:
        words += f", score {overlaps.scores[index]:.2f}"
    return Drawing(
        name, words, f"{overlaps.images[image]}, {side:.0f} px wide", drawing(drawn, (x0, y0, side, side))
    )


def _polygon(corners: Floats, kind: str) -> Shape:
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in corners)
    return Shape("polygon", {"class": kind, "points": points})
