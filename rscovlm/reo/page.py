"""The page of an audit or of scored predictions: tables, and charts of predictions and of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from detection_eval.html import render
from detection_eval.report.chart import PALETTE, Chart, round_axis
from rscovlm.bench.results.tables import ResultTable, table_for_page
from rscovlm.reo.score import Card
from rscovlm.scoring.distributions import LEVELS, Calibration
from rscovlm.scoring.predictions import Predictions, binned

_POINTS = 1500


def page(title: str, tables: Sequence[ResultTable], card: Card | None = None) -> Markup:
    """One HTML file without scripts or links.

    Args:
        title: of the page.
        tables: in order.
        card: whose predictions are drawn; None for none.
    """
    charts = [] if card is None else [_scatter(card.methods["model"]), *_reliability(card)]
    return render(
        __package__, "page.html", title=title, charts=charts, tables=[table_for_page(each) for each in tables]
    )


def _scatter(own: Predictions) -> dict[str, Any]:
    known = own.of(own.usable)
    most = float(max(known.truth.max(), known.mean.max(), 1e-9))
    end, parts = round_axis(most)
    chart = Chart((0, end), (0, end), "label", "prediction", ticks=(parts, parts))
    chart.line([(0, 0), (end, end)], "", "zero")
    for row in np.unique(
        np.linspace(0, len(known.key) - 1, min(_POINTS, len(known.key))).round().astype(int)
    ):
        said, right = float(np.clip(known.mean[row], 0, end)), float(np.clip(known.truth[row], 0, end))
        chart.point(
            right,
            said,
            PALETTE[0],
            f"{known.key[row]}: {known.mean[row]:.4g} of {known.truth[row]:.4g}",
            radius=2.2,
        )
    means = [
        ((each["from"] + each["to"]) / 2, (each["from"] + each["to"]) / 2 + each["bias"])
        for each in binned(own)
        if each["n"] and each["to"] <= end
    ]
    chart.line(means, PALETTE[1])
    words = (
        "Each plot, and the mean error in bins of 50: a line below the diagonal at the right is saturation."
    )
    return {"svg": chart.svg("predictions over labels"), "words": words, "legend": []}


def _reliability(card: Card) -> list[dict[str, Any]]:
    if not card.spreads:
        return []
    chart = Chart((0, 1), (0, 1), "level of the interval", "share of labels inside")
    chart.line([(0, 0), (1, 1)], "", "zero")
    for place, (name, own) in enumerate(card.spreads.items()):
        known = own.of(own.usable)
        assert known.deviation is not None
        counted = Calibration.of(known.mean, known.deviation, known.truth, known.pit())
        colour = PALETTE[place % len(PALETTE)]
        for level in LEVELS:
            chart.point(
                level,
                counted.coverage(level),
                colour,
                f"{name}: {counted.coverage(level):.3f} at {level:g}",
                radius=3.5,
            )
        chart.line([(level, counted.coverage(level)) for level in LEVELS], colour)
    words = "Below the diagonal intervals are too narrow, above it too wide."
    legend = [
        {"text": name, "colour": PALETTE[place % len(PALETTE)]} for place, name in enumerate(card.spreads)
    ]
    return [{"svg": chart.svg("share of labels inside of intervals"), "words": words, "legend": legend}]
