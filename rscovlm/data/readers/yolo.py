"""YOLO and YOLO-OBB (Ultralytics): label files in parts of the image's sides, and their class names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from configs import ConfigError, load_config
from detection_eval.formats.lines import numbered_lines, text_files
from detection_eval.formats.ultralytics import centre_box
from detection_eval.words import counted
from rscovlm.data.readers.common import ImageFolder, LeftOut, Options, box_inside
from rscovlm.data.sample import Box, ImageRef, Sample
from rscovlm.errors import DataError

_NAMES = ("data.yaml", "data.yml", "classes.txt", "obj.names")


def read_yolo(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """A folder of ``labels`` beside ``images``, or the label files themselves: ``class x1 y1 .. x4 y4``,
    or ``class x y width height`` of horizontal boxes, x and y those of the centre.

    Class names come from ``options.classes``, or from data.yaml or classes.txt in the folder or one above.
    """
    folder = path.parent if path.suffix.lower() in (".yaml", ".yml") else path
    classes = tuple(options.classes) if options.classes is not None else _class_names(path)
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    shown = ImageFolder(images / "images" if (images / "images").is_dir() else images)
    files = sorted(labels.rglob("*.txt")) if labels.is_dir() else text_files(labels)
    if not files:
        raise FileNotFoundError(f"{labels} holds no *.txt file")
    for file in files:
        if file.name in _NAMES:
            continue
        name = file.relative_to(labels).with_suffix("").as_posix() if labels.is_dir() else file.stem
        try:
            image = shown.ref(name)
            boxes = tuple(_boxes(file, image, classes, options))
            yield Sample(name, "detection", (image,), (), boxes, classes)
        except LeftOut as error:
            options.account.leave_out(error, str(file))


def _boxes(file: Path, image: ImageRef, classes: Sequence[str], options: Options) -> Iterator[Box]:
    assert image.size is not None
    height, width = image.size
    for number, line in numbered_lines(file):
        row = line.split()
        malformed = LeftOut("a line is no class and eight or four numbers", f"line {number}: {line:.80}")
        if len(row) not in (5, 6, 9, 10) or not row[0].isdecimal():
            raise malformed
        if int(row[0]) >= len(classes):
            raise LeftOut(
                "a class has no name", f"line {number}: class {row[0]} of {counted(len(classes), 'name')}"
            )
        try:
            flat = len(row) < 9
            parts = list(map(float, centre_box(row[1:5]) if flat else row[1:9]))
        except (ValueError, ArithmeticError):
            raise LeftOut(
                "a line is no class and eight or four numbers", f"line {number}: {line:.80}"
            ) from None
        if not all(-0.5 <= part <= 1.5 for part in parts):
            raise LeftOut("its coordinates are no parts of the image's sides", f"line {number}: {line:.80}")
        corners = [part * (height if place % 2 else width) for place, part in enumerate(parts)]
        label = classes[int(row[0])]
        if box := box_inside(corners, image.size, options, label=label, horizontal=flat or None):
            yield box


def _class_names(path: Path) -> tuple[str, ...]:
    """The names in the file of class names nearest to the labels.

    Raises:
        DataError: there is none, or it holds no names.
    """
    given = [path] if path.suffix.lower() in (".yaml", ".yml") else []
    start = path if path.is_dir() else path.parent
    above = [folder / name for folder in (start, start.parent, start.parent.parent) for name in _NAMES]
    for file in (*given, *above):
        if file.is_file():
            return names_in(file)
    raise DataError(f"{path}: classes are numbers; put data.yaml or classes.txt beside it, or give --classes")


def names_in(file: Path) -> tuple[str, ...]:
    """The class names of a data set: ``names`` of a data.yaml, else a line each.

    Raises:
        DataError: the file holds no list of names, numbered from 0.
        OSError: it cannot be read.
    """
    if file.suffix.lower() not in (".yaml", ".yml"):
        return tuple(line for _, line in numbered_lines(file))
    try:
        names = load_config(file).get("names")
    except ConfigError as error:
        raise DataError(str(error)) from error
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{file}: names is no list of class names, numbered from 0")
    return tuple(names)
