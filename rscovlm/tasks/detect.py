"""Detect objects in a scene of any size: tile by tile, in batches, with a journal, merged to one result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.formats.class_lists import DOTA_V1_0
from detection_eval.metrics.counts import count_image
from detection_eval.text.contracts import CONTRACTS, Contract, detection_prompt
from detection_eval.text.parsing import ParsedResponse, ParseReport, parse_response
from rscovlm.errors import JournalError
from rscovlm.tasks.provenance import text_hash, version
from rscovlm.tasks.task import Counts, Prompt, rates, total
from rscovlm.tasks.tiles import TilePlan, plan_tiles
from tiling.errors import SceneError
from tiling.ground import ground_rectangles
from tiling.merging import MergedDetections, merge_tiles
from tiling.view import Size
from zoom_chain.calls import spoken_text
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply, StopReason

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.models.families import ModelFamily
    from tiling.grid import Tile
    from tiling.scene import Scene

BATCH_SIZE = 16
READERS = 2
LEVEL = 0.5
"""IoU from which a box is right."""
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
    """Result of detection in a scene: boxes, and parts that were not examined.

    Attributes:
        merged: each object once, in scene pixels.
        plan: the tiles looked at.
        failures: tiles without a usable reply, in grid order; what could be read of a reply is kept.
        report: what parsing kept, mended and dropped, over all tiles.
        outside: objects dropped because their centre lies outside the area to be examined.
    """

    merged: MergedDetections
    plan: TilePlan
    failures: tuple[FailedTile, ...]
    report: ParseReport
    outside: int = 0

    @property
    def detections(self) -> Detections:
        """The boxes in scene pixels."""
        return self.merged.detections

    @property
    def unexamined_px(self) -> float:
        """Area in square scene pixels that only failed tiles own."""
        return sum(failed.tile.core.area for failed in self.failures)


@dataclass(frozen=True)
class Detection:
    """Where are all objects of some classes?

    Attributes:
        contract: how boxes are written.
        classes: to find; None for whatever there is.
        aliases: other words for a class in replies, as {word: class}.
    """

    contract: Contract
    classes: tuple[str, ...] | None = None
    aliases: Mapping[str, str] | None = None

    def prompt(self, subject: str = "") -> Prompt:
        """Ask for the classes in the contract's own words."""
        return Prompt(*detection_prompt(self.contract, self.classes))

    def read(self, text: str, size: Size) -> ParsedResponse:
        """The boxes of a reply in pixels, and what could not be read of it."""
        return parse_response(
            spoken_text(text), self.contract, self.classes, size.width, size.height, aliases=self.aliases
        )

    def parse(self, text: str, size: Size) -> Detections:
        """The boxes of a reply in pixels."""
        return self.read(text, size).detections

    def score(self, parsed: Detections, truth: Detections) -> Counts:
        """``f1@0.5``, ``precision@0.5`` and ``recall@0.5``, all classes counted as one."""
        return total([_counts(0, 0, 0), *self.score_classes(parsed, truth).values()])

    def score_classes(self, parsed: Detections, truth: Detections) -> dict[str, Counts]:
        """The counts of each class that is found or should be, by name."""
        return {
            name: _counts(counts.true.sum(), counts.false.sum(), counts.missed.sum())
            for name, counts in count_image(parsed, truth, LEVEL).items()
        }

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``f1@0.5``, ``precision@0.5`` and ``recall@0.5`` in [0, 1].

        Nothing found where nothing is has the F1 of a perfect answer; precision without boxes and recall
        without objects are left out.
        """
        perfect = {"f1@0.5": 1.0} if counts.get("f1@0.5/of") == 0 else {}
        return perfect | rates(counts, "f1@0.5", "precision@0.5", "recall@0.5")


def _counts(right: float, wrong: float, missed: float) -> Counts:
    right, found, objects = float(right), float(right + wrong), float(right + missed)
    return {
        **{"f1@0.5/hits": 2 * right, "f1@0.5/of": found + objects},
        **{"precision@0.5/hits": right, "precision@0.5/of": found},
        **{"recall@0.5/hits": right, "recall@0.5/of": objects},
    }


@dataclass(frozen=True)
class TileReply:
    """Reply of a model about a tile.

    Attributes:
        text: the reply.
        stop_reason: of the reply.
        error: why there is no usable reply, in one line, else None.
    """

    text: str
    stop_reason: StopReason
    error: str | None = None

    @classmethod
    def of(cls, reply: Reply) -> TileReply:
        """A reply, which is not usable if it failed or is empty: "nothing there" is said in words."""
        error = reply.error
        if error is None and reply.stop_reason == "error":
            error = "the model failed without saying why"
        if error is None and not reply.text.strip():
            error = "the model replied nothing"
        return cls(reply.text, reply.stop_reason, error)

    @property
    def usable(self) -> bool:
        """Whether it is kept: a tile without a usable reply is asked about again."""
        return self.error is None

    def to_json(self) -> dict[str, Any]:
        """As a journal holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Any) -> TileReply:
        """The reply that ``to_json`` gave.

        Raises:
            JournalError: for a record of something else.
        """
        try:
            return cls(record["text"], record["stop_reason"], record["error"])
        except (KeyError, TypeError):
            raise JournalError(f"not the reply about a tile: {str(record)[:60]}") from None


@dataclass(frozen=True)
class DetectionRun:
    """What is asked about which tiles of a scene, and how.

    Attributes:
        plan: the tiles.
        task: what is asked about each.
        options: how replies are generated.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model wrote them, instead of rectangles on the ground.
    """

    plan: TilePlan
    task: Detection
    options: Generation
    batch_size: int = BATCH_SIZE
    as_written: bool = False

    @property
    def prompt_hash(self) -> str:
        """A fingerprint of the words, for provenance."""
        return text_hash("\n".join(filter(None, self.task.prompt())))

    def facts(self, scene: Scene, model: str) -> dict[str, Any]:
        """All that the replies depend on, for a journal; ``model`` names the very weights."""
        grid, resolution = self.plan.grid, self.plan.resolution
        return {
            "scene": scene.identity,
            "model": model,
            "prompt": self.prompt_hash,
            "contract": self.task.contract.name,
            "classes": self.task.classes,
            "tile": grid.tile,
            "overlap": grid.overlap,
            "window": grid.extent.bounds,
            **({} if self.plan.area is None else {"area": text_hash(self.plan.area.wkt)}),
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
    contract: Contract | None = None,
    options: Generation | None = None,
    batch_size: int = BATCH_SIZE,
    as_written: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> DetectionRun:
    """What a model of a family is to be asked about a scene.

    Args:
        scene: to look at.
        family: of the model.
        classes: to find; None takes the family's own, else those of DOTA-v1.0.
        plan: the tiles; None takes those that suit the family.
        contract: how boxes are asked for; None takes the family's.
        options: how replies are generated; None decides greedily with room for what a tile can hold.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model writes them.
        aliases: other words for a class in replies, as {word: class}.

    Raises:
        UsageError: for classes that the model does not know.
    """
    task = Detection(contract or CONTRACTS[family.detection], wanted_classes(family, classes), aliases)
    options = options or Generation(max_new_tokens=family.detection_tokens)
    return DetectionRun(plan or plan_tiles(scene, family), task, options, batch_size, as_written)


def wanted_classes(family: ModelFamily, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes to ask a family for: those given, else its own, else those of DOTA-v1.0.

    Raises:
        UsageError: for classes outside the family's own list.
    """
    if classes is None:
        return family.classes or DOTA_V1_0
    family.check_known(classes, family.classes)
    return tuple(classes)


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
    tiles = run.plan.tiles
    replies = _kept_replies(journal)
    if progress:
        progress(len(replies), len(tiles))
    for answered in _answers(scene, engine, run, replies, readers):
        new = {key: reply for key, reply in answered.items() if key not in replies}
        if journal is not None:
            journal.append({key: reply.to_json() for key, reply in new.items() if reply.usable})
        replies.update(new)
        if progress:
            progress(len(replies), len(tiles))
    found = read_replies(run, [replies[tile_key(tile)] for tile in tiles])
    return found if run.as_written else _as_rectangles(scene, found)


def _kept_replies(journal: Journal | None) -> dict[str, TileReply]:
    """The usable replies of a journal by tile key."""
    kept = {} if journal is None else {key: TileReply.from_json(each) for key, each in journal.done.items()}
    return {key: reply for key, reply in kept.items() if reply.usable}


def read_replies(run: DetectionRun, replies: Sequence[TileReply]) -> SceneDetections:
    """One result from the reply about each tile of a plan, in the order of its tiles."""
    plan = run.plan
    report = ParseReport()
    found: list[tuple[Tile, Detections]] = []
    failures: list[FailedTile] = []
    for tile, view, reply in zip(plan.tiles, plan.views, replies, strict=True):
        if reply.error is not None:
            failures.append(FailedTile(tile, reply.error))
            continue
        parsed = run.task.read(reply.text, view.size)
        report = report + parsed.report
        boxes = parsed.detections
        found.append((tile, boxes.with_polygons(view.to_scene(boxes.polygons))))
        if reason := _incomplete(reply, parsed):
            failures.append(FailedTile(tile, reason))
    merged = merge_tiles(found, plan.grid)
    inside = _inside(plan, merged.detections)
    dropped = int((~inside).sum())
    return SceneDetections(merged.select(inside), plan, tuple(failures), report, dropped)


def _inside(plan: TilePlan, detections: Detections) -> NDArray[np.bool_]:
    """Which boxes have their centre in the area to be examined, (n,)."""
    if plan.area is None:
        return np.ones(len(detections), dtype=bool)
    return plan.area.holds(detections.polygons.mean(axis=1))


def _as_rectangles(scene: Scene, found: SceneDetections) -> SceneDetections:
    """The same with each box as the smallest rectangle on the ground that holds it."""
    boxes = found.detections
    rectangles = boxes.with_polygons(ground_rectangles(scene, boxes.polygons))
    return replace(found, merged=replace(found.merged, detections=rectangles))


def _incomplete(reply: TileReply, parsed: ParsedResponse) -> str | None:
    """Why a reply does not tell all about its tile; None where it does."""
    report, boxes = parsed.report, len(parsed.detections)
    if reply.stop_reason == "length":
        return f"the reply was cut off at its token limit after {boxes} boxes"
    if report.truncated:
        return f"the reply breaks off after {boxes} boxes"
    if report.refused:
        return f"the model declined: {reply.text[:60]!r}"
    return f"the reply cannot be read: {reply.text[:60]!r}" if report.unreadable else None


def tile_key(tile: Tile) -> str:
    """What a journal knows a tile by: its window, ``x,y,width,height`` in scene pixels."""
    window = tile.window
    return f"{window.x:.0f},{window.y:.0f},{window.width:.0f},{window.height:.0f}"


def _answers(
    scene: Scene, engine: Engine, run: DetectionRun, known: Mapping[str, TileReply], readers: int
) -> Iterator[dict[str, TileReply]]:
    """Replies by tile key, batch by batch, for the batches that are not wholly known.

    Batches are cut from the grid, never from what is left of it: a resumed run asks in the very batches of an
    uninterrupted one, so that it gets the very replies.
    """
    tiles, size = run.plan.tiles, run.batch_size
    views = dict(zip((tile.index for tile in tiles), run.plan.views))
    batches = [tiles[start : start + size] for start in range(0, len(tiles), size)]
    left = [batch for batch in batches if any(tile_key(tile) not in known for tile in batch)]
    system, words = run.task.prompt()

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
        replies = iter(engine.chat(asked, run.options) if asked else [])
        yield {
            tile_key(tile): TileReply.of(
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
