"""The plan of ``rscovlm detect`` for each of its scenes, known before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.opening import open_scene, placed
from rscovlm.cli.option_groups import ModelOptions, SceneOptions
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from rscovlm.cli.destinations import Destinations
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.detection_run import DetectionRun
    from rscovlm.tasks.recipe import Recipe
    from rscovlm.tasks.task import Prompt
    from rscovlm.tasks.tiles import ScaleGap, TilePlan
    from tiling.areas import Area
    from tiling.scene import Scene
    from tiling.view import Size, Window
    from zoom_chain.chat import Generation


class SceneRefused(UsageError):
    """A scene that cannot be examined as asked, where others may be."""


@dataclass(frozen=True)
class Request:
    """The request that is the same for every scene.

    Attributes:
        classes: to find; None for those that the model knows.
        aliases: name or file of other words for them.
        tile: side of a tile, as text; None for what suits the model.
        overlap: of tiles, likewise.
        gsd_m: metres per pixel of each pass over a scene; None for what suits the model.
        window: part of each scene, as text, in pixels.
        area: part of the map.
        part: what the user wrote for the part to be examined.
        as_written: keep the corners of boxes as the model wrote them.
        batch_size: tiles of one batch.
        force: go on at a scale at which no box can be right.
        closer_looks: how many times each found object is looked at again; None for what suits the model.
        structured: hold replies to the format of boxes and to the classes.
    """

    classes: tuple[str, ...] | None
    aliases: str | None
    tile: str | None
    overlap: str | None
    gsd_m: Sequence[float] | None
    window: Window | None
    area: Area | None
    part: object
    as_written: bool
    batch_size: int
    force: bool
    closer_looks: int | None = None
    structured: bool = False


@dataclass(frozen=True)
class PlannedScene:
    """A scene that will be examined: its source, what is asked about it, and what its journal states."""

    source: str
    run: DetectionRun
    facts: Mapping[str, Any]


@dataclass
class Planned:
    """Scenes that are planned, and those that are left out.

    Attributes:
        scenes: that will be examined.
        refused: why others cannot be, by source.
        outside: sources of those that the area to be examined does not touch.
        checkpoint: the model, once a scene needs it.
    """

    scenes: list[PlannedScene] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    checkpoint: Checkpoint | None = None

    @property
    def tiles(self) -> int:
        """Number of tiles of all scenes and passes together."""
        return sum(len(scene.run.looks) for scene in self.scenes)

    @property
    def requests(self) -> dict[Prompt, set[Size]]:
        """Prompts, each with the sizes of the tiles to which it is put."""
        said: dict[Prompt, set[Size]] = {}
        for scene in self.scenes:
            for prompt, sizes in scene.run.requests.items():
                said.setdefault(prompt, set()).update(sizes)
        return said


def plan_scenes(
    sources: Sequence[str],
    request: Request,
    recipe: Recipe,
    reading: SceneOptions,
    running: ModelOptions,
    to: Destinations,
) -> Planned:
    """Open and plan each scene; one that cannot be examined costs itself alone, unless it is the only one.

    Raises:
        SceneError, UsageError: where no scene can be examined, with the reason of the first.
        Exception: what is wrong for every scene, such as the model or a file that cannot be written.
    """
    from tiling.errors import OutputError, OutsideScene, SceneError

    planned = Planned()
    words: dict[str, str] | None = None
    first: SceneError | SceneRefused | None = None
    crs: dict[str, str | None] = {}
    for source in sources:
        try:
            with open_scene(source, reading) as scene:
                to.check(scene, source)
                if planned.checkpoint is None:
                    planned.checkpoint = running.checkpoint(recipe)
                    words = _words(request, planned.checkpoint.family)
                run = plan_scene(scene, planned.checkpoint.family, request, recipe, running, words)
                before = f"{to.names[source]}: " if to.several else ""
                for line in plan_lines(scene, run.plans):
                    note(before + line)
                _check_scales(scene, run.plans, planned.checkpoint.family, request.force)
                facts = {} if running.dry_run else _facts(run, scene, planned.checkpoint, running.device)
                to.accept(scene)
                crs[source] = scene.crs_name
        except OutputError:
            raise
        except (SceneError, SceneRefused) as error:
            first = first or error
            if isinstance(error, OutsideScene) and request.area is not None:
                planned.outside.append(source)
            else:
                _refuse(planned, source, error, to)
        else:
            planned.scenes.append(PlannedScene(source, run, facts))
    if not planned.scenes:
        assert first is not None
        raise first
    if to.several:
        _say_all(planned, to, crs)
    return planned


def _refuse(planned: Planned, source: str, error: Exception, to: Destinations) -> None:
    planned.refused[source] = str(error)
    if to.several:
        note(f"{to.names[source]}: left out: {error}")


def _say_all(planned: Planned, to: Destinations, crs: Mapping[str, str | None]) -> None:
    """The cost of all scenes, and the CRS of their layer where they differ in it."""
    if planned.outside:
        note(f"{counted(len(planned.outside), 'scene')} outside the area")
    if to.one_layer and len(set(crs.values())) > 1:
        first = planned.scenes[0].source
        note(f"the layer is in {crs[first]}, the CRS of {first}; --crs chooses another")
    tokens = sum(plan.visual_tokens for scene in planned.scenes for plan in scene.run.plans)
    note(
        f"{counted(len(planned.scenes), 'scene')} in all: {counted(planned.tiles, 'tile')}, "
        f"{counted(tokens, 'visual token')}"
    )


def _words(request: Request, family: ModelFamily) -> dict[str, str] | None:
    """Other words for the classes that will be asked for."""
    from rscovlm.cli.aliases import words_for
    from rscovlm.tasks.detection_run import wanted_classes

    if request.aliases is None:
        return None
    return words_for(request.aliases, wanted_classes(family, request.classes))


def plan_scene(
    scene: Scene,
    family: ModelFamily,
    request: Request,
    recipe: Recipe,
    running: ModelOptions,
    words: Mapping[str, str] | None,
) -> DetectionRun:
    """Plan the tiles of a scene and the questions about them.

    Raises:
        SceneError, UsageError: with one clear line; :class:`SceneRefused` where there is nothing to see.
    """
    from rscovlm.tasks.detection_run import plan_detection, wanted_classes
    from rscovlm.tasks.passes import plan_passes, scale_notes

    wanted = wanted_classes(family, request.classes)
    with Progress("planning", "tile") as progress:
        plans = plan_passes(
            scene,
            family,
            wanted,
            gsd_m=request.gsd_m,
            tile=request.tile or recipe.tile,
            overlap=request.overlap or recipe.overlap,
            region=request.window,
            area=None if request.area is None else request.area.in_scene(scene),
            progress=progress,
            check=lambda gap: _refuse_scale(gap, request.force),
        )
    if not any(plan.tiles for plan in plans):
        raise SceneRefused(
            f"the part {request.part} of {scene.source} has no valid pixels; there is nothing to examine"
        )
    for line in scale_notes(scene, family, request.gsd_m):
        note(line)
    return plan_detection(
        scene,
        family,
        wanted,
        plans=plans,
        contract=recipe.detection_contract(family),
        options=_options(family, wanted, request, recipe, running),
        batch_size=request.batch_size,
        as_written=request.as_written,
        aliases=words,
        closer_looks=request.closer_looks,
    )


def _options(
    family: ModelFamily, classes: Sequence[str], request: Request, recipe: Recipe, running: ModelOptions
) -> Generation:
    """How replies are generated, and what they are held to."""
    from detection_eval.text.patterns import reply_pattern

    options = running.generation(recipe, family.detection_tokens)
    if not request.structured:
        return options
    return replace(options, pattern=reply_pattern(recipe.detection_contract(family), classes))


def _facts(run: DetectionRun, scene: Scene, checkpoint: Checkpoint, device: str | None) -> dict[str, Any]:
    """All that the replies about a scene depend on."""
    return run.facts(scene, checkpoint.identity, *placed(checkpoint, device))


def plan_lines(scene: Scene, plans: Sequence[TilePlan]) -> list[str]:
    """The cost of each pass of a run, and of all of them together where there are several."""
    lines = [_plan_line(scene, plan) for plan in plans]
    if len(plans) == 1:
        return lines
    tiles, tokens = (sum(counts) for counts in zip(*((len(p.tiles), p.visual_tokens) for p in plans)))
    numbered = [f"pass {number} of {len(plans)}: {line}" for number, line in enumerate(lines, start=1)]
    return [*numbered, f"in all: {counted(tiles, 'tile')}, {counted(tokens, 'visual token')}"]


def _plan_line(scene: Scene, plan: TilePlan) -> str:
    """The cost of a pass: ``64 tiles of 512 x 512 px (overlap 102 px), 3 skipped as nodata, ...``."""
    tiles = [*plan.tiles, *plan.skipped]
    width, height = (max(round(getattr(tile.window, side)) for tile in tiles) for side in ("width", "height"))
    count = counted(len(plan.tiles), "tile")
    shared = f" (overlap {plan.grid.overlap} px)" if len(plan.grid) > 1 else ""
    parts = [f"{count} of {width} x {height} px{shared}"]
    if plan.skipped:
        parts.append(f"{len(plan.skipped):,} skipped as nodata")
    if plan.outside:
        parts.append(f"{len(plan.outside):,} outside the area")
    if plan.views:
        size, ground = plan.views[0].size, scene.gsd_of(plan.views[0])
        parts.append(f"seen at {size.width} x {size.height} px" + (f" ({ground:.3g} m/px)" if ground else ""))
    parts.append(counted(plan.visual_tokens, "visual token"))
    if plan.classes is not None:
        parts.append(f"for {', '.join(plan.classes)}")
    return ", ".join(parts)


def _check_scales(scene: Scene, plans: Sequence[TilePlan], family: ModelFamily, force: bool) -> None:
    """Warn where the model sees the ground at another scale than it learnt, and refuse where it is hopeless.

    Raises:
        SceneRefused: where no box can be right, unless forced.
    """
    from rscovlm.tasks.tiles import SCALE_WARNED, scale_gap

    for gap in (scale_gap(scene, plan, family) for plan in plans):
        if gap is None or gap.ratio <= SCALE_WARNED:
            continue
        _refuse_scale(gap, force)
        note(f"warning: {gap}; expect wrong and missing boxes")


def _refuse_scale(gap: ScaleGap, force: bool) -> None:
    """Refuse a scale at which no box can be right, unless forced.

    Raises:
        SceneRefused: with what is wrong.
    """
    from rscovlm.tasks.tiles import SCALE_REFUSED

    if gap.ratio > SCALE_REFUSED and not force:
        raise SceneRefused(f"{gap}: no box could be right; choose another --gsd, --tile or scene, or --force")
