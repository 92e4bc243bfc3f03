"""``rscovlm synth``: procedural scenes with their ground truth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.options import Seed
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

synth = typer.Typer(
    name="synth", help="Write synthetic scenes with exact ground truth.", no_args_is_help=True
)

MOST_SIDE_PX = 500_000
"""Side of a scene: longer than any strip that a satellite delivers, and a mistyped number is found out."""

Gsd = Annotated[float, typer.Option(help="Metres per pixel.", min=0.01)]


@synth.command()
def scene(
    output: Annotated[Path, typer.Argument(help="The GeoTIFF to write.", metavar="OUT.tif")],
    size: Annotated[str, typer.Option(help="Pixels: a side, or WxH.", metavar="N|WxH")] = "8192",
    seed: Seed = 0,
    gsd: Gsd = 0.3,
    cover: Annotated[str | None, typer.Option(help="Land cover; random by default.")] = None,
    cog: Annotated[bool, typer.Option("--cog", help="Write a cloud-optimised GeoTIFF.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a scene, and beside it OUT.txt (DOTA labels) and OUT.questions.jsonl."""
    width, height = _read_size(size)
    check_file(output, "output", (".tif", ".tiff"))
    labels, asked = output.with_suffix(".txt"), output.with_suffix(".questions.jsonl")
    check_outputs({"output": output, "labels": labels, "questions": asked}, (), overwrite=overwrite)
    from detection_eval.files import write_text
    from rscovlm.synth.catalogue import LAND_COVERS
    from rscovlm.synth.dataset import question_record, scene_truth, write_scene
    from rscovlm.synth.questions import all_questions
    from rscovlm.synth.world import plan_world
    from tiling.output import write_detections
    from tiling.scene import Scene

    if cover is not None and cover not in LAND_COVERS:
        raise UsageError(f"--cover {cover!r} is unknown; choose from {', '.join(LAND_COVERS)}")
    world = plan_world(seed, width, height, gsd, cover)
    with Progress("writing", "block") as progress:
        write_scene(world, output, cog=cog, progress=progress)
    with Scene(output) as written:
        write_detections(labels, written, scene_truth(world))
    records = [question_record(world, question, output.name) for question in all_questions(world)]
    write_text(asked, "".join(json.dumps(record) + "\n" for record in records))
    print(output)


@synth.command()
def dataset(
    folder: Annotated[Path, typer.Argument(help="The folder to write.", metavar="FOLDER")],
    count: Annotated[int, typer.Option(help="Number of scenes.", min=1, metavar="N")],
    size: Annotated[int, typer.Option(help="Side of each in pixels.", min=1, metavar="N")] = 2048,
    seed: Seed = 0,
    gsd: Gsd = 0.3,
) -> None:
    """Write a folder of scenes with labels and questions; scenes that are there already are kept."""
    from detection_eval.files import check_folder
    from rscovlm.synth.dataset import write_dataset

    check_folder(folder)
    with Progress("writing", "scene") as progress:
        write_dataset(folder, count, seed=seed, size=size, gsd_m=gsd, progress=progress)
    print(folder)


@synth.command()
def samples(
    folder: Annotated[Path, typer.Argument(help="The folder to write.", metavar="FOLDER")],
    count: Annotated[
        int, typer.Option(help="Samples in all, a fifth of each task.", min=5, metavar="N")
    ] = 2000,
    family: Annotated[
        str, typer.Option(help="Model family whose view sizes and scale are used.", metavar="NAME")
    ] = "nano",
    seed: Seed = 0,
) -> None:
    """Write training samples: classification, vqa, grounding, detection and zoom, with their images.

    Views have sizes that the family sees as they are, at the metres per pixel it detects at. Images that are
    there already are kept, so an interrupted run continues.
    """
    from detection_eval.files import check_folder
    from rscovlm.data.synthetic import Scale
    from rscovlm.data.synthetic_files import write_sample_set
    from rscovlm.models.families import family_named

    scale = Scale.of(family_named(family))
    check_folder(folder)
    with Progress("writing", "sample") as progress:
        written = write_sample_set(folder, count, scale, seed=seed, progress=progress)
    for task in written:
        print(folder / f"{task}.jsonl")


@synth.command()
def benchmark(
    folder: Annotated[Path, typer.Argument(help="The folder to write.", metavar="FOLDER")],
    each: Annotated[int, typer.Option(help="Items of each kind of task.", min=1, metavar="N")] = 20,
    scenes: Annotated[int, typer.Option(help="Large scenes with questions.", min=0, metavar="N")] = 2,
    size: Annotated[int, typer.Option(help="Side of these in pixels.", min=256, metavar="N")] = 2048,
    family: Annotated[
        str, typer.Option(help="Model family whose view sizes are used.", metavar="NAME")
    ] = "nano",
    seed: Seed = 0,
) -> None:
    """Write the benchmark `synth`: classes, questions, choices, numbers, counts, boxes and captions.

    Run it with: rscovlm bench run synth --data FOLDER. Images that are there already are kept.
    """
    from detection_eval.files import check_folder
    from rscovlm.bench.synthetic import write_benchmark

    check_folder(folder)
    with Progress("writing", "image") as progress:
        count = write_benchmark(
            folder, each=each, scenes=scenes, size=size, seed=seed, family=family, progress=progress
        )
    print(f"{folder}: {counted(count, 'item')}")


@synth.command(name="zoom-benchmark")
def zoom_benchmark(
    folder: Annotated[Path, typer.Argument(help="The folder to write.", metavar="FOLDER")],
    sizes: Annotated[str, typer.Option(help="Sides of the scenes in pixels.", metavar="N,N")] = "4096,16384",
    scenes: Annotated[int, typer.Option(help="Scenes of each size.", min=1, metavar="N")] = 2,
    questions: Annotated[
        int, typer.Option(help="Most questions about the sites of a scene.", min=1, metavar="N")
    ] = 24,
    seed: Seed = 0,
) -> None:
    """Write large scenes with questions whose evidence an overview cannot show, for `bench zoom`.

    Run it with: rscovlm bench zoom synth --data FOLDER. Scenes that are there already are kept.
    """
    from detection_eval.files import check_folder
    from rscovlm.bench.synthetic import write_zoom_benchmark

    sides = [_read_size(each)[0] for each in sizes.split(",")]
    check_folder(folder)
    with Progress("writing", "scene") as progress:
        count = write_zoom_benchmark(
            folder, sides, scenes=scenes, questions=questions, seed=seed, progress=progress
        )
    print(f"{folder}: {counted(count, 'item')}")


def _read_size(text: str) -> tuple[int, int]:
    """Width and height of ``8192`` or ``8192x4096``."""
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text.strip().lower())
    if match is None:
        raise UsageError(f"--size {text!r} is not understood; give a side (8192) or WxH (8192x4096)")
    width, height = int(match[1]), int(match[2] or match[1])
    if max(width, height) > MOST_SIDE_PX:
        raise UsageError(f"--size {text!r} is too large; a side has at most {MOST_SIDE_PX:,} px")
    return width, height


@synth.command()
def plots(
    output: Annotated[Path, typer.Argument(help="The HDF5 to write.", metavar="OUT.h5")],
    tiles: Annotated[int, typer.Option(help="Tiles, of which each belongs to one split.", min=1)] = 60,
    each: Annotated[int, typer.Option(help="Plots of each tile.", min=1, metavar="N")] = 12,
    dates: Annotated[int, typer.Option(help="Sentinel-2 images of each plot.", min=1)] = 1,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write forest plots of known biomass in the layout of AGBD-Lite: Sentinel-2, PALSAR-2, GEDI."""
    check_file(output, "output", (".h5", ".hdf5"))
    check_outputs({"output": output}, (), overwrite=overwrite)
    from detection_eval.files import atomic_path
    from rscovlm.reo.made_plots import write_plots

    with atomic_path(output) as part:
        write_plots(part, seed, tiles, each, dates)
    print(output)


@synth.command()
def forest(
    output: Annotated[Path, typer.Argument(help="The GeoTIFF to write.", metavar="OUT.tif")],
    size: Annotated[int, typer.Option(help="Side in pixels of 10 m.", min=50, max=10_980)] = 1000,
    truth: Annotated[
        Path | None, typer.Option(help="Write the biomass of each pixel, too.", metavar="FILE.tif")
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a Sentinel-2 scene of 12 bands of forests of known biomass, to map it with rscovlm regress."""
    check_file(output, "output", (".tif", ".tiff"))
    check_file(truth, "--truth", (".tif", ".tiff"))
    check_outputs({"output": output, "--truth": truth}, (), overwrite=overwrite)
    from contextlib import ExitStack

    from detection_eval.files import atomic_path
    from rscovlm.synth.forest_scene import write_forest

    with ExitStack() as parts, Progress("writing", "row") as progress:
        scene = parts.enter_context(atomic_path(output))
        known = None if truth is None else parts.enter_context(atomic_path(truth))
        write_forest(scene, size, known, seed, progress)
    print(output)
