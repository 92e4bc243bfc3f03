"""The cells of an indexed overview: how they are drawn, which of them a reply names, where they lie.

Cells are numbered row by row. Models name them as they like: by numbers, ranges, rows and columns, letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detection_eval.words import counted
from tiling.view import View, Window
from zoom_chain.answers import spoken_text

CELLS = 4
"""Cells along each side of the overview."""

MOST_CELLS = 2

_JOINED = r"[\s,;/&]{0,4}(?:and|or)?[\s#]{0,4}|\s{0,4}(?:-|\u2013|to|through)\s{0,4}"
_SERIES = rf"\d+(?:(?:{_JOINED})\b\d+)*(?![\w%]|\.\d)"
_AFTER_WORD = re.compile(
    rf"\b(?:cells?|numbers?|squares?|tiles?|regions?)(?![a-z])\W{{0,6}}(?:(?:numbers?|no)\b\W{{0,4}})?({_SERIES})",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"(?<![\w.])({_SERIES})")
_RANGE = re.compile(r"(\d+)\s*(?:-|\u2013|to|through)\s*(\d+)")
_ROW_COLUMN = re.compile(
    r"\brow\W{0,4}(?P<r1>\d+)\W{0,6}(?:and\W+)?col(?:umn)?\W{0,4}(?P<c1>\d+)"
    r"|\bcol(?:umn)?\W{0,4}(?P<c2>\d+)\W{0,6}(?:and\W+)?row\W{0,4}(?P<r2>\d+)"
    r"|\br(?P<r3>\d+)\W?c(?P<c3>\d+)\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?<!\w)([A-Za-z])-?(\d{1,2})(?!\w)")
_GRID = re.compile(r"\d+\s*(?:x|\u00d7|by)\s*\d+", re.IGNORECASE)
_ITEM = re.compile(r"^[ \t]*\d+[.)][ \t]+(?=.*\d)", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+")
_MOST_WORDS = 6
"""Words beside numbers, up to which these are cells although the reply does not say so."""


@dataclass(frozen=True)
class Named:
    """The cells that a reply names.

    Attributes:
        cells: from 1 on, each once; no more than may be chosen.
        notes: how they were read, and what is not among them.
    """

    cells: tuple[int, ...]
    notes: tuple[str, ...] = ()


def cells_in(reply: str) -> Named:
    """The first cells that a reply names, by numbers, by rows and columns, or by letters; no text raises."""
    text = _ITEM.sub("", _GRID.sub("", _MARKUP.sub("", spoken_text(reply))))
    notes: list[str] = []
    found: dict[str, int | None] = {}
    for name, cell in _named(text, notes):
        found.setdefault(name, cell)
    cells = tuple(dict.fromkeys(cell for cell in found.values() if cell is not None))
    if unknown := [name for name, cell in found.items() if cell is None]:
        notes.append(f"there is no cell {', '.join(unknown[:MOST_CELLS])}")
    if len(cells) > MOST_CELLS:
        notes.append(f"of {counted(len(cells), 'cell')} the first {MOST_CELLS} count")
    return Named(cells[:MOST_CELLS], tuple(notes))


def _named(text: str, notes: list[str]) -> Iterator[tuple[str, int | None]]:
    """Each cell as it is named, with its number; None where there is no such cell."""
    if series := _AFTER_WORD.findall(text):
        yield from _numbers(series)
    elif pairs := list(_ROW_COLUMN.finditer(text)):
        notes.append("the cells were named by row and column")
        for pair in pairs:
            row, column = (next(filter(None, pair.group(*keys))) for keys in (_ROWS, _COLUMNS))
            yield f"in row {_short(row)}, column {_short(column)}", _at(row, column)
    elif letters := _LETTER.findall(text):
        notes.append("the cells were named by letters, which are read as columns, and rows")
        for letter, row in letters:
            yield letter + row, _at(row, str(ord(letter.lower()) - ord("a") + 1))
    elif "cell" in text.lower() or len(re.findall(r"[^\W\d]+", text)) <= _MOST_WORDS:
        yield from _numbers(_ALONE.findall(text))


_ROWS, _COLUMNS = ("r1", "r2", "r3"), ("c1", "c2", "c3")


def _numbers(series: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """The cells of series such as ``5-7, 9 and 12``."""
    for each in series:
        for digits in re.findall(r"\d+", _RANGE.sub(_spelt_out, each)):
            yield _short(digits), _number(digits, CELLS**2)


def _spelt_out(ends: re.Match[str]) -> str:
    """All numbers of a range; its ends alone where it is none of cells."""
    first, last = (_number(digits, CELLS**2) for digits in ends.groups())
    if first is None or last is None:
        return f"{ends[1]} {ends[2]}"
    return " ".join(map(str, range(first, last + 1))) if first < last else f"{first} {last}"


def _at(row: str, column: str) -> int | None:
    down, along = _number(row, CELLS), _number(column, CELLS)
    return None if down is None or along is None else (down - 1) * CELLS + along


def _number(digits: str, most: int) -> int | None:
    number = int(digits) if len(digits) < 4 else 0
    return number if 1 <= number <= most else None


def _short(digits: str) -> str:
    return digits if len(digits) < 8 else digits[:5] + "..."


def region_of(overview: View, cells: Sequence[int]) -> Window:
    """The smallest part of the scene that holds some cells of its overview."""
    height, width = overview.size
    rows, columns = zip(*(divmod(cell - 1, CELLS) for cell in cells))
    return overview.window_of(
        (
            min(columns) * width / CELLS,
            min(rows) * height / CELLS,
            (max(columns) + 1) * width / CELLS,
            (max(rows) + 1) * height / CELLS,
        )
    )


def indexed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with the lines and numbers of its cells drawn on it."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(image)
    width, height = image.size
    font = ImageFont.load_default(max(10.0, min(width, height) / CELLS / 5))
    for step in range(1, CELLS):
        x, y = round(step * width / CELLS), round(step * height / CELLS)
        draw.line([(x, 0), (x, height)], fill=(255, 255, 255))
        draw.line([(0, y), (width, y)], fill=(255, 255, 255))
    for cell in range(CELLS**2):
        row, column = divmod(cell, CELLS)
        place = column * width / CELLS + 3, row * height / CELLS + 2
        draw.text(place, str(cell + 1), fill=(255, 255, 0), font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(image)
