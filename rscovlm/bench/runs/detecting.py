"""Detection in the images of a benchmark: by the tiles and the merging of ``rscovlm detect``.

An image that one tile holds is shown whole and asked about together with others; a larger one tile by tile,
with a journal of its own, so that a run that was killed asks about no tile twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detection_eval.words import counted
from rscovlm.bench.row import Found, Row, TileRow
from rscovlm.journal import Journal
from rscovlm.tasks.asking import TileReply
from rscovlm.tasks.detect import SceneDetections, detect_scene
from rscovlm.tasks.detection_run import DetectionRun, plan_detection, wanted_classes
from rscovlm.tasks.passes import plan_passes
from rscovlm.tasks.provenance import text_hash
from tiling.errors import GridError
from tiling.ground import ground_rectangles
from tiling.view import Size, View

if TYPE_CHECKING:
    from detection_eval.detections import Detections
    from rscovlm.bench.item import Item
    from rscovlm.bench.runs.asking import Asking
    from rscovlm.engines import Engine
    from tiling.scene import Scene

TILES = "tiles"
"""Folder below a run's for the journals of images that are not finished."""

_DECIMALS = 3
"""Of coordinates of found boxes in a log, in px."""


def plan_image(scene: Scene, item: Item, asking: Asking) -> DetectionRun:
    """What is asked about which tiles of an image, as ``rscovlm detect`` plans it with the same recipe.

    Raises:
        SceneError: where the image cannot be read, holds nothing, or makes no grid.
        UsageError: for classes that the model does not know.
    """
    family, recipe = asking.family, asking.recipe
    classes = wanted_classes(family, item.options or None)
    plans = plan_passes(scene, family, classes, gsd_m=recipe.gsd, tile=recipe.tile, overlap=recipe.overlap)
    if not any(plan.tiles for plan in plans):
        raise GridError(f"{scene.source} has no valid pixels; there is nothing to examine")
    return plan_detection(
        scene,
        family,
        classes,
        plans=plans,
        contract=asking.profile.contract_of("detect"),
        options=asking.generation("detect"),
        batch_size=asking.batch_size,
        closer_looks=0,  # a benchmark's boxes are those of the replies in its log
    )


def boxes_in_look(scene: Scene, view: View, boxes: Detections) -> Found:
    """The boxes of one look at an image, in its pixels, as rectangles like those of tiles."""
    return _as_logged(
        boxes.with_polygons(ground_rectangles(scene, np.asarray(view.to_scene(boxes.polygons))))
    )


def boxes_of(found: SceneDetections) -> Found:
    """The boxes of an image that was examined in tiles."""
    return _as_logged(found.detections)


def _as_logged(boxes: Detections) -> Found:
    return Found(np.round(boxes.polygons, _DECIMALS), tuple(boxes.names))


def ask_in_tiles(
    engine: Engine, scene: Scene, item: Item, run: DetectionRun, contract: str, journals: Path | None
) -> Row:
    """The row of an image that is examined tile by tile.

    Args:
        engine: the model.
        scene: the image, open.
        item: that it belongs to.
        run: its tiles, and what is asked about them.
        contract: name of how boxes are written.
        journals: folder in which the replies about its tiles are kept until it is finished; None for none.

    Raises:
        ModelError: what concerns every request.
        JournalError: where its journal is of other tiles, or damaged.
    """
    began = time.monotonic()
    with _journal(journals, item, run, scene, engine) as journal:
        found = detect_scene(scene, engine, run, journal=journal)
    system, user = run.task.prompt()
    tiles = tuple(
        TileRow(look.view, reply.text, reply.stop_reason, reply.error)
        for look, reply in zip(run.looks, found.replies, strict=True)
    )
    failed = [reply for reply in found.replies if _failed(reply)]
    return Row(
        item,
        "",
        View(scene.window, Size(round(scene.window.height), round(scene.window.width))),
        "error" if failed else "tiles",
        f"{len(failed):,} of {counted(len(tiles), 'tile')} failed: {failed[0].error}" if failed else None,
        system,
        user,
        None,
        sum(plan.visual_tokens for plan in run.plans),
        sum(reply.tokens for reply in found.replies),
        round(time.monotonic() - began, 4),
        contract,
        tiles=tiles,
        found=boxes_of(found),
    )


def _failed(reply: TileReply) -> bool:
    """Whether a request failed; a reply without words is one, and finds nothing."""
    return reply.error is not None and reply.stop_reason not in ("stop", "length")


@contextmanager
def _journal(
    folder: Path | None, item: Item, run: DetectionRun, scene: Scene, engine: Engine
) -> Iterator[Journal | None]:
    if folder is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(journal_of(folder, item), run.facts(scene, engine.name), resume=True) as journal:
        yield journal


def journal_of(folder: Path, item: Item) -> Path:
    """The journal of an image's tiles."""
    return folder / f"{text_hash(item.key)}.jsonl"


def forget(folder: Path, rows: Iterable[Row]) -> None:
    """Remove the journals of images that are finished and recorded, and the folder when it is empty."""
    for row in rows:
        if row.tiles and row.error is None:
            journal_of(folder, row.item).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
