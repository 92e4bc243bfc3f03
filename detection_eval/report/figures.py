"""The figures of the page: curves, differences with their intervals, kinds of error."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from detection_eval.metrics.anatomy import KINDS, anatomy
from detection_eval.metrics.comparison import Benchmark
from detection_eval.report.cells import colour_of, percent
from detection_eval.report.chart import Chart, bars, differences
from detection_eval.report.gallery import Pixels, gallery

_F1 = (0.2, 0.4, 0.6, 0.8)
_DRAWN_EACH = 3


def class_curves(bench: Benchmark) -> list[Markup]:
    """Precision over recall of each class: a line for scored detections, a ring for others."""
    charts = []
    for label in bench.classes:
        if not any(method.summary["per_class"][label]["objects"] for method in bench.methods):
            continue
        chart = Chart((0, 1), (0, 1), "recall", "precision", width=300, height=240, ticks=(2, 2))
        for method in bench.methods:
            colour, curves = colour_of(bench, method), method.summary["precision_recall_50"]
            row = method.summary["per_class"][label]
            if curves is not None:
                points = zip(curves["recall"], curves["per_class"][label]["precision"])
                chart.line([(r, _nan(p)) for r, p in points], colour)
            words = f"{method.name}: precision {percent(row['precision_50'])}, recall "
            chart.point(
                _nan(row["recall_50"]),
                _nan(row["precision_50"]),
                colour,
                words + percent(row["recall_50"]),
                not method.scored,
            )
        chart.label(0.02, 0.04, label)
        charts.append(chart.svg(f"precision over recall of {label}"))
    return charts


def whole_curves(bench: Benchmark) -> list[Markup]:
    """Precision over recall, and APnc over the score threshold."""
    plane = Chart((0, 1), (0, 1), "recall", "precision")
    for f1 in _F1:
        recall = np.linspace(f1 / (2 - f1) + 1e-9, 1, 60)
        precision = f1 * recall / (2 * recall - f1)
        plane.line(zip(recall.tolist(), precision.tolist()), "", "iso")
        plane.label(0.97, float(f1 * 0.97 / (2 * 0.97 - f1)) + 0.015, f"F1 {f1:g}")
    grid = np.unique(np.append(np.linspace(0, 0.95, 39), bench.preset.score_thresholds))
    curves = {m.name: m.result.curve(grid.tolist()) for m in bench.methods if m.scored}
    most = max([float(np.nanmax(c.apnc[0])) for c in curves.values() if np.isfinite(c.apnc[0]).any()] or [0])
    most = max([most, *((m.summary["APnc50"] or 0) for m in bench.methods)])
    tenths = max(1, int(np.ceil(most * 10)))
    along = Chart((0, 1), (0, tenths / 10), "score threshold", "APnc50", ticks=(5, tenths))
    for method in bench.methods:
        colour, v = colour_of(bench, method), method.summary
        if method.name in curves:
            curve = curves[method.name]
            micro = curve.counts.micro
            recall, precision = (x[0, :, 0].tolist() for x in (micro.recall, micro.precision))
            plane.line(zip(recall, precision), colour)
            along.line(zip(grid.tolist(), curve.apnc[0].tolist()), colour)
            if isinstance(v["threshold"], float):
                along.point(v["threshold"], v["APnc50"] or 0, colour, method.name, False)
        else:
            along.line([(0, v["APnc50"] or 0), (1, v["APnc50"] or 0)], colour, "level")
        words = f"{method.name}: precision {percent(v['precision_50'])}, recall {percent(v['recall_50'])}"
        if v["precision_50"] is not None and v["recall_50"] is not None:
            plane.point(v["recall_50"], v["precision_50"], colour, words, not method.scored)
    return [plane.svg("precision and recall"), along.svg("APnc50 over the score threshold")]


def difference_charts(bench: Benchmark) -> list[dict[str, Any]]:
    """A chart of differences by class for each pair of methods."""
    cards = []
    for name, pair in (bench.paired or {}).items():
        whole = pair["APnc"]
        rows = [("all classes", whole["difference"], *whole["ci"], _sure(whole["p_value"]))]
        rows += [
            (label, row["difference"], *row["ci"], _sure(row["p_value_holm"]))
            for label, row in pair["per_class"].items()
            if row["difference"] is not None
        ]
        drawn = differences([tuple(_nan(v) for v in row) for row in rows])
        cards.append({"name": name, "whole": whole, "f1": pair["f1"], "chart": drawn})
    return cards


def error_charts(bench: Benchmark, pixels: Pixels | None) -> dict[str, Any]:
    """Kinds of error: how many, what they cost, and drawings of some."""
    found = {m.name: anatomy(m.result.overlaps, m.result.matches(0.5), m.result.keep) for m in bench.methods}
    colours = [colour_of(bench, method) for method in bench.methods]
    numbers = [(kind, [float(e.numbers[k].sum()) for e in found.values()]) for k, kind in enumerate(KINDS)]
    costs = [(kind, [100 * float(e.gain[k]) for e in found.values()]) for k, kind in enumerate(KINDS)]
    drawings = {
        m.name: gallery(
            m.result.overlaps, m.result.matches(0.5), found[m.name], m.result.keep, _DRAWN_EACH, pixels
        )
        for m in bench.methods
    }
    return {"numbers": bars(numbers, colours), "costs": bars(costs, colours), "drawings": drawings}


def _sure(p_value: float | None) -> bool:
    return p_value is not None and p_value < 0.05


def _nan(value: Any) -> Any:
    return float("nan") if value is None else value
