"""Text of a model in plain characters, its thoughts set aside: the form that the readers of boxes work on.

Digits of other scripts, full-width forms, dashes, the minus sign U+2212 and odd spaces become their ASCII
characters; zero-width characters and end-of-text tokens go; HTML entities are decoded where the characters
that they stand for do not occur by themselves. Positions in the original text are kept.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from html import unescape
from operator import itemgetter

_ZERO_WIDTH = frozenset("\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_ALIKE = {"\u2212": "-", "\u3010": "[", "\u3011": "]", "\u3001": ",", "\u2028": " ", "\u2029": " "}
_ENTITIES = {
    '"': r"&(?:quot|#0*34|#[xX]0*22);",
    "'": r"&(?:apos|#0*39|#[xX]0*27);",
    "<": r"&(?:lt|#0*60|#[xX]0*3[cC]);",
    ">": r"&(?:gt|#0*62|#[xX]0*3[eE]);",
}
_SPECIAL_TOKENS = re.compile(
    r"</?s>|<(?:pad|eos|bos|unk|end_of_turn|start_of_turn)>"
    r"|<\|(?:im_end|im_start|endoftext|eot_id|end|eos|return)\|>"
)
_THOUGHT = re.compile(
    r"<(?P<close>/)?(?:think|thinking|thoughts?|reasoning|scratchpad)>|\u25c1(?P<mark>/)?think\u25b7",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"<(?P<close>/)?answer>", re.IGNORECASE)
_NOT_LINE_END = re.compile(r"[^\n]")


@dataclass(frozen=True)
class PlainText:
    """A text in plain characters.

    Attributes:
        text: in plain characters.
        odd: positions in ``text`` at which a character was replaced or left out, in order.
        entities: whether HTML entities were decoded.
        removed: (position in ``text``, characters of the original lost up to there), in order.
    """

    text: str
    odd: tuple[int, ...] = ()
    entities: bool = False
    removed: tuple[tuple[int, int], ...] = ()

    def original(self, position: int) -> int:
        """The position in the original text."""
        index = bisect_right(self.removed, position, key=itemgetter(0)) - 1
        return position + (self.removed[index][1] if index >= 0 else 0)

    def is_odd(self, start: int, stop: int) -> bool:
        """Whether a character between two positions was replaced or left out."""
        index = bisect_left(self.odd, start)
        return index < len(self.odd) and self.odd[index] < stop


def plain_text(text: str) -> PlainText:
    """A text in plain characters, in time linear in it."""
    alike: dict[str, str | int | None] = {} if text.isascii() else _alike(text)
    unwanted = [re.escape(char) for char, plain in alike.items() if not plain]
    entities = [pattern for char, pattern in _ENTITIES.items() if "&" in text and char not in text]
    text = _SPECIAL_TOKENS.sub(lambda token: " " * len(token[0]), text)
    pieces: list[str] = []
    removed: list[tuple[int, int]] = []
    odd: list[int] = []
    decoded = False
    stop = length = lost = 0
    for found in re.finditer("|".join([*unwanted, *entities]), text) if unwanted or entities else ():
        pieces.append(text[stop : found.start()])
        length += len(pieces[-1])
        if found[0][0] == "&":
            pieces.append(unescape(found[0]))
            decoded = True
            length += 1
            lost -= 1
        else:
            odd.append(length)
        lost += len(found[0])
        removed.append((length, lost))
        stop = found.end()
    plain = "".join([*pieces, text[stop:]])
    replaced = "".join(re.escape(char) for char, same in alike.items() if same and not char.isspace())
    if replaced:
        odd = sorted([*odd, *(found.start() for found in re.finditer(f"[{replaced}]", plain))])
    return PlainText(plain.translate(str.maketrans(alike)), tuple(odd), decoded, tuple(removed))


def plain_name(name: str) -> str:
    """A class name in plain characters, as labels are read."""
    return name if name.isascii() else name.translate(str.maketrans(_alike(name)))


def _alike(text: str) -> dict[str, str | int | None]:
    """The plain character for each other one of a text; an empty one for those that take no room."""
    table: dict[str, str | int | None] = {}
    for char in set(text):
        if char.isascii():
            continue
        category = unicodedata.category(char)
        if char in _ZERO_WIDTH:
            table[char] = ""
        elif char in _ALIKE:
            table[char] = _ALIKE[char]
        elif category == "Nd":
            table[char] = str(unicodedata.decimal(char))
        elif category == "Pd":
            table[char] = "-"
        elif category == "Zs":
            table[char] = " "
        elif "\uff01" <= char <= "\uff5e":
            table[char] = chr(ord(char) - 0xFEE0)
    return table


def without_thoughts(text: str) -> tuple[str, bool]:
    """The answer of a text, thoughts blanked out, and whether the text ends inside a thought.

    A thought stands between ``<think>`` and ``</think>`` (or the like). Before a closing mark without an
    opening one all is thought, since chat templates write the opening one into the prompt. Where there is an
    ``<answer>``, what stands outside of it is no answer. No position changes.
    """
    blank, unfinished = thought_spans(text)
    return _answers(blanked(text, blank)), unfinished


def thought_spans(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Where the thoughts of a text start and stop, marks included, and whether the text ends inside one."""
    blank: list[tuple[int, int]] = []
    start: int | None = None
    for mark in _THOUGHT.finditer(text):
        if mark["close"] or mark["mark"]:
            if start is None:
                blank, start = [], 0
            blank.append((start, mark.end()))
            start = None
        elif start is None:
            start = mark.start()
    if start is not None:
        blank.append((start, len(text)))
    return blank, start is not None


def _answers(text: str) -> str:
    """Text between ``<answer>`` and ``</answer>``, or all of it where there is none."""
    blank, stop, inside = [], 0, False
    for mark in _ANSWER.finditer(text):
        if not mark["close"] and not inside:
            blank.append((stop, mark.end()))
            inside = True
        elif mark["close"] and inside:
            stop, inside = mark.start(), False
    if not blank:
        return text
    return blanked(text, blank if inside else [*blank, (stop, len(text))])


def blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with spaces in place of some parts of it; no position changes, and line ends stay."""
    pieces, stop = [], 0
    for start, end in spans:
        pieces += [text[stop:start], _NOT_LINE_END.sub(" ", text[start:end])]
        stop = end
    return "".join([*pieces, text[stop:]])
