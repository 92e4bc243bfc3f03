"""``rscovlm ground``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.destinations import Destinations, goes_on, is_own_style
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.opening import open_model, open_scene, placed
from rscovlm.cli.option_groups import ModelOptions, SceneOptions, with_options
from rscovlm.cli.options import AsJson, Boxes, InBox, InWindow, LayerCrs, Outlines, Overlay, read_window
from rscovlm.cli.outputs import Overwrite, Resume, check_outputs
from rscovlm.cli.reply_journal import end_of_run, journal_beside, kept_replies
from rscovlm.cli.terminal import printable
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from detection_eval.detections import Detections
    from rscovlm.tasks.phrases import GroundingRun, Located
    from tiling.scene import Scene
    from tiling.view import Window

_LEAST_SEEN_PX = 4
"""Side of an object in view below which no model tells what it is."""


@with_options(reading=SceneOptions, running=ModelOptions)
def ground(
    scene: Annotated[str, typer.Argument(help="Anything that GDAL reads.", metavar="SCENE")],
    phrase: Annotated[
        list[str] | None,
        typer.Argument(
            help='What to find, one object each: "the red ship at the pier".', metavar="[PHRASE]..."
        ),
    ] = None,
    phrases: Annotated[
        Path | None, typer.Option(help="File with more of them, one a line.", metavar="FILE")
    ] = None,
    window: InWindow = None,
    bbox: InBox = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the boxes there, their phrase in the column class: .geojson, .gpkg, .fgb, .parquet, "
            ".kml, .json (COCO) or .txt (DOTA labels).",
            metavar="FILE",
        ),
    ] = None,
    crs: LayerCrs = None,
    overlay: Overlay = None,
    boxes: Boxes = Outlines.rectangles,
    closer_looks: Annotated[
        int | None,
        typer.Option(
            help="Look at each found object again so many times, close up, and draw its box anew. By default "
            "what suits the model, at least once.",
            min=0,
            max=4,
            metavar="N",
        ),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ModelOptions,
) -> None:
    """Find the one object that a phrase names, and give its box on the map.

    The model sees the scene, or the part of it that --window or --bbox names, as a whole, and then the
    surroundings of what it found close up. Exit code 1 says that a phrase has no box, or that a closer look
    failed. For all objects of some classes use detect.
    """
    from rscovlm.tasks.phrases import REPLY_TOKENS, as_detections, ground_phrases, plan_grounding

    texts = _phrases(phrase, phrases)
    if window is not None and bbox is not None:
        raise UsageError("--window and --bbox each say which part to examine; give one of them")
    to = Destinations(output, None, overlay, {scene: scene}, several=False, crs=crs)
    kept_at = journal_beside({"--output": output}, resume=resume, overwrite=overwrite)
    going_on = kept_at is not None and goes_on([kept_at], to.files().values(), resume=resume)
    check_outputs(
        to.files(),
        (scene, phrases, running.config),
        overwrite=overwrite,
        resume=going_on,
        replaceable=is_own_style,
    )
    recipe = running.recipe()
    with open_scene(scene, reading) as opened:
        to.check(opened, scene)
        checkpoint = running.checkpoint(recipe)
        run = plan_grounding(
            opened,
            checkpoint.family,
            texts,
            window=_part(opened, window, bbox),
            contract=recipe.detection_contract(checkpoint.family),
            options=running.generation(recipe, REPLY_TOKENS),
            closer_looks=closer_looks,
            as_written=boxes is Outlines.as_written,
        )
        _note_scale(opened, run)
        if running.dry_run:
            print_request(run.prompt(texts[0]), [run.view.size], checkpoint.family, run.options)
            print_memory(checkpoint)
            return
        placing = (None, None) if kept_at is None else placed(checkpoint, running.device)
        facts = run.facts(opened, checkpoint.identity, *placing)
        with (
            kept_replies(kept_at, facts, resume=resume, overwrite=overwrite) as journal,
            open_model(checkpoint, running.device) as engine,
            Progress("locating", "look") as progress,
        ):
            found = ground_phrases(opened, engine, run, journal=journal, progress=progress)
        located = as_detections(found)
        summary = _summary(opened, running.model, run, found, located)
        _write(opened, to, located, summary)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False, indent=1))
    else:
        _tell(summary["objects"])
    end_of_run(kept_at, _missing(found), unasked=any(each.failure for each in found))


def _phrases(given: Sequence[str] | None, file: Path | None) -> list[str]:
    """The phrases of the command line and of a file, each once.

    Raises:
        UsageError: where there is none, or an empty one.
    """
    from detection_eval.formats.lines import numbered_lines

    found = [*(given or ()), *(() if file is None else (line for _, line in numbered_lines(file)))]
    if not found or any(not each.strip() for each in found):
        raise UsageError(
            'there is no phrase; give one as text ("the red ship at the pier") or --phrases FILE'
        )
    return list(dict.fromkeys(found))


def _part(scene: Scene, window: str | None, bbox: str | None) -> Window | None:
    """The part of the scene to look at; None for all of it.

    Raises:
        UsageError, SceneError: for what is no part of the scene.
    """
    from tiling.areas import Area

    return read_window(window) if bbox is None else Area.from_bbox(bbox).in_scene(scene).window


def _note_scale(scene: Scene, run: GroundingRun) -> None:
    """Say at what scale the first look shows the scene, where that hides what the scene holds."""
    from zoom_chain.looks import coarseness

    times, size = coarseness(run.view), run.view.size
    if times < 2:
        return
    own = scene.gsd_of(run.view)
    least = f"{_LEAST_SEEN_PX * times:.0f} px" if own is None else f"{_LEAST_SEEN_PX * own:.3g} m"
    note(
        f"first seen at {size.width} x {size.height} px, {times:.3g} times coarser than the scene: "
        f"what is smaller than {least} will not be found; --window or --bbox look at a part"
    )


def _summary(
    scene: Scene, model: str, run: GroundingRun, found: Sequence[Located], located: Detections
) -> dict[str, Any]:
    """What was found and where, and what it came from, as JSON values."""
    from rscovlm.tasks.provenance import version
    from tiling.gsd import resolve_gsd
    from tiling.layers import box_columns

    columns = box_columns(scene, located)
    measured = {name: column for name, column in columns.items() if name != "class"}
    rows = iter(range(len(columns["class"])))
    objects = []
    for each in found:
        record: dict[str, Any] = {"phrase": each.phrase, "polygon": None}
        if each.polygon is not None:
            row = next(rows)
            record["polygon"] = each.polygon.round(3).tolist()
            record |= {name: float(column[row]) for name, column in measured.items()}
        objects.append(
            record
            | {"label": each.label, "closer_looks": each.closer, "note": each.note}
            | {"reply": each.text, "error": each.error, "failure": each.failure}
        )
    return {
        "scene": scene.source,
        "gsd": resolve_gsd(scene).to_json(),
        "model": model,
        "version": version(),
        "window": run.view.window.to_json(),
        "size": run.view.size.to_json(),
        "objects": objects,
    }


def _write(scene: Scene, to: Destinations, located: Detections, facts: dict[str, Any]) -> None:
    """Write the layer and the drawing, each whole or not at all.

    Raises:
        OSError, OutputError: a file cannot be written.
    """
    from tiling.output import write_detections
    from tiling.overlay import write_overlay

    if to.output is not None:
        write_detections(to.output, scene, located, facts, crs=to.crs)
    if to.overlay is not None:
        write_overlay(to.overlay, scene, located)


def _tell(objects: Sequence[dict[str, Any]]) -> None:
    """Each phrase with its place, to stdout; what is not sure, to stderr."""
    for each in objects:
        print(f"{printable(each['phrase'])}\t{_place(each)}", flush=True)
        if each["note"]:
            note(f"  {printable(each['phrase'])}: {printable(each['note'])}")


def _place(found: dict[str, Any]) -> str:
    """``12.4 x 4.1 m at 13.40521, 52.51711, pixel 5120, 311``; ``not found``."""
    if found["polygon"] is None:
        return "not found"
    corners = found["polygon"]
    x, y = (sum(along) / 4 for along in zip(*corners))
    pixel = f"pixel {x:.0f}, {y:.0f}"
    if "length_m" not in found:
        return pixel
    size = f"{found['length_m']:.3g} x {found['width_m']:.3g} m"
    if "lon" not in found:
        return f"{size} at {pixel}"
    return f"{size} at {found['lon']:.5f}, {found['lat']:.5f}, {pixel}"


def _missing(found: Sequence[Located]) -> str | None:
    """Phrases without a box, and boxes that could not be looked at again; None where there are none."""
    from rscovlm.tasks.closer_looks import not_looked_again

    parts = []
    if without := [each for each in found if each.polygon is None]:
        parts.append(
            f"{len(without)} of {counted(len(found), 'phrase')} without a box: "
            f"{printable(without[0].phrase)}: {without[0].error}"
        )
    if failed := [each.failure for each in found if each.polygon is not None and each.failure]:
        parts.append(not_looked_again(failed))
    return "; ".join(parts) or None
