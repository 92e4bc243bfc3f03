"""What the readers and writers of all formats share: numbered lines, numbers, names, whole files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry import canonical


class FormatError(ValueError):
    """A file does not hold what its format says; the message starts with ``file:line`` or ``file: place``."""


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that hold something, stripped, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text (byte {error.start})") from error
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def finite_numbers(written: Iterable[Any], place: str) -> list[float]:
    """Numbers as floats.

    Raises:
        FormatError: one is no number, or not finite; the message starts with the place.
    """
    values = []
    for item in written:
        try:
            value = float(item)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise FormatError(f"{place}: {item!r} is no finite number")
        values.append(value)
    return values


def labelled(
    polygons: list[list[float]], names: list[str], classes: Sequence[str] | None, places: list[str]
) -> Detections:
    """Boxes of corners (n, 8) and class names; without a class list that of the names, alphabetical.

    Raises:
        FormatError: a name is none of the classes; the message starts with its place.
    """
    known = tuple(sorted(set(names)) if classes is None else classes)
    for name, place in zip(names, places):
        if name not in known:
            raise FormatError(f"{place}: category {name!r} is none of {', '.join(known)}")
    labels = np.array([known.index(name) for name in names], dtype=np.int64)
    return Detections(canonical(np.array(polygons).reshape(-1, 4, 2)), labels, known)


def check_names(names: Iterable[str], *, spaces: bool = True) -> None:
    """Make sure that names can stand in columns of text.

    Raises:
        ValueError: one cannot.
    """
    for name in names:
        if (
            not name.strip()
            or name != " ".join(name.split())
            or (not spaces and (" " in name or "/" in name))
        ):
            raise ValueError(
                f"the name {name!r} cannot stand in a column of text; use a hyphen for white space"
            )


def shortest(value: float) -> str:
    """The shortest text that reads back to the same number; whole numbers without a point."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def spaced(polygon: NDArray[np.float64]) -> str:
    """The coordinates of a polygon as columns of text."""
    return " ".join(shortest(value) for value in polygon.ravel())


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
