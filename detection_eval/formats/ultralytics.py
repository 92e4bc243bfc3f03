"""Ultralytics labels in parts of the image's sides: ``class x1 y1 .. x4 y4 [score]``, and of horizontal boxes
``class x y width height [score]``, x and y those of the centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from pathlib import Path

from detection_eval.errors import CannotWrite, FormatError
from detection_eval.files import write_text
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.lines import (
    check_names,
    finite_numbers,
    numbered_lines,
    shortest,
    text_files,
)
from detection_eval.formats.records import Collection, Gathering
from detection_eval.words import counted

Sizes = Mapping[str, tuple[int, int]] | tuple[int, int]
"""Width and height in pixels: of each image by its id, or of all."""

_DIGITS = Context(prec=25)
"""Binary fractions of a side cannot hold every pixel to the bit; decimal ones of this length can."""


def size_of(image: str, sizes: Sizes | None) -> tuple[int, int] | None:
    """The size of an image, or None where it is not given."""
    return sizes if sizes is None or isinstance(sizes, tuple) else sizes.get(image)


def read_ultralytics(path: str | Path, classes: Sequence[str], sizes: Sizes) -> Collection:
    """Read label files, or one.

    Args:
        path: a text file, or a folder of them; a file's name is the image's.
        classes: names in the order of the data set's YAML, which differs from DOTA's own.
        sizes: image sizes; the files hold none.

    Raises:
        FormatError: with the line.
        OSError: a file cannot be read.
    """
    gathering = Gathering(classes)
    horizontal = 0
    for file in text_files(Path(path)):
        size = size_of(image_id(file.stem), sizes)
        if size is None:
            raise FormatError(
                f"{file}: the size of image {file.stem!r} is not given, and coordinates are parts of it"
            )
        gathering.image(file.stem, str(file), size=size)
        for number, line in numbered_lines(file):
            place = f"{file}:{number}"
            tokens = line.split()
            if len(tokens) not in (5, 6, 9, 10):
                raise FormatError(
                    f"{place}: {counted(len(tokens), 'column')} in {line!r:.100}; "
                    "a class, 8 numbers (4 of a horizontal "
                    "box), perhaps a score"
                )
            if not tokens[0].isdecimal() or int(tokens[0][:9]) >= len(classes):
                raise FormatError(
                    f"{place}: class {tokens[0]}, but "
                    f"{counted(len(classes), 'name is', 'names are')} given, counted from 0"
                )
            numbers = finite_numbers(tokens[1:], place)
            flat = len(tokens) < 9
            stated = tokens[1:5] if flat else tokens[1:9]
            parts = centre_box(stated) if flat else [Decimal(token) for token in stated]
            corners = [float(_DIGITS.multiply(part, side)) for part, side in zip(parts, size * 4)]
            score = numbers[len(stated)] if len(numbers) > len(stated) else None
            horizontal += flat
            gathering.box(file.stem, corners, classes[int(tokens[0])], place, score)
    return gathering.finish(
        [f"{counted(horizontal, 'label is', 'labels are')} of horizontal boxes"] if horizontal else []
    )


def centre_box(tokens: Sequence[str]) -> list[Decimal]:
    """The corners of a horizontal box (8,) from its centre, width and height as they are written."""
    x, y, width, height = map(Decimal, tokens)
    (x0, x1), (y0, y1) = ((at - side / 2, at + side / 2) for at, side in ((x, width), (y, height)))
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def write_ultralytics(folder: str | Path, collection: Collection) -> None:
    """Write a label file for each image.

    Raises:
        CannotWrite: an image whose size is not known, or whose id is not a valid file name.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    check_names(collection.images, file=True)
    unknown = next((image for image, boxes in collection.images.items() if boxes.size is None), None)
    if unknown is not None:
        raise CannotWrite(
            f"{unknown}: coordinates are fractions of the image's size, which is unknown; give it"
        )
    folder.mkdir(exist_ok=True)
    for image, boxes in collection.images.items():
        assert boxes.size is not None
        found = boxes.detections
        corners = found.polygons.reshape(-1, 8).tolist()
        lines = []
        for row, (label, numbers) in enumerate(zip(found.labels, corners)):
            parts = [_part(number, side) for number, side in zip(numbers, boxes.size * 4)]
            score = [] if found.scores is None else [shortest(found.scores[row])]
            lines.append(" ".join([str(label), *parts, *score]) + "\n")
        write_text(folder / f"{image}.txt", "".join(lines))


def _part(number: float, side: int) -> str:
    """A coordinate as a part of a side, in digits enough that the product is the very same number."""
    return f"{_DIGITS.divide(Decimal(number), Decimal(side)):f}"
