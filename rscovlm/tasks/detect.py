"""Detect objects in a scene of any size: tile by tile, in batches, with a journal, merged to one result.

A run makes one pass over the scene, or several at different scales, whose results are merged as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.quads import area, bounds
from detection_eval.text.parsing import ParseReport
from rscovlm.tasks.asking import READERS, Answers, Progress, Questions, TileReply
from rscovlm.tasks.closer_looks import SeenAgain, plan_closer_looks, seen_again
from rscovlm.tasks.detection_run import DetectionRun, plan_detection
from rscovlm.tasks.tiles import TilePlan
from tiling.errors import SceneError
from tiling.ground import ground_rectangles
from tiling.merging import MergedDetections, merge_tiles
from tiling.scales import DroppedAcross, merge_scales
from tiling.view import Window

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from tiling.grid import Tile
    from tiling.scene import Scene

LEAST_VALID = 0.1
"""Part of a box that has to be valid: what lies on nodata shows nothing, whatever the model says of it."""


@dataclass(frozen=True)
class FailedTile:
    """A tile that was not, or not wholly, examined.

    Attributes:
        tile: which.
        reason: one line.
        plan: the pass that the tile is of, by its place among those of the run.
        replied: whether there is a reply, which a resumed run keeps.
    """

    tile: Tile
    reason: str
    plan: int = 0
    replied: bool = False


@dataclass(frozen=True)
class SceneDetections:
    """Result of detection in a scene: boxes, and parts that were not examined.

    Attributes:
        merged: each object once, in scene pixels.
        plans: the tiles looked at in each pass.
        failures: tiles without a usable reply, in grid order; what could be read of a reply is kept.
        report: what parsing kept, mended and dropped, over all tiles.
        outside: objects dropped because their centre lies outside the area to be examined.
        across: boxes dropped because another pass knew better; None where there was one pass.
        on_nothing: boxes dropped because hardly any pixel under them is valid.
        again: what became of the boxes at closer looks; None where there were none.
        replies: about each look of the run, in order.
    """

    merged: MergedDetections
    plans: tuple[TilePlan, ...]
    failures: tuple[FailedTile, ...]
    report: ParseReport
    outside: int = 0
    across: DroppedAcross | None = None
    on_nothing: int = 0
    again: SeenAgain | None = None
    replies: tuple[TileReply, ...] = ()

    @property
    def detections(self) -> Detections:
        """The boxes in scene pixels."""
        return self.merged.detections

    @property
    def unexamined_px(self) -> float:
        """Area in square scene pixels that only failed tiles own, in the pass where it is largest."""
        return max(self.unexamined)

    @property
    def unexamined(self) -> tuple[float, ...]:
        """Area in square scene pixels that only failed tiles of each pass own."""
        return tuple(
            sum(failed.tile.core.area for failed in self.failures if failed.plan == number)
            for number in range(len(self.plans))
        )


def detect_scene(
    scene: Scene,
    engine: Engine,
    run: DetectionRun | None = None,
    *,
    journal: Journal | None = None,
    progress: Progress | None = None,
    readers: int = READERS,
) -> SceneDetections:
    """The objects in a scene.

    A tile that cannot be read, or whose request fails, is listed in the result while the others go on.

    Args:
        scene: to look at.
        engine: the model.
        run: what to ask; None asks for the model's own classes on tiles that suit it.
        journal: where replies are kept as they come, and taken from where they are there already.
        progress: called with (tiles done, tiles in all).
        readers: threads that read tiles ahead of the model.
    """
    run = run or plan_detection(scene, engine.family)
    answers = Answers(scene, engine, journal, progress, readers)
    found = _on_something(scene, read_replies(run, answers.to(run.questions)))
    for _ in range(run.closer_looks):
        found = _look_closer(scene, engine, run, found, answers)
    return found if run.as_written else _as_rectangles(scene, found)


def _look_closer(
    scene: Scene, engine: Engine, run: DetectionRun, found: SceneDetections, answers: Answers
) -> SceneDetections:
    """The same after a closer look at each box."""
    closer = plan_closer_looks(scene, found.detections, engine.family.resolution)
    tasks = [replace(run.task, classes=(name,)) for name in closer.classes]
    prompts = [task.prompt() for task in tasks]
    replies = answers.to(Questions(closer.looks, prompts, run.options, run.batch_size))
    again = seen_again(found.merged, closer, replies, tasks)
    return replace(found, merged=again.merged, again=again if found.again is None else found.again + again)


def found_in(scene: Scene, run: DetectionRun, replies: Sequence[TileReply]) -> SceneDetections:
    """The objects in a scene from the reply about each tile of each pass, in the order of ``run.looks``."""
    found = _on_something(scene, read_replies(run, replies))
    return found if run.as_written else _as_rectangles(scene, found)


def read_replies(run: DetectionRun, replies: Sequence[TileReply]) -> SceneDetections:
    """One result from the reply about each tile of each pass, in the order of ``run.looks``."""
    report = ParseReport()
    found: list[list[tuple[Tile, Detections]]] = [[] for _ in run.plans]
    failures: list[FailedTile] = []
    for (_, number, tile, view), reply in zip(run.looks, replies, strict=True):
        if reply.error is not None:
            failures.append(FailedTile(tile, reply.error, number))
            continue
        parsed = run.task_of(run.plans[number]).read(reply.text, view.size)
        report = report + parsed.report
        boxes = parsed.detections
        found[number].append((tile, boxes.with_polygons(view.to_scene(boxes.polygons))))
        if reason := parsed.shortfall(reply.text, at_limit=reply.stop_reason == "length"):
            failures.append(FailedTile(tile, reason, number, replied=True))
    merged, across = _merged(run, found)
    inside = _inside(run.plans, merged.detections)
    dropped = int((~inside).sum())
    return SceneDetections(
        merged.select(inside), run.plans, tuple(failures), report, dropped, across, replies=tuple(replies)
    )


def _merged(
    run: DetectionRun, found: Sequence[Sequence[tuple[Tile, Detections]]]
) -> tuple[MergedDetections, DroppedAcross | None]:
    """The boxes of all tiles of all passes, each object once."""
    passes = [merge_tiles(boxes, plan.grid) for boxes, plan in zip(found, run.plans)]
    scales = [plan.scale for plan in run.plans]
    stated = {scale: merged for scale, merged in zip(scales, passes) if scale is not None}
    if len(passes) == 1:
        return passes[0], None
    return merge_scales(stated, run.class_scales)


def _inside(plans: Sequence[TilePlan], detections: Detections) -> NDArray[np.bool_]:
    """Which boxes have their centre in the area to be examined, (n,)."""
    area = plans[0].area
    if area is None:
        return np.ones(len(detections), dtype=bool)
    return area.holds(detections.polygons.mean(axis=1))


def _on_something(scene: Scene, found: SceneDetections) -> SceneDetections:
    """The same without the boxes of which less than ``LEAST_VALID`` shows anything, which are counted."""
    polygons = found.detections.polygons
    sizes = area(polygons)
    shown = np.array(
        [_valid_px(scene, box) >= LEAST_VALID * size for box, size in zip(bounds(polygons).tolist(), sizes)],
        dtype=bool,
    )
    return replace(found, merged=found.merged.select(shown), on_nothing=int((~shown).sum()))


def _valid_px(scene: Scene, box: Sequence[float]) -> float:
    """Square scene px that are valid inside upright bounds, at most; all of them where that cannot be read.

    They may all lie inside an oblique outline, so that none is dropped for what is in its corners.
    """
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        return math.inf
    window = Window.from_bounds(left, top, right, bottom)
    try:
        return window.area * scene.valid_fraction(window)
    except SceneError:
        return math.inf


def _as_rectangles(scene: Scene, found: SceneDetections) -> SceneDetections:
    """The same with each box as the smallest rectangle on the ground that holds it."""
    boxes = found.detections
    rectangles = boxes.with_polygons(ground_rectangles(scene, boxes.polygons))
    return replace(found, merged=replace(found.merged, detections=rectangles))
