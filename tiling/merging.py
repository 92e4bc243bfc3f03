"""Merging the detections of overlapping tiles into one set, with or without scores.

A text-only model states no confidence, so nothing here ranks boxes by score unless there is one. What
decides is what a tile could see. A box that touches an *inner* edge of its tile (one with scene beyond it)
may be a part of an object: it is *cut* there. Pairs of boxes of one class from different tiles are then the
same object for one of three reasons, tried in this order:

1. *seen twice*: both are whole, nearly identical, and lie where both tiles look;
2. *seen better*: one is cut, and the other covers it and is cut by fewer edges, or is the same view again;
3. *halves*: both are cut by edges that face each other, agree where both tiles look, and together fill a
   rectangle.

Groups grow from the best pair to the worst, and never hold two boxes of one tile (a model that lists two
boxes in one image means two objects), nor two whole boxes that are not the same for the first reason. An
object over many tiles, such as a bridge, becomes one group through its neighbouring parts. Nothing depends
on the order of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry import bounds as quad_bounds
from detection_eval.geometry import box_quads, min_area_rectangle
from tiling.grid import Tile, TileGrid

_TINY = 1e-12
_MOSTLY = 0.8
_SEEN_TWICE, _SEEN_BETTER, _HALVES = range(3)


@dataclass(frozen=True)
class MergeRules:
    """When two boxes of different tiles are the same object; the defaults suit boxes of a few pixels' error.

    Attributes:
        edge_px: how near an inner tile edge a box has to come to count as cut there, in scene px; None
            takes 0.5 % of the tile side, at least 2 px (a model writes coordinates in steps of 0.1 %).
        same_iou: intersection over union from which two views of a box are identical.
        cover: the part of a cut box that a better view has to cover. The rectangle around the triangular
            tip of an oblique object lies half outside the object, hence below 1/2.
        fill: the part of their common rectangle that two halves have to fill. Oblique halves drawn as
            rectangles leave a triangle of it empty on each side of the seam.
        agree: the part of the smaller half, where both tiles look, that lies in the other half. Not asked
            of strips narrower than twice ``edge_px``.
    """

    edge_px: float | None = None
    same_iou: float = 0.5
    cover: float = 0.45
    fill: float = 0.7
    agree: float = 0.3

    def edge_tolerance(self, grid: TileGrid) -> float:
        """The distance from an inner edge below which a box is cut there, in scene px."""
        return max(2.0, 0.005 * grid.tile) if self.edge_px is None else self.edge_px


@dataclass(frozen=True)
class MergedDetections:
    """Detections of a whole scene, each object once, in reading order of their tiles.

    Attributes:
        detections: boxes in scene pixels.
        tile: (n,) int64 index of the tile that each box is counted in: the tile that saw it, and for an
            object put together from parts the one of its tiles whose core is nearest to its centre.
        pieces: (n,) int64 number of parts that each box was put together from; 1 for most.
        cut: (n,) bool, whether the box still touches an inner edge of its tile without a counterpart
            beyond it, so that the object may be larger than its box.
        duplicates: boxes dropped because another tile saw the same object as well.
        cut_dropped: cut boxes dropped in favour of a better view from another tile.
    """

    detections: Detections
    tile: NDArray[np.int64]
    pieces: NDArray[np.int64]
    cut: NDArray[np.bool_]
    duplicates: int
    cut_dropped: int

    def __len__(self) -> int:
        return len(self.detections)

    @property
    def joined(self) -> int:
        """Objects that were put together from parts."""
        return int((self.pieces > 1).sum())


def merge_tiles(
    per_tile: Sequence[tuple[Tile, Detections]], grid: TileGrid, rules: MergeRules | None = None
) -> MergedDetections:
    """One set of detections from those of the tiles of a grid.

    Args:
        per_tile: each tile at most once, in any order, with its boxes in scene pixels.
        grid: the grid that the tiles are from.
        rules: thresholds, None for the defaults.

    Raises:
        ValueError: for a tile that is given twice, tiles of which only some have scores, or coordinates
            that are not finite.
    """
    rules = rules or MergeRules()
    tolerance = rules.edge_tolerance(grid)
    boxes = _gather(per_tile, grid, tolerance)
    groups = _Groups(boxes)
    for kind, first, second in _same_object(boxes, tolerance, rules):
        groups.join(kind, first, second)
    return _resolve(boxes, groups, rules)


@dataclass(frozen=True)
class _Boxes:
    """All boxes of all tiles in one canonical order, with what their tiles could see.

    ``window`` and ``core`` are (n, 4) bounds of each box's tile, ``cuts`` (n, 4) bool tells which of its
    left, top, right and bottom edges touch an inner tile edge.
    """

    detections: Detections
    tile: NDArray[np.int64]
    window: NDArray[np.float64]
    core: NDArray[np.float64]
    bounds: NDArray[np.float64]
    cuts: NDArray[np.bool_]
    shapes: NDArray[np.object_]
    area: NDArray[np.float64]
    rank: NDArray[np.int64]

    @property
    def whole(self) -> NDArray[np.bool_]:
        return np.all(~self.cuts, axis=1)


def _gather(per_tile: Sequence[tuple[Tile, Detections]], grid: TileGrid, tolerance: float) -> _Boxes:
    """The boxes of all tiles, sorted so that the order of the input leaves no trace."""
    ordered = sorted(per_tile, key=lambda pair: pair[0].index)
    indices = [tile.index for tile, _ in ordered]
    if len(set(indices)) < len(indices):
        twice = next(index for index in indices if indices.count(index) > 1)
        raise ValueError(f"tile {twice} is given more than once; merge each tile's detections once")
    detections = _concatenate([found for _, found in ordered])
    counts = [len(found) for _, found in ordered]
    tile = np.repeat(np.array(indices, dtype=np.int64), counts)
    window = np.repeat(np.array([t.window.bounds for t, _ in ordered]).reshape(-1, 4), counts, axis=0)
    core = np.repeat(np.array([t.core.bounds for t, _ in ordered]).reshape(-1, 4), counts, axis=0)

    order = _canonical_order(tile, detections)
    detections, tile, window, core = detections.select(order), tile[order], window[order], core[order]
    corners = detections.polygons
    bounds = quad_bounds(corners)
    inner = window != np.array(grid.extent.bounds)
    reaches = np.concatenate(
        [bounds[:, :2] <= window[:, :2] + tolerance, bounds[:, 2:] >= window[:, 2:] - tolerance], axis=1
    )
    shapes = shapely.convex_hull(shapely.polygons(corners))
    return _Boxes(
        detections,
        tile,
        window,
        core,
        bounds,
        reaches & inner,
        shapes,
        shapely.area(shapes),
        _preference(detections, core, bounds),
    )


def _concatenate(parts: Sequence[Detections]) -> Detections:
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
    scores = np.concatenate([p.scores for p in parts if p.scores is not None]) if scored else None
    return Detections(polygons, np.concatenate(labels), classes, scores)


def _canonical_order(tile: NDArray[np.int64], detections: Detections) -> NDArray[np.int64]:
    """By tile, then from the top, from the left, and by everything else that could tell two boxes apart."""
    top_left = detections.polygons.min(axis=1)
    keys = [tile, top_left[:, 1], top_left[:, 0], detections.labels, *detections.polygons.reshape(-1, 8).T]
    if detections.scores is not None:
        keys.append(detections.scores)
    return np.lexsort(keys[::-1])


def _preference(
    detections: Detections, core: NDArray[np.float64], bounds: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The rank of each box among views of one object: by score, then by the core that owns its centre."""
    distance = _distance_to_core((bounds[:, :2] + bounds[:, 2:]) / 2, core)
    keys = [np.arange(len(distance)), distance]
    if detections.scores is not None:
        keys.append(-detections.scores)
    rank = np.empty(len(distance), dtype=np.int64)
    rank[np.lexsort(keys)] = np.arange(len(distance))
    return rank


def _distance_to_core(points: NDArray[np.float64], core: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points (n, 2) lie outside the bounds (n, 4), 0 inside."""
    outside = np.maximum(0.0, np.maximum(core[:, :2] - points, points - core[:, 2:]))
    return np.hypot(outside[:, 0], outside[:, 1])


def _same_object(boxes: _Boxes, tolerance: float, rules: MergeRules) -> list[tuple[int, int, int]]:
    """Pairs that may be one object as (reason, box, box), the best first, the worse view on the left."""
    first, second = _neighbours(boxes, tolerance)
    common = shapely.area(shapely.intersection(boxes.shapes[first], boxes.shapes[second]))
    iou = common / np.maximum(boxes.area[first] + boxes.area[second] - common, _TINY)

    alike = (iou >= rules.same_iou) & _in_both_tiles(boxes, first, second, tolerance)
    twice = alike & boxes.whole[first] & boxes.whole[second]
    found = [(np.full(twice.sum(), _SEEN_TWICE), -iou[twice], first[twice], second[twice])]

    first_loses = _seen_better(boxes, first, second, alike)
    second_loses = ~first_loses & _seen_better(boxes, second, first, alike)
    loser, winner = np.where(first_loses, (first, second), (second, first))
    covered = common >= rules.cover * np.maximum(boxes.area[loser], _TINY)
    better = (first_loses | second_loses) & covered & _mostly_inside(boxes, loser, winner)
    fit = _fit_of_cut_view(boxes, loser[better], winner[better])
    found.append((np.full(better.sum(), _SEEN_BETTER), -fit, loser[better], winner[better]))

    halves = _facing(boxes, first, second) & ~twice & ~better
    first, second, common = first[halves], second[halves], common[halves]
    fill = _filled(boxes, first, second, common)
    halves = (fill >= rules.fill) & _agree(boxes, first, second, common, tolerance, rules)
    found.append((np.full(halves.sum(), _HALVES), -fill[halves], first[halves], second[halves]))

    kind, cost, left, right = (np.concatenate(column) for column in zip(*found))
    order = np.lexsort([right, left, cost, kind])
    return list(zip(kind[order].tolist(), left[order].tolist(), right[order].tolist()))


def _neighbours(boxes: _Boxes, tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of boxes of one class from different tiles whose bounds meet within the tolerance."""
    x0, y0, x1, y1 = boxes.bounds.T
    reach = tolerance / 2
    tree = shapely.STRtree(shapely.box(x0 - reach, y0 - reach, x1 + reach, y1 + reach))
    first, second = tree.query(tree.geometries)
    labels = boxes.detections.labels
    keep = (first < second) & (boxes.tile[first] != boxes.tile[second]) & (labels[first] == labels[second])
    return first[keep], second[keep]


def _in_both_tiles(
    boxes: _Boxes, first: NDArray[np.int64], second: NDArray[np.int64], tolerance: float
) -> NDArray[np.bool_]:
    """Whether each box lies where the tile of the other looks."""
    low = np.minimum(boxes.bounds[first, :2], boxes.bounds[second, :2])
    high = np.maximum(boxes.bounds[first, 2:], boxes.bounds[second, 2:])
    start = np.maximum(boxes.window[first, :2], boxes.window[second, :2])
    stop = np.minimum(boxes.window[first, 2:], boxes.window[second, 2:])
    return np.all((low >= start - tolerance) & (high <= stop + tolerance), axis=1)


def _seen_better(
    boxes: _Boxes, box: NDArray[np.int64], other: NDArray[np.int64], alike: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether a cut box shows less than ``other``: more edges cut it, or it is alike and not preferred."""
    cuts, others = boxes.cuts[box], boxes.cuts[other]
    more, equal = cuts.sum(axis=1) > others.sum(axis=1), cuts.sum(axis=1) == others.sum(axis=1)
    within = (others <= cuts).all(axis=1)
    less_preferred = more | (equal & (boxes.rank[box] > boxes.rank[other]))
    return cuts.any(axis=1) & ((within & more) | (alike & less_preferred))


def _mostly_inside(boxes: _Boxes, box: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether nearly all of a box lies where the tile of ``other`` looks.

    With much overlap, ``other`` may cover half of a long object's middle part and yet show none of the rest.
    """
    seen = shapely.area(shapely.intersection(boxes.shapes[box], shapely.box(*boxes.window[other].T)))
    return seen >= _MOSTLY * boxes.area[box]


def _fit_of_cut_view(boxes: _Boxes, cut: NDArray[np.int64], better: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of a cut box with what its tile could see of the better one."""
    expected = shapely.intersection(boxes.shapes[better], shapely.box(*boxes.window[cut].T))
    common = shapely.area(shapely.intersection(boxes.shapes[cut], expected))
    return common / np.maximum(boxes.area[cut] + shapely.area(expected) - common, _TINY)


def _facing(boxes: _Boxes, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each box is cut on the side where the other's tile continues."""
    cuts_a, cuts_b = boxes.cuts[first], boxes.cuts[second]
    start_a, start_b = boxes.window[first, :2], boxes.window[second, :2]
    onwards = (start_a < start_b) & cuts_a[:, 2:] & cuts_b[:, :2]
    backwards = (start_b < start_a) & cuts_b[:, 2:] & cuts_a[:, :2]
    return np.any(onwards | backwards, axis=1)


def _filled(
    boxes: _Boxes, first: NDArray[np.int64], second: NDArray[np.int64], common: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The part of the smallest rectangle around both boxes that they fill."""
    corners = np.concatenate([boxes.detections.polygons[first], boxes.detections.polygons[second]], axis=1)
    around = shapely.oriented_envelope(
        shapely.multipoints(corners.reshape(-1, 2), indices=np.repeat(np.arange(len(corners)), 8))
    )
    return (boxes.area[first] + boxes.area[second] - common) / np.maximum(shapely.area(around), _TINY)


def _agree(
    boxes: _Boxes,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    common: NDArray[np.float64],
    tolerance: float,
    rules: MergeRules,
) -> NDArray[np.bool_]:
    """Whether two halves coincide where both tiles look, or the strip is too narrow to tell."""
    start = np.maximum(boxes.window[first, :2], boxes.window[second, :2])
    stop = np.minimum(boxes.window[first, 2:], boxes.window[second, 2:])
    strip = shapely.box(*start.T, *np.maximum(start, stop).T)
    seen = np.minimum(
        shapely.area(shapely.intersection(boxes.shapes[first], strip)),
        shapely.area(shapely.intersection(boxes.shapes[second], strip)),
    )
    narrow = (stop - start).min(axis=1) < 2 * tolerance
    return narrow | (common >= rules.agree * np.maximum(seen, _TINY))


class _Groups:
    """Disjoint sets of boxes that are one object (union by absorbing the smaller set)."""

    def __init__(self, boxes: _Boxes) -> None:
        count = len(boxes.tile)
        self.members = {box: [box] for box in range(count)}
        self.of = list(range(count))
        self.lost = [False] * count
        self.tiles = [{tile} for tile in boxes.tile.tolist()]
        self._has_whole = boxes.whole.tolist()

    def join(self, kind: int, first: int, second: int) -> None:
        """Make the groups of two boxes one, unless that would merge two objects.

        A box that has lost to a better view stands for nothing any more: the better view speaks for it.
        """
        a, b = self.of[first], self.of[second]
        wholes = self._has_whole[a] + self._has_whole[b]
        allowed = {_SEEN_TWICE: 2, _SEEN_BETTER: 1, _HALVES: 0}[kind]
        if a == b or self.lost[first] or self.lost[second]:
            return
        if wholes > allowed or not self.tiles[a].isdisjoint(self.tiles[b]):
            return
        self.lost[first] = kind == _SEEN_BETTER
        if len(self.members[a]) < len(self.members[b]):
            a, b = b, a
        moved = self.members.pop(b)
        self.members[a] += moved
        for box in moved:
            self.of[box] = a
        self.tiles[a] |= self.tiles[b]
        self._has_whole[a] |= self._has_whole[b]


def _resolve(boxes: _Boxes, groups: _Groups, rules: MergeRules) -> MergedDetections:
    """One box for each group: its best whole view, its only part, or the rectangle around its parts."""
    polygons, scores = boxes.detections.polygons.copy(), boxes.detections.scores
    scores = None if scores is None else scores.copy()
    tile, whole = boxes.tile.copy(), boxes.whole.copy()
    cut, pieces = ~whole, np.ones(len(tile), dtype=np.int64)
    keep = np.ones(len(tile), dtype=bool)
    duplicates = cut_dropped = 0
    for members in groups.members.values():
        if len(members) == 1:
            continue
        views = [box for box in members if whole[box]]
        parts = views or sorted(box for box in members if not groups.lost[box])
        best = min(parts, key=boxes.rank.__getitem__)
        keep[members] = False
        keep[best] = True
        duplicates += max(0, len(views) - 1)
        cut_dropped += len(members) - len(parts)
        if views or len(parts) == 1:
            continue
        polygons[best] = _common_rectangle(boxes.detections.polygons[parts])
        pieces[best] = len(parts)
        tile[best] = boxes.tile[_nearest_core(boxes, parts, polygons[best])]
        cut[best] = _still_cut(boxes, parts)
        if scores is not None:
            scores[best] = scores[parts].max()
    remnants = _remnants(boxes, groups, polygons, np.flatnonzero(keep & (pieces > 1)), rules)
    remnants = remnants[keep[remnants] & cut[remnants] & (pieces[remnants] == 1)]
    keep[remnants] = False

    merged = Detections(polygons, boxes.detections.labels, boxes.detections.classes, scores)
    kept = np.flatnonzero(keep)
    kept = kept[_canonical_order(tile[kept], merged.select(kept))]
    return MergedDetections(
        merged.select(kept), tile[kept], pieces[kept], cut[kept], duplicates, cut_dropped + len(remnants)
    )


def _common_rectangle(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rectangle (4, 2) around polygons (n, 4, 2); upright where all of them are."""
    low, high = polygons.min(axis=1, keepdims=True), polygons.max(axis=1, keepdims=True)
    if ((polygons == low) | (polygons == high)).all():
        return box_quads([*low.min(axis=(0, 1)), *high.max(axis=(0, 1))])[0]
    return min_area_rectangle(polygons.reshape(-1, 2))


def _nearest_core(boxes: _Boxes, parts: list[int], polygon: NDArray[np.float64]) -> int:
    """The part whose tile core owns the centre of the polygon, or comes nearest to it."""
    center = np.broadcast_to(polygon.mean(axis=0), (len(parts), 2))
    return parts[int(np.argmin(_distance_to_core(center, boxes.core[parts])))]


def _still_cut(boxes: _Boxes, parts: list[int]) -> bool:
    """Whether some part is cut by a tile edge beyond which no other part continues."""
    bounds, window, cuts = boxes.bounds[parts], boxes.window[parts], boxes.cuts[parts]
    beyond = np.concatenate(
        [bounds[None, :, :2] < window[:, None, :2], bounds[None, :, 2:] > window[:, None, 2:]], axis=2
    )
    return bool((cuts & ~beyond.any(axis=1)).any())


def _remnants(
    boxes: _Boxes,
    groups: _Groups,
    polygons: NDArray[np.float64],
    joined: NDArray[np.int64],
    rules: MergeRules,
) -> NDArray[np.int64]:
    """Cut boxes of other tiles that lie on an object which was put together from its parts."""
    objects = shapely.polygons(polygons[joined])
    candidates = np.flatnonzero(~boxes.whole)
    place, box = shapely.STRtree(boxes.shapes[candidates]).query(objects)
    place, box = joined[place], candidates[box]
    common = shapely.area(shapely.intersection(boxes.shapes[box], shapely.polygons(polygons[place])))
    labels = boxes.detections.labels
    covered = (common >= rules.cover * np.maximum(boxes.area[box], _TINY)) & (labels[box] == labels[place])
    foreign = [int(boxes.tile[b]) not in groups.tiles[groups.of[p]] for p, b in zip(place, box)]
    return np.unique(box[covered & np.array(foreign, dtype=bool)])
