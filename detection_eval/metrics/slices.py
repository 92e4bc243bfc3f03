"""Precision and recall of parts of a data set: small or large, square or long, early or late in the reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import Floats, area, bounds
from detection_eval.geometry.rotated import LE90, quads_to_boxes
from detection_eval.metrics.ground_truth import Boxes
from detection_eval.metrics.matching import FALSE, TRUE, Matches
from detection_eval.metrics.overlaps import Mask, Overlaps

_Bins = tuple[tuple[str, float], ...]  # name, and the value from which it counts

SIZES: _Bins = (("< 16 px", 0), ("16-32 px", 16), ("32-96 px", 32), (">= 96 px", 96))
"""Square root of the area; 32 and 96 are COCO's limits of small and large."""

ASPECTS: _Bins = (("< 1.5", 0), ("1.5-3", 1.5), ("3-6", 3), (">= 6", 6))
"""Long side through short side."""

ANGLES: _Bins = tuple((f"{start} to {start + 30} deg", start) for start in range(-90, 90, 30))
"""Direction of the long side, clockwise from x."""

DENSITIES: _Bins = (("none", 0), ("1-5", 1), ("6-20", 6), ("21-100", 21), ("> 100", 101))
"""Objects in the image, of all classes."""

POSITIONS: _Bins = (("first 10", 0), ("11-50", 10), ("51-200", 50), ("after 200", 200))
"""Place of a detection in the list of its image, as given."""

EDGES: _Bins = (("inside", 0), ("cut by the edge", 1))
"""Whether a box touches the edge of its image, or is marked as cut (difficulty 2)."""


@dataclass(frozen=True)
class Slice:
    """A part of the objects and a part of the detections, chosen by the same property of each.

    Attributes:
        by: the property.
        name: its range.
        objects: that count.
        found: of them.
        detections: right and wrong ones.
        right: of them.
    """

    by: str
    name: str
    objects: int
    found: int
    detections: int
    right: int

    @property
    def recall(self) -> float:
        """NaN without objects."""
        return self.found / self.objects if self.objects else float("nan")

    @property
    def precision(self) -> float:
        """NaN without detections."""
        return self.right / self.detections if self.detections else float("nan")


def slices(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> tuple[Slice, ...]:
    """Recall of objects and precision of detections by size, aspect, angle, density, position and edge.

    A detection is sorted by its own properties, so the two halves of a slice need not belong together.
    Position is one of detections only, and the edge is left out for images of unknown size.

    Args:
        overlaps: a data set under its predictions.
        matches: the verdicts at one level.
        keep: (detections,) those above a threshold; None takes all.
    """
    right, wrong = matches.verdict == TRUE, matches.verdict == FALSE
    if keep is not None:
        right, wrong = right & keep, wrong & keep
    found = np.zeros(len(overlaps.objects), dtype=bool)
    found[matches.matched[right]] = True
    counted = ~overlaps.ignored
    objects, detections = overlaps.objects, overlaps.detections
    crowd = np.bincount(objects.images[counted], minlength=len(overlaps.images))
    properties: tuple[tuple[str, _Bins, Callable[[Boxes], Floats]], ...] = (
        ("size", SIZES, lambda boxes: np.sqrt(area(boxes.polygons))),
        ("aspect", ASPECTS, _aspect),
        ("angle", ANGLES, lambda boxes: np.degrees(quads_to_boxes(boxes.polygons, LE90)[:, 4])),
        ("density", DENSITIES, lambda boxes: crowd[boxes.images].astype(np.float64)),
        ("edge", EDGES, lambda boxes: _touches(boxes, overlaps.sizes)),
    )
    rows: list[Slice] = []
    for by, bins, measure in properties:
        there, seen = measure(objects), measure(detections)
        if by == "edge":
            there = np.where(overlaps.difficulty == 2, 1.0, there)
        one, other = _bin(there, bins), _bin(seen, bins)
        for index, (name, _) in enumerate(bins):
            part = counted & (one == index)
            mine = other == index
            rows.append(_slice(by, name, part, found & part, (right | wrong) & mine, right & mine))
    place = _bin(detections.positions.astype(np.float64), POSITIONS)
    none = np.zeros(0, dtype=bool)
    for index, (name, _) in enumerate(POSITIONS):
        mine = place == index
        rows.append(_slice("position", name, none, none, (right | wrong) & mine, right & mine))
    return tuple(row for row in rows if row.objects or row.detections)


def _slice(by: str, name: str, objects: Mask, found: Mask, detections: Mask, right: Mask) -> Slice:
    return Slice(by, name, *(int(mask.sum()) for mask in (objects, found, detections, right)))


def _bin(values: Floats, bins: _Bins) -> NDArray[np.int64]:
    """Index of the range that each value is in; -1 for NaN."""
    index = np.searchsorted([start for _, start in bins], values, side="right") - 1
    return np.where(np.isnan(values), -1, np.maximum(index, 0))


def _aspect(boxes: Boxes) -> Floats:
    sides = quads_to_boxes(boxes.polygons, LE90)[:, 2:4]
    return np.asarray(sides[:, 0] / np.where(sides[:, 1] > 0, sides[:, 1], np.nan))


def _touches(boxes: Boxes, sizes: Floats) -> Floats:
    """1 where the bounds reach the edge of the image, 0 where they do not, NaN where it is unknown."""
    box, size = bounds(boxes.polygons), sizes[boxes.images]
    touches = (box[:, :2] <= 0).any(axis=1) | (box[:, 2:] >= size).any(axis=1)
    return np.where(np.isnan(size).any(axis=1), np.nan, touches)
