"""``rscovlm bench detections``."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from detection_eval.words import counted
from rscovlm.cli.aliases import Aliases, words_for
from rscovlm.cli.bench import ImageSize, read_options
from rscovlm.cli.options import AsJson, Seed
from rscovlm.cli.outputs import Overwrite, check_outputs
from rscovlm.errors import UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from detection_eval.formats import Collection, ReadOptions
    from detection_eval.metrics.comparison import Benchmark
    from detection_eval.metrics.evaluation import Threshold
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
            help="Folder of the images: the report shows their pixels. Or a file with a line for each image: "
            "its id, in the order of results of mmrotate 0.x, and its width and height. Both may be given.",
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
    truth, names = read_truth(gt, given, classes)
    words = None if aliases is None else words_for(aliases, names)
    # As many names as the ground truth has are an order of their own; fewer choose among its numbers.
    numbers = None if given.classes and len(names) >= len(truth.categories) else truth.categories or None
    ordered = names if given.classes or declares_order(gt) else None
    given = replace(given, classes=ordered, aliases=words, categories=numbers)
    found = {name: read_results(name, spec, names, truth, given) for name, spec in sources.items()}
    for name, collection in found.items():
        for line in (*collection.notes, *(collection.report.losses() if collection.report else ())):
            note(f"{name}: {line}")
    for line in truth.notes:
        note(f"ground truth: {line}")
    chosen = read_threshold(threshold, names, found, per_class)
    note(
        f"{counted(len(truth.images), 'image')}, "
        f"{counted(sum(map(len, truth.detections.values())), 'object')}, "
        + ", ".join(
            f"{name} {counted(sum(map(len, collection.detections.values())), 'box')}"
            for name, collection in found.items()
        )
    )
    objects = truth.ground_truth()
    boxes = {name: collection.detections for name, collection in found.items()}
    if coco is CocoKind.AUTO:
        coco = CocoKind.BBOX if are_horizontal(objects, boxes.values()) else CocoKind.NONE
    bench = benchmark(
        objects,
        boxes,
        protocol,
        classes=names,
        levels=levels,
        thresholds=chosen,
        per_class_threshold=per_class,
        parsing={name: collection.report for name, collection in found.items()},
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


def read_sources(pred: list[str]) -> dict[str, str]:
    """Methods by name from ``NAME=PATH[:FORMAT]``.

    Raises:
        UsageError: something else, or a name that stands twice.
    """
    sources: dict[str, str] = {}
    for text in pred:
        name, equals, path = text.partition("=")
        if not (name.strip() and equals and path):
            raise UsageError(f"--pred {text!r} names no method; give NAME=PATH, such as Qwen=out/qwen.jsonl")
        if name.strip() in sources:
            raise UsageError(f"--pred {name.strip()} is listed twice; give each method a name of its own")
        sources[name.strip()] = path
    return sources


def split_images(given: list[Path]) -> tuple[Path | None, Path | None]:
    """The folder of images and the file that lists them.

    Raises:
        UsageError: more than one of either.
        FileNotFoundError: there is no such path.
    """
    for path in given:
        if not path.exists():
            raise UsageError(f"--images {path} is no folder and no file")
    folders = [path for path in given if path.is_dir()]
    files = [path for path in given if not path.is_dir()]
    if len(folders) > 1 or len(files) > 1:
        raise UsageError("--images takes one folder of images and one file that lists them")
    return next(iter(folders), None), next(iter(files), None)


def declares_order(spec: str) -> bool:
    """Whether a ground truth says in what order its classes are numbered."""
    from detection_eval.formats import detect_format, split_format
    from detection_eval.formats.catalogue import UNORDERED

    path, format_name = split_format(spec)
    return (format_name or detect_format(path)) not in UNORDERED


def read_truth(spec: str, given: ReadOptions, classes: str | None) -> tuple[Collection, tuple[str, ...]]:
    """The ground truth and the classes that are evaluated.

    Raises:
        DetectionError, UsageError: it is malformed, or holds nothing.
    """
    from detection_eval.formats import read, split_format

    wanted = given.classes
    path, format_name = split_format(spec)
    truth = read(path, format_name, wanted, images=given.images, sizes=given.sizes, others="leave out")
    if truth.truth is not None:
        truth = truth.with_truth_as_images()
    if not truth.images:
        raise UsageError(f"--gt {spec} holds no images")
    if wanted is not None and not any(map(len, truth.detections.values())):
        lost = f"; {truth.notes[-1]}" if truth.notes else ""
        raise UsageError(f"--gt {spec} holds no objects of the classes in --classes {classes}{lost}")
    names = wanted or truth.classes
    if not names:
        raise UsageError(f"--gt {spec} holds no objects, so it names no classes; give them by --classes")
    return truth, tuple(names)


def read_results(
    name: str, spec: str, classes: tuple[str, ...], truth: Collection, given: ReadOptions
) -> Collection:
    """What a method found, by the ids of the ground truth.

    Args:
        name: the method.
        spec: ``PATH[:FORMAT]``.
        classes: those that are evaluated.
        truth: the ground truth.
        given: what the options say; its ``classes`` is None where they are in no stated order.

    Raises:
        DetectionError, UsageError: malformed, of other images, or numbers of classes without a class list.
    """
    from detection_eval.errors import EvaluationError
    from detection_eval.formats import detect_format, read, split_format
    from detection_eval.formats.catalogue import NUMBERED
    from detection_eval.formats.image_ids import match_images, without_constant_scores
    from detection_eval.formats.recognition import is_empty_list

    path, format_name = split_format(spec)
    format_name = format_name or detect_format(path)
    if format_name in NUMBERED and given.classes is None and not is_empty_list(path):
        raise UsageError(
            f"--pred {name}: {path} ({format_name}) holds numbers of classes, and --gt states no order of "
            "its classes; give --classes in the order of the config"
        )
    sizes = {image: boxes.size for image, boxes in truth.images.items() if boxes.size is not None}
    collection = read(
        path,
        format_name,
        classes,
        images=given.images,
        sizes=given.sizes if isinstance(given.sizes, tuple) else sizes | dict(given.sizes or {}) or None,
        others="leave out",
        aliases=given.aliases,
        categories=given.categories,
    )
    try:
        return without_constant_scores(match_images(collection, truth))
    except EvaluationError as error:
        raise UsageError(f"--pred {name}: {error}") from error


def read_threshold(
    text: str | None, classes: tuple[str, ...], found: Mapping[str, Collection], per_class: bool
) -> dict[str, Threshold]:
    """The threshold of each method with scores.

    Raises:
        UsageError: for what is no threshold, or a file that holds none for a method.
    """
    scored = [name for name, collection in found.items() if collection.scored]
    if text is not None and not scored:
        raise UsageError(f"--threshold {text} needs results with scores, and none of these have any")
    if text is None or text in ("oracle", "kfold"):
        choice: Threshold = "oracle" if text == "oracle" else "kfold"
        return dict.fromkeys(scored, choice)
    if text.startswith("val:"):
        return _thresholds_of(Path(text.removeprefix("val:")), classes, scored)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--threshold {text!r} is none of oracle, kfold, val:FILE and a number")
    if per_class:
        raise UsageError(
            "--per-class-threshold needs thresholds that are chosen: --threshold kfold or oracle"
        )
    return dict.fromkeys(scored, value)


def _thresholds_of(path: Path, classes: tuple[str, ...], scored: list[str]) -> dict[str, Threshold]:
    """Thresholds that an earlier run chose on other images."""
    import numpy as np

    from detection_eval.metrics.thresholds import ThresholdChoice

    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        given = {name: results[name]["threshold"] for name in scored if name in results}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no results.json of rscovlm bench detections ({error!r})") from error
    chosen: dict[str, Threshold] = {}
    for name in scored:
        value = given.get(name)
        if value is None:
            raise UsageError(
                f"{path} has no threshold for {name}; it has them for {', '.join(given) or 'none'}"
            )
        lacking = [c for c in classes if isinstance(value, dict) and c not in value]
        if lacking:
            raise UsageError(f"{path} has no threshold for {name} and class {lacking[0]}")
        row = [value[c] if isinstance(value, dict) else value for c in classes]
        chosen[name] = ThresholdChoice("val", np.array([row], float), classes, isinstance(value, dict), {})
    return chosen


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
