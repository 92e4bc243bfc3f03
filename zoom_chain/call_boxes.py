"""The box of a call: four numbers and their unit, however they are written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from detection_eval.text.coordinates import PERCENT, PIXELS, CoordinateSpace
from detection_eval.text.lexing import Pixels

Unit = Literal["", "px", "%"]
"""What stands behind a number: nothing, so that its unit is the dialect's, or a unit of its own."""

_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_FAR = 1e9  # beyond any coordinate of a scene, and small enough never to overflow when scaled
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_MEASURED = re.compile(rf"({_NUMBER})\s*(%|‰|px\b|pixels?\b)?", re.IGNORECASE)
_UNIT_OF_ALL = re.compile(r"(.*[\])])\s*(%|px|pixels)\s*", re.IGNORECASE | re.DOTALL)
_AROUND_NUMBERS = re.compile(r"(?:[\s,;|()\[\]]|</?box>|<\|box_(?:start|end)\|>)*")


class Unreadable(Exception):
    """Carries the reason of an InvalidCall up to where it is returned."""


class NotJson(Unreadable):
    """What stands between the tags of a call is no JSON."""


@dataclass(frozen=True)
class WrittenBox:
    """A box as a call has it.

    Attributes:
        numbers: x1, y1, x2, y2.
        unit: that stands with them.
    """

    numbers: tuple[float, float, float, float]
    unit: Unit = ""

    @property
    def space(self) -> CoordinateSpace | None:
        """The coordinate space that the unit states; None where it is the dialect's."""
        return {"": None, "px": PIXELS, "%": PERCENT}[self.unit]


class _Measured(NamedTuple):
    """A number and its unit."""

    value: float
    unit: Unit


def read_box(value: Any, expected: str, notes: list[str]) -> WrittenBox:
    """Four finite numbers, also from strings, a nested list, two corner points, named corners, or a size.

    Each may have its unit behind it, px or percent of the image's side, and the last one may have it for all.

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
            x, y, width, height = (_measured(value[key], expected) for key in sizes)
            unit = _common_unit((x, y, width, height), value, expected)
            return _noted((x.value, y.value, x.value + width.value, y.value + height.value), unit, notes)
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
    x1, y1, x2, y2 = found = [_measured(item, expected) for item in value]
    unit = _common_unit(found, value, expected)
    return _noted((x1.value, y1.value, x2.value, y2.value), unit, notes)


def _noted(numbers: tuple[float, float, float, float], unit: Unit, notes: list[str]) -> WrittenBox:
    if unit:
        notes.append(f"the box was given in {'pixels' if unit == 'px' else 'percent'}")
    return WrittenBox(numbers, unit)


def _common_unit(numbers: Sequence[_Measured], value: Any, expected: str) -> Unit:
    """The unit of all numbers of a box, or of the last one, which may state it for all.

    Raises:
        Unreadable: where they differ otherwise.
    """
    units = [each.unit for each in numbers]
    if len(set(units)) == 1 or not any(units[:-1]):
        return units[-1]
    raise Unreadable(f"the box {shorten(value)} mixes units; give {expected}")


def _numbers_in(text: str) -> Any:
    """Four numbers of a text that holds nothing else but marks around them, else its value as JSON.

    A text that is neither is returned as it is.
    """
    parts = text.split(",")
    if len(parts) == 4 and not set(text) & set("[]{}()<>"):
        return parts
    text, unit = (outer[1], outer[2]) if (outer := _UNIT_OF_ALL.fullmatch(text)) else (text, "")
    found = [match[0] for match in _MEASURED.finditer(text)]
    if len(found) == 4 and _AROUND_NUMBERS.fullmatch(_MEASURED.sub(" ", text)):
        return [*found[:-1], found[-1] + unit]
    value = loads(text)
    return text if value is None else value


def is_fractions(box: Sequence[float]) -> bool:
    """Whether numbers are fractions of an image rather than units: none above 1, and not all of them whole,
    or the whole image."""
    within = all(0 <= value <= 1 for value in box) and box[0] < box[2] and box[1] < box[3]
    return within and (any(value % 1 for value in box) or tuple(box) == (0, 0, 1, 1))


def _measured(value: Any, expected: str) -> _Measured:
    """A number that may be a coordinate, with its unit.

    Raises:
        Unreadable: for anything else.
    """
    if isinstance(value, str) and (written := _MEASURED.fullmatch(value.strip())) and written[2]:
        found = number(written[1], expected)
        if written[2] == "‰":
            return _Measured(found / 10, "%")
        return _Measured(found, "%" if written[2] == "%" else "px")
    return _Measured(number(value, expected), "px" if isinstance(value, Pixels) else "")


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
