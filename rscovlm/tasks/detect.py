"""Detect objects in a scene of any size: tile by tile, in batches, with a journal, merged to one result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from configs import load_config
from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS, detection_prompt
from detection_eval.text.parsing import ParsedResponse, ParseReport, parse_response
from rscovlm.tasks.provenance import text_hash, version
from rscovlm.tasks.tiles import TilePlan, plan_tiles
from tiling.errors import SceneError
from tiling.merging import MergedDetections, merge_tiles
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.models.families import ModelFamily
    from tiling.grid import Tile
    from tiling.scene import Scene

BATCH_SIZE = 16
READERS = 2
OPTIONS = Generation(max_new_tokens=2048)
"""A crowded tile lists a hundred boxes."""

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class FailedTile:
    """A tile that was not, or not wholly, examined.

    Attributes:
        tile: which.
        reason: one line.
    """

    tile: Tile
    reason: str


@dataclass(frozen=True)
class SceneDetections:
    """What was found in a scene, and what was not looked at.

    Attributes:
        merged: each object once, in scene pixels.
        plan: the tiles looked at.
        failures: tiles without a usable reply, in grid order; what could be read of a reply is kept.
        report: what parsing kept, mended and dropped, over all tiles.
    """

    merged: MergedDetections
    plan: TilePlan
    failures: tuple[FailedTile, ...]
    report: ParseReport

    @property
    def detections(self) -> Detections:
        """The boxes in scene pixels."""
        return self.merged.detections

    @property
    def unexamined_px(self) -> float:
        """Area in square scene pixels that only failed tiles own."""
        return sum(failed.tile.core.area for failed in self.failures)


@dataclass(frozen=True)
class DetectionTask:
    """What is asked about each tile of a scene.

    Attributes:
        plan: the tiles.
        contract: name of the contract in which the model lists objects.
        classes: to find.
        options: how replies are generated.
        batch_size: tiles of one batch.
    """

    plan: TilePlan
    contract: str
    classes: tuple[str, ...]
    options: Generation = OPTIONS
    batch_size: int = BATCH_SIZE

    @property
    def prompt(self) -> tuple[str | None, str]:
        """System text, if any, and user text."""
        return detection_prompt(CONTRACTS[self.contract], self.classes)

    @property
    def prompt_hash(self) -> str:
        """A fingerprint of the words, for provenance."""
        return text_hash("\n".join(filter(None, self.prompt)))

    def facts(self, scene: Scene, model: str) -> dict[str, Any]:
        """All that the replies depend on, for a journal; ``model`` names the very weights."""
        grid, resolution = self.plan.grid, self.plan.resolution
        return {
            "scene": scene.identity,
            "model": model,
            "prompt": self.prompt_hash,
            "contract": self.contract,
            "classes": self.classes,
            "tile": grid.tile,
            "overlap": grid.overlap,
            "window": grid.extent.bounds,
            "resolution": asdict(resolution),
            "generation": asdict(self.options),
            # The words of a reply may depend on what it shared a batch with.
            "batch size": self.batch_size,
            "version": version(),
        }


def plan_detection(
    scene: Scene,
    family: ModelFamily,
    classes: Sequence[str] | None = None,
    *,
    plan: TilePlan | None = None,
    options: Generation = OPTIONS,
    batch_size: int = BATCH_SIZE,
) -> DetectionTask:
    """What a model of a family is to be asked about a scene.

    Raises:
        UsageError: for classes that the model does not know.
    """
    return DetectionTask(
        plan or plan_tiles(scene, family),
        family.detection,
        wanted_classes(family, classes),
        options,
        batch_size,
    )


def wanted_classes(family: ModelFamily, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes to ask a family for: those given, else its own, else those of DOTA-v1.0.

    Raises:
        UsageError: for classes outside the family's own list.
    """
    if classes is None:
        return family.classes or tuple(load_config("detect/dota")["classes"])
    family.check_known(classes, family.classes)
    return tuple(classes)


def detect_scene(
    scene: Scene,
    engine: Engine,
    task: DetectionTask | None = None,
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
        task: what to ask; None asks for the model's own classes on tiles that suit it.
        journal: where replies are kept as they come, and taken from where they are there already.
        progress: called with (tiles done, tiles in all).
        readers: threads that read tiles ahead of the model.
    """
    task = task or plan_detection(scene, engine.family)
    tiles = task.plan.tiles
    replies: dict[str, dict[str, Any]] = {} if journal is None else dict(journal.done)
    if progress:
        progress(len(replies), len(tiles))
    for answered in _answers(scene, engine, task, replies, readers):
        # A tile that got no reply is not kept, so that a resumed run asks again.
        new = {key: record for key, record in answered.items() if key not in replies}
        if journal is not None:
            journal.append({key: record for key, record in new.items() if record["error"] is None})
        replies.update(new)
        if progress:
            progress(len(replies), len(tiles))
    return read_replies(task, [replies[tile_key(tile)] for tile in tiles])


def read_replies(task: DetectionTask, replies: Sequence[dict[str, Any]]) -> SceneDetections:
    """One result from the reply about each tile of a plan, in the order of its tiles."""
    contract, plan = CONTRACTS[task.contract], task.plan
    report = ParseReport()
    found: list[tuple[Tile, Detections]] = []
    failures: list[FailedTile] = []
    for tile, view, reply in zip(plan.tiles, plan.views, replies, strict=True):
        if reply["error"] is not None:
            failures.append(FailedTile(tile, reply["error"]))
            continue
        parsed = parse_response(reply["text"], contract, task.classes, view.size.width, view.size.height)
        report = report + parsed.report
        boxes = parsed.detections
        found.append((tile, boxes.with_polygons(view.to_scene(boxes.polygons))))
        if reason := _incomplete(reply, parsed):
            failures.append(FailedTile(tile, reason))
    return SceneDetections(merge_tiles(found, plan.grid), plan, tuple(failures), report)


def _incomplete(reply: dict[str, Any], parsed: ParsedResponse) -> str | None:
    """Why a reply does not tell all about its tile; None where it does."""
    report, boxes = parsed.report, len(parsed.detections)
    if reply["stop_reason"] == "length":
        return f"the reply was cut off at its token limit after {boxes} boxes"
    if report.truncated:
        return f"the reply breaks off after {boxes} boxes"
    if report.refused:
        return f"the model declined: {reply['text'][:60]!r}"
    return f"the reply cannot be read: {reply['text'][:60]!r}" if report.unreadable else None


def tile_key(tile: Tile) -> str:
    """What a journal knows a tile by: its window, ``x,y,width,height`` in scene pixels."""
    window = tile.window
    return f"{window.x:.0f},{window.y:.0f},{window.width:.0f},{window.height:.0f}"


def _answers(
    scene: Scene, engine: Engine, task: DetectionTask, known: dict[str, Any], readers: int
) -> Iterator[dict[str, dict[str, Any]]]:
    """Reply records by tile key, batch by batch, for the batches that are not wholly known.

    Batches are cut from the grid, never from what is left of it: a resumed run asks in the very batches of an
    uninterrupted one, so that it gets the very replies.
    """
    tiles, size = task.plan.tiles, task.batch_size
    views = dict(zip((tile.index for tile in tiles), task.plan.views))
    batches = [tiles[start : start + size] for start in range(0, len(tiles), size)]
    left = [batch for batch in batches if any(tile_key(tile) not in known for tile in batch)]
    system, words = task.prompt

    def question(tile: Tile) -> Conversation | SceneError:
        try:
            image = scene.read(views[tile.index])
        except SceneError as error:
            return error
        start = Conversation() if system is None else Conversation().say("system", system)
        return start.say("user", ImagePart(image.pixels), words)

    waiting = read_ahead([tile for batch in left for tile in batch], question, readers, 2 * size)
    for batch in left:
        questions = list(islice(waiting, len(batch)))
        asked = [item for item in questions if isinstance(item, Conversation)]
        replies = iter(engine.chat(asked, task.options) if asked else [])
        yield {
            tile_key(tile): _record(
                next(replies) if isinstance(item, Conversation) else Reply("", "error", error=str(item))
            )
            for tile, item in zip(batch, questions, strict=True)
        }


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Value], readers: int, ahead: int
) -> Iterator[Value]:
    """``read`` of each item in order, by threads that are never more than ``ahead`` items ahead."""
    coming = iter(items)
    with ThreadPoolExecutor(max_workers=readers) as pool:
        queue: list[Future[Value]] = [pool.submit(read, item) for item in islice(coming, ahead)]
        try:
            while queue:
                value = queue.pop(0).result()
                queue += [pool.submit(read, item) for item in islice(coming, 1)]
                yield value
        finally:
            pool.shutdown(cancel_futures=True)


def _record(reply: Reply) -> dict[str, Any]:
    error = reply.error or ("the model failed without saying why" if reply.stop_reason == "error" else None)
    return {"text": reply.text, "stop_reason": reply.stop_reason, "error": error}
