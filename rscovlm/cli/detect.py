"""``rscovlm detect``."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
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
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.detect import DetectionRun, SceneDetections
    from rscovlm.tasks.tiles import TilePlan
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
    gsd: Annotated[
        str | None,
        typer.Option(
            help="Metres per pixel at which the model sees the scene; several make as many passes, merged.",
            metavar="M[,M...]",
        ),
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

    from rscovlm.tasks.detect import detect_scene, plan_detection, wanted_classes
    from rscovlm.tasks.passes import plan_passes, read_gsd, scale_notes

    scales = recipe.gsd if gsd is None else read_gsd(gsd)

    with open_scene(scene, reading) as opened:
        _check_outputs(opened, output, overlay, score, crs)
        checkpoint = running.checkpoint(recipe)
        seen = checkpoint.family
        wanted = wanted_classes(seen, wanted)
        with Progress("planning", "tiles") as progress:
            plans = plan_passes(
                opened,
                seen,
                wanted,
                gsd_m=scales,
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
            plans=plans,
            contract=recipe.detection_contract(seen),
            options=running.generation(recipe, seen.detection_tokens),
            batch_size=batch_size,
            as_written=boxes is Boxes.as_written,
        )
        if not run.looks:
            part = window or bbox or area
            raise UsageError(f"the part {part} of {scene} has no valid pixels; there is nothing to examine")
        for line in [*scale_notes(opened, seen, scales), *plan_lines(opened, plans)]:
            _note(line)
        _check_scales(opened, plans, seen, force)
        if running.dry_run:
            for prompt, sizes in run.requests.items():
                print_request(prompt, sorted(sizes), seen, run.options)
            return
        with (
            _journal(output, run, opened, checkpoint, resume, overwrite) as journal,
            _interruptible(journal, len(run.looks)),
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


def _check_scales(scene: Scene, plans: Sequence[TilePlan], family: ModelFamily, force: bool) -> None:
    """Warn where the model sees the ground at another scale than it learnt, and refuse where it is hopeless.

    Raises:
        UsageError: where no box can be right, unless forced.
    """
    from rscovlm.tasks.tiles import SCALE_REFUSED, SCALE_WARNED, scale_gap

    for gap in (scale_gap(scene, plan, family) for plan in plans):
        if gap is None or gap.ratio <= SCALE_WARNED:
            continue
        if gap.ratio > SCALE_REFUSED and not force:
            raise UsageError(
                f"{gap}: no box could be right; choose another --gsd, --tile or scene, or --force"
            )
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


def plan_lines(scene: Scene, plans: Sequence[TilePlan]) -> list[str]:
    """What each pass of a run will take, and all of them together where there are several."""
    lines = [_plan_line(scene, plan) for plan in plans]
    if len(plans) == 1:
        return lines
    tiles, tokens = (sum(counts) for counts in zip(*((len(p.tiles), p.visual_tokens) for p in plans)))
    numbered = [f"pass {number} of {len(plans)}: {line}" for number, line in enumerate(lines, start=1)]
    return [*numbered, f"in all: {tiles:,} tiles, {tokens:,} visual tokens"]


def _plan_line(scene: Scene, plan: TilePlan) -> str:
    """What a pass will take: ``64 tiles of 512 x 512 px (overlap 102 px), 3 skipped as nodata, ...``."""
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
    if plan.classes is not None:
        parts.append(f"for {', '.join(plan.classes)}")
    return ", ".join(parts)


def summarise(scene: Scene, model: str, run: DetectionRun, found: SceneDetections) -> dict[str, Any]:
    """Provenance of a result and what it does not cover, as JSON values."""
    from rscovlm.tasks.provenance import version

    passes = [_of_pass(scene, found, number) for number in range(len(found.plans))]
    names = found.detections.names
    return {
        "scene": scene.source,
        "model": model,
        "version": version(),
        "prompt_hash": run.prompt_hash,
        "passes": passes,
        "tiles": sum(each["tiles"] for each in passes),
        "skipped_tiles": sum(each["skipped_tiles"] for each in passes),
        **_of_area(found),
        "failed_tiles": [
            {
                "gsd_m": found.plans[failed.plan].gsd_m(scene),
                "tile": failed.tile.index,
                "window": failed.tile.window.to_json(),
                "reason": failed.reason,
            }
            for failed in found.failures
        ],
        "unexamined_px": found.unexamined_px,
        "objects": {name: names.count(name) for name in sorted(set(names))},
        "duplicates_merged": found.merged.duplicates,
        "parts_joined": found.merged.joined,
        **({} if found.across is None else {"dropped_across_passes": found.across._asdict()}),
        "parsing": _parsing(found.report),
    }


def _of_pass(scene: Scene, found: SceneDetections, number: int) -> dict[str, Any]:
    """What one pass looked at, and what of it failed."""
    plan = found.plans[number]
    return {
        "gsd_m": plan.gsd_m(scene),
        "tile_px": plan.grid.tile,
        "overlap_px": plan.grid.overlap,
        "window": plan.grid.extent.to_json(),
        "tiles": len(plan.tiles),
        "skipped_tiles": len(plan.skipped),
        "visual_tokens": plan.visual_tokens,
        "unexamined_px": found.unexamined[number],
        **({} if plan.classes is None else {"classes": list(plan.classes)}),
    }


def _of_area(found: SceneDetections) -> dict[str, int]:
    """What lies outside the area to be examined, where one was given."""
    if found.plans[0].area is None:
        return {}
    return {"tiles_outside": sum(len(p.outside) for p in found.plans), "objects_outside": found.outside}


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
        boxes = {"detections": _boxes(found, summary["passes"])} if listed else {}
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


def _boxes(found: SceneDetections, passes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each box with the tile that it is from, and the scale of its pass where there are several."""
    detections, scales = found.detections, found.merged.scale
    polygons, tiles = detections.polygons.round(3).tolist(), found.merged.tile.tolist()
    boxes = [
        {"class": name, "polygon": polygon, "tile": tile}
        for name, polygon, tile in zip(detections.names, polygons, tiles)
    ]
    if scales is None:
        return boxes
    ground = {plan.scale: each["gsd_m"] for plan, each in zip(found.plans, passes)}
    return [{**box, "gsd_m": ground[scale]} for box, scale in zip(boxes, scales.tolist())]


def _failed_line(found: SceneDetections, resumable: bool) -> str:
    first = found.failures[0]
    share = max(px / plan.grid.extent.area for px, plan in zip(found.unexamined, found.plans))
    line = (
        f"{len(found.failures)} of {sum(len(plan.tiles) for plan in found.plans)} tiles failed, "
        f"{share:.1%} of the area not examined; tile {first.tile.index}: {first.reason}"
    )
    return line + ("; --resume asks again about those without a reply" if resumable else "")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
