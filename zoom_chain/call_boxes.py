"""The box of a call: four numbers, however they are written, and whether they are fractions of the image."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_FAR = 1e9  # beyond any coordinate of a scene, and small enough never to overflow when scaled
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_AROUND_NUMBERS = re.compile(r"(?:[\s,;|()\[\]]|</?box>|<\|box_(?:start|end)\|>|px)*")


class Unreadable(Exception):
    """Carries the reason of an InvalidCall up to where it is returned."""


def box_numbers(value: Any, expected: str, notes: list[str]) -> list[float]:
    """Four finite numbers, also from strings, a nested list, two corner points, named corners, or a size.

    Args:
        value: of the box, as JSON has it.
        expected: what a box has to be, in words for the model.
        notes: gets how an irregular one was read.

    Raises:
        Unreadable: for anything else.
    """
    if isinstance(value, str):
        notes.append("the box was inside a string")
        value = _numbers_in(value)
    if isinstance(value, dict):
        keys = next((keys for keys in _CORNERS if all(key in value for key in keys)), None)
        if keys:
            notes.append("the box was given by named corners")
            value = [value[key] for key in keys]
        elif sizes := next((keys for keys in _SIZES if all(key in value for key in keys)), None):
            notes.append("the box was given by a corner and its size")
            x, y, width, height = (number(value[key], expected) for key in sizes)
            value = [x, y, x + width, y + height]
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        if len(value) == 2 and all(len(corner) == 2 for corner in value):
            notes.append("the box was given as two corners")
            value = value[0] + value[1]
        else:
            notes.append(
                "the box was nested in a list"
                if len(value) == 1
                else "only the first of several boxes counts"
            )
            value = value[0]
    if not isinstance(value, list) or len(value) != 4:
        raise Unreadable(f"the box {shorten(value)} is not a list of four numbers; give {expected}")
    return [number(item, expected) for item in value]


def _numbers_in(text: str) -> Any:
    """Four numbers of a text that holds nothing else but marks around them, else its value as JSON.

    A text that is neither is returned as it is.
    """
    parts = text.split(",")
    if len(parts) == 4 and not set(text) & set("[]{}()<>"):
        return parts
    found = _NUMBER.findall(text)
    if len(found) == 4 and _AROUND_NUMBERS.fullmatch(_NUMBER.sub(" ", text)):
        return found
    value = loads(text)
    return text if value is None else value


def is_fractions(box: list[float]) -> bool:
    """Whether numbers are fractions of an image rather than units: none above 1, and not all of them whole,
    or the whole image."""
    within = all(0 <= value <= 1 for value in box) and box[0] < box[2] and box[1] < box[3]
    return within and (any(value % 1 for value in box) or box == [0, 0, 1, 1])


def number(value: Any, expected: str) -> float:
    """A number that may be a coordinate, also from a string.

    Raises:
        Unreadable: for anything else, with what is expected of the box.
    """
    plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    try:
        found = float(value) if plain else math.nan
    except (ValueError, OverflowError):
        found = math.nan
    if not abs(found) <= _FAR:
        raise Unreadable(f"{shorten(value)} in the box is not a coordinate; give {expected}")
    return found


def loads(text: str) -> Any:
    """JSON text as a value; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def shorten(value: Any, limit: int = 60) -> str:
    """A value from a model, quoted inside a message and no longer than that deserves."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = "of unprintable size"
    return text if len(text) <= limit else text[: limit - 3] + "..."
