"""Small charts as SVG text: axes with a grid, lines, points, bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil

PALETTE = ("#0a62b9", "#b5400f", "#2b7d3b", "#7a3fa0", "#8a6d00", "#0e7c86", "#b02a5b", "#55606b")
"""Colours of methods, in their order."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40


class Chart:
    """A plane with linear axes.

    Args:
        x, y: (low, high) of the axes.
        x_label, y_label: their names.
        width, height: of the drawing.
        ticks: how many parts each axis has: along x, and along y.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_label: str,
        y_label: str,
        *,
        width: int = 540,
        height: int = 380,
        ticks: tuple[int, int] = (5, 5),
    ) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self._parts: list[str] = []
        for step in range(ticks[0] + 1):
            value = x[0] + (x[1] - x[0]) * step / ticks[0]
            px, _ = self.place(value, y[0])
            self._parts += [
                f'<line class="grid" x1="{px:.1f}" x2="{px:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>',
                f'<text class="tick" x="{px:.1f}" y="{height - _BOTTOM + 16}">{value:.3g}</text>',
            ]
        for step in range(ticks[1] + 1):
            value = y[0] + (y[1] - y[0]) * step / ticks[1]
            _, py = self.place(x[0], value)
            self._parts += [
                f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{py:.1f}" y2="{py:.1f}"/>',
                f'<text class="tick end" x="{_LEFT - 6}" y="{py + 4:.1f}">{value:.3g}</text>',
            ]
        middle = (_LEFT + width - _RIGHT) / 2, (_TOP + height - _BOTTOM) / 2
        turn = f"translate(14 {middle[1]:.0f}) rotate(-90)"
        self._parts += [
            f'<text class="name" x="{middle[0]:.0f}" y="{height - 6}">{escape(x_label)}</text>',
            f'<text class="name" transform="{turn}">{escape(y_label)}</text>',
        ]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a value is drawn."""
        (x0, x1), (y0, y1) = self.x, self.y
        return (
            _LEFT + (x - x0) / (x1 - x0) * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - (y - y0) / (y1 - y0) * (self.height - _TOP - _BOTTOM),
        )

    def line(self, points: Iterable[tuple[float, float]], colour: str, style: str = "") -> None:
        """A line through finite points."""
        placed = [self.place(x, y) for x, y in points if x == x and y == y]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        self._parts.append(f'<polyline class="line {style}" points="{path}" stroke="{colour}"/>')

    def point(self, x: float, y: float, colour: str, title: str, filled: bool = True) -> None:
        """A point whose words appear under the mouse."""
        if x != x or y != y:
            return
        px, py = self.place(x, y)
        fill = colour if filled else "none"
        self._parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5.5" fill="{fill}" stroke="{colour}" stroke-width="2">'
            f"<title>{escape(title)}</title></circle>"
        )

    def label(self, x: float, y: float, text: str, kind: str = "small") -> None:
        """Words at a value."""
        px, py = self.place(x, y)
        self._parts.append(f'<text class="{kind}" x="{px:.1f}" y="{py:.1f}">{escape(text)}</text>')

    def svg(self, title: str) -> str:
        """The drawing."""
        return (
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(title, quote=True)}">{"".join(self._parts)}</svg>'
        )


def differences(
    rows: Sequence[tuple[str, float, float, float, bool]], unit: float = 100.0, width: int = 540
) -> str:
    """Values with intervals, one a row: (name, value, low, high, whether it is marked) around zero."""
    shown = [row for row in rows if all(v == v for v in row[1:4])]
    if not shown:
        return "<p>Nothing to compare.</p>"
    reach = max(max(abs(low), abs(high), abs(value)) for _, value, low, high, _ in shown) * unit
    step_of_axis = 10 if reach > 10 else 1
    reach = max(ceil(reach / step_of_axis), 1) * step_of_axis
    left, right, step = 150, 90, 22
    middle = left + (width - left - right) / 2
    scale = (width - left - right) / 2 / reach
    height = step * len(shown) + 30
    parts = [f'<line class="zero" x1="{middle}" x2="{middle}" y1="4" y2="{height - 22}"/>']
    for index, (name, value, low, high, marked) in enumerate(shown):
        y = 16 + index * step
        a, b, c = (middle + v * unit * scale for v in (low, value, high))
        kind = "marked" if marked else "plain"
        parts += [
            f'<text class="tick end" x="{left - 8}" y="{y + 4}">{escape(name)}</text>',
            f'<line class="{kind}" x1="{a:.1f}" x2="{c:.1f}" y1="{y}" y2="{y}"/>',
            f'<circle class="{kind}" cx="{b:.1f}" cy="{y}" r="4.5"/>',
            f'<text class="tick start" x="{width - right + 8}" y="{y + 4}">{value * unit:+.2f}</text>',
        ]
    parts += [
        f'<text class="tick" x="{left}" y="{height - 6}">{-reach}</text>',
        f'<text class="tick" x="{middle}" y="{height - 6}">0</text>',
        f'<text class="tick" x="{width - right}" y="{height - 6}">+{reach}</text>',
    ]
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'


def bars(rows: Sequence[tuple[str, Sequence[float]]], colours: Sequence[str], width: int = 540) -> str:
    """Grouped horizontal bars: (name, one value per colour)."""
    most = max((value for _, values in rows for value in values if value == value), default=0) or 1
    left, right, thick = 110, 70, 11
    height, parts = 6, []
    for name, values in rows:
        middle = height + thick * len(values) / 2
        parts.append(f'<text class="tick end" x="{left - 8}" y="{middle + 4:.1f}">{escape(name)}</text>')
        for value, colour in zip(values, colours, strict=True):
            size = 0 if value != value else max(0.0, value) / most * (width - left - right)
            parts += [
                f'<rect x="{left}" y="{height}" width="{size:.1f}" height="{thick - 2}" fill="{colour}"/>',
                f'<text class="tick start" x="{left + size + 6:.1f}" y="{height + 9}">{value:,.3g}</text>',
            ]
            height += thick
        height += 9
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'
