"""``rscovlm detect``."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.options import (
    AsJson,
    Classes,
    ModelOptions,
    SceneOptions,
    open_model,
    open_scene,
    print_request,
    read_classes,
    with_options,
)
from rscovlm.cli.outputs import check_outputs
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from detection_eval.text.parsing import ParseReport
    from rscovlm.journal import Journal
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.tasks.detect import DetectionRun, SceneDetections
    from rscovlm.tasks.tiles import ScaleGap, TilePlan
    from tiling.areas import SceneArea
    from tiling.scene import Scene
    from tiling.view import Window


class Boxes(StrEnum):
    """Kinds of outlines, for the help text."""

    rectangles = "rectangles"
    as_written = "as-written"


@with_options(reading=SceneOptions, running=ModelOptions)
def detect(
    scene: Annotated[str, typer.Argument(help="Anything that GDAL reads.", metavar="SCENE")],
    classes: Classes = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the boxes there: .geojson, .gpkg, .fgb, .parquet, .kml, .json (COCO), .txt "
            "(DOTA labels), or a folder (DOTA Task1).",
            metavar="FILE",
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="Of a .gpkg, .fgb or .parquet output; the scene's by default.", metavar="EPSG:N"),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Draw the boxes on the scene: .png.", metavar="FILE")
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(
            help="For boxes without scores, in DOTA Task1, which demands them.", min=0, max=1, metavar="S"
        ),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(help="Side of a tile: 512 (px) or 500m; by default what the model sees best."),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(help="Of neighbouring tiles: 64 (px) or 50m; a quarter of a tile by default."),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Examine this part of the scene only, in pixels.", metavar="X,Y,W,H")
    ] = None,
    bbox: Annotated[
        str | None,
        typer.Option(help="Examine this box only, in degrees or a CRS.", metavar="LON,LAT,LON,LAT[,CRS]"),
    ] = None,
    area: Annotated[
        Path | None,
        typer.Option(help="Examine the polygons of this file only: .geojson, .gpkg, ...", metavar="FILE"),
    ] = None,
    boxes: Annotated[
        Boxes, typer.Option(help="Rectangles on the ground, or the four corners as the model wrote them.")
    ] = Boxes.rectangles,
    force: Annotated[
        bool, typer.Option("--force", help="Go on at a scale at which the model cannot be right.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run with this --output ended.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist, discard an unfinished run.")
    ] = False,
    allow_failed: Annotated[
        bool, typer.Option("--allow-failed", help="Exit with 0 although tiles failed.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Tiles of one batch.", min=1, metavar="N")] = 16,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ModelOptions,
) -> None:
    """Detect objects in a scene, tile by tile, and merge them to one map layer.

    Finished tiles are kept in OUTPUT.journal.jsonl, so that the same command with --resume goes on after an
    interruption. Exit code 1 says that tiles failed; the output lists them.
    """
    recipe = running.recipe()
    wanted = read_classes(classes) or recipe.classes
    if resume and output is None:
        raise UsageError("--resume needs the --output of the run that is to go on")
    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of them")
    check_outputs(
        {"--output": output, "--overlay": overlay},
        (scene, running.config, area),
        overwrite=overwrite,
        resume=resume or _unfinished(output),
    )
    if sum(part is not None for part in (window, bbox, area)) > 1:
        raise UsageError("--window, --bbox and --area each say which part to examine; give one of them")
    region = read_window(window)
    if crs is not None and output is None:
        raise UsageError("--crs is that of the --output; give one")

    from rscovlm.tasks.detect import detect_scene, plan_detection
    from rscovlm.tasks.tiles import plan_tiles, scale_gap

    with open_scene(scene, reading) as opened:
        _check_outputs(opened, output, overlay, score, crs)
        checkpoint = running.checkpoint(recipe)
        seen = checkpoint.family
        with Progress("planning", "tiles") as progress:
            plan = plan_tiles(
                opened,
                seen,
                tile=tile or recipe.tile,
                overlap=overlap or recipe.overlap,
                region=region,
                area=_area_in(opened, bbox, area),
                progress=progress,
            )
        run = plan_detection(
            opened,
            seen,
            wanted,
            plan=plan,
            contract=recipe.detection_contract(seen),
            options=running.generation(recipe, seen.detection_tokens),
            batch_size=batch_size,
            as_written=boxes is Boxes.as_written,
        )
        if not plan.tiles:
            part = window or bbox or area
            raise UsageError(f"the part {part} of {scene} has no valid pixels; there is nothing to examine")
        _note(plan_line(opened, plan))
        _check_scale(scale_gap(opened, plan, seen), force)
        if running.dry_run:
            print_request(run.task.prompt(), sorted({view.size for view in plan.views}), seen, run.options)
            return
        with (
            _journal(output, run, opened, checkpoint, resume, overwrite) as journal,
            _interruptible(journal, len(plan.tiles)),
        ):
            with (
                open_model(checkpoint, running.device) as engine,
                Progress("detecting", "tiles") as progress,
            ):
                found = detect_scene(opened, engine, run, journal=journal, progress=progress)
            summary = summarise(opened, running.model, run, found)
            _write(opened, found, summary, output, overlay, score, crs)
            if journal is not None and (allow_failed or not found.failures):
                journal.remove()
    _tell(summary, found, as_json, listed=output is None)
    if found.failures and not allow_failed:
        raise Incomplete(_failed_line(found, resumable=output is not None))


def _unfinished(output: Path | None) -> bool:
    """Whether a run with this output left a journal, which then says how to go on."""
    from rscovlm.journal import journal_path

    return output is not None and journal_path(output).exists()


def _area_in(scene: Scene, bbox: str | None, area: Path | None) -> SceneArea | None:
    """The part of a scene that ``--bbox`` or ``--area`` names, in scene pixels."""
    from tiling.areas import Area

    if bbox is not None:
        return Area.from_bbox(bbox).in_scene(scene)
    return None if area is None else Area.from_file(area).in_scene(scene)


def _check_scale(gap: ScaleGap | None, force: bool) -> None:
    """Warn where the model sees the ground at another scale than it learnt, and refuse where it is hopeless.

    Raises:
        UsageError: where no box can be right, unless forced.
    """
    from rscovlm.tasks.tiles import SCALE_REFUSED, SCALE_WARNED

    if gap is None or gap.ratio <= SCALE_WARNED:
        return
    if gap.ratio > SCALE_REFUSED and not force:
        raise UsageError(f"{gap}: no box could be right; choose another --tile or scene, or --force")
    _note(f"warning: {gap}; expect wrong and missing boxes")


def read_window(text: str | None) -> Window | None:
    """A window in scene pixels from ``x,y,width,height``; None stays None.

    Raises:
        UsageError: for what is no window.
    """
    from tiling.view import Window

    if text is None:
        return None
    try:
        numbers = [float(number) for number in text.split(",")]
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        x, y, width, height = numbers
        return Window(x, y, width, height)
    except ValueError:
        raise UsageError(
            f"--window {text!r} is not a window; "
            "give left, top, width and height in pixels, such as 0,0,512,512"
        ) from None


def plan_line(scene: Scene, plan: TilePlan) -> str:
    """What a run will take: ``64 tiles of 512 x 512 px (overlap 102 px), 3 skipped as nodata, ...``."""
    tiles = [*plan.tiles, *plan.skipped]
    width, height = (max(round(getattr(tile.window, side)) for tile in tiles) for side in ("width", "height"))
    count = f"{len(plan.tiles):,} tile{'' if len(plan.tiles) == 1 else 's'}"
    parts = [f"{count} of {width} x {height} px (overlap {plan.grid.overlap} px)"]
    if plan.skipped:
        parts.append(f"{len(plan.skipped):,} skipped as nodata")
    if plan.outside:
        parts.append(f"{len(plan.outside):,} outside the area")
    if plan.views:
        size, ground = plan.views[0].size, scene.gsd_of(plan.views[0])
        parts.append(f"seen at {size.width} x {size.height} px" + (f" ({ground:.3g} m/px)" if ground else ""))
    parts.append(f"{plan.visual_tokens:,} visual tokens")
    return ", ".join(parts)


def summarise(scene: Scene, model: str, run: DetectionRun, found: SceneDetections) -> dict[str, Any]:
    """Provenance of a result and what it does not cover, as JSON values."""
    from rscovlm.tasks.provenance import version

    grid = found.plan.grid
    names = found.detections.names
    return {
        "scene": scene.source,
        "model": model,
        "version": version(),
        "prompt_hash": run.prompt_hash,
        "tile_px": grid.tile,
        "overlap_px": grid.overlap,
        "window": grid.extent.to_json(),
        "tiles": len(found.plan.tiles),
        "skipped_tiles": len(found.plan.skipped),
        **_of_area(found),
        "failed_tiles": [
            {"tile": failed.tile.index, "window": failed.tile.window.to_json(), "reason": failed.reason}
            for failed in found.failures
        ],
        "unexamined_px": found.unexamined_px,
        "objects": {name: names.count(name) for name in sorted(set(names))},
        "duplicates_merged": found.merged.duplicates,
        "parts_joined": found.merged.joined,
        "parsing": _parsing(found.report),
    }


def _of_area(found: SceneDetections) -> dict[str, int]:
    """What lies outside the area to be examined, where one was given."""
    if found.plan.area is None:
        return {}
    return {"tiles_outside": len(found.plan.outside), "objects_outside": found.outside}


def _parsing(report: ParseReport) -> dict[str, Any]:
    """The counts of a report that are not zero; what each single label was taken for is left out."""
    return {name: value for name, value in report.to_json().items() if value and name != "guesses"}


def _check_outputs(
    scene: Scene, output: Path | None, overlay: Path | None, score: float | None, crs: str | None
) -> None:
    """Refuse what cannot be written before anything is computed."""
    from tiling.output import check_output
    from tiling.overlay import check_overlay

    if output is not None:
        check_output(output, scene, scored=score is not None, crs=crs)
    if overlay is not None:
        check_overlay(overlay)


@contextmanager
def _journal(
    output: Path | None,
    run: DetectionRun,
    scene: Scene,
    checkpoint: Checkpoint,
    resume: bool,
    overwrite: bool,
) -> Iterator[Journal | None]:
    """The journal beside the output; None without an output, since nothing names the run then."""
    if output is None:
        yield None
        return
    from rscovlm.journal import Journal, journal_path

    facts = run.facts(scene, checkpoint.identity)
    with Journal(journal_path(output), facts, resume=resume, overwrite=overwrite) as journal:
        try:
            yield journal
        finally:
            if not journal.done:
                journal.remove()


@contextmanager
def _interruptible(journal: Journal | None, tiles: int) -> Iterator[None]:
    """Say after Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if journal is None:
            raise
        raise Interrupted(
            f"interrupted after {len(journal.done)} of {tiles} tiles; the same command with --resume goes on"
        ) from None


def _write(
    scene: Scene,
    found: SceneDetections,
    summary: Mapping[str, Any],
    output: Path | None,
    overlay: Path | None,
    score: float | None,
    crs: str | None,
) -> None:
    from tiling.output import write_detections
    from tiling.overlay import write_overlay

    if overlay is not None:
        write_overlay(overlay, scene, found.detections)
    if output is not None:
        write_detections(output, scene, found.merged, summary, score, crs)


def _tell(summary: Mapping[str, Any], found: SceneDetections, as_json: bool, listed: bool) -> None:
    """The result on stdout: counts by class, or JSON (with the boxes, where no file holds them)."""
    if as_json:
        boxes = {"detections": _boxes(found)} if listed else {}
        print(json.dumps({**summary, **boxes}, ensure_ascii=False, indent=1))
        return
    for name, count in summary["objects"].items():
        print(f"{count:>8,}  {name}")
    print(f"{len(found.detections):>8,}  objects in all", flush=True)
    _note("parsing: " + ", ".join(_parsing_words(summary["parsing"])))


def _parsing_words(parsing: Mapping[str, Any]) -> Iterator[str]:
    """Counts as ``responses 64``, ``repaired (inverted box 2)``."""
    for name, value in parsing.items():
        if isinstance(value, Mapping):
            inside = ", ".join(f"{what} {count}" for what, count in value.items())
            yield f"{name.replace('_', ' ')} ({inside})"
        else:
            yield f"{name.replace('_', ' ')} {value}"


def _boxes(found: SceneDetections) -> list[dict[str, Any]]:
    detections = found.detections
    polygons, tiles = detections.polygons.round(3).tolist(), found.merged.tile.tolist()
    return [
        {"class": name, "polygon": polygon, "tile": tile}
        for name, polygon, tile in zip(detections.names, polygons, tiles)
    ]


def _failed_line(found: SceneDetections, resumable: bool) -> str:
    first = found.failures[0]
    share = found.unexamined_px / found.plan.grid.extent.area
    line = (
        f"{len(found.failures)} of {len(found.plan.tiles)} tiles failed, "
        f"{share:.1%} of the area not examined; tile {first.tile.index}: {first.reason}"
    )
    return line + ("; --resume asks again about those without a reply" if resumable else "")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
