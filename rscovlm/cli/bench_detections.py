"""``rscovlm bench detections``."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from detection_eval.words import counted
from rscovlm.cli.aliases import Aliases
from rscovlm.cli.bench import ImageSize, read_options, sizes_in
from rscovlm.cli.detection_inputs import (
    Compared,
    lack_sizes,
    read_compared,
    read_sources,
    read_thresholds,
    split_images,
)
from rscovlm.cli.options import AsJson, Seed
from rscovlm.cli.outputs import Overwrite, check_outputs
from rscovlm.errors import UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from detection_eval.metrics.comparison import Benchmark
    from detection_eval.report.gallery import Pixels
    from detection_eval.report.tables import TableRow

_CROP_PX = 340  # twice the width at which the page shows a drawing


class CocoKind(StrEnum):
    """Geometry that COCO's own code compares."""

    AUTO = "auto"
    BBOX = "bbox"
    SEGM = "segm"
    NONE = "none"


_COCO: dict[CocoKind, Literal["bbox", "segm"]] = {CocoKind.BBOX: "bbox", CocoKind.SEGM: "segm"}


def detections(
    gt: Annotated[
        str,
        typer.Option(
            "--gt", help="The ground truth; its format is told by its content.", metavar="PATH[:FORMAT]"
        ),
    ],
    pred: Annotated[
        list[str],
        typer.Option("--pred", help="A method and its results; repeat it.", metavar="NAME=PATH[:FORMAT]"),
    ],
    classes: Annotated[
        str | None,
        typer.Option(
            help="Evaluate these: names, a file with one a line, or the name of a list (dota-v1.0, ...). "
            "Boxes of others are left out, in --gt and --pred. All classes of --gt by default.",
            metavar="A,B|FILE|LIST",
        ),
    ] = None,
    aliases: Aliases = None,
    preset: Annotated[
        str, typer.Option(help="strict, mmrotate-1.x, mmrotate-0.x, devkit-v1.0, ..., rscovlm.")
    ] = "strict",
    iou: Annotated[str, typer.Option(help="IoU levels listed one by one.")] = "0.5,0.75,0.5:0.95",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Score threshold of detectors: a number, chosen on the other folds (kfold) or on the very "
            "images (oracle), or val:results.json of a run on other images; kfold by default.",
            metavar="oracle|kfold|val:FILE|0.35",
        ),
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class-threshold", help="Choose a threshold for each class.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(help="Resamplings of scenes for intervals and tests; 0 for none.", min=0)
    ] = 1000,
    published: Annotated[
        str | None, typer.Option(help="Add the rows of a published table: rscovlm-dota.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results.json, table.csv, table.md, table.tex, report.html, verdicts.csv and "
            ".parquet (each box), and images.csv (each image).",
            metavar="DIR",
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of the images: the report shows their pixels, and their sizes count where labels "
            "lack them. Or a file with a line for each image: its id, in the order of results of mmrotate "
            "0.x, and its width and height. Both may be given.",
            metavar="FOLDER|FILE",
        ),
    ] = None,
    size: ImageSize = None,
    coco: Annotated[
        CocoKind,
        typer.Option(help="COCO's own numbers (pycocotools) too; auto: where all boxes are horizontal."),
    ] = CocoKind.AUTO,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare detections with the ground truth, and methods with each other, with or without scores."""
    from detection_eval.metrics.comparison import are_horizontal, benchmark, parse_levels
    from detection_eval.metrics.presets import preset as preset_named
    from detection_eval.report.tables import comparison_table
    from detection_eval.report.tables import published as published_rows

    protocol, levels = preset_named(preset), parse_levels(iou)
    rows = published_rows(published) if published else ()
    sources = read_sources(pred)
    check_out(output)
    check_outputs({"--output": output}, (), overwrite=overwrite)
    folder, listing = split_images(images or [])
    pixels = None if folder is None else crops(folder)
    given = read_options(classes, listing, size, None)
    if given.sizes is None and folder is not None and lack_sizes([gt, *sources.values()]):
        given = replace(given, sizes=sizes_in(folder))
    compared = read_compared(gt, sources, given, classes, aliases)
    _tell_losses(compared)
    chosen = read_thresholds(threshold, compared, per_class)
    _tell_counts(compared)
    objects = compared.truth.ground_truth()
    boxes = {name: collection.detections for name, collection in compared.found.items()}
    if coco is CocoKind.AUTO:
        coco = CocoKind.BBOX if are_horizontal(objects, boxes.values()) else CocoKind.NONE
    bench = benchmark(
        objects,
        boxes,
        protocol,
        classes=compared.classes,
        levels=levels,
        thresholds=chosen,
        per_class_threshold=per_class,
        parsing={name: collection.report for name, collection in compared.found.items()},
        samples=bootstrap,
        seed=seed,
        coco=_COCO.get(coco),
    )
    ignored = int(bench.methods[0].result.overlaps.ignored.sum())
    if ignored:
        note(
            f"{counted(ignored, 'object is', 'objects are')} ignored (difficult or crowds): boxes of "
            "them count for nothing"
        )
    facts = provenance({"ground truth": gt} | sources) | ({"aliases": aliases} if aliases else {})
    results = bench.to_json() | {"provenance": facts}
    if output is not None:
        write_out(output, bench, results, rows, facts, pixels)
    if as_json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
    else:
        print(comparison_table(bench, rows).to_markdown(), end="", flush=True)


def _tell_losses(compared: Compared) -> None:
    """What was not read of the files, method by method."""
    for name, collection in compared.found.items():
        for line in (*collection.remarks, *(collection.report.losses() if collection.report else ())):
            note(f"{name}: {line}")
    for line in compared.truth.remarks:
        note(f"ground truth: {line}")


def _tell_counts(compared: Compared) -> None:
    """How many images, objects and boxes are compared."""
    boxes = (
        f"{name} {counted(sum(map(len, collection.detections.values())), 'box')}"
        for name, collection in compared.found.items()
    )
    note(
        f"{counted(len(compared.truth.images), 'image')}, "
        f"{counted(sum(map(len, compared.truth.detections.values())), 'object')}, " + ", ".join(boxes)
    )


def check_out(out: Path | None) -> None:
    """Make sure that results can be written, before they are computed.

    Raises:
        UsageError: a file stands in the folder's place.
        OSError: its parent is missing or cannot be written.
    """
    from detection_eval.files import check_folder

    if out is None:
        return
    if out.exists() and not out.is_dir():
        raise UsageError(f"--output {out} is a file; give the name of a folder")
    check_folder(out)


def write_out(
    out: Path,
    bench: Benchmark,
    results: Mapping[str, Any],
    published: tuple[TableRow, ...],
    facts: Mapping[str, str],
    pixels: Pixels | None = None,
) -> None:
    """The JSON, the tables, the page and the verdicts, each whole or not at all."""
    from detection_eval.files import write_text
    from detection_eval.report import report_html
    from detection_eval.report.exports import write_verdicts
    from detection_eval.report.tables import comparison_table

    table = comparison_table(bench, published)
    out.mkdir(exist_ok=True)
    texts = {
        "results.json": json.dumps(results, ensure_ascii=False, indent=1) + "\n",
        "table.csv": table.to_csv(),
        "table.md": table.to_markdown(),
        "table.tex": table.to_latex(),
        "report.html": report_html(bench, published=published, provenance=facts, pixels=pixels),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    if "verdicts.parquet" not in write_verdicts(out, bench):
        note("verdicts are in verdicts.csv; for verdicts.parquet too, install pyarrow")
    note(f"see {out / 'report.html'}")


def crops(folder: Path) -> Pixels:
    """A reader of squares of the images in a folder, at most 340 px a side.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    from rscovlm.data.readers.common import ImageFolder, LeftOut
    from tiling.errors import SceneError
    from tiling.scene import Scene
    from tiling.view import Size, View, Window

    files = ImageFolder(folder)

    def read(image: str, place: tuple[float, float, float]) -> bytes | None:
        left, top, side = place
        size = max(1, min(round(side), _CROP_PX))
        try:
            with Scene(files.find(image)) as scene:
                return scene.read(View(Window(left, top, side, side), Size(size, size))).png_bytes()
        except (LeftOut, SceneError):
            return None

    return read


def provenance(sources: Mapping[str, str]) -> dict[str, str]:
    """Provenance: inputs with hashes, and versions of the program."""
    import numpy as np

    from detection_eval.formats import split_format
    from rscovlm.tasks.provenance import version

    files = {name: f"{spec} (sha256 {_digest(split_format(spec)[0])})" for name, spec in sources.items()}
    return files | {"rscovlm": version(), "numpy": np.__version__, "machine": platform.machine()}


def _digest(path: Path) -> str:
    """Digest of a file, or of the names and contents of a folder's files; 16 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
