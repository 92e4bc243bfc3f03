"""Detect objects in a scene of any size: tile by tile, in batches, with a journal, merged to one result.

A run makes one pass over the scene, or several at different scales, whose results are merged as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.formats.class_lists import DOTA_V1_0
from detection_eval.geometry.quads import area, bounds
from detection_eval.metrics.counts import count_image
from detection_eval.text.contracts import CONTRACTS, Contract, detection_prompt
from detection_eval.text.parsing import ParsedResponse, ParseReport, parse_response
from rscovlm.tasks.asking import Look, TileReply, ask_tiles, kept_replies, tile_key
from rscovlm.tasks.passes import plan_passes
from rscovlm.tasks.provenance import text_hash, version
from rscovlm.tasks.task import Counts, Prompt, rates, total
from rscovlm.tasks.tiles import TilePlan
from tiling.errors import SceneError
from tiling.ground import ground_rectangles
from tiling.merging import MergedDetections, merge_tiles
from tiling.scales import DroppedAcross, merge_scales
from tiling.view import Size, Window
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Generation

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
LEAST_VALID = 0.1
"""Part of a box that has to be valid: what lies on nodata shows nothing, whatever the model says of it."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FailedTile:
    """A tile that was not, or not wholly, examined.

    Attributes:
        tile: which.
        reason: one line.
        plan: the pass that the tile is of, by its place among those of the run.
    """

    tile: Tile
    reason: str
    plan: int = 0


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
        replies: about each look of the run, in order.
    """

    merged: MergedDetections
    plans: tuple[TilePlan, ...]
    failures: tuple[FailedTile, ...]
    report: ParseReport
    outside: int = 0
    across: DroppedAcross | None = None
    on_nothing: int = 0
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
class DetectionRun:
    """The questions about the tiles of a scene, and how they are asked.

    Attributes:
        plans: the tiles of each pass over the scene.
        task: what is asked about each, but for the classes where a plan has its own.
        options: how replies are generated.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model wrote them, instead of rectangles on the ground.
        class_scales: the scale, in scene px per view px, of the pass that objects of a class belong to, for
            classes of which it is stated.
    """

    plans: tuple[TilePlan, ...]
    task: Detection
    options: Generation
    batch_size: int = BATCH_SIZE
    as_written: bool = False
    class_scales: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scales = [plan.scale for plan in self.plans]
        if not scales or (len(scales) > 1 and (None in scales or len(set(scales)) < len(scales))):
            raise ValueError(f"passes at the scales {scales}; give one pass, or several with a scale each")

    def task_of(self, plan: TilePlan) -> Detection:
        """The prompts about the tiles of a plan."""
        return self.task if plan.classes is None else replace(self.task, classes=plan.classes)

    @property
    def looks(self) -> list[Look]:
        """Each tile of each pass, in the order in which they are asked about."""
        return [
            Look(tile_key(tile, plan.scale), number, tile, view)
            for number, plan in enumerate(self.plans)
            for tile, view in zip(plan.tiles, plan.views, strict=True)
        ]

    @property
    def requests(self) -> dict[Prompt, set[Size]]:
        """Prompts, each with the sizes of the tiles to which it is put."""
        said: dict[Prompt, set[Size]] = {}
        for plan in self.plans:
            said.setdefault(self.task_of(plan).prompt(), set()).update(view.size for view in plan.views)
        return said

    @property
    def prompt_hash(self) -> str:
        """A fingerprint of the words, for provenance."""
        return text_hash("\n".join(text for prompt in self.requests for text in prompt if text))

    def facts(
        self, scene: Scene, model: str, device: str | None = None, dtype: str | None = None
    ) -> dict[str, Any]:
        """All that the replies depend on, for a journal; ``model`` names the very weights."""
        return {
            "scene": scene.identity,
            "model": model,
            "device": device,
            "dtype": dtype,
            "prompt": self.prompt_hash,
            "contract": self.task.contract.name,
            **_of_each([self._facts_of(plan) for plan in self.plans]),
            "generation": asdict(self.options),
            # The words of a reply may depend on what it shared a batch with.
            "batch size": self.batch_size,
            "version": version(),
        }

    def _facts_of(self, plan: TilePlan) -> dict[str, Any]:
        """Everything on which the replies about the tiles of one pass depend."""
        grid = plan.grid
        return {
            "classes": self.task_of(plan).classes,
            "scale": plan.scale,
            "tile": grid.tile,
            "overlap": grid.overlap,
            "window": grid.extent.bounds,
            "area": None if plan.area is None else text_hash(plan.area.wkt),
            "resolution": asdict(plan.resolution),
        }


def _of_each(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By name the value of the only pass or those of all: what differs between two runs is told by name."""
    if len(facts) == 1:
        return facts[0]
    return {name: [each[name] for each in facts] for name in facts[0]}


def plan_detection(
    scene: Scene,
    family: ModelFamily,
    classes: Sequence[str] | None = None,
    *,
    plans: Sequence[TilePlan] | None = None,
    contract: Contract | None = None,
    options: Generation | None = None,
    batch_size: int = BATCH_SIZE,
    as_written: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> DetectionRun:
    """Plan the questions to a model of a family about a scene.

    Args:
        scene: to look at.
        family: of the model.
        classes: to find; None takes the family's own, else those of DOTA-v1.0.
        plans: the tiles of each pass; None takes those that suit the family.
        contract: how boxes are asked for; None takes the family's.
        options: how replies are generated; None decides greedily with room for what a tile can hold.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model writes them.
        aliases: other words for a class in replies, as {word: class}.

    Raises:
        UsageError: for classes that the model does not know.
    """
    names = wanted_classes(family, classes)
    task = Detection(contract or CONTRACTS[family.detection], names, aliases)
    options = options or Generation(max_new_tokens=family.detection_tokens)
    plans = tuple(plan_passes(scene, family, names) if plans is None else plans)
    scales = _class_scales(scene, family, names, plans)
    return DetectionRun(plans, task, options, batch_size, as_written, scales)


def _class_scales(
    scene: Scene, family: ModelFamily, classes: Sequence[str], plans: Sequence[TilePlan]
) -> dict[str, float]:
    """The scale of the pass that is nearest to the one that a family states for a class."""
    scales = [plan.scale for plan in plans if plan.scale is not None]
    own = scene.gsd_m
    if family.class_gsd_m is None or own is None or not scales:
        return {}
    stated = {name: family.gsd_of(name) for name in classes}
    return {
        name: min(scales, key=lambda scale: abs(math.log(scale * own / gsd_m)))
        for name, gsd_m in stated.items()
        if gsd_m is not None
    }


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
    looks = run.looks
    replies = kept_replies(journal)
    if progress:
        progress(len(replies), len(looks))

    def keep(new: Mapping[str, TileReply]) -> None:
        usable = {key: reply.to_json() for key, reply in new.items() if reply.usable}
        if journal is not None and usable:
            journal.append(usable)

    for new in ask_tiles(scene, engine, run, replies, readers, keep):
        replies.update(new)
        if progress:
            progress(len(replies), len(looks))
    return found_in(scene, run, [replies[look.key] for look in looks])


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
        if reason := _incomplete(reply, parsed):
            failures.append(FailedTile(tile, reason, number))
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
