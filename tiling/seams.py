"""Seams between tiles: which boxes of different tiles may show the same object.

A box that touches an *inner* edge of its tile (one beyond which other tiles look) may be a part of an object:
it is *cut* there. Two boxes of one class from different tiles are candidates for one of three reasons:

1. *seen twice*: both are whole, nearly identical, and lie where both tiles look;
2. *seen better*: one is cut, and the other, whose tile sees nearly all of it, covers it;
3. *halves*: both are cut by edges that face each other, agree where both tiles look, and together fill a
   rectangle. Halves of which each shows what lies beyond the other's tile are not seen better, however
   little that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import intersection_area
from detection_eval.geometry.quads import area, bounds, box_quads
from tiling.grid import Tile, TileGrid

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TINY = 1e-12

_REACH_PX = 2.0
"""Scene px by which a box has to reach beyond another's tile to show more of the object than that one."""


@dataclass(frozen=True)
class MergeRules:
    """Rules by which two boxes of different tiles are one object; defaults suit errors of a few pixels.

    Attributes:
        edge_px: how near an inner tile edge a box has to come to count as cut there, in scene px; None
            takes 0.5 % of the tile side, at least 2 px (a model writes coordinates in steps of 0.1 %).
        same_iou: intersection over union from which two whole boxes are the same one.
        cover: the part of a cut box that a better view has to cover, give or take ``edge_px``. The
            rectangle around the triangular tip of an oblique object lies half outside the object.
        inside: the part of a cut box that the other tile has to see for its view to be better. With much
            overlap, one end of a bridge covers half of its middle part and shows none of the rest.
        fill: the part of their common rectangle that two halves have to fill. Oblique halves whose corners
            were moved into their tile taper towards the seam.
        agree: the part of the smaller half, where both tiles look, that lies in the other half. Not asked
            of strips narrower than twice ``edge_px``.
    """

    edge_px: float | None = None
    same_iou: float = 0.5
    cover: float = 0.5
    inside: float = 0.8
    fill: float = 0.6
    agree: float = 0.2

    def edge_tolerance(self, grid: TileGrid) -> float:
        """The distance from an inner edge below which a box is cut there, in scene px."""
        return max(2.0, 0.005 * grid.tile) if self.edge_px is None else self.edge_px


class Reason(IntEnum):
    """Why two boxes may be one object, the strongest first."""

    SEEN_TWICE = 0
    SEEN_BETTER = 1
    HALVES = 2


class Pair(NamedTuple):
    """Two boxes that may be one object; for SEEN_BETTER the worse view comes first."""

    reason: Reason
    first: int
    second: int


@dataclass(frozen=True)
class TileBoxes:
    """The boxes of all tiles in one order that does not depend on how they were given.

    Attributes:
        detections: the n boxes in scene pixels.
        tile: (n,) index of the tile of each box.
        window: (n, 4) bounds of that tile's window.
        core: (n, 4) bounds of that tile's core.
        bounds: (n, 4) bounds of each box.
        cuts: (n, 4), whether its left, top, right and bottom touch an inner tile edge.
        rank: (n,) place of each box in the order of preference among views of one object: by score, then by
            how near its centre is to the core of its tile.
        tolerance: the distance in px below which an edge was taken as touched.
    """

    detections: Detections
    tile: Indices
    window: Floats
    core: Floats
    bounds: Floats
    cuts: Flags
    rank: Indices
    tolerance: float

    @property
    def polygons(self) -> Floats:
        """(n, 4, 2) corners."""
        return self.detections.polygons

    @property
    def whole(self) -> Flags:
        """(n,) boxes that no inner tile edge cuts."""
        return np.all(~self.cuts, axis=1)

    @classmethod
    def gather(
        cls, per_tile: Sequence[tuple[Tile, Detections]], grid: TileGrid, tolerance: float
    ) -> TileBoxes:
        """The boxes of tiles that are given once each, in any order.

        Raises:
            ValueError: for a tile that is given twice, tiles of which only some have scores, or coordinates
                that are not finite.
        """
        ordered = sorted(per_tile, key=lambda pair: pair[0].index)
        indices = [tile.index for tile, _ in ordered]
        for before, index in pairwise(indices):
            if before == index:
                raise ValueError(f"tile {index} is given more than once; merge each tile's detections once")
        detections = concatenate([found for _, found in ordered])
        counts = [len(found) for _, found in ordered]
        tile = np.repeat(np.array(indices, dtype=np.int64), counts)
        window = np.repeat(np.reshape([t.window.bounds for t, _ in ordered], (-1, 4)), counts, axis=0)
        core = np.repeat(np.reshape([t.core.bounds for t, _ in ordered], (-1, 4)), counts, axis=0)

        order = reading_order(tile, detections)
        detections, tile, window, core = detections.select(order), tile[order], window[order], core[order]
        around = bounds(detections.polygons)
        inner = window != np.array(grid.extent.bounds)
        reached = np.concatenate(
            [around[:, :2] <= window[:, :2] + tolerance, around[:, 2:] >= window[:, 2:] - tolerance], axis=1
        )
        rank = _preference(detections, core)
        return cls(detections, tile, window, core, around, reached & inner, rank, tolerance)


def reading_order(tile: Indices, detections: Detections) -> Indices:
    """By tile, then from the top, from the left, and by all else that could tell two boxes apart."""
    top_left = detections.polygons.min(axis=1)
    keys = [tile, top_left[:, 1], top_left[:, 0], detections.labels, *detections.polygons.reshape(-1, 8).T]
    if detections.scores is not None:
        keys.append(detections.scores)
    return np.lexsort(keys[::-1])


def distance_to_core(points: Floats, core: Floats) -> Floats:
    """Distance of points (n, 2) outside the bounds (n, 4), 0 inside."""
    outside = np.maximum(0.0, np.maximum(core[:, :2] - points, points - core[:, 2:]))
    return np.hypot(outside[:, 0], outside[:, 1])


def candidate_pairs(boxes: TileBoxes, rules: MergeRules) -> list[Pair]:
    """The pairs that may be one object: by reason, and the best first of each."""
    first, second = _neighbours(boxes)
    common = intersection_area(boxes.polygons[first], boxes.polygons[second])

    twice = _seen_twice(boxes, first, second, common, rules)
    iou = _iou(boxes, first, second, common)
    found = [(Reason.SEEN_TWICE, iou[twice], first[twice], second[twice])]

    fill = _filled(boxes, first, second, common)
    halves = _facing(boxes, first, second) & ~twice
    halves &= (fill >= rules.fill) & _agree(boxes, first, second, common, rules)

    hidden = _hidden(boxes, first, second, rules), _hidden(boxes, second, first, rules)
    loses = hidden[0] & (~hidden[1] | _less_preferred(boxes, first, second))
    continued = halves & _reaches(boxes, first, second) & _reaches(boxes, second, first)
    better = (hidden[0] | hidden[1]) & ~continued
    worse, winner = np.where(loses, (first, second), (second, first))[:, better]
    found.append((Reason.SEEN_BETTER, _fit(boxes, worse, winner, common[better]), worse, winner))

    halves &= ~better
    found.append((Reason.HALVES, fill[halves], first[halves], second[halves]))

    pairs = []
    for reason, quality, left, right in found:
        order = np.lexsort([right, left, -quality])
        pairs += [Pair(reason, a, b) for a, b in zip(left[order].tolist(), right[order].tolist())]
    return pairs


def concatenate(parts: Sequence[Detections]) -> Detections:
    """The boxes of all parts under one list of classes."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if not parts:
        return Detections.empty()
    scored = sum(part.scores is not None for part in parts)
    if 0 < scored < len(parts):
        raise ValueError(
            f"{scored} of {len(parts)} tiles have scores; give scores for all tiles or for none of them"
        )
    classes = tuple(dict.fromkeys(name for part in parts for name in part.classes))
    places = {name: place for place, name in enumerate(classes)}
    labels = [np.array([places[name] for name in part.classes], np.int64)[part.labels] for part in parts]
    polygons = np.concatenate([part.polygons for part in parts])
    if not np.isfinite(polygons).all():
        raise ValueError("a box has coordinates that are not finite; drop such boxes before merging")
    scores = np.concatenate([part.scores for part in parts if part.scores is not None]) if scored else None
    return Detections(polygons, np.concatenate(labels), classes, scores)


def _preference(detections: Detections, core: Floats) -> Indices:
    """The rank of each box among views of one object."""
    distance = distance_to_core(detections.polygons.mean(axis=1), core)
    keys = [np.arange(len(distance)), distance]
    if detections.scores is not None:
        keys.append(-detections.scores)
    rank = np.empty(len(distance), dtype=np.int64)
    rank[np.lexsort(keys)] = np.arange(len(distance))
    return rank


def _neighbours(boxes: TileBoxes) -> tuple[Indices, Indices]:
    """Pairs of boxes of one class from different tiles whose bounds meet within the tolerance."""
    x0, y0, x1, y1 = boxes.bounds.T
    reach = boxes.tolerance / 2
    tree = shapely.STRtree(shapely.box(x0 - reach, y0 - reach, x1 + reach, y1 + reach))
    first, second = tree.query(tree.geometries)
    labels = boxes.detections.labels
    keep = (first < second) & (boxes.tile[first] != boxes.tile[second]) & (labels[first] == labels[second])
    return first[keep], second[keep]


def _iou(boxes: TileBoxes, first: Indices, second: Indices, common: Floats) -> Floats:
    union = area(boxes.polygons[first]) + area(boxes.polygons[second]) - common
    return common / np.maximum(union, _TINY)


def _seen_twice(
    boxes: TileBoxes, first: Indices, second: Indices, common: Floats, rules: MergeRules
) -> Flags:
    """Whether both boxes are whole and alike, and lie where both tiles look.

    What a tile can see of an object that is whole in another tile and reaches out of its own is cut.
    """
    low = np.minimum(boxes.bounds[first, :2], boxes.bounds[second, :2])
    high = np.maximum(boxes.bounds[first, 2:], boxes.bounds[second, 2:])
    start, stop = _strip(boxes, first, second)
    shared = np.all((low >= start - boxes.tolerance) & (high <= stop + boxes.tolerance), axis=1)
    alike = _iou(boxes, first, second, common) >= rules.same_iou
    return boxes.whole[first] & boxes.whole[second] & shared & alike


def _strip(boxes: TileBoxes, first: Indices, second: Indices) -> tuple[Floats, Floats]:
    """The top left and bottom right corners of what both tiles show; crossed where they show nothing."""
    start = np.maximum(boxes.window[first, :2], boxes.window[second, :2])
    return start, np.minimum(boxes.window[first, 2:], boxes.window[second, 2:])


def _hidden(boxes: TileBoxes, box: Indices, other: Indices, rules: MergeRules) -> Flags:
    """Whether a cut box adds nothing to ``other``, which covers it and whose tile sees nearly all of it."""
    hidden = ~boxes.whole[box]
    box, other = box[hidden], other[hidden]
    size = np.maximum(area(boxes.polygons[box]), _TINY)
    seen = intersection_area(boxes.polygons[box], box_quads(boxes.window[other]))
    covered = intersection_area(boxes.polygons[box], _grown(boxes.polygons[other], boxes.tolerance))
    hidden[hidden] = (seen >= rules.inside * size) & (covered >= rules.cover * size)
    return hidden


def _grown(polygons: Floats, margin: float) -> Floats:
    """Quadrilaterals (n, 4, 2) with each side moved outwards; exact for rectangles."""
    edges = np.roll(polygons, -1, axis=1) - polygons
    onwards = edges / np.maximum(np.linalg.norm(edges, axis=2, keepdims=True), _TINY)
    return polygons + margin * (np.roll(onwards, 1, axis=1) - onwards)


def _reaches(boxes: TileBoxes, box: Indices, other: Indices) -> Flags:
    """Whether a box shows more of the object than ``other`` does, beyond an edge that cuts that one."""
    around, window, cuts = boxes.bounds[box], boxes.window[other], boxes.cuts[other]
    before, behind = around[:, :2] < window[:, :2] - _REACH_PX, around[:, 2:] > window[:, 2:] + _REACH_PX
    return np.any((before & cuts[:, :2]) | (behind & cuts[:, 2:]), axis=1)


def _less_preferred(boxes: TileBoxes, box: Indices, other: Indices) -> Flags:
    """Whether a box shows less of the object than ``other``; else whether more edges cut it; then by rank."""
    keys = [
        (_reaches(boxes, box, other), _reaches(boxes, other, box)),
        (boxes.cuts[other].sum(axis=1), boxes.cuts[box].sum(axis=1)),
        (boxes.rank[other], boxes.rank[box]),
    ]
    less, alike = np.zeros(len(box), bool), np.ones(len(box), bool)
    for smaller, larger in keys:
        less |= alike & (smaller < larger)
        alike &= smaller == larger
    return less


def _fit(boxes: TileBoxes, cut: Indices, better: Indices, common: Floats) -> Floats:
    """Intersection over union of a cut box with what its tile could see of the better view."""
    expected = intersection_area(boxes.polygons[better], box_quads(boxes.window[cut]))
    return common / np.maximum(area(boxes.polygons[cut]) + expected - common, _TINY)


def _facing(boxes: TileBoxes, first: Indices, second: Indices) -> Flags:
    """Whether each box is cut on a side where the other's tile continues; of oblique ones not the same."""
    cuts_a, cuts_b = boxes.cuts[first], boxes.cuts[second]
    start_a, start_b = boxes.window[first, :2], boxes.window[second, :2]
    onwards, backwards = start_a < start_b, start_b < start_a
    towards_b = np.any((onwards & cuts_a[:, 2:]) | (backwards & cuts_a[:, :2]), axis=1)
    towards_a = np.any((onwards & cuts_b[:, :2]) | (backwards & cuts_b[:, 2:]), axis=1)
    return towards_b & towards_a


def _filled(boxes: TileBoxes, first: Indices, second: Indices, common: Floats) -> Floats:
    """The part of the smallest rectangle around both boxes that they fill."""
    corners = np.concatenate([boxes.polygons[first], boxes.polygons[second]], axis=1)
    around = shapely.oriented_envelope(
        shapely.multipoints(corners.reshape(-1, 2), indices=np.repeat(np.arange(len(corners)), 8))
    )
    filled = area(boxes.polygons[first]) + area(boxes.polygons[second]) - common
    return filled / np.maximum(shapely.area(around), _TINY)


def _agree(boxes: TileBoxes, first: Indices, second: Indices, common: Floats, rules: MergeRules) -> Flags:
    """Whether two halves coincide where both tiles look, or the strip is too narrow to tell."""
    start, stop = _strip(boxes, first, second)
    strip = box_quads(np.concatenate([start, np.maximum(start, stop)], axis=1))
    seen = np.minimum(
        intersection_area(boxes.polygons[first], strip), intersection_area(boxes.polygons[second], strip)
    )
    narrow = (stop - start).min(axis=1) < 2 * boxes.tolerance
    return narrow | (common >= rules.agree * np.maximum(seen, _TINY))
