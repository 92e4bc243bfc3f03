"""Small charts as SVG: axes with a grid, lines, points, bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10

from markupsafe import Markup

from detection_eval.report.svg import Shape, drawing, line, text

PALETTE = ("#0a62b9", "#b5400f", "#2b7d3b", "#7a3fa0", "#8a6d00", "#0e7c86", "#b02a5b", "#55606b")
"""Colours of methods, in their order."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 14, 40


def round_axis(most: float, parts: int = 5) -> tuple[float, int]:
    """The end of an axis from 0 that holds a value, and its number of round parts, at most ``parts``.

    A step is 1, 2, 2.5 or 5 times a power of ten: 24 steps of training end at 25, in 5 parts.
    """
    if not most > 0:
        return 1.0, parts
    power = 10.0 ** floor(log10(most / parts))
    step = next(
        factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power * parts >= most * (1 - 1e-9)
    )
    used = ceil(most / step - 1e-9)
    return used * step, used


def number(value: float) -> str:
    """Three digits, and no exponents: 0.123, 12.3, 1,090."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Chart:
    """A plane with linear axes.

    Args:
        x, y: (low, high) of the axes.
        x_label, y_label: their names.
        width, height: of the drawing.
        ticks: how many parts each axis has: along x, and along y.
        powers: the values along x are exponents of ten, and the axis names the numbers themselves.
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
        powers: bool = False,
    ) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self._shapes: list[Shape] = []
        right, bottom = width - _RIGHT, height - _BOTTOM
        for step in range(ticks[0] + 1):
            value = x[0] + (x[1] - x[0]) * step / ticks[0]
            px, _ = self.place(value, y[0])
            self._shapes += [
                line(px, _TOP, px, bottom, "grid"),
                text(px, bottom + 16, number(10**value) if powers else f"{value:.3g}", "tick"),
            ]
        for step in range(ticks[1] + 1):
            value = y[0] + (y[1] - y[0]) * step / ticks[1]
            _, py = self.place(x[0], value)
            self._shapes += [
                line(_LEFT, py, right, py, "grid"),
                text(_LEFT - 6, py + 4, f"{value:.3g}", "tick end"),
            ]
        turned = f"translate(14 {(_TOP + bottom) / 2:.0f}) rotate(-90)"
        self._shapes += [
            text((_LEFT + right) / 2, height - 6, x_label, "name"),
            Shape("text", {"class": "name", "transform": turned}, y_label),
        ]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Position of a value in px."""
        (x0, x1), (y0, y1) = self.x, self.y
        return (
            _LEFT + (x - x0) / (x1 - x0) * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - (y - y0) / (y1 - y0) * (self.height - _TOP - _BOTTOM),
        )

    def line(self, points: Iterable[tuple[float, float]], colour: str, style: str = "") -> None:
        """A line through finite points."""
        placed = [self.place(x, y) for x, y in points if x == x and y == y]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        stroke = {"stroke": colour} if colour else {}
        self._shapes.append(Shape("polyline", {"class": f"line {style}".strip(), "points": path, **stroke}))

    def point(
        self, x: float, y: float, colour: str, title: str, filled: bool = True, radius: float = 5.5
    ) -> None:
        """A point of a radius in px whose words appear under the mouse."""
        if x != x or y != y:
            return
        self.mark(*self.place(x, y), colour, title, filled, radius)

    def mark(
        self, px: float, py: float, colour: str, title: str, filled: bool = True, radius: float = 5.5
    ) -> None:
        """The same at a position in px, such as beside the words of a legend."""
        fill = colour if filled else "none"
        look = {"fill": fill, "stroke": colour, "stroke-width": 2}
        place = {"cx": f"{px:.1f}", "cy": f"{py:.1f}", "r": radius}
        self._shapes.append(Shape("circle", {**place, **look}, title=title))

    def label(self, x: float, y: float, words: str, kind: str = "small") -> None:
        """Words at a value."""
        self._shapes.append(text(*self.place(x, y), words, kind))

    def words(self, px: float, py: float, words: str) -> None:
        """Words that begin at a position in px."""
        self._shapes.append(text(px, py, words, "tick start"))

    def svg(self, title: str) -> Markup:
        """The drawing."""
        box = (0, 0, self.width, self.height)
        return drawing(self._shapes, box, class_="chart", role="img", aria_label=title)


def differences(
    rows: Sequence[tuple[str, float, float, float, bool]], unit: float = 100.0, width: int = 540
) -> Markup | None:
    """Values with intervals, one a row: (name, value, low, high, whether it is marked) around zero.

    None where no row has a value.
    """
    shown = [row for row in rows if all(v == v for v in row[1:4])]
    if not shown:
        return None
    reach = max(max(abs(low), abs(high), abs(value)) for _, value, low, high, _ in shown) * unit
    step_of_axis = 10 if reach > 10 else 1
    reach = max(ceil(reach / step_of_axis), 1) * step_of_axis
    left, right, step = 150, 90, 22
    middle = left + (width - left - right) / 2
    scale = (width - left - right) / 2 / reach
    height = step * len(shown) + 30
    shapes = [line(middle, 4, middle, height - 22, "zero")]
    for index, (name, value, low, high, marked) in enumerate(shown):
        y = 16 + index * step
        a, b, c = (middle + v * unit * scale for v in (low, value, high))
        kind = "marked" if marked else "plain"
        shapes += [
            text(left - 8, y + 4, name, "tick end"),
            line(a, y, c, y, kind),
            Shape("circle", {"class": kind, "cx": f"{b:.1f}", "cy": y, "r": 4.5}),
            text(width - right + 8, y + 4, f"{value * unit:+.2f}", "tick start"),
        ]
    shapes += [
        text(left, height - 6, f"{-reach}", "tick"),
        text(middle, height - 6, "0", "tick"),
        text(width - right, height - 6, f"+{reach}", "tick"),
    ]
    return drawing(shapes, (0, 0, width, height), class_="chart", role="img")


def bars(rows: Sequence[tuple[str, Sequence[float]]], colours: Sequence[str], width: int = 540) -> Markup:
    """Grouped horizontal bars: (name, one value per colour)."""
    most = max((value for _, values in rows for value in values if value == value), default=0) or 1
    left, right, thick = 110, 70, 13
    top, shapes = 6, []
    for name, values in rows:
        shapes.append(text(left - 8, top + thick * len(values) / 2 + 4, name, "tick end"))
        for value, colour in zip(values, colours, strict=True):
            size = 0 if value != value else max(0.0, value) / most * (width - left - right)
            place = {"x": left, "y": top, "width": f"{size:.1f}", "height": thick - 2}
            shapes += [
                Shape("rect", {**place, "fill": colour}),
                text(left + size + 6, top + 10, number(value), "tick start"),
            ]
            top += thick
        top += 9
    return drawing(shapes, (0, 0, width, top), class_="chart", role="img")
