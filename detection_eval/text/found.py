"""Findings of a reader in a text: boxes as they were written, and what had to be left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from detection_eval.text.contract import Contract, VertexForm
from detection_eval.text.labels import strip_edges

Span = tuple[int, int]


@dataclass(frozen=True)
class RawBox:
    """One box as it was written.

    Attributes:
        numbers: as many as the contract's vertex form has.
        label: as written, or None where the wire form has no labels.
        span: (start, stop) characters of the text.
        repairs: what had to be mended to read it.
        block: (start, stop) of the list or line that the box belongs to; between two blocks there are words.
    """

    numbers: tuple[float, ...]
    label: str | None
    span: Span
    repairs: tuple[str, ...] = ()
    block: Span = (0, 0)


class Lost(NamedTuple):
    """Something that looks like a box and makes none.

    Attributes:
        reason: in a few words.
        span: (start, stop) characters of the text.
        block: as of a box.
    """

    reason: str
    span: Span
    block: Span


@dataclass
class Scan:
    """Boxes, labels and faults found in one text.

    Attributes:
        boxes: readable ones, in the order written.
        lost: unreadable ones.
        empty: where an empty list says that there is nothing.
        truncated: the text ends inside a box or a list.
        records: objects were read, whether or not there are boxes in them.
        block: given to the boxes that are added.
    """

    boxes: list[RawBox] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    empty: list[Span] = field(default_factory=list)
    truncated: bool = False
    records: bool = False
    block: Span | None = None

    @property
    def dropped(self) -> Counter[str]:
        """Unreadable boxes by reason."""
        return Counter(lost.reason for lost in self.lost)

    def lose(self, reason: str, span: Span) -> None:
        """Count a box that cannot be read."""
        self.lost.append(Lost(reason, span, self.block or span))

    def add(
        self, contract: Contract, numbers: Sequence[float], label: str | None, span: Span, *repairs: str
    ) -> None:
        """Keep a box if its numbers and label are there, else count why not."""
        fitted, refitted = _fitted(numbers, contract)
        if len(fitted) != contract.form.count:
            self.lose("too few numbers" if len(fitted) < contract.form.count else "too many numbers", span)
            return
        if not all(math.isfinite(value) for value in fitted):
            self.lose("number out of range", span)
            return
        if label is not None and not strip_edges(label):
            self.lose("no label", span)
            return
        mended = [*repairs, *refitted]
        if contract.decimals == 0 and not all(value.is_integer() for value in fitted):
            mended.append("fractional number")
        once = tuple(dict.fromkeys(mended))
        self.boxes.append(RawBox(tuple(fitted), label, span, once, self.block or span))

    def merge(self, other: Scan) -> None:
        """Take in what another reader found in the same text, in the order written."""
        self.boxes = sorted([*self.boxes, *other.boxes], key=lambda box: box.span)
        self.lost += other.lost
        self.empty += other.empty
        self.truncated |= other.truncated


def _fitted(numbers: Sequence[float], contract: Contract) -> tuple[Sequence[float], tuple[str, ...]]:
    """Numbers of the other kind of box in the form of the contract: what has one reading is mended.

    Eight numbers where four are due are a quadrilateral, whose bounds are taken. Four where eight are due are
    an upright rectangle. Any other count is left as it is.
    """
    if contract.form is VertexForm.HORIZONTAL and len(numbers) == 8:
        first, second = numbers[::2], numbers[1::2]
        return (min(first), min(second), max(first), max(second)), ("quadrilateral bounds",)
    if contract.form is VertexForm.QUAD and len(numbers) == 4:
        a, b, c, d = numbers
        low, left, high, right = min(a, c), min(b, d), max(a, c), max(b, d)
        if contract.yx:
            return (low, left, low, right, high, right, high, left), ("upright rectangle",)
        return (low, left, high, left, high, right, low, right), ("upright rectangle",)
    return numbers, ()
