"""Reading boxes out of a model's text: the wire forms, each scanned once from left to right.

Text from a model is untrusted. A scanner never raises, takes time linear in the text whatever stands in it
(the patterns are possessive: nothing is matched twice), mends what has one reading, and counts what it drops.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from detection_eval.text.contracts import Contract, Json, Lines, Tagged
from detection_eval.text.labels import strip_edges

_DIGITS = r"(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d{1,3})?+"
_NUMBER = rf"(?<![\w.])[+-]?{_DIGITS}(?!\w)"
_LONGEST_NUMBER = 40
_LEAST_RUN = 3  # fewer numbers in a line are prose: "3 ships in 2020"


@dataclass(frozen=True)
class RawBox:
    """One box as it was written.

    Attributes:
        numbers: as many as the contract's vertex form has.
        label: as written, or None where the wire form has no labels.
        span: (start, stop) characters of the text.
        repairs: what had to be mended to read it.
    """

    numbers: tuple[float, ...]
    label: str | None
    span: tuple[int, int]
    repairs: tuple[str, ...] = ()


@dataclass
class Scan:
    """What was found in one text.

    Attributes:
        boxes: readable ones, in the order written.
        dropped: unreadable ones, by reason.
        truncated: the text ends inside a box or a list.
    """

    boxes: list[RawBox] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    truncated: bool = False

    def add(
        self, contract: Contract, written: list[str], label: str | None, span: tuple[int, int], *repairs: str
    ) -> None:
        """Keep a box if its numbers and label are there, else count why not."""
        wanted = contract.form.count
        mended = list(repairs)
        if len(written) < wanted:
            self.dropped["too few numbers"] += 1
            return
        if len(written) > wanted:
            mended.append("extra numbers")
        numbers = [_value(text) for text in written[:wanted]]
        if not all(math.isfinite(number) for number in numbers):
            self.dropped["number out of range"] += 1
            return
        if label is not None and not strip_edges(label):
            self.dropped["no label"] += 1
            return
        if contract.decimals == 0 and not all(number.is_integer() for number in numbers):
            mended.append("fractional number")
        self.boxes.append(RawBox(tuple(numbers), label, span, tuple(dict.fromkeys(mended))))


def _value(text: str) -> float:
    return float(text) if len(text) <= _LONGEST_NUMBER else math.inf


def scan(text: str, contract: Contract) -> Scan:
    """All boxes that a text states under a contract's wire form."""
    if isinstance(contract.syntax, Lines):
        return _scan_lines(text, contract)
    if isinstance(contract.syntax, Json):
        return _scan_json(text, contract, contract.syntax)
    return _scan_tagged(text, contract, contract.syntax)


# --- lines ----------------------------------------------------------------------------------------

_LINE = re.compile(r"[^\n]++")
_BULLET = re.compile(r"\s*+(?:[-*•]\s++|\d{1,4}[.)]\s++)")
_NUMBERS = re.compile(_NUMBER)
_RUN = re.compile(rf"{_NUMBER}(?:[ \t,;|()\[\]{{}}]++{_NUMBER})*+")


def _scan_lines(text: str, contract: Contract) -> Scan:
    result = Scan()
    for line in _LINE.finditer(text):
        bullet = _BULLET.match(text, line.start(), line.end())
        start = bullet.end() if bullet else line.start()
        runs = [
            (run, numbers)
            for run in _RUN.finditer(text, start, line.end())
            if len(numbers := _NUMBERS.findall(run[0])) >= _LEAST_RUN
        ]
        if runs:
            _read_line(text, contract, runs, (start, line.end()), result)
    return result


def _read_line(
    text: str,
    contract: Contract,
    runs: list[tuple[re.Match[str], list[str]]],
    line: tuple[int, int],
    result: Scan,
) -> None:
    """Add the boxes of one line; several on it are read too, and labels that stand before their numbers."""
    starts, stops = [run.start() for run, _ in runs], [run.end() for run, _ in runs]
    before = [_label(text[a:b]) for a, b in zip([line[0], *stops[:-1]], starts)]
    after = [_label(text[a:b]) for a, b in zip(stops, [*starts[1:], line[1]])]
    declared = isinstance(contract.syntax, Lines) and contract.syntax.label_first
    label_first = bool(before[0]) and (declared or not after[-1])
    for index, (_, numbers) in enumerate(runs):
        last = index == len(runs) - 1
        if (
            last
            and line[1] == len(text)
            and (len(numbers) < contract.form.count or not (label_first or after[-1]))
        ):
            result.truncated = True
            result.dropped["truncated"] += 1
            return
        if label_first:
            begin = stops[index - 1] if index else line[0]
            repairs = () if declared else ("label first",)
            result.add(contract, numbers, before[index], (begin, stops[index]), *repairs)
        else:
            end = starts[index + 1] if not last else line[1]
            repairs = ("missing line break",) if index else ()
            result.add(contract, numbers, after[index], (starts[index], end), *repairs)


def _label(text: str) -> str:
    """The label in the text beside numbers, without the brackets and commas that belong to the numbers."""
    return strip_edges(text.strip().lstrip(")]}>|,;:.").rstrip("([{<|"))


# --- JSON -----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    rf"""(?P<string>"(?:[^"\\\n]|\\.)*+"?+|(?<=[{{\[,:\s])'[^'\n]*+')(?P<colon>\s*+:)?+"""
    rf"""|(?P<number>{_NUMBER})|(?P<open>[\[(])|(?P<close>[\])])|(?P<begin>\{{++)|(?P<end>\}})"""
)
_BOX_KEY = re.compile(r"box|quad|poly|obb|points|coord", re.IGNORECASE)
_LABEL_KEYS = frozenset({"label", "category", "class", "name", "object", "class_name", "category_name"})
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass
class _Object:
    """A JSON object as far as it was read."""

    start: int
    numbers: list[str] = field(default_factory=list)
    label: str | None = None
    keys: set[str] = field(default_factory=set)
    key: str = ""
    depth: int = 0
    number_end: int = 0
    repairs: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return bool(self.numbers) and self.depth == 0 and self.label is not None


def _scan_json(text: str, contract: Contract, syntax: Json) -> Scan:
    result = Scan()
    current: _Object | None = None
    open_lists = 0
    stop = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup if token.lastgroup != "colon" else "key"
        if kind == "begin":
            if current is not None:
                _close(current, contract, token.start(), result, "unclosed object")
            current = _Object(token.end() - 1)
        elif current is None:
            open_lists += (kind == "open") - (kind == "close")
        elif kind == "end":
            _close(current, contract, token.end(), result)
            current = None
        elif kind == "key" and token["string"].strip("\"'") in current.keys and current.complete:
            _close(current, contract, stop, result, "unclosed object")
            current = _Object(token.start())
            _take(current, kind, token, syntax, text)
        else:
            _take(current, str(kind), token, syntax, text)
        stop = token.end()
    if current is not None:
        result.truncated = True
        if current.complete:
            _close(current, contract, len(text), result, "unclosed object")
        elif current.numbers:
            result.dropped["truncated"] += 1
    result.truncated |= open_lists > 0
    return result


def _take(current: _Object, kind: str, token: re.Match[str], syntax: Json, text: str) -> None:
    """One token inside an object."""
    if kind == "key":
        if current.depth:
            current.depth = 0
            current.repairs.append("unclosed list")
        current.key = token["string"].strip("\"'")
        current.keys.add(current.key)
    elif kind == "string" and _is_label(current, syntax):
        written = token["string"]
        closed = len(written) > 1 and written[-1] == written[0]
        if not closed and token.end() == len(text):
            return
        if not closed:
            current.repairs.append("unclosed string")
        if current.key != syntax.label_key:
            current.repairs.append("label key")
        current.label = _ESCAPE.sub(r"\1", written[1 : -1 if closed else None])
    elif kind == "open" and (current.key == syntax.key or _BOX_KEY.search(current.key)):
        if current.depth == 0 and current.numbers:
            return
        current.depth += 1
        if token[0] == "(":
            current.repairs.append("brackets")
        if current.key != syntax.key:
            current.repairs.append("box key")
    elif kind == "close":
        current.depth = max(current.depth - 1, 0)
    elif kind == "number" and current.depth:
        if current.numbers and "," not in text[current.number_end : token.start()]:
            current.repairs.append("missing comma")
        current.numbers.append(token[0])
        current.number_end = token.end()


def _is_label(current: _Object, syntax: Json) -> bool:
    if current.key == syntax.label_key:
        return True
    return current.label is None and current.key.lower() in _LABEL_KEYS


def _close(current: _Object, contract: Contract, stop: int, result: Scan, *repairs: str) -> None:
    """An object has ended; text that merely stands in braces is none of ours."""
    if current.depth:
        repairs = (*repairs, "unclosed list")
    if current.numbers:
        span = (current.start, stop)
        result.add(contract, current.numbers, current.label or "", span, *current.repairs, *repairs)
    elif current.label is not None:
        result.dropped["no box"] += 1


# --- markers and location tokens ------------------------------------------------------------------


def _scan_tagged(text: str, contract: Contract, syntax: Tagged) -> Scan:
    reader = _TaggedReader(contract, syntax, text)
    for kind, token in _tagged_tokens(text, syntax):
        reader.take(kind, token)
    return reader.finish()


def _tagged_tokens(text: str, syntax: Tagged) -> Iterator[tuple[str, re.Match[str]]]:
    label = syntax.label or ("", "")
    markers = {
        "label_open": [label[0]],
        "label_close": [label[1]],
        "open": [syntax.boxes[0], syntax.box[0]],
        "close": [syntax.boxes[1], syntax.box[1]],
        "break": [syntax.group_joiner],
    }
    kinds = {mark.strip(): kind for kind, marks in markers.items() for mark in marks if mark.strip()}
    longest_first = sorted(kinds, key=len, reverse=True)
    template, _, rest = syntax.number.partition("{")
    number = _NUMBER
    if template:
        number = rf"{re.escape(template)}(?P<value>[+-]?{_DIGITS}){re.escape(rest.partition('}')[2])}"
    pattern = "|".join([f"(?P<number>{number})", *(re.escape(mark) for mark in longest_first)])
    for token in re.finditer(pattern, text):
        yield ("number" if token["number"] is not None else kinds[token[0]]), token


class _TaggedReader:
    """Walks over the tokens of one text, with the label and the numbers read so far."""

    def __init__(self, contract: Contract, syntax: Tagged, text: str):
        self.contract, self.syntax, self.text = contract, syntax, text
        self.result = Scan()
        self.bracketed = bool(syntax.box[0].strip())
        self.inside = False
        self.label: str | None = None if syntax.label is None else ""
        self.label_start: int | None = None
        self.repairs: list[str] = []
        self.waiting: list[tuple[list[str], tuple[int, int]]] = []  # boxes whose label is still to come
        self.numbers: list[str] = []
        self.start = self.stop = 0

    @property
    def free_label(self) -> bool:
        """Labels are the text between boxes, without markers of their own."""
        return self.syntax.label is not None and not self.syntax.label[0]

    def take(self, kind: str, token: re.Match[str]) -> None:
        if self.free_label and not self.inside:
            self._read_gap(token.start())
        if kind == "number":
            self._number(token)
        elif kind == "label_open":
            self._flush()
            self.inside = False
            self.label_start = token.end()
        elif kind == "label_close" and self.label_start is not None:
            self.label, self.label_start = self.text[self.label_start : token.start()], None
        elif kind in ("open", "close"):
            self._bracket(kind, token)
        elif kind == "break":
            self._flush()
        self.stop = token.end()

    def _number(self, token: re.Match[str]) -> None:
        if self.label_start is not None or (self.bracketed and not self.inside):
            return
        if not self.numbers and not self.bracketed:
            self.start = token.start()
        self.numbers.append(token["number"] if "value" not in token.re.groupindex else token["value"])
        if not self.bracketed and len(self.numbers) == self.contract.form.count:
            self.stop = token.end()
            self._flush()

    def _bracket(self, kind: str, token: re.Match[str]) -> None:
        if self.label_start is not None:
            self.label, self.label_start = self.text[self.label_start : token.start()], None
            self.repairs = ["unclosed label"]
        if kind == "close":
            self.stop = token.end()
        self._flush()
        self.inside = kind == "open"
        self.start = token.start()

    def _read_gap(self, stop: int) -> None:
        """Text between two tokens, where labels have no markers."""
        gap = _label(self.text[self.stop : stop])
        if not gap:
            return
        self._flush()
        if self.syntax.label_first:
            self.label = gap
        else:
            self._name_waiting(gap)

    def _name_waiting(self, label: str) -> None:
        for numbers, span in self.waiting:
            self.result.add(self.contract, numbers, label, span)
        self.waiting = []

    def _flush(self) -> None:
        """A box has ended."""
        if not self.numbers:
            return
        span = (self.start, self.stop)
        if self.syntax.label_first:
            self.result.add(self.contract, self.numbers, self.label, span, *self.repairs)
        else:
            self.waiting.append((self.numbers, span))
        self.numbers, self.repairs = [], []

    def finish(self) -> Scan:
        if self.free_label and not self.inside and not self.syntax.label_first:
            self._read_gap(len(self.text))
        if self.numbers or self.waiting:
            self.result.dropped["truncated"] += 1
        self.result.truncated = bool(self.numbers or self.waiting or self.inside)
        return self.result
