"""``rscovlm detect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.aliases import Aliases
from rscovlm.cli.destinations import Destinations, goes_on, is_own_style
from rscovlm.cli.detect_journals import Journals
from rscovlm.cli.detect_plan import Planned, Request, plan_scenes
from rscovlm.cli.detect_summary import Report, summarise
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.opening import open_model
from rscovlm.cli.option_groups import ModelOptions, SceneOptions, with_options
from rscovlm.cli.options import (
    AsJson,
    Boxes,
    Classes,
    InBox,
    InWindow,
    LayerCrs,
    Outlines,
    Overlay,
    read_classes,
    read_window,
)
from rscovlm.cli.outputs import Resume, check_outputs
from rscovlm.cli.reply_journal import incomplete
from rscovlm.cli.scenes import Scenes, distinct, read_scenes, scene_names
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from tiling.areas import Area


@with_options(reading=SceneOptions, running=ModelOptions)
def detect(
    scenes: Scenes,
    classes: Classes = None,
    aliases: Aliases = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the boxes there: .geojson, .gpkg, .fgb, .parquet, .kml, .json (COCO), .txt "
            "(DOTA labels), or a folder (DOTA Task1); with {name} in it a file for each scene.",
            metavar="FILE",
        ),
    ] = None,
    tiles: Annotated[
        Path | None,
        typer.Option(
            help="Write there what became of each tile: .geojson, .gpkg, .fgb, .parquet, .kml; a .gpkg "
            "output has it as the layer tiles.",
            metavar="FILE",
        ),
    ] = None,
    crs: LayerCrs = None,
    overlay: Overlay = None,
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
    window: InWindow = None,
    bbox: InBox = None,
    area: Annotated[
        Path | None,
        typer.Option(help="Examine the polygons of this file only: .geojson, .gpkg, ...", metavar="FILE"),
    ] = None,
    boxes: Boxes = Outlines.rectangles,
    closer_looks: Annotated[
        int | None,
        typer.Option(
            help="Look at each found object again so many times, close up: its box is drawn anew, or dropped "
            "if it is not seen again. By default what suits the model.",
            min=0,
            max=4,
            metavar="N",
        ),
    ] = None,
    structured: Annotated[
        bool,
        typer.Option(
            "--structured",
            help="Hold each reply to the model's format of boxes and to the classes; for models in vLLM.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on at a scale at which the model cannot be right.")
    ] = False,
    resume: Resume = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist, discard an unfinished run.")
    ] = False,
    allow_failed: Annotated[
        bool, typer.Option("--allow-failed", help="Exit with 0 although tiles or scenes failed.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Tiles of one batch.", min=1, metavar="N")] = 16,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ModelOptions,
) -> None:
    """Detect objects in scenes, tile by tile, and merge them to one map layer.

    Finished tiles are kept in OUTPUT.journal.jsonl, so that the same command with --resume goes on after an
    interruption. Exit code 1 says that tiles or scenes failed; the output lists them. Map layers get a style
    for QGIS beside them.
    """
    from rscovlm.tasks.passes import read_gsd

    recipe = running.recipe()
    given = read_scenes(scenes)
    sources = distinct(given.sources)
    if len(sources) < len(given.sources):
        note(
            f"scenes named more than once are examined once: {len(sources)} of {len(given.sources)} are left"
        )
    to = Destinations(output, tiles, overlay, scene_names(sources), given.several, crs, score)
    if resume and output is None:
        raise UsageError("--resume needs the --output of the run that is to go on")
    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of them")
    journals = to.journals()
    check_outputs(
        to.files(),
        (*sources, *given.lists, running.config, area, aliases),
        overwrite=overwrite,
        resume=goes_on(list(journals.values()), to.files().values(), resume=resume),
        replaceable=is_own_style,
    )
    if sum(part is not None for part in (window, bbox, area)) > 1:
        raise UsageError("--window, --bbox and --area each say which part to examine; give one of them")
    request = Request(
        read_classes(classes) or recipe.classes,
        aliases,
        tile,
        overlap,
        recipe.gsd if gsd is None else read_gsd(gsd),
        read_window(window),
        _area(bbox, area),
        window or bbox or area,
        boxes is Outlines.as_written,
        batch_size,
        force,
        closer_looks,
        structured,
    )
    planned = plan_scenes(sources, request, recipe, reading, running, to)
    assert planned.checkpoint is not None
    if running.dry_run:
        for prompt, sizes in planned.requests.items():
            print_request(prompt, sorted(sizes), planned.checkpoint.family, planned.scenes[0].run.options)
        print_memory(planned.checkpoint)
        if planned.refused and not allow_failed:
            raise Incomplete(f"{len(planned.refused)} of {counted(len(sources), 'scene')} cannot be examined")
        return
    kept = Journals(journals, resume, overwrite)
    kept.check(planned.scenes)
    with kept.interruptible(planned), open_model(planned.checkpoint, running.device) as engine:
        report = _examine(
            planned, engine, reading, running.model, to, kept, with_boxes=as_json and not output
        )
        report.refused |= planned.refused
        if not report.summaries:
            raise UsageError(next(iter(report.refused.values())))
        if to.several:
            to.finish(report.to_json())
        if allow_failed or report.complete:
            kept.remove()
    report.tell(as_json, several=to.several)
    if not (allow_failed or report.complete):
        raise incomplete(report.missing(), resumable=bool(journals) and report.unasked)


def _area(bbox: str | None, area: Path | None) -> Area | None:
    """The part of the map that ``--bbox`` or ``--area`` names."""
    from tiling.areas import Area

    if bbox is not None:
        return Area.from_bbox(bbox)
    return None if area is None else Area.from_file(area)


def _examine(
    planned: Planned,
    engine: Engine,
    reading: SceneOptions,
    model: str,
    to: Destinations,
    kept: Journals,
    *,
    with_boxes: bool,
) -> Report:
    """Look at each scene in turn with one model; one that cannot be read any more costs itself alone."""
    from rscovlm.tasks.detect import detect_scene
    from tiling.errors import OutputError, SceneError

    report = Report(model, planned.outside)
    for number, scene in enumerate(planned.scenes, start=1):
        verb = f"scene {number} of {len(planned.scenes)}: detecting" if to.several else "detecting"
        try:
            with reading.open(scene.source) as opened, kept.open(scene) as journal:
                with Progress(verb, "tile") as progress:
                    found = detect_scene(opened, engine, scene.run, journal=journal, progress=progress)
                summary = summarise(opened, model, scene.run, found)
                to.keep(opened, scene.source, found, summary)
        except OutputError:
            raise
        except SceneError as error:
            if not to.several:
                raise
            report.refused[scene.source] = str(error)
            continue
        report.add(summary, found, with_boxes=with_boxes)
        if to.several:
            note(f"{to.names[scene.source]}: {counted(len(found.detections), 'object')}")
    return report
