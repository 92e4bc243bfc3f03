"""Closer looks at each object that was found, in views of its surroundings in which it is large.

Tiles show many objects at once, small ones in a few pixels, of which a model can tell that they are there and
roughly where. A closer view shows one object with what is around it, and the model is asked for its class
only: the box that it then gives near the middle takes the place of the one before. Where it gives none, that
one was wrong and is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import overlapping_pairs
from detection_eval.words import counted
from rscovlm.tasks.asking import Look, TileReply
from tiling.grid import Tile
from tiling.merging import MergedDetections
from tiling.resolution import Resolution
from tiling.view import Size, View, Window

if TYPE_CHECKING:
    from rscovlm.tasks.detection import Detection
    from tiling.scene import Scene

FILL = 0.3
"""Part of the sides of the closer view that the bounds of a box take up."""
MOST_ENLARGED = 4.0
"""View px per scene px beyond which enlarging shows no more."""
_LEAST_PX = 2.0  # of the bounds of a box: models write lines and points
NEAR = 0.6
"""How far the centre of the new box may be from that of the one before, in lengths of its longer side."""
SAME = 0.5
"""IoU from which two new boxes of a class are one object."""


@dataclass(frozen=True)
class CloserLooks:
    """Views of the surroundings of boxes.

    Attributes:
        looks: one for each box; ``plan`` is the place of its class in ``classes``.
        classes: of the boxes, in the order of their names.
    """

    looks: tuple[Look, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class SeenAgain:
    """Boxes after closer looks.

    Attributes:
        merged: those that remain.
        unconfirmed: boxes dropped because the closer look shows no such object there.
        coinciding: boxes dropped because the closer look showed another one's object.
        unread: replies that say nothing that can be read; these boxes stay as they were.
        failures: why single boxes could not be looked at again, in one line each; these stay, too.
    """

    merged: MergedDetections
    unconfirmed: int = 0
    coinciding: int = 0
    unread: int = 0
    failures: tuple[str, ...] = ()

    def __add__(self, later: SeenAgain) -> SeenAgain:
        """After a further look, of which ``later`` tells."""
        return SeenAgain(
            later.merged,
            self.unconfirmed + later.unconfirmed,
            self.coinciding + later.coinciding,
            self.unread + later.unread,
            self.failures + later.failures,
        )


def plan_closer_looks(
    scene: Scene, found: Detections, resolution: Resolution, fill: float = FILL
) -> CloserLooks:
    """The view of each box in which its bounds take up a part of the sides.

    Args:
        scene: in which the boxes are.
        found: the boxes in scene pixels.
        resolution: the image sizes that the model accepts.
        fill: that part, in (0, 1].
    """
    classes = tuple(sorted(set(found.names)))
    looks = (
        closer_look(scene, polygon, resolution, name, classes.index(name), index, fill)
        for index, (name, polygon) in enumerate(zip(found.names, found.polygons))
    )
    return CloserLooks(tuple(looks), classes)


def closer_look(
    scene: Scene,
    polygon: NDArray[np.float64],
    resolution: Resolution,
    name: str,
    plan: int,
    index: int,
    fill: float = FILL,
) -> Look:
    """The view of the surroundings of one box.

    Args:
        scene: in which the box is.
        polygon: (4, 2) the box in scene pixels.
        resolution: the image sizes that the model accepts.
        name: of what is asked about, in the key of the look.
        plan: place of the words that are asked, among those of the questions.
        index: place of the box among others.
        fill: part of the sides of the view that its bounds take up, in (0, 1].
    """
    x_shape, y_shape = scene.square_xy
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    side = max((x1 - x0) / x_shape, (y1 - y0) / y_shape, _LEAST_PX) / fill
    width, height = side * x_shape, side * y_shape
    about = Window((x0 + x1 - width) / 2, (y0 + y1 - height) / 2, width, height)
    window = about.moved_inside(scene.window)
    key = f"again {name} " + ",".join(f"{value:.2f}" for value in (window.x, window.y, window.width))
    return Look(key, plan, Tile(index, 0, index, window, window), View(window, _size(window, resolution)))


def _size(window: Window, resolution: Resolution) -> Size:
    """The largest view that a model takes, but not enlarged beyond what the scene can show."""
    largest = math.sqrt(resolution.max_pixels / window.area)
    scale = min(MOST_ENLARGED, largest)
    return resolution.fit(max(1, round(window.height * scale)), max(1, round(window.width * scale)))


def seen_again(
    found: MergedDetections, closer: CloserLooks, replies: Sequence[TileReply], tasks: Sequence[Detection]
) -> SeenAgain:
    """The boxes that closer looks give.

    Args:
        found: the boxes of the look before.
        closer: the views of each.
        replies: about these, in order.
        tasks: what was asked about each class.
    """
    boxes = found.detections
    polygons, kept = boxes.polygons.copy(), np.ones(len(boxes), dtype=bool)
    failures, unread = [], 0
    for index, (look, reply) in enumerate(zip(closer.looks, replies, strict=True)):
        if reply.error is not None:
            failures.append(failed_look(look, reply))
            continue
        parsed = tasks[look.plan].read(reply.text, look.view.size)
        if parsed.report.unreadable or parsed.report.refused:
            unread += 1
            continue
        again = nearest_box(look.view.to_scene(parsed.detections.polygons), polygons[index])
        kept[index] = again is not None
        if again is not None:
            polygons[index] = again
    moved = replace(found, detections=boxes.with_polygons(polygons)).select(kept)
    distinct = _distinct(moved.detections)
    return SeenAgain(
        moved.select(distinct), int((~kept).sum()), int((~distinct).sum()), unread, tuple(failures)
    )


def failed_look(look: Look, reply: TileReply) -> str:
    """Why a box could not be looked at again, in one line."""
    place = ", ".join(f"{value:.0f}" for value in look.view.window.center)
    return f"closer look at {place}: {reply.error}"


def not_looked_again(failures: Sequence[str]) -> str:
    """How many boxes could not be looked at again, and why the first could not."""
    return f"{counted(len(failures), 'box')} could not be looked at again; {failures[0]}"


def nearest_box(candidates: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The box of (n, 4, 2) whose centre is nearest to that of (4, 2), None where none is near."""
    if not len(candidates):
        return None
    away = np.linalg.norm(candidates.mean(axis=1) - first.mean(axis=0), axis=1)
    nearest = int(away.argmin())
    longer = np.linalg.norm(first - np.roll(first, 1, axis=0), axis=1).max()
    return candidates[nearest] if away[nearest] <= NEAR * max(longer, _LEAST_PX) else None


def _distinct(boxes: Detections) -> NDArray[np.bool_]:
    """(n,) False for boxes that an earlier one of their class coincides with."""
    kept = np.ones(len(boxes), dtype=bool)
    groups = (boxes.labels, boxes.labels)
    first, second, _ = overlapping_pairs(boxes.polygons, boxes.polygons, groups, at_least=SAME)
    for one, other in zip(first.tolist(), second.tolist()):
        if one < other and kept[one]:
            kept[other] = False
    return kept
