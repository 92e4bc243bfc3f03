"""Zoom calls in a model's reply, read by grammar: tags, then JSON, then the arguments of the tool.

A reply is untrusted text. Nothing in it is evaluated, no input raises, and whatever was mended on the way
is reported with the call.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from zoom_chain.dialect import ZoomDialect

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_THOUGHT_START = "<think>"
_THOUGHT_END = "</think>"
_BOX_KEYS = ("bbox_2d", "bbox")
_FAR = 1e9  # beyond any coordinate of a scene, and small enough never to overflow when scaled
_DECODER = json.JSONDecoder()
_LEAD_IN = re.compile(r"\s*(?:```\w*\s*)?")
_LEAD_OUT = re.compile(r"\s*(?:```\s*)?")

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ZoomCall:
    """A request for a closer look.

    Attributes:
        box: x1, y1, x2, y2 as fractions of the width and height of the image it refers to; as asked for,
            so that it may be inverted, empty or partly outside.
        label: object that the model looks for, or "".
        image_index: index of the image shown that the box refers to, from 0; None for the dialect's own rule.
        before: the text of the reply before the call.
        notes: irregularities of the call and how they were read.
    """

    box: Box
    label: str = ""
    image_index: int | None = None
    before: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class InvalidCall:
    """A request that cannot be read.

    Attributes:
        reason: error and correction, in words for the model.
        before: the text of the reply before the call.
    """

    reason: str
    before: str = ""


class _Unreadable(Exception):
    """Carries the reason of an InvalidCall up to where it is returned."""


class _Span(NamedTuple):
    """The JSON value of a call inside a reply: where the call starts and ends, and what was mended."""

    start: int
    end: int
    value: Any
    notes: tuple[str, ...] = ()


def parse_zoom_call(
    text: str, dialect: ZoomDialect, width: int, height: int
) -> ZoomCall | InvalidCall | None:
    """The zoom call in a reply, an explanation of why it cannot be read, or None for a plain answer.

    Of several calls the first readable one counts. A call is also recognised outside its tags, inside a
    code fence, or without its closing tag; each of these is noted. What precedes ``</think>`` is thought,
    in which calls are not looked for.

    Args:
        text: the reply, unmodified.
        dialect: the wire format that the model was offered.
        width: pixels of the image that the box refers to.
        height: pixels of the image that the box refers to.
    """
    calls: list[ZoomCall] = []
    failures: list[InvalidCall] = []
    for found in _spans(text, dialect):
        if isinstance(found, InvalidCall):
            failures.append(found)
            continue
        before = text[: found.start]
        try:
            call = _interpret(found.value, dialect, width, height)
        except _Unreadable as problem:
            failures.append(InvalidCall(str(problem), before))
        else:
            calls.append(replace(call, before=before, notes=found.notes + call.notes))
    if not calls:
        return failures[0] if failures else None
    notes = tuple(f"another call was unreadable: {failure.reason}" for failure in failures)
    if len(calls) > 1:
        notes += (f"{len(calls)} calls in one reply; the first was carried out",)
    return replace(calls[0], notes=calls[0].notes + notes)


def spoken_text(text: str) -> str:
    """A reply without its leading thoughts and surrounding white space."""
    return text[_thought_end(text) :].strip()


def _thought_end(text: str) -> int:
    """Where leading thoughts end; thoughts that never end leave nothing."""
    end = text.rfind(_THOUGHT_END)
    if end < 0:
        return len(text) if text.lstrip().startswith(_THOUGHT_START) else 0
    return end + len(_THOUGHT_END)


def _spans(text: str, dialect: ZoomDialect) -> Iterator[_Span | InvalidCall]:
    """The JSON value of each call in reading order, or why there is none."""
    start = text.find(_OPEN, _thought_end(text))
    if start < 0:
        yield from _untagged(text, dialect)
    while start >= 0:
        after = start + len(_OPEN)
        try:
            span = _decode(text, start, after)
        except _Unreadable as problem:
            yield InvalidCall(str(problem), text[:start])
        else:
            yield span
            after = span.end
        start = text.find(_OPEN, after)


def _untagged(text: str, dialect: ZoomDialect) -> Iterator[_Span | InvalidCall]:
    """A call that was written without its opening tag, or that breaks off within it."""
    bare = re.compile(r'\{\s*"name"\s*:\s*"' + re.escape(dialect.tool_name) + '"')
    match = bare.search(text, _thought_end(text))
    if match:
        try:
            span = _decode(text, match.start(), match.start())
        except _Unreadable as problem:
            yield InvalidCall(str(problem), text[: match.start()])
        else:
            yield span._replace(notes=(f"the call was not inside {_OPEN} tags",))
        return
    for length in range(len(_OPEN) - 1, len("<tool") - 1, -1):
        if text.endswith(_OPEN[:length]):
            yield InvalidCall("the call was cut off", text[:-length])
            return


def _decode(text: str, start: int, body: int) -> _Span:
    """The JSON value at ``body``, behind white space and a code fence; the closing tag may be missing."""
    lead_in = _LEAD_IN.match(text, body)
    begin = lead_in.end() if lead_in else body
    if begin >= len(text):
        raise _Unreadable("the call was cut off")
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise _Unreadable("the call was cut off") from None
        raise _Unreadable(
            f"the call is not valid JSON: {error.msg} at character {error.pos - body}"
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of nested brackets
        raise _Unreadable("the call is not readable JSON") from None
    notes: tuple[str, ...] = ()
    if "```" in text[body:begin]:
        notes += ("the call was inside a code fence",)
    lead_out = _LEAD_OUT.match(text, end)
    end = lead_out.end() if lead_out else end
    if text.startswith(_CLOSE, end):
        end += len(_CLOSE)
    elif text.startswith(_OPEN, body - len(_OPEN)):
        notes += (f"the call lacks its {_CLOSE} tag",)
    return _Span(start, end, value, notes)


def _interpret(value: Any, dialect: ZoomDialect, width: int, height: int) -> ZoomCall:
    notes: list[str] = []
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        notes.append(
            "the call was inside a list" if len(value) == 1 else "only the first call of a list counts"
        )
        value = value[0]
    if not isinstance(value, dict):
        raise _Unreadable('the call is not a JSON object with "name" and "arguments"')
    if value.get("name") != dialect.tool_name:
        raise _Unreadable(
            f"there is no tool {_shorten(value.get('name'))}; the only tool is {dialect.tool_name!r}"
        )
    arguments = value.get("arguments")
    if isinstance(arguments, str):
        notes.append("the arguments were JSON inside a string")
        arguments = _loads(arguments)
    expected = dialect.describe_box(width, height)
    if not isinstance(arguments, dict):
        raise _Unreadable(f'"arguments" is not a JSON object; give {{{expected}}}')
    key = next((key for key in (dialect.box_key, *_BOX_KEYS) if key in arguments), None)
    if key is None:
        raise _Unreadable(f"the box is missing; give {expected}")
    if key != dialect.box_key:
        notes.append(f'the box was given as "{key}" instead of "{dialect.box_key}"')
    written = _box_numbers(arguments[key], expected, notes)
    points = np.array(written).reshape(2, 2)
    x1, y1, x2, y2 = (dialect.space.to_pixels(points, width, height) / (width, height)).ravel().tolist()
    label = arguments.get("label")
    index = _image_index(arguments.get("img_idx")) if dialect.takes_image_index else None
    return ZoomCall((x1, y1, x2, y2), label if isinstance(label, str) else "", index, notes=tuple(notes))


def _box_numbers(value: Any, expected: str, notes: list[str]) -> list[float]:
    """Four finite numbers, also from strings, a nested list or two corner points."""
    if isinstance(value, str):
        notes.append("the box was inside a string")
        value = _loads(value)
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
        raise _Unreadable(f"the box {_shorten(value)} is not a list of four numbers; give {expected}")
    return [_number(item, expected) for item in value]


def _number(value: Any, expected: str) -> float:
    try:
        number = (
            float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        )
    except (ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _FAR:
        raise _Unreadable(f"{_shorten(value)} in the box is not a coordinate; give {expected}")
    return number


def _image_index(value: Any) -> int | None:
    if value is None:
        return None
    number = _number(value, '"img_idx" as a whole number from 0')
    if number != int(number) or number < 0:
        raise _Unreadable(f'"img_idx" {_shorten(value)} is not a whole number from 0')
    return int(number)


def _loads(text: str) -> Any:
    """JSON text as a value; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _shorten(value: Any, limit: int = 60) -> str:
    """A value from a model, quoted inside a message and no longer than that deserves."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = "of unprintable size"
    return text if len(text) <= limit else text[: limit - 3] + "..."
