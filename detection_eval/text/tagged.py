"""Boxes between markers, or made of location tokens: ``<ref>ship</ref><box>[[10, 20, 30, 40]]</box>``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from detection_eval.text.contract import Contract, Tagged
from detection_eval.text.found import Scan
from detection_eval.text.lexing import DIGITS, NUMBER, number
from detection_eval.text.lines import beside

_NO_NUMBER = re.compile(r"(?<![a-z])(?:(?P<nothing>null|none|nan|undefined)(?![a-z])|%)", re.IGNORECASE)


def scan_tagged(text: str, contract: Contract, syntax: Tagged) -> Scan:
    """The boxes of a text that marks them."""
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
    pattern = NUMBER
    if template:
        pattern = rf"{re.escape(template)}(?P<value>[+-]?{DIGITS}){re.escape(rest.partition('}')[2])}"
    pattern = "|".join([f"(?P<number>{pattern})", *(re.escape(mark) for mark in longest_first)])
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
        self.waiting: list[tuple[list[float], tuple[int, int]]] = []  # boxes whose label is still to come
        self.numbers: list[float] = []
        self.in_group = 0  # boxes since the last label or break
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
            self.inside, self.in_group = False, 0
            self.label_start = token.end()
        elif kind == "label_close" and self.label_start is not None:
            self.label, self.label_start = self.text[self.label_start : token.start()], None
        elif kind in ("open", "close"):
            self._bracket(kind, token)
        elif kind == "break":
            self._flush()
            self.in_group = 0
        self.stop = token.end()

    def _number(self, token: re.Match[str]) -> None:
        if self.label_start is not None or (self.bracketed and not self.inside):
            return
        if not self.numbers and not self.bracketed:
            self.start = token.start()
        self.numbers.append(number(token["number"] if "value" not in token.re.groupindex else token["value"]))
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
        gap = beside(self.text[self.stop : stop])
        if not gap:
            return
        self._flush()
        self.in_group = 0
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
        self.in_group += 1
        missing = _NO_NUMBER.search(self.text, *span) if self.bracketed else None
        if missing:
            self.result.lose("missing number" if missing["nothing"] else "percent", span)
        elif not self.bracketed and self.in_group > 1 and len(self.numbers) < self.contract.form.count:
            self.result.lose("too few numbers", span)  # the rest of a list of location tokens
        elif self.syntax.label_first:
            self.result.add(self.contract, self.numbers, self.label, span, *self.repairs)
        else:
            self.waiting.append((self.numbers, span))
        self.numbers, self.repairs = [], []

    def finish(self) -> Scan:
        if self.free_label and not self.inside and not self.syntax.label_first:
            self._read_gap(len(self.text))
        if self.numbers or self.waiting:
            self.result.lose("truncated", (self.start, len(self.text)))
        self.result.truncated = bool(self.numbers or self.waiting or self.inside)
        return self.result
