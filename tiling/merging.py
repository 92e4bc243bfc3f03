"""Merging the detections of overlapping tiles into one set, with or without scores.

A text-only model states no confidence, so boxes are not ranked by score unless there is one. What decides
is what each tile could see (see :mod:`tiling.seams`). Groups of boxes that are one object grow from the
best pair to the worst, and never hold two boxes of one tile (a model that lists two boxes in one image
means two objects), nor two whole boxes that are not nearly identical. An object over many tiles, such as a
bridge, becomes one group through its neighbouring parts. Nothing depends on the order of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import intersection_area
from detection_eval.geometry.quads import area, box_quads, min_area_rectangle
from tiling.grid import Tile, TileGrid
from tiling.seams import (
    MergeRules,
    Pair,
    Reason,
    TileBoxes,
    candidate_pairs,
    distance_to_core,
    reading_order,
)

__all__ = ["MergeRules", "MergedDetections", "merge_tiles"]

_WHOLE_SETS = {Reason.SEEN_TWICE: 2, Reason.SEEN_BETTER: 1, Reason.HALVES: 0}
"""Most of two sets that may hold whole boxes, for each reason to unite them."""


@dataclass(frozen=True)
class MergedDetections:
    """Detections of a whole scene, each object once, tile by tile and from the top left of each.

    Attributes:
        detections: boxes in scene pixels.
        tile: (n,) int64 index of the tile that each box is counted in: the tile that saw it, and for an
            object put together from parts the one of its tiles whose core is nearest to its centre.
        pieces: (n,) int64 number of parts that each box was put together from; 1 for most.
        cut: (n,) bool, whether the box still touches an inner edge of its tile without a counterpart
            beyond it, so that the object may be larger than its box.
        duplicates: whole boxes dropped because another tile saw the same object whole as well.
        cut_dropped: cut boxes dropped in favour of a better view from another tile.
        scale: (n,) scene px per view px of the pass that each box is from and whose grid ``tile`` counts in;
            None where there was one pass only.
    """

    detections: Detections
    tile: NDArray[np.int64]
    pieces: NDArray[np.int64]
    cut: NDArray[np.bool_]
    duplicates: int
    cut_dropped: int
    scale: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.detections)

    def select(self, index: NDArray[np.bool_]) -> MergedDetections:
        """Those boxes for which ``index`` (n,) is True."""
        return replace(
            self,
            detections=self.detections.select(index),
            tile=self.tile[index],
            pieces=self.pieces[index],
            cut=self.cut[index],
            scale=None if self.scale is None else self.scale[index],
        )

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
    boxes = TileBoxes.gather(per_tile, grid, rules.edge_tolerance(grid))
    groups = _Groups(boxes)
    for pair in candidate_pairs(boxes, rules):
        groups.join(pair)
    return _resolve(boxes, groups, rules)


class _Groups:
    """Disjoint sets of boxes that are one object; the smaller set is absorbed by the larger."""

    def __init__(self, boxes: TileBoxes) -> None:
        count = len(boxes.tile)
        self.members = {box: [box] for box in range(count)}
        self.of = list(range(count))
        self.tiles = [{tile} for tile in boxes.tile.tolist()]
        self.lost = [False] * count
        self._has_whole = boxes.whole.tolist()

    def join(self, pair: Pair) -> None:
        """Make the groups of two boxes one, unless that would merge two objects.

        A box that has lost to a better view stands for nothing any more: the better view speaks for it.
        """
        a, b = self.of[pair.first], self.of[pair.second]
        if a == b or self.lost[pair.first] or self.lost[pair.second]:
            return
        if self._has_whole[a] + self._has_whole[b] > _WHOLE_SETS[pair.reason]:
            return
        if not self.tiles[a].isdisjoint(self.tiles[b]):
            return
        self.lost[pair.first] = pair.reason is Reason.SEEN_BETTER
        if len(self.members[a]) < len(self.members[b]):
            a, b = b, a
        moved = self.members.pop(b)
        self.members[a] += moved
        for box in moved:
            self.of[box] = a
        self.tiles[a] |= self.tiles[b]
        self._has_whole[a] |= self._has_whole[b]


def _resolve(boxes: TileBoxes, groups: _Groups, rules: MergeRules) -> MergedDetections:
    """One box for each group: its best whole view, its only part, or the rectangle around its parts."""
    polygons, scores = boxes.polygons.copy(), boxes.detections.scores
    scores = None if scores is None else scores.copy()
    tile, whole = boxes.tile.copy(), boxes.whole
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
        polygons[best] = _common_rectangle(boxes.polygons[parts])
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
    kept = kept[reading_order(tile[kept], merged.select(kept))]
    return MergedDetections(
        merged.select(kept), tile[kept], pieces[kept], cut[kept], duplicates, cut_dropped + len(remnants)
    )


def _common_rectangle(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rectangle (4, 2) around polygons (n, 4, 2); upright where all of them are."""
    low, high = polygons.min(axis=1, keepdims=True), polygons.max(axis=1, keepdims=True)
    if ((polygons == low) | (polygons == high)).all():
        return box_quads([*low.min(axis=(0, 1)), *high.max(axis=(0, 1))])[0]
    return min_area_rectangle(polygons.reshape(-1, 2))


def _nearest_core(boxes: TileBoxes, parts: list[int], polygon: NDArray[np.float64]) -> int:
    """The part whose tile core owns the centre of the polygon, or comes nearest to it."""
    center = np.broadcast_to(polygon.mean(axis=0), (len(parts), 2))
    return parts[int(np.argmin(distance_to_core(center, boxes.core[parts])))]


def _still_cut(boxes: TileBoxes, parts: list[int]) -> bool:
    """Whether some part is cut by a tile edge beyond which no other part continues."""
    bounds, window, cuts = boxes.bounds[parts], boxes.window[parts], boxes.cuts[parts]
    beyond = np.concatenate(
        [bounds[None, :, :2] < window[:, None, :2], bounds[None, :, 2:] > window[:, None, 2:]], axis=2
    )
    return bool((cuts & ~beyond.any(axis=1)).any())


def _remnants(
    boxes: TileBoxes,
    groups: _Groups,
    polygons: NDArray[np.float64],
    joined: NDArray[np.int64],
    rules: MergeRules,
) -> NDArray[np.int64]:
    """Cut boxes of further tiles that lie on an object which was put together from its parts."""
    candidates = np.flatnonzero(~boxes.whole)
    tree = shapely.STRtree(shapely.box(*boxes.bounds[candidates].T))
    place, box = tree.query(shapely.polygons(polygons[joined]))
    place, box = joined[place], candidates[box]
    covered = intersection_area(boxes.polygons[box], polygons[place]) >= rules.cover * area(
        boxes.polygons[box]
    )
    labels = boxes.detections.labels
    foreign = [tile not in groups.tiles[groups.of[p]] for tile, p in zip(boxes.tile[box].tolist(), place)]
    return np.unique(box[covered & (labels[box] == labels[place]) & np.array(foreign, dtype=bool)])
