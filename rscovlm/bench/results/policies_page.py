"""The page of a comparison of zoom policies: accuracy against cost, and all tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from detection_eval.html import render
from detection_eval.report.chart import PALETTE, Chart
from rscovlm.bench.results.policies import NAMES, PolicyScore, tables
from rscovlm.bench.results.tables import table_for_page

_LEAST_TOKENS = 10.0  # where the axis begins; the question alone costs none
_CHARACTER_PX, _LINE_PX, _MOST_STACKED = 6.0, 12.0, 8


def policies_html(scores: Sequence[PolicyScore], title: str, facts: Sequence[tuple[str, str]]) -> str:
    """One page without scripts, links or files beside it.

    Args:
        scores: of the policies, on the same questions.
        title: of the page.
        facts: what was run, in words.
    """
    legend = [
        {"text": NAMES.get(each.name, each.name), "colour": _colour(index)}
        for index, each in enumerate(scores)
    ]
    return render(
        __package__,
        "policies.html",
        title=title,
        facts=facts,
        charts=[
            {"title": "Accuracy against visual tokens", "svg": cost_chart(scores, "visual_tokens")},
            {"title": "Accuracy against seconds", "svg": cost_chart(scores, "seconds")},
        ],
        key=legend,
        tables=[table_for_page(table) for table in tables(scores)],
    )


def cost_chart(scores: Sequence[PolicyScore], cost: str) -> Markup:
    """Accuracy in percent with its interval over what a question costs, on a logarithmic axis.

    Args:
        scores: of the policies.
        cost: a field of ``Cost``: ``visual_tokens`` or ``seconds``.
    """
    least = _LEAST_TOKENS if cost == "visual_tokens" else 0.01
    spent = [max(least, getattr(each.cost, cost)) for each in scores]
    low, high = math.floor(math.log10(min(spent))), math.ceil(math.log10(max(spent)) + 1e-9)
    high = max(high, low + 1)
    name = {"visual_tokens": "visual tokens a question", "seconds": "seconds a question"}[cost]
    chart = Chart((low, high), (0, 100), name, "accuracy, %", ticks=(high - low, 5), powers=True)
    points: list[_Point] = []
    for index, (each, value) in enumerate(zip(scores, spent, strict=True)):
        if math.isnan(each.accuracy.value):
            continue
        x, colour = math.log10(value), _colour(index)
        share, down, up = (100 * end for end in each.accuracy)
        chart.line([(x, down), (x, up)], colour)
        words = f"{NAMES.get(each.name, each.name)}: {share:.1f} % ({down:.1f}-{up:.1f}), {value:,.4g} {name}"
        chart.point(x, share, colour, words, filled=each.name not in ("direct", "oracle", "blind"))
        px, py = chart.place(x, share)
        points.append(_Point(each.name, px, py, chart.place(x, up)[1], chart.place(x, down)[1]))
    for point, (left, base) in zip(points, name_places(points, chart.width), strict=True):
        chart.words(left, base, point.name)
    return chart.svg(f"accuracy over {name}")


class _Point(NamedTuple):
    """A point of a chart and the ends of its interval, px; y grows downwards."""

    name: str
    x: float
    y: float
    top: float
    bottom: float


_Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px."""


def name_places(points: Sequence[_Point], width: float) -> list[tuple[float, float]]:
    """Where the names of points begin, px: beside the point, else above or below its interval, free of all.

    Args:
        points: in the order in which they choose.
        width: of the chart, which names stay within.
    """
    taken: list[_Box] = [(each.x - 8, each.y - 8, each.x + 8, each.y + 8) for each in points]
    taken += [(each.x - 2, each.top, each.x + 2, each.bottom) for each in points]
    places = []
    for each in points:
        boxes = [box for box in _name_boxes(each) if box[0] > 0 and box[2] < width]
        box = next((box for box in boxes if not any(_overlap(box, other) for other in taken)), boxes[0])
        taken.append(box)
        places.append((box[0], box[3] - 3))
    return places


def _name_boxes(point: _Point) -> Iterator[_Box]:
    """The places that a name may have, best first."""
    long = _CHARACTER_PX * len(point.name)
    for left in (point.x + 9, point.x - 9 - long):
        yield left, point.y - 6, left + long, point.y + 7
    for step in range(_MOST_STACKED):
        for base in (point.top - 1 - _LINE_PX * step, point.bottom + _LINE_PX * (step + 1)):
            yield point.x - long / 2, base - _LINE_PX, point.x + long / 2, base


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)]
