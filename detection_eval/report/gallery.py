"""Typical errors: the objects and detections around each, over the image's pixels where these are given."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.anatomy import KINDS, Anatomy
from detection_eval.metrics.matching import FALSE, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps
from detection_eval.report.svg import Shape, drawing

MISSED = KINDS.index("missed")
"""Index of the one kind that is an error of objects."""


Pixels = Callable[[str, tuple[float, float, float]], bytes | None]
"""Reads a square of an image: (id, (left, top, side) in pixels) -> a PNG file, None where it is missing."""


@dataclass(frozen=True)
class Drawing:
    """One error.

    Attributes:
        kind: kind of error.
        words: class and score.
        place: image, and how much of it is shown.
        svg: the drawing.
    """

    kind: str
    words: str
    place: str
    svg: Markup


def gallery(
    overlaps: Overlaps,
    matches: Matches,
    errors: Anatomy,
    keep: Mask | None,
    each: int = 3,
    pixels: Pixels | None = None,
) -> list[Drawing]:
    """Drawings of the errors of each kind, most confident first, from as many images as there are.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        errors: their anatomy.
        keep: (detections,) above the threshold; None for all.
        each: drawings of a kind.
        pixels: reads what the image shows there; None draws the boxes alone.
    """
    shown = overlaps.kept(keep)
    figures = []
    for kind in range(len(KINDS)):
        for index in _typical(overlaps, errors, kind, each):
            figures.append(_figure(overlaps, matches, errors, shown, kind, index, pixels))
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
    overlaps: Overlaps,
    matches: Matches,
    errors: Anatomy,
    shown: Mask,
    kind: int,
    index: int,
    pixels: Pixels | None,
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
    png = None if pixels is None else pixels(overlaps.images[image], (float(x0), float(y0), side))
    drawn = [] if png is None else [_picture(png, x0, y0, side)]
    drawn += [
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
    place = f"{overlaps.images[image]}, {side:.0f} px wide"
    return Drawing(KINDS[kind], words, place, drawing(drawn, (x0, y0, side, side)))


def _picture(png: bytes, x0: float, y0: float, side: float) -> Shape:
    place = {"x": f"{x0:.2f}", "y": f"{y0:.2f}", "width": f"{side:.2f}", "height": f"{side:.2f}"}
    return Shape("image", {**place, "href": f"data:image/png;base64,{b64encode(png).decode()}"})


def _polygon(corners: Floats, kind: str) -> Shape:
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in corners)
    return Shape("polygon", {"class": kind, "points": points})
