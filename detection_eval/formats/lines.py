"""Lines, JSON, numbers and names: shared by the readers and writers of all formats."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.errors import CannotWrite, FormatError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The non-empty lines of a text file, stripped, with their numbers from 1; a byte order mark is dropped.

    Raises:
        FormatError: a line is not UTF-8.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise FormatError(f"{path}:{number}: not UTF-8 text (byte {error.start})") from error
            if text:
                yield number, text


def json_lines(path: Path, *, may_be_torn: bool = False) -> Iterator[tuple[str, Any]]:
    """The values of a file of JSON lines, each with its place ``file:line``; empty lines are skipped.

    Args:
        path: the file.
        may_be_torn: leave out a last line that is not JSON, as a process killed while writing leaves it.

    Raises:
        FormatError: a line is not JSON, or not UTF-8; the message starts with the place.
        OSError: the file cannot be read.
    """
    lines = numbered_lines(path)
    for number, line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if may_be_torn and next(lines, None) is None:
                return
            raise FormatError(f"{path}:{number}: not JSON ({error})") from error
        yield f"{path}:{number}", value


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        FormatError: it is not JSON.
        OSError: the file cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}:{getattr(error, 'lineno', 1)}: not JSON ({error})") from error


def finite_numbers(written: Iterable[Any], place: str) -> list[float]:
    """Numbers as floats.

    Raises:
        FormatError: a value is not a finite number; the message starts with the place.
    """
    values = []
    for item in written:
        try:
            value = math.nan if isinstance(item, str) and "_" in item else float(item)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            raise FormatError(f"{place}: {item!r:.60} is not a finite number")
        values.append(value)
    return values


def check_names(names: Iterable[str], *, spaces: bool = True, file: bool = False) -> None:
    """Check that names fit into columns of text.

    Args:
        names: class or image names.
        spaces: spaces between words are allowed.
        file: names also serve as file names.

    Raises:
        CannotWrite: a name does not fit.
    """
    for name in names:
        plain = name.strip() and name == " ".join(name.split())
        if not plain or (not spaces and (" " in name or "/" in name)):
            raise CannotWrite(
                f"name {name!r} does not fit into a column of text; use hyphens for white space"
            )
        if file and (set(name) & set("/\\\0") or name in (".", "..")):
            raise CannotWrite(f"name {name!r} is not a valid file name")


def text_files(path: Path, suffix: str = ".txt") -> list[Path]:
    """The file itself, or the files of a folder with a suffix, sorted by name.

    macOS's ``._name`` files, which hold attributes of the file ``name``, are skipped.

    Raises:
        FileNotFoundError: the folder has no such file.
    """
    if not path.is_dir():
        return [path]
    files = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() == suffix and not file.name.startswith("._") and file.is_file()
    )
    if not files:
        raise FileNotFoundError(f"{path} holds no *{suffix} file")
    return files


def shortest(value: float) -> str:
    """The shortest text that reads back to the same number; whole numbers without a point."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def spaced(polygon: NDArray[np.float64]) -> str:
    """The coordinates of a polygon as columns of text."""
    return " ".join(shortest(value) for value in polygon.ravel())
