"""Cells and tables of the page, and how numbers and methods stand in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detection_eval.metrics.comparison import Benchmark, Method
from detection_eval.report.chart import PALETTE, number


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, perhaps a dot in a colour before it and small words behind it."""

    text: str
    small: str = ""
    colour: str = ""


Row = list[Cell | str]


@dataclass(frozen=True)
class Table:
    """A table of cells, or of plain texts; ``kinds`` are style classes of its rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    kinds: Sequence[str] = ()


def named(bench: Benchmark, method: Method) -> Cell:
    """The name of a method beside its colour."""
    return Cell(method.name, colour=colour_of(bench, method))


def colour_of(bench: Benchmark, method: Method) -> str:
    """The colour of a method in all figures."""
    return PALETTE[bench.methods.index(method) % len(PALETTE)]


def percent(value: float | None) -> str:
    """Percent with two digits; - where unknown."""
    return "-" if value is None or value != value else f"{100 * value:.2f}"


def number_or_dash(value: float | None) -> str:
    """A number, or - where unknown."""
    return "-" if value is None else number(value)


def interval(ends: Sequence[float] | None) -> str:
    """An interval in percent; nothing where an end is unknown."""
    if not ends or any(end is None for end in ends):
        return ""
    return f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"
