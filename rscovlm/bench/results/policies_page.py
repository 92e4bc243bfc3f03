"""The page of a comparison of zoom policies: accuracy against cost, and all tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from detection_eval.html import render
from detection_eval.report.chart import PALETTE, Chart
from rscovlm.bench.results.policies import NAMES, PolicyScore, tables
from rscovlm.bench.results.tables import table_for_page

_LEAST_TOKENS = 10.0  # where the axis begins; the question alone costs none


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
    named: dict[tuple[float, float], list[str]] = {}
    for index, (each, value) in enumerate(zip(scores, spent, strict=True)):
        if math.isnan(each.accuracy.value):
            continue
        x, colour = math.log10(value), _colour(index)
        share, down, up = (100 * end for end in each.accuracy)
        chart.line([(x, down), (x, up)], colour)
        words = f"{NAMES.get(each.name, each.name)}: {share:.1f} % ({down:.1f}-{up:.1f}), {value:,.4g} {name}"
        chart.point(x, share, colour, words, filled=each.name not in ("direct", "oracle", "blind"))
        named.setdefault(_place(chart, x, share, named), []).append(each.name)
    for (px, py), names in named.items():
        chart.words(px + 9, py + 4, ", ".join(names))
    return chart.svg(f"accuracy over {name}")


def _place(chart: Chart, x: float, y: float, taken: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Where the name of a point stands, in px: with that of another point that is too near for two."""
    px, py = chart.place(x, y)
    near = (place for place in taken if abs(place[0] - px) < 60 and abs(place[1] - py) < 12)
    return next(near, (px, py))


def _colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)]
