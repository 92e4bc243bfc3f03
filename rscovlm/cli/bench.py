"""``rscovlm bench``: scoring of detections, and the files that it is done on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.aliases import Aliases, words_for
from rscovlm.cli.options import AsJson, Classes, read_classes
from rscovlm.cli.outputs import Overwrite, check_outputs
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from detection_eval.formats import ReadOptions

bench = typer.Typer(
    name="bench",
    help="Run benchmarks, score what was logged; score and convert detections.",
    no_args_is_help=True,
)

Images = Annotated[
    Path | None,
    typer.Option(
        help="A line for each image: its id, and its width and height where the files lack them. Or the "
        "folder of the images, which says their sizes.",
        metavar="FILE|FOLDER",
    ),
]
ImageSize = Annotated[
    str | None, typer.Option(help="Width and height of all images, where the files lack them.", metavar="WxH")
]
Contract = Annotated[str | None, typer.Option(help="How a model wrote its replies.", metavar="NAME")]


@bench.command()
def convert(
    source: Annotated[str, typer.Argument(help="File or folder to read.", metavar="PATH[:FORMAT]")],
    output: Annotated[str, typer.Option(help="New file or empty folder to write.", metavar="PATH[:FORMAT]")],
    classes: Classes = None,
    images: Images = None,
    size: ImageSize = None,
    contract: Contract = None,
    aliases: Aliases = None,
    merge: Annotated[
        str | None,
        typer.Option(
            help="Merge patches into scenes: mmrotate (P0__1024__x___y) or devkit (P0__rate__x___y).",
            metavar="NAMES",
        ),
    ] = None,
    nms: Annotated[
        str, typer.Option(help="Overlap above which merging suppresses, or none.", metavar="IOU|none")
    ] = "0.1",
    score: Annotated[
        float | None,
        typer.Option(
            help="For boxes without scores, where a format demands them.", min=0, max=1, metavar="S"
        ),
    ] = None,
    vertices: Annotated[
        bool, typer.Option("--vertices", help="Results of mmrotate 1.x with vertices, not rectangles.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Read one format of ground truth or results and write another.

    Formats: predictions, dota, task1, coco, mmrotate-0.x, mmrotate-1.x, mmrotate-json, ultralytics,
    ultralytics-json, dior-r, fair1m, hrsc2016, srsdd, rsar, rscovlm, lmmrotate. Without a format, PATH is
    recognised by its content and --output by its suffix. What the output cannot hold is said.
    """
    from detection_eval.files import atomic_path
    from detection_eval.formats import WriteOptions, split_format
    from detection_eval.formats import convert as run

    start, start_format = split_format(source)
    aim, aim_format = split_format(output)
    options = read_options(classes, images, size, contract, aliases)
    writing = WriteOptions(score, "qbox" if vertices else "rbox", contract)
    if aim.is_dir() and any(aim.iterdir()):
        # Files of an earlier conversion would be read together with the new ones, even if some are replaced.
        raise UsageError(f"--output {aim} is a folder with files in it; choose a new or empty one")
    check_outputs({"--output": aim}, (start, images), overwrite=overwrite)
    with atomic_path(aim) as temporary:
        done = run(
            start,
            temporary,
            start_format,
            aim_format,
            options=options,
            writing=writing,
            patches=merge,  # type: ignore[arg-type]
            nms=_read_nms(nms),
        )
    for line in (*done.notes, *(f"{aim} does not hold {what}" for what in done.lost)):
        print(line, file=sys.stderr)
    if as_json:
        print(json.dumps(done._asdict() | {"output": str(aim)}, ensure_ascii=False, indent=1))
    else:
        print(f"{aim}: {done.target}, {counted(done.images, 'image')}, {counted(done.boxes, 'box')}")


def read_options(
    classes: str | None,
    images: Path | None,
    size: str | None,
    contract: str | None,
    aliases: str | None = None,
) -> ReadOptions:
    """Read options from the command line: information that the file itself may lack.

    ``images`` is a file that lists them, or their folder.

    Raises:
        DetectionError, UsageError: with one clear line.
        OSError: a file cannot be read.
    """
    from detection_eval.formats import ReadOptions

    names = read_classes(classes)
    is_folder = images is not None and images.is_dir()
    listed = None if images is None or is_folder else _read_images(images)
    ids = None if listed is None else [image for image, _ in listed]
    sizes = {image: sides for image, sides in listed or () if sides is not None}
    if is_folder and images is not None and size is None:
        sizes = sizes_in(images)
    if size is not None and sizes:
        raise UsageError(f"--size and the sizes in {images} say the same; give one of them")
    if aliases is not None and names is None:
        raise UsageError("--aliases needs the classes that the words stand for; give --classes")
    words = None if aliases is None or names is None else words_for(aliases, names)
    shared = _read_size(size, "--size") if size is not None else sizes or None
    return ReadOptions(names, ids, shared, contract, words)


def _read_images(path: Path) -> list[tuple[str, tuple[int, int] | None]]:
    """Ids, without the suffix of a file name, with sizes where they stand in the line."""
    from detection_eval.formats.image_ids import image_id
    from detection_eval.formats.lines import numbered_lines

    listed: list[tuple[str, tuple[int, int] | None]] = []
    for number, line in numbered_lines(path):
        name, *sides = line.split()
        if len(sides) not in (0, 2):
            raise UsageError(f"{path}:{number}: {line!r} is neither an id nor an id with width and height")
        listed.append((image_id(name), _read_size("x".join(sides), f"{path}:{number}:") if sides else None))
    if not listed:
        raise UsageError(f"{path}: no images; write an id a line")
    return listed


def sizes_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Width and height of the images of a folder by id, from their headers; without those that are damaged.

    Raises:
        UsageError: where there are no images.
    """
    from detection_eval.formats.image_ids import image_id
    from rscovlm.data.readers.common import IMAGE_SUFFIXES
    from tiling.errors import SceneError
    from tiling.headers import image_size

    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise UsageError(f"--images {folder} holds no images; give the folder right above them")
    sizes = {}
    for path in files:
        try:
            height, width = image_size(path)
        except (SceneError, OSError):
            continue
        sizes[image_id(path.name)] = (width, height)
    return sizes


def _read_size(text: str, place: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"{place} {text!r} is no size; give width and height in pixels, such as 1024x768")
    return int(width), int(height)


def _read_nms(text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        iou = float(text)
    except ValueError:
        iou = -1
    if not 0 <= iou <= 1:
        raise UsageError(f"--nms {text!r}: IoU must be in [0, 1]; give a number, or none")
    return iou
