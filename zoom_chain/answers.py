"""Reply text beside calls: where the model's own turn ends, its thoughts, its words, its answer."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from detection_eval.text.plain import blanked, thought_spans
from zoom_chain.call_styles import styled_call

_TURN_END = re.compile(r"<\|(?:im_end|im_start|endoftext|eot_id)\|>")
_OBSERVATION = re.compile(r"</?tool_response>|<sandbox_output>|<observation>", re.IGNORECASE)
_CALL = re.compile(r"<(?:tool_call|grounding)>\s*(?:```\w*\s*)?[\[{<]")
_OBSERVED = re.compile(r"^[ \t*]*Observation[ \t*]*:", re.IGNORECASE | re.MULTILINE)
_FINAL = re.compile(r"^[ \t*]*Final Answer[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(r"[\s*]*Thought[ \t*]*:", re.IGNORECASE)
_ANSWER = re.compile(r"<(?P<close>/)?answer>", re.IGNORECASE)
_MARK = re.compile(r"^<[^<>]*>|</[^<>]*>$")
_BOXED = re.compile(r"\\boxed\s*\{")
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")

INVENTED = "an observation that the model wrote itself was cut"


class OwnTurn(NamedTuple):
    """The part of a reply that is the model's own turn.

    Attributes:
        text: from its beginning.
        invented: whether an observation that the model wrote itself came after it.
    """

    text: str
    invented: bool


def own_turn(text: str, announced: str = "") -> OwnTurn:
    """A reply up to the end of its turn, or to the first observation that the model wrote itself.

    The program alone answers calls. Marks of an observation count after a call and outside of thoughts, which
    may speak of them.

    Args:
        text: the reply, unmodified.
        announced: words with which the program returns a crop; they count after a call only.
    """
    end = _TURN_END.search(text)
    invented = end is not None and bool(_TURN_END.sub("", text[end.start() :]).strip())
    if end is not None:
        text = text[: end.start()]
    call = _CALL.search(text)
    thoughts, _ = thought_spans(text)
    starts = [start for start, _ in thoughts]
    places = [
        mark.start()
        for mark in _OBSERVATION.finditer(text)
        if (call and mark.start() > call.end()) or not _inside(mark.start(), starts, thoughts)
    ]
    if announced and call and (place := text.find(announced, call.end())) >= 0:
        places.append(place)
    if (styled := styled_call(text)) and (mark := _OBSERVED.search(text, styled.stop)):
        places.append(mark.start())
    return OwnTurn(text[: min(places)], True) if places else OwnTurn(text, invented)


def _inside(place: int, starts: list[int], spans: list[tuple[int, int]]) -> bool:
    index = bisect_right(starts, place) - 1
    return index >= 0 and place < spans[index][1]


def without_thoughts(text: str) -> tuple[str, bool]:
    """A reply with its thoughts blanked out, positions kept, and whether it ends inside of one."""
    spans, unfinished = thought_spans(text)
    return blanked(text, spans), unfinished


def thoughts_in(text: str) -> str:
    """The thoughts of a reply, without their marks."""
    spans = thought_spans(text)[0]
    return "\n".join(_MARK.sub("", text[start:stop]).strip() for start, stop in spans)


def spoken_text(text: str) -> str:
    r"""The answer in a reply: without thoughts, end-of-turn marks and surrounding white space.

    Where there is an ``<answer>`` it is what stands inside the last one, and where there is a ``\\\\boxed{}``
    what stands inside the last one; in the lines of ReAct what stands behind ``Final Answer:``.
    """
    text = own_turn(text).text
    pieces, stop = [], 0
    for start, end in thought_spans(text)[0]:
        pieces.append(text[stop:start])
        stop = end
    return _boxed(_tagged(_final("".join([*pieces, text[stop:]])))).strip()


def before_call(text: str, call_open: str) -> str:
    """A reply up to a call that was not offered, outside of thoughts.

    Args:
        text: the reply, unmodified.
        call_open: the tag that a call begins with.
    """
    place = without_thoughts(text)[0].find(call_open)
    return text if place < 0 else text[:place]


def _final(text: str) -> str:
    """What stands behind the last ``Final Answer:`` of lines that begin with ``Thought:``; else all of it."""
    found = list(_FINAL.finditer(text)) if _THOUGHT.match(text) else []
    return text[found[-1].end() :] if found else text


def _tagged(text: str) -> str:
    """What stands in the last ``<answer>``, which may lack its end; all of a text without one."""
    start, stop, inside = 0, len(text), False
    for mark in _ANSWER.finditer(text):
        if not mark["close"]:
            start, stop, inside = mark.end(), len(text), True
        elif inside:
            stop, inside = mark.start(), False
    return text[start:stop]


def _boxed(text: str) -> str:
    r"""What stands in the last ``\boxed{}``, its braces balanced; all of a text without one."""
    found = list(_BOXED.finditer(text))
    if not found:
        return text
    last = found[-1]
    depth = 1
    for place in range(last.end(), len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return _TEXT_COMMAND.sub(r"\1", text[last.end() : place])
    return text
