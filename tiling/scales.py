"""Merging the detections of one scene that was seen at several scales, without scores.

A fine pass sees small objects well and cuts large ones at its many tile edges; a coarse pass sees large
objects whole and small ones not at all. So what decides is not how sure a model was but at which scale an
object is seen well:

- A box *belongs* to the coarsest pass at which its shorter side still has ``least_px`` pixels of the view
  (scene pixels count as square), or to the finest pass where none shows so many, or to the pass that is
  stated for its class.
- A box is *in place* if its own pass is the one that it belongs to and no tile edge cuts it.

Boxes of one class from different passes are then told apart by three rules. Boxes of one pass are never held
against each other: a pass that lists two boxes means two objects.

1. *Groups.* A box gives way to boxes in place of one other pass that are smaller than it, lie in it and fill
   ``fill`` of it: to two or more always (a row of cars that the coarse pass took for one), to a single one if
   it is not in place itself (a car of three pixels with a box twice its size).
2. *Seen twice.* Of two boxes with an intersection over union of ``same_iou`` the better one is kept.
3. *Parts.* A box that is not in place goes if ``cover`` of it lies in a better one: the halves of a plane
   that fine tiles cut, beside the plane that the coarse pass saw whole.

Better is: in place; else not cut; then from the pass nearest to the one that it belongs to; then larger; then
from the finer pass. Whatever no rule drops is kept, in place or not, so that nothing is lost because one pass
alone saw it. Two boxes in place of which one lies in the other are two objects. Each box that is kept is one
of the boxes given. Nothing depends on their order or that of the passes, and merging a result again changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from detection_eval.geometry.overlap import intersection_area
from detection_eval.geometry.quads import area, bounds
from tiling.merging import MergedDetections
from tiling.seams import concatenate, reading_order

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TINY = 1e-12


@dataclass(frozen=True)
class ScaleRules:
    """Rules by which boxes of different passes are one object.

    Attributes:
        least_px: view pixels along the shorter side from which an object is seen well. At 16 px a box that
            is a whole pixel off in x and in y has an IoU of 15 * 15 / (2 * 16 * 16 - 15 * 15) = 0.78 still.
        same_iou: intersection over union from which two boxes are the same object.
        cover: the part of a box that lies in another for it to lie in it.
        fill: the part of a box that those in it fill for it to stand for them.
    """

    least_px: float = 16.0
    same_iou: float = 0.5
    cover: float = 0.8
    fill: float = 0.3


class DroppedAcross(NamedTuple):
    """Boxes that another pass knew better, by rule.

    Attributes:
        seen_twice: nearly identical with a better one.
        parts: in a better one.
        groups: around one or several better ones.
    """

    seen_twice: int = 0
    parts: int = 0
    groups: int = 0


def merge_scales(
    passes: Mapping[float, MergedDetections],
    class_scales: Mapping[str, float] | None = None,
    rules: ScaleRules | None = None,
) -> tuple[MergedDetections, DroppedAcross]:
    """One set of detections from those of several passes over a scene.

    Args:
        passes: what each pass found, its tiles merged, in scene pixels; by its scale in scene px per view px.
        class_scales: the scale of the pass that objects of a class belong to, for classes that have one.
        rules: thresholds, None for the defaults.

    Returns:
        The boxes that are kept, finest pass first, with the scale of each; and how many were dropped.

    Raises:
        ValueError: for a scale that is not positive, or a class that belongs to a scale of no pass.
    """
    rules = rules or ScaleRules()
    boxes = _PassBoxes.gather(passes, class_scales or {}, rules)
    pairs = _Pairs.between(boxes)
    groups = _groups(boxes, pairs, rules)
    twice, parts = _superseded(boxes, pairs, ~groups, rules)
    dropped = DroppedAcross(int(twice.sum()), int(parts.sum()), int(groups.sum()))
    return boxes.merged.select(~(groups | twice | parts)), dropped


@dataclass(frozen=True)
class _PassBoxes:
    """The boxes of all passes in one order that does not depend on how they were given.

    Attributes:
        merged: the n boxes, finest pass first.
        scale: (n,) of the pass of each.
        area: (n,) square scene px.
        in_place: (n,) whether each is whole and of the pass that it belongs to.
        better: (n,) place of each in the order of preference among views of one object.
    """

    merged: MergedDetections
    scale: Floats
    area: Floats
    in_place: Flags
    better: Indices

    @classmethod
    def gather(
        cls, passes: Mapping[float, MergedDetections], class_scales: Mapping[str, float], rules: ScaleRules
    ) -> _PassBoxes:
        scales = np.array(sorted(passes), dtype=np.float64)
        if (scales <= 0).any():
            raise ValueError(f"scale {scales[0]:g} is not positive; give scene pixels per view pixel")
        for name, stated in class_scales.items():
            if stated not in passes:
                raise ValueError(f"class {name!r} belongs to the scale {stated:g}, at which there is no pass")
        merged, scale = _in_one_order([passes[each] for each in sorted(passes)], scales)
        own = np.searchsorted(scales, scale)
        belongs = _owner(merged, scales, class_scales, rules)
        size: Floats = area(merged.detections.polygons)
        in_place = (own == belongs) & ~merged.cut
        order = np.lexsort([np.arange(len(own)), own, -size, abs(own - belongs), merged.cut, ~in_place])
        better = np.empty(len(own), dtype=np.int64)
        better[order] = np.arange(len(own))
        return cls(merged, scale, size, in_place, better)


def _in_one_order(found: list[MergedDetections], scales: Floats) -> tuple[MergedDetections, Floats]:
    """The boxes of all passes by scale, within one as ``merge_tiles`` orders them, and the scale of each."""
    detections = concatenate([each.detections for each in found])
    tile = _joined([each.tile for each in found], np.int64)
    pieces = _joined([each.pieces for each in found], np.int64)
    cut = _joined([each.cut for each in found], np.bool_)
    scale = np.repeat(scales, [len(each) for each in found])
    order = reading_order(tile, detections)
    order = order[np.argsort(scale[order], kind="stable")]
    merged = MergedDetections(
        detections.select(order),
        tile[order],
        pieces[order],
        cut[order],
        sum(each.duplicates for each in found),
        sum(each.cut_dropped for each in found),
        scale[order],
    )
    return merged, scale[order]


def _joined(columns: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *columns])


def _owner(
    merged: MergedDetections, scales: Floats, class_scales: Mapping[str, float], rules: ScaleRules
) -> Indices:
    """The pass, by its place in the ascending ``scales``, that each box belongs to, (n,)."""
    shown = _shorter_side(merged.detections.polygons)[:, None] / scales
    well = np.maximum(0, (shown >= rules.least_px).sum(axis=1) - 1)
    stated = [class_scales.get(name) for name in merged.detections.classes]
    places = np.array([-1 if scale is None else np.searchsorted(scales, scale) for scale in stated], np.int64)
    named = places[merged.detections.labels]
    return np.where(named >= 0, named, well)


def _shorter_side(polygons: Floats) -> Floats:
    """The smaller of the two means of opposite edges of quadrilaterals (n, 4, 2), (n,)."""
    edges = np.linalg.norm(np.roll(polygons, -1, axis=1) - polygons, axis=2)
    shorter: Floats = np.minimum(edges[:, 0] + edges[:, 2], edges[:, 1] + edges[:, 3]) / 2
    return shorter


@dataclass(frozen=True)
class _Pairs:
    """Ordered pairs of boxes of one class and different passes that have area in common; each both ways.

    Attributes:
        box: (p,) index of one.
        other: (p,) index of the other.
        common: (p,) area in square scene px that they share.
    """

    box: Indices
    other: Indices
    common: Floats

    @classmethod
    def between(cls, boxes: _PassBoxes) -> _Pairs:
        detections, scale = boxes.merged.detections, boxes.scale
        tree = shapely.STRtree(shapely.box(*bounds(detections.polygons).T))
        box, other = tree.query(tree.geometries)
        labels = detections.labels
        meet = (labels[box] == labels[other]) & (scale[box] != scale[other])
        box, other = box[meet], other[meet]
        common = intersection_area(detections.polygons[box], detections.polygons[other])
        return cls(box[common > 0], other[common > 0], common[common > 0])

    def select(self, index: Flags) -> _Pairs:
        return _Pairs(self.box[index], self.other[index], self.common[index])


def _groups(boxes: _PassBoxes, pairs: _Pairs, rules: ScaleRules) -> Flags:
    """Whether each box gives way to those in place in it, (n,)."""
    size, scale = boxes.area, boxes.scale
    alike = _alike(boxes, pairs, rules)
    lies_in = pairs.common >= rules.cover * np.maximum(size[pairs.other], _TINY)
    smaller = size[pairs.other] < size[pairs.box]
    index = lies_in & smaller & boxes.in_place[pairs.other]
    members, alike = pairs.select(index), alike[index]
    outlines = shapely.polygons(boxes.merged.detections.polygons)
    found = np.zeros(len(size), dtype=bool)
    # By the box around, then by the pass of those in it.
    order = np.lexsort([scale[members.other], members.box])
    keys = np.stack([members.box[order], scale[members.other[order]]], axis=1)
    starts = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
    for inside in np.split(order, starts) if len(order) else []:
        box = int(members.box[inside[0]])
        if len(inside) == 1 and (boxes.in_place[box] or alike[inside[0]]):
            continue
        filled = shapely.union_all(outlines[members.other[inside]]).intersection(outlines[box]).area
        found[box] |= filled >= rules.fill * size[box]
    return found


def _alike(boxes: _PassBoxes, pairs: _Pairs, rules: ScaleRules) -> Flags:
    """Whether the two boxes of each pair are nearly identical, (p,)."""
    union = boxes.area[pairs.box] + boxes.area[pairs.other] - pairs.common
    return pairs.common >= rules.same_iou * np.maximum(union, _TINY)


def _superseded(boxes: _PassBoxes, pairs: _Pairs, left: Flags, rules: ScaleRules) -> tuple[Flags, Flags]:
    """Whether each box that is ``left`` is dropped as seen twice, or as a part of a better one, (n,) each."""
    size = boxes.area
    alike = _alike(boxes, pairs, rules)
    part = ~boxes.in_place[pairs.box] & (pairs.common >= rules.cover * np.maximum(size[pairs.box], _TINY))
    worse = boxes.better[pairs.other] < boxes.better[pairs.box]
    decisive = worse & (alike | part) & left[pairs.box] & left[pairs.other]
    pairs, alike = pairs.select(decisive), alike[decisive]
    twice, parts = np.zeros(len(size), dtype=bool), np.zeros(len(size), dtype=bool)
    # Alike first, so that a box that is both counts as seen twice; the best boxes are decided on first.
    order = np.lexsort([~alike, boxes.better[pairs.box]])
    decisions = zip(pairs.box[order].tolist(), pairs.other[order].tolist(), alike[order].tolist())
    for box, other, same in decisions:
        if twice[box] or parts[box] or twice[other] or parts[other]:
            continue
        (twice if same else parts)[box] = True
    return twice, parts
