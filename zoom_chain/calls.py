"""Zoom calls in a model's reply, read by grammar: tags, then JSON, then the arguments of the tool.

A reply is untrusted text. Nothing in it is evaluated, no input raises, and whatever was mended on the way
is reported with the call. JSON that is not quite JSON is read as the boxes of answers are
(``detection_eval.text.tree``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from detection_eval.text.tree import Node, trees
from detection_eval.words import counted
from tiling.view import Size
from zoom_chain.answers import INVENTED, own_turn, without_thoughts
from zoom_chain.call_boxes import (
    NotJson,
    Unreadable,
    WrittenBox,
    is_fractions,
    loads,
    number,
    read_box,
    shorten,
)
from zoom_chain.call_styles import LIKE_ZOOMING, StyledCall, arguments_of, styled_call
from zoom_chain.dialect import ZoomDialect

_BOX_KEYS = ("bbox_2d", "bbox", "box", "box_2d", "bounding_box")
_NAME_KEYS = ("name", "function", "tool", "tool_name", "function_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "params", "input")
_DECODER = json.JSONDecoder()
_LEAD_IN = re.compile(r"\s*(?:```\w*\s*)?")
_LEAD_OUT = re.compile(r"\s*(?:```\s*)?")
_XML = re.compile(r"\s*<function=([^<>\s]*)>")
_XML_ARGUMENT = re.compile(
    r"<parameter=([^<>\s]*)>(.*?)(?=</parameter>|<parameter=|</function>|\Z)", re.DOTALL
)

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


class _Span(NamedTuple):
    """The value of a call inside a reply: where the call starts and ends, and what was mended."""

    start: int
    end: int
    value: Any
    notes: tuple[str, ...] = ()


def parse_zoom_call(
    text: str, dialect: ZoomDialect, width: int, height: int, images: Sequence[Size] = ()
) -> ZoomCall | InvalidCall | None:
    """The zoom call in a reply, an explanation of why it cannot be read, or None for a plain answer.

    Of several calls the first readable one counts. A call is also recognised outside its tags, inside a
    code fence, without its closing tag, as XML, and in JSON that has to be mended, and without tags as Python
    or in the lines of ReAct; each of these is noted.
    What is thought holds no calls, unless the thought never ends. What follows an observation that the model
    wrote itself is no part of the reply; then a call counts wherever it stands before it.

    Args:
        text: the reply, unmodified.
        dialect: the wire format that the model was offered.
        width: pixels of the image that the box refers to where the call names none.
        height: pixels of that image.
        images: sizes of all images shown, for calls that name one.
    """
    own, invented = own_turn(text, dialect.announcement)
    searched, unfinished = without_thoughts(own)
    if unfinished or invented:
        searched = own
    calls: list[ZoomCall] = []
    failures: list[InvalidCall] = []
    for found in _spans(searched, dialect):
        if isinstance(found, InvalidCall):
            failures.append(replace(found, before=own[: len(found.before)]))
            continue
        before = own[: found.start]
        try:
            call = _interpret(found.value, dialect, Size(height, width), images)
        except Unreadable as problem:
            failures.append(InvalidCall(str(problem), before))
        else:
            calls.append(replace(call, before=before, notes=found.notes + call.notes))
    if not calls:
        return failures[0] if failures else None
    notes = tuple(f"another call was unreadable: {failure.reason}" for failure in failures)
    if len(calls) > 1:
        notes += (f"{counted(len(calls), 'call')} in one reply; the first was carried out",)
    if invented:
        notes += (INVENTED,)
    elif unfinished:
        notes += ("the call was inside a thought that did not end",)
    return replace(calls[0], notes=calls[0].notes + notes)


# --- where calls stand --------------------------------------------------------------------------------


def _spans(text: str, dialect: ZoomDialect) -> Iterator[_Span | InvalidCall]:
    """The value of each call in reading order, or why there is none."""
    tags = re.compile("|".join(re.escape(tag) for tag in dict.fromkeys((dialect.call_open, "<tool_call>"))))
    tag = tags.search(text)
    if tag is None:
        yield from _untagged(text, dialect)
    while tag is not None:
        after = tag.end()
        close = dialect.call_close if tag[0] == dialect.call_open else "</tool_call>"
        try:
            span = _decode(text, tag.start(), after, close)
        except NotJson as problem:
            yield InvalidCall(f"{problem}; give {_example(dialect)}", text[: tag.start()])
        except Unreadable as problem:
            yield InvalidCall(str(problem), text[: tag.start()])
        else:
            yield span
            after = span.end
        tag = tags.search(text, after)


def _untagged(text: str, dialect: ZoomDialect) -> Iterator[_Span | InvalidCall]:
    """A call that was written without its opening tag, or that breaks off within it."""
    note = (f"the call was not inside {dialect.call_open} tags",)
    if dialect.tool_name and re.search(f"[\"']{re.escape(dialect.tool_name)}[\"']", text):
        for node in trees(text):
            if node.is_object and any(
                key in _NAME_KEYS and name == dialect.tool_name for key, name in node.items
            ):
                try:
                    span = _decode(text, node.start, node.start, "")
                except Unreadable as problem:
                    yield InvalidCall(str(problem), text[: node.start])
                else:
                    yield span._replace(notes=note + span.notes)
                return
    if dialect.tool_name and (styled := styled_call(text)):
        try:
            found = _styled(text, styled, dialect)
        except Unreadable as problem:
            yield InvalidCall(str(problem), text[: styled.start])
            return
        if found is not None:
            yield found
            return
    opening = dialect.call_open
    for length in range(len(opening) - 1, min(4, len(opening) - 1), -1):
        if text.endswith(opening[:length]):
            yield InvalidCall("the call was cut off", text[:-length])
            return


def _styled(text: str, call: StyledCall, dialect: ZoomDialect) -> _Span | None:
    """A call in another form as the object that it stands for; None where it calls nothing."""
    written = _plain(call.arguments, {}, closed=False)
    arguments = arguments_of(written, dialect.box_key)
    holds_box = isinstance(arguments, dict) and any(key in arguments for key in _BOX_KEYS)
    if call.style == "Python" and call.name != dialect.tool_name and not holds_box:
        return None
    note = f"the call was not inside {dialect.call_open} tags but written as in {call.style}"
    return _Span(call.start, call.stop, {"name": call.name, "arguments": arguments}, (note,))


def _decode(text: str, start: int, body: int, close: str) -> _Span:
    """The value at ``body``, behind white space and a code fence; the closing tag may be missing."""
    lead_in = _LEAD_IN.match(text, body)
    begin = lead_in.end() if lead_in else body
    if begin >= len(text):
        raise Unreadable("the call was cut off")
    notes: tuple[str, ...] = ("the call was inside a code fence",) if "```" in text[body:begin] else ()
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        value, end, mended = _mended(text, begin, close, error.msg, error.pos - body)
        notes += mended
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of nested brackets
        raise Unreadable("the call is not readable JSON") from None
    lead_out = _LEAD_OUT.match(text, end)
    end = lead_out.end() if lead_out else end
    if close and text.startswith(close, end):
        end += len(close)
    elif close:
        further = re.compile(r"[}\]\s]*" + re.escape(close)).match(text, end)
        end = further.end() if further else end
        notes += ("brackets too many",) if further else (f"the call lacks its {close} tag",)
    return _Span(start, end, value, notes)


def _mended(text: str, begin: int, close: str, message: str, place: int) -> tuple[Any, int, tuple[str, ...]]:
    """The value of a call that is not quite JSON: a tolerant tree, or XML as Qwen3-Coder writes it."""
    end = text.find(close, begin) if close else -1
    closed = end >= 0
    stop = end if closed else len(text)
    if xml := _XML.match(text, begin, stop):
        return _xml_call(text, xml, stop), stop, ("the call was written as XML",)
    node = next(trees(text, begin, stop), None) if text[begin] in "[{" else None
    if node is None or node.start != begin:
        if not closed and text[begin] in "[{\"'":
            raise Unreadable("the call was cut off")
        raise NotJson(f"the call is not valid JSON: {message} at character {place}")
    repairs: dict[str, None] = {}
    value = _plain(node, repairs, closed)
    if node.cut and not closed and not _holds_box(value):
        raise Unreadable("the call was cut off")
    notes = repairs or ["quotes or brackets"]
    return value, node.stop, (f"the JSON of the call was mended: {', '.join(notes)}",)


def _holds_box(value: Any) -> bool:
    inner = next((value[key] for key in _ARGUMENT_KEYS if isinstance(value, dict) and key in value), value)
    return isinstance(inner, dict) and any(key in inner for key in _BOX_KEYS)


def _plain(node: Any, repairs: dict[str, None], closed: bool) -> Any:
    """A tree as the values of ``json``; a list that the text ends in is no value.

    Args:
        node: of a tree, which is no deeper than ``detection_eval.text.tree.DEEPEST``.
        repairs: gets what was mended.
        closed: whether the closing tag of the call is there, so that nothing was cut off.
    """
    if isinstance(node, str):
        return str(node)
    if not isinstance(node, Node):
        return node
    repairs.update(dict.fromkeys(node.repairs))
    if node.cut:
        if not closed and not (node.is_object and node.items and node.key is None):
            raise Unreadable("the call was cut off")
        repairs["missing bracket"] = None
    if node.is_object:
        return {key: _plain(value, repairs, closed) for key, value in node.items if key is not None}
    return [_plain(value, repairs, closed) for value in node.items]


def _xml_call(text: str, head: re.Match[str], stop: int) -> dict[str, Any]:
    """``<function=NAME><parameter=KEY>VALUE</parameter>...</function>`` as the object it stands for."""
    arguments = {}
    for key, value in _XML_ARGUMENT.findall(text[head.end() : stop]):
        read = loads(value)
        arguments[key] = value.strip() if read is None else read
    return {"name": head[1], "arguments": arguments}


# --- what calls ask for -------------------------------------------------------------------------------


def _interpret(value: Any, dialect: ZoomDialect, size: Size, images: Sequence[Size]) -> ZoomCall:
    notes: list[str] = []
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        notes.append(
            "the call was inside a list" if len(value) == 1 else "only the first call of a list counts"
        )
        value = value[0]
    if not isinstance(value, dict):
        raise Unreadable("the call is not a JSON object" + _form(dialect))
    expected = dialect.describe_box(size.width, size.height)
    arguments = _arguments(value, dialect, expected, notes)
    index = _image_index(arguments.get(dialect.image_key), dialect) if dialect.takes_image_index else None
    if index is not None and index < len(images):
        size = images[index]
    written = _box(arguments, dialect, expected, notes)
    numbers = written.numbers
    if written.space is None and dialect.space.extent != 1 and is_fractions(numbers):
        raise Unreadable(f"the box {shorten(numbers)} is written in fractions of the image; give {expected}")
    points = np.array(numbers).reshape(2, 2)
    space = written.space or dialect.space_of(numbers)
    sides = (size.width, size.height)
    x1, y1, x2, y2 = (space.to_pixels(points, *sides) / sides).ravel().tolist()
    label = arguments.get("label")
    return ZoomCall((x1, y1, x2, y2), label if isinstance(label, str) else "", index, notes=tuple(notes))


def _example(dialect: ZoomDialect) -> str:
    """A call, in words for a model."""
    arguments = f'{{"{dialect.box_key}": [x1, y1, x2, y2]}}'
    return f'{{"name": "{dialect.tool_name}", "arguments": {arguments}}}' if dialect.tool_name else arguments


def _form(dialect: ZoomDialect) -> str:
    return f' with "{dialect.box_key}"' if not dialect.tool_name else ' with "name" and "arguments"'


def _arguments(
    value: Mapping[str, Any], dialect: ZoomDialect, expected: str, notes: list[str]
) -> Mapping[str, Any]:
    """The arguments of a call, once it is sure that it calls the zoom tool."""
    if not dialect.tool_name and any(key in value for key in (dialect.box_key, *_BOX_KEYS)):
        return value
    key = next((key for key in _NAME_KEYS if key in value), None)
    name = value.get(key) if key else None
    if isinstance(name, dict):  # {"type": "function", "function": {"name": ..., "arguments": ...}}
        notes.append(f'the call was inside "{key}"')
        value, name = name, name.get("name")
    elif key not in (None, "name"):
        notes.append(f'the tool was named by "{key}" instead of "name"')
    arguments, beside = _stated_arguments(value, notes)
    if name is None and isinstance(arguments, dict) and any(box in arguments for box in _BOX_KEYS):
        notes.append("the call named no tool")
    elif name != dialect.tool_name:
        if not (dialect.tool_name and isinstance(name, str) and LIKE_ZOOMING.search(name)):
            known = f"the only tool is {dialect.tool_name!r}" if dialect.tool_name else f"give {{{expected}}}"
            raise Unreadable(f"there is no tool {shorten(name)}; {known}")
        notes.append(f"the tool was called {shorten(name)} instead of {dialect.tool_name!r}")
    if not isinstance(arguments, dict):
        raise Unreadable(f'"arguments" is not a JSON object; give {{{expected}}}')
    if beside:
        notes.append("the arguments stood beside the name")
    return arguments


def _stated_arguments(value: Mapping[str, Any], notes: list[str]) -> tuple[Any, bool]:
    """The value of ``arguments`` or a word for it, and whether they stood beside the name instead."""
    key = next((key for key in _ARGUMENT_KEYS if key in value), None)
    if key is None:
        beside = any(box in value for box in _BOX_KEYS)
        return (value if beside else None), beside and any(name in value for name in _NAME_KEYS)
    if key != "arguments":
        notes.append(f'the arguments were given as "{key}"')
    arguments = value[key]
    if isinstance(arguments, str):
        notes.append("the arguments were JSON inside a string")
        arguments = loads(arguments)
    return arguments, False


def _box(arguments: Mapping[str, Any], dialect: ZoomDialect, expected: str, notes: list[str]) -> WrittenBox:
    """The box in arguments."""
    key = next((key for key in (dialect.box_key, *_BOX_KEYS) if key in arguments), None)
    if key is None:
        raise Unreadable(f"the box is missing; give {expected}")
    if key != dialect.box_key:
        notes.append(f'the box was given as "{key}" instead of "{dialect.box_key}"')
    return read_box(arguments[key], expected, notes)


def _image_index(value: Any, dialect: ZoomDialect) -> int | None:
    """The image that a call names, from 0: by number, or by the dialect's name for it."""
    if value is None:
        return None
    if isinstance(value, str) and (named := dialect.image_named(value)) is not None:
        return named
    base = dialect.image_base
    try:
        found = number(value, "")
    except Unreadable:
        found = math.nan
    if not found >= base or found % 1:
        raise Unreadable(f'"{dialect.image_key}" {shorten(value)} is not a whole number from {base}')
    return int(found) - base
