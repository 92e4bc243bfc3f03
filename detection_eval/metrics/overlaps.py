"""Overlaps of detections and objects: predictions laid over the ground truth of a data set, each pair once.

Everything that is measured of boxes starts from here; ``matching`` decides which detection is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.calipers import opencv_rectangles
from detection_eval.geometry.overlap import overlapping_pairs
from detection_eval.geometry.probiou import probiou_pairs
from detection_eval.geometry.quads import Floats, canonical, min_area_rectangles, planes
from detection_eval.metrics.ground_truth import (
    Boxes,
    GroundTruth,
    Indices,
    class_list,
    scene_of,
    tabulate,
    tabulate_scores,
)
from detection_eval.metrics.presets import Preset

Mask = NDArray[np.bool_]

LOWEST_LEVEL = 0.1
"""Pairs that overlap less are never looked at."""


@dataclass(frozen=True, eq=False)
class Overlaps:
    """A data set, its predictions, and the IoU of all pairs of one image and class.

    Attributes:
        preset: the protocol.
        classes: names, in the order of the labels.
        images: ids of the images of the ground truth.
        scenes: (images,) the scene of each.
        sizes: (images, 2) width and height in pixels, NaN where not known.
        objects: ground-truth objects.
        difficulty: (objects,).
        ignored: (objects,) those whose detections are neither right nor wrong.
        detections: in the order given.
        scores: (detections,) or None.
        pair_detection: (pairs,) ascending index of a detection.
        pair_object: (pairs,) index of an object.
        pair_iou: (pairs,) at least ``LOWEST_LEVEL``.
        unanswered: images without an entry in the predictions. They count as empty.
        unknown: images of the predictions that the ground truth does not have. They count for nothing.
    """

    preset: Preset
    classes: tuple[str, ...]
    images: tuple[str, ...]
    scenes: tuple[str, ...]
    sizes: Floats
    objects: Boxes
    difficulty: Indices
    ignored: Mask
    detections: Boxes
    scores: Floats | None
    pair_detection: Indices
    pair_object: Indices
    pair_iou: Floats
    unanswered: tuple[str, ...]
    unknown: tuple[str, ...]

    def kept(self, keep: Mask | None) -> Mask:
        """Mask of the detections that are kept, (detections,): all of them where ``keep`` is None."""
        return np.ones(len(self.detections), dtype=bool) if keep is None else keep

    @cached_property
    def positives(self) -> Indices:
        """(classes,) objects that count."""
        return np.bincount(self.objects.labels[~self.ignored], minlength=len(self.classes))

    @cached_property
    def order(self) -> Indices:
        """(detections,) indices by descending score; equal ones as the preset says."""
        if self.preset.ties == "given":
            if self.scores is None:
                return np.arange(len(self.detections))
            return np.argsort(-self.scores, kind="stable")
        corners = self.detections.polygons.reshape(-1, 8).T
        return np.lexsort(corners[::-1] if self.scores is None else (*corners[::-1], -self.scores))

    @cached_property
    def by_class(self) -> list[Indices]:
        """Indices of the detections of each class, in ``order``."""
        labels = self.detections.labels[self.order]
        small = labels.astype(np.uint16) if len(self.classes) < 1 << 16 else labels  # sorted by radix
        sorted_by_class = self.order[np.argsort(small, kind="stable")]
        ends = np.cumsum(np.bincount(labels, minlength=len(self.classes)))
        return np.split(sorted_by_class, ends[:-1]) if len(self.classes) else []

    @cached_property
    def rank(self) -> Indices:
        """(detections,) place in ``order``."""
        rank = np.empty(len(self.order), dtype=np.int64)
        rank[self.order] = np.arange(len(self.order))
        return rank

    @cached_property
    def claims(self) -> tuple[Indices, Floats]:
        """The object that each detection overlaps most, (detections,) or -1, and the IoU."""
        claimed, iou = np.full(len(self.detections), -1), np.zeros(len(self.detections))
        starts = np.flatnonzero(np.diff(self.pair_detection, prepend=-1))
        if len(starts):
            iou[self.pair_detection[starts]] = np.maximum.reduceat(self.pair_iou, starts)
        best = np.flatnonzero(self.pair_iou == iou[self.pair_detection])
        best = best[np.argsort(-self.precedence[best], kind="stable")]
        claimed[self.pair_detection[best]] = self.pair_object[best]  # of equal ones the last stays
        return claimed, iou

    @cached_property
    def pairs_of_any_class(self) -> tuple[Indices, Indices, Floats]:
        """Detection, object and IoU of all pairs of one image, whatever the classes, as ``pair_...``."""
        return _pairs(
            self.preset,
            self.detections.polygons,
            self.objects.polygons,
            (self.detections.images, self.objects.images),
        )

    @cached_property
    def precedence(self) -> Indices:
        """(pairs,) which of equally overlapped objects comes first: the one of the smallest number."""
        place = np.arange(len(self.objects))
        if self.preset.equal_overlap == "last":
            place = -place
        elif self.preset.equal_overlap == "content":
            corners = self.objects.polygons.reshape(-1, 8).T
            place[np.lexsort(corners[::-1])] = np.arange(len(place))
        if self.preset.equal_overlap != "listed":
            place = place + np.where(self.ignored, 2 * len(place) + 1, 0)
        return place[self.pair_object]


def overlap(
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, Detections],
    preset: Preset,
    classes: Sequence[str] | None = None,
) -> Overlaps:
    """Lay predictions over the ground truth. The images are those of the ground truth.

    Args:
        truth: by image id.
        predictions: by image id, in the frame of the ground truth.
        preset: the protocol.
        classes: those that are evaluated; None takes the ground truth's.

    Raises:
        EvaluationError: a box of a class that is not evaluated, or scores on a part of the images.
    """
    names = class_list(truth) if classes is None else tuple(classes)
    nothing = Detections.empty(names)
    found = [predictions.get(image, nothing) for image in truth]
    objects = tabulate([image.objects for image in truth.values()], names, [f"truth of {i}" for i in truth])
    difficulty = np.concatenate([np.zeros(0, np.int64), *(image.difficulty for image in truth.values())])
    objects = replace(objects, polygons=_shapes(objects.polygons, preset))
    kept, ignored = _demanded(objects, difficulty, len(truth), preset)
    objects, difficulty, ignored = objects.select(kept), difficulty[kept], ignored[kept]
    detections = tabulate(found, names, [f"predictions of {i}" for i in truth])
    detections = replace(detections, polygons=_shapes(detections.polygons, preset))
    first, second, iou = _pairs(
        preset,
        detections.polygons,
        objects.polygons,
        (
            detections.images * len(names) + detections.labels,
            objects.images * len(names) + objects.labels,
        ),
    )
    sizes = [image.size or (np.nan, np.nan) for image in truth.values()]
    return Overlaps(
        preset=preset,
        classes=names,
        images=tuple(truth),
        scenes=tuple(scene_of(image, value) for image, value in truth.items()),
        sizes=np.array(sizes, dtype=np.float64).reshape(-1, 2),
        objects=objects,
        difficulty=difficulty,
        ignored=ignored,
        detections=detections,
        scores=tabulate_scores(found),
        pair_detection=first,
        pair_object=second,
        pair_iou=iou,
        unanswered=tuple(image for image in truth if image not in predictions),
        unknown=tuple(sorted(set(predictions) - set(truth))),
    )


def _pairs(
    preset: Preset, detections: Floats, objects: Floats, groups: tuple[Indices, Indices]
) -> tuple[Indices, Indices, Floats]:
    """Detection, object and overlap of all pairs of one group from ``LOWEST_LEVEL`` on."""
    find = probiou_pairs if preset.overlap == "probiou" else overlapping_pairs
    return find(detections, objects, groups, LOWEST_LEVEL)


def _shapes(polygons: Floats, preset: Preset) -> Floats:
    shapes = canonical(polygons)
    if preset.shape == "rectangle":
        # a rectangle is its own minimum-area rectangle; computing that would only cost its last digits
        skew = np.flatnonzero(~_are_rectangles(shapes))
        smallest = opencv_rectangles if preset.equal_rectangles == "opencv" else min_area_rectangles
        shapes[skew] = smallest(polygons[skew])
    return shapes


def _are_rectangles(polygons: Floats) -> Mask:
    a, b, c, d = np.moveaxis(planes(polygons), 1, 0)
    along, across = b - a, d - a
    scale = np.abs(along).max(axis=0) + np.abs(across).max(axis=0)
    closed = np.abs(a + c - b - d).max(axis=0) <= 1e-9 * scale
    square = np.abs((along * across).sum(axis=0)) <= 1e-9 * scale**2
    return np.asarray(closed & square & (along[0] * across[1] - along[1] * across[0] > 0))


def _demanded(objects: Boxes, difficulty: Indices, images: int, preset: Preset) -> tuple[Mask, Mask]:
    """Masks of the objects that count for a protocol, and of those that it ignores."""
    difficult = difficulty > preset.difficult_above
    if preset.difficult == "count":
        difficult = np.zeros_like(difficult)
    kept = ~difficult if preset.difficult == "drop" else np.ones_like(difficult)
    if preset.min_side_px > 0:
        a, b, c = (objects.polygons[:, corner] for corner in range(3))
        sides = np.minimum(np.hypot(*(b - a).T), np.hypot(*(c - b).T))
        kept &= sides >= preset.min_side_px
    if preset.loses_ignored:
        ordinary = np.bincount(objects.images[kept & ~difficult], minlength=images)
        kept &= ordinary[objects.images] > 0
    return kept, difficult


def select(overlaps: Overlaps, keep: Mask) -> Overlaps:
    """The same ground truth under a part of the detections, (detections,)."""
    number = np.cumsum(keep) - 1
    pairs = keep[overlaps.pair_detection]
    return replace(
        overlaps,
        detections=overlaps.detections.select(keep),
        scores=None if overlaps.scores is None else overlaps.scores[keep],
        pair_detection=number[overlaps.pair_detection[pairs]],
        pair_object=overlaps.pair_object[pairs],
        pair_iou=overlaps.pair_iou[pairs],
    )


def merge(shards: Sequence[Overlaps]) -> Overlaps:
    """The whole of a data set whose images were laid over in parts, such as one part a process.

    Raises:
        ValueError: no shard, shards of several protocols or class lists, or an image in two of them.
    """
    if not shards:
        raise ValueError("no shards to merge; give at least one")
    if len({(shard.preset, shard.classes) for shard in shards}) > 1:
        raise ValueError("shards have different presets or classes; evaluate all under the same")
    images = [image for shard in shards for image in shard.images]
    if len(set(images)) < len(images):
        raise ValueError(f"{len(images) - len(set(images))} images are in two shards; give each to one")
    scored = [shard for shard in shards if len(shard.detections)]
    scores = [shard.scores for shard in scored if shard.scores is not None]
    if 0 < len(scores) < len(scored):
        raise ValueError(f"{len(scores)} of {len(scored)} shards have scores; give scores to all or to none")
    image_step = _steps([len(shard.images) for shard in shards])
    detection_step = _steps([len(shard.detections) for shard in shards])
    object_step = _steps([len(shard.objects) for shard in shards])
    return Overlaps(
        preset=shards[0].preset,
        classes=shards[0].classes,
        images=tuple(images),
        scenes=tuple(scene for shard in shards for scene in shard.scenes),
        sizes=np.concatenate([shard.sizes for shard in shards]),
        objects=_joined([shard.objects for shard in shards], image_step),
        difficulty=np.concatenate([shard.difficulty for shard in shards]),
        ignored=np.concatenate([shard.ignored for shard in shards]),
        detections=_joined([shard.detections for shard in shards], image_step),
        scores=np.concatenate(scores) if scores else None,
        pair_detection=np.concatenate([s.pair_detection + step for s, step in zip(shards, detection_step)]),
        pair_object=np.concatenate([s.pair_object + step for s, step in zip(shards, object_step)]),
        pair_iou=np.concatenate([shard.pair_iou for shard in shards]),
        unanswered=tuple(image for shard in shards for image in shard.unanswered),
        unknown=tuple(sorted({i for shard in shards for i in shard.unknown} - set(images))),
    )


def _steps(counts: list[int]) -> list[int]:
    return [sum(counts[:index]) for index in range(len(counts))]


def _joined(tables: list[Boxes], image_step: list[int]) -> Boxes:
    return Boxes(
        np.concatenate([table.polygons for table in tables]),
        np.concatenate([table.labels for table in tables]),
        np.concatenate([table.images + step for table, step in zip(tables, image_step)]),
        np.concatenate([table.positions for table in tables]),
    )
