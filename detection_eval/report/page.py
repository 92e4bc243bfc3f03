"""The page: what was compared and how, tables, curves, differences, errors, and what was lost in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from detection_eval.html import render
from detection_eval.metrics.anatomy import KINDS, anatomy
from detection_eval.metrics.comparison import Benchmark, Method
from detection_eval.metrics.slices import slices
from detection_eval.report.chart import PALETTE, Chart, bars, differences, number
from detection_eval.report.gallery import Pixels, gallery
from detection_eval.report.tables import TableRow, comparison_table, shared_classes
from detection_eval.words import counted


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


_F1 = (0.2, 0.4, 0.6, 0.8)
_DRAWN_EACH = 3


def report_html(
    bench: Benchmark,
    *,
    title: str = "Detections compared",
    published: Sequence[TableRow] = (),
    provenance: Mapping[str, Any] | None = None,
    pixels: Pixels | None = None,
) -> str:
    """One page without scripts, links or files beside it.

    Args:
        bench: comparison to show.
        title: page title.
        published: rows that were not computed here, marked as such.
        provenance: names and values for the end of the page: files with their hashes, versions.
        pixels: reads what the images show behind the drawings of errors.
    """
    return render(
        __package__,
        "report.html",
        title=title,
        bench=bench,
        overlaps=bench.methods[0].result.overlaps,
        methods=[_named(bench, method) for method in bench.methods],
        warnings=_warnings(bench),
        summary=_summary(bench),
        by_class=_classes(bench, published),
        right_and_wrong=_right_and_wrong(bench),
        levels=_levels(bench),
        sizes=_sizes(bench),
        recalls=_recalls(bench),
        class_curves=_class_curves(bench),
        confusions={method.name: _confusion(method) for method in bench.methods},
        coco=_coco(bench),
        luck=_luck(bench),
        curves=_curves(bench),
        differences=_differences(bench),
        errors=_errors(bench, pixels),
        slices=_slices(bench),
        parsing=_parsing(bench),
        protocol=_facts({name.replace("_", " "): value for name, value in bench.preset.rows().items()}),
        provenance=_facts(provenance or {}),
    )


def _summary(bench: Benchmark) -> Table:
    head = ["Method", "threshold", "boxes", "APnc50", "P x R 50", "APnc75", "APnc50:95", "F1 50", "AP50"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        boxes = sum(row["detections"] for row in v["per_class"].values())
        with_interval = [
            Cell(_percent(v[name]), _interval(v["ci"].get(name)))
            for name in ("APnc50", "APnc75", "f1_50", "AP50")
        ]
        rows.append(
            [
                _named(bench, method),
                _threshold(v),
                f"{boxes:,}",
                with_interval[0],
                _percent(v["PxR50"]),
                with_interval[1],
                _percent(v["APnc50:95"]),
                *with_interval[2:],
            ]
        )
    return Table(head, rows)


def _right_and_wrong(bench: Benchmark) -> Table:
    head = ["Method", "precision", "recall", "LRP", "displacement", "wrong", "missed", "count error", "bias"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        errors = (v["lrp_50"][name] for name in ("error", "displacement", "wrong", "missed"))
        rows.append(
            [
                _named(bench, method),
                *map(_percent, (v["precision_50"], v["recall_50"], *errors)),
                _number(v["count_error"]["mean_absolute"]),
                _number(v["count_error"]["bias"]),
            ]
        )
    return Table(head, rows)


def _levels(bench: Benchmark) -> Table:
    levels = [f"{level:.2f}" for level in sorted(bench.levels)]
    rows: list[Row] = [
        [_named(bench, method), *(_percent(method.summary["by_level"][level]["APnc"]) for level in levels)]
        for method in bench.methods
    ]
    return Table(["Method", *levels], rows)


def _sizes(bench: Benchmark) -> Table:
    rows: list[Row] = []
    for name in bench.methods[0].summary["by_size"]:
        for method in bench.methods:
            v = method.summary["by_size"][name]
            values = (v[key] for key in ("APnc50", "APnc50:95", "AR", "AP50", "AP50:95"))
            rows.append([name, f"{v['objects']:,}", _named(bench, method), *map(_percent, values)])
    head = ["size", "objects", "Method", "APnc50", "APnc50:95", "AR", "AP50", "AP50:95"]
    return Table(head, rows)


def _recalls(bench: Benchmark) -> Table:
    names = ("AR", "AR_1", "AR_10", "AR_100")
    rows: list[Row] = [
        [_named(bench, method), *(_percent(method.summary[name]) for name in names)]
        for method in bench.methods
    ]
    return Table(["Method", "AR", "AR at 1", "AR at 10", "AR at 100"], rows)


def _coco(bench: Benchmark) -> Table | None:
    """Results of COCOeval itself, where it was run."""
    found = {method.name: method.summary.get("coco") for method in bench.methods}
    names = next((list(values) for values in found.values() if values), None)
    if names is None:
        return None
    rows: list[Row] = [
        [_named(bench, method), *(_percent(values[name]) for name in names)]
        for method in bench.methods
        if (values := found[method.name]) is not None
    ]
    return Table(["Method", *(name.replace("_", " ") for name in names)], rows)


def _class_curves(bench: Benchmark) -> list[Markup]:
    """Precision over recall of each class: a line for scored detections, a ring for others."""
    charts = []
    for label in bench.classes:
        if not any(method.summary["per_class"][label]["objects"] for method in bench.methods):
            continue
        chart = Chart((0, 1), (0, 1), "recall", "precision", width=300, height=240, ticks=(2, 2))
        for method in bench.methods:
            colour, curves = _colour(bench, method), method.summary["precision_recall_50"]
            row = method.summary["per_class"][label]
            if curves is not None:
                points = zip(curves["recall"], curves["per_class"][label]["precision"])
                chart.line([(r, _nan(p)) for r, p in points], colour)
            words = f"{method.name}: precision {_percent(row['precision_50'])}, recall "
            chart.point(
                _nan(row["recall_50"]),
                _nan(row["precision_50"]),
                colour,
                words + _percent(row["recall_50"]),
                not method.scored,
            )
        chart.label(0.02, 0.04, label)
        charts.append(chart.svg(f"precision over recall of {label}"))
    return charts


def _confusion(method: Method) -> Table:
    found = method.summary["confusion_50"]
    names, matrix = found["classes"], found["matrix"]
    shown = [k for k in range(len(names)) if any(matrix[k]) or any(row[k] for row in matrix)]
    rows: list[Row] = [
        [
            "background" if k == len(names) - 1 else names[k],
            *(f"{matrix[k][j]:,}" if matrix[k][j] else "" for j in shown),
        ]
        for k in shown
    ]
    heads = ["missed" if j == len(names) - 1 else names[j] for j in shown]
    return Table(["object \\ found as", *heads], rows)


def _luck(bench: Benchmark) -> Table:
    head = ["Method", "APnc50", "as given", "random orders", "upper bound", "oracle gap"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        shuffled = v["APnc50_shuffles"]
        rows.append(
            [
                _named(bench, method),
                _percent(v["APnc50"]),
                _percent(v["APnc50_parity"]),
                Cell(_percent(shuffled["mean"]), f"sd {_percent(shuffled['sd'])}"),
                _percent(v["APnc50_upper"]),
                _percent(v["oracle_gap"]),
            ]
        )
    return Table(head, rows)


def _warnings(bench: Benchmark) -> list[str]:
    words = []
    for method in bench.methods:
        overlaps = method.result.overlaps
        if overlaps.unanswered:
            lost = len(overlaps.unanswered)
            words.append(f"{method.name} has no entry for {counted(lost, 'image')}: counted as empty.")
        if overlaps.unknown:
            words.append(
                f"{method.name} has {counted(len(overlaps.unknown), 'image')} that the ground "
                "truth lacks: left out."
            )
        if method.summary["threshold_split"] == "oracle":
            words.append(f"The threshold of {method.name} is an oracle's, which flatters it.")
    return words


def _classes(bench: Benchmark, published: Sequence[TableRow]) -> dict[str, Any]:
    table = comparison_table(bench, published)
    return {
        "table": Table(
            table.header,
            [table.cells(row, "-") for row in table.rows],
            ["published" if row.source else "" for row in table.rows],
        ),
        "short": [pair for pair in zip(table.header[2:], bench.classes) if pair[0] != pair[1]],
        "source": published[0].source if published else None,
        "comparable": shared_classes(published, bench.classes),
    }


def _curves(bench: Benchmark) -> list[Markup]:
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
        colour, v = _colour(bench, method), method.summary
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
        words = f"{method.name}: precision {_percent(v['precision_50'])}, recall {_percent(v['recall_50'])}"
        if v["precision_50"] is not None and v["recall_50"] is not None:
            plane.point(v["recall_50"], v["precision_50"], colour, words, not method.scored)
    return [plane.svg("precision and recall"), along.svg("APnc50 over the score threshold")]


def _differences(bench: Benchmark) -> list[dict[str, Any]]:
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


def _errors(bench: Benchmark, pixels: Pixels | None) -> dict[str, Any]:
    found = {m.name: anatomy(m.result.overlaps, m.result.matches(0.5), m.result.keep) for m in bench.methods}
    colours = [_colour(bench, method) for method in bench.methods]
    numbers = [(kind, [float(e.numbers[k].sum()) for e in found.values()]) for k, kind in enumerate(KINDS)]
    costs = [(kind, [100 * float(e.gain[k]) for e in found.values()]) for k, kind in enumerate(KINDS)]
    drawings = {
        m.name: gallery(
            m.result.overlaps, m.result.matches(0.5), found[m.name], m.result.keep, _DRAWN_EACH, pixels
        )
        for m in bench.methods
    }
    return {"numbers": bars(numbers, colours), "costs": bars(costs, colours), "drawings": drawings}


def _slices(bench: Benchmark) -> Table:
    parts = [
        {
            (part.by, part.name): part
            for part in slices(m.result.overlaps, m.result.matches(0.5), m.result.keep)
        }
        for m in bench.methods
    ]
    found = dict.fromkeys(key for part in parts for key in part)
    kinds = list(dict.fromkeys(by for by, _ in found))
    keys = sorted(found, key=lambda key: kinds.index(key[0]))
    head = ["", "", "objects", *(f"{m.name} {what}" for m in bench.methods for what in ("R", "P"))]
    rows: list[Row] = []
    last = ""
    for by, name in keys:
        row: Row = [by if by != last else "", name]
        known = next(part[by, name] for part in parts if (by, name) in part)
        row.append(f"{known.objects:,}" if known.objects else "-")
        for part in parts:
            there = part.get((by, name))
            row += ["-", "-"] if there is None else [_percent(there.recall), _percent(there.precision)]
        rows.append(row)
        last = by
    return Table(head, rows)


def _parsing(bench: Benchmark) -> Table | None:
    reports = {m.name: m.summary["parse"] for m in bench.methods if m.summary["parse"]}
    if not reports:
        return None
    flat = {name: _flat(report) for name, report in reports.items()}
    keys = list(dict.fromkeys(key for report in flat.values() for key in report))
    rows = [[key, *(f"{report.get(key, 0):,}" for report in flat.values())] for key in keys]
    return Table(["", *flat], rows)


def _flat(report: Mapping[str, Any]) -> dict[str, int]:
    flat: dict[str, int] = {}
    for name, value in report.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}: {what}": n for what, n in value.items() if isinstance(n, int)}
        elif isinstance(value, int):
            flat[name.replace("_", " ")] = int(value)
    return flat


def _facts(facts: Mapping[str, Any]) -> Table | None:
    rows = [[str(name), _words(value)] for name, value in facts.items()]
    return Table([], rows) if rows else None


def _words(value: Any) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)


# --- pieces ---------------------------------------------------------------------------------------


def _named(bench: Benchmark, method: Method) -> Cell:
    return Cell(method.name, colour=_colour(bench, method))


def _colour(bench: Benchmark, method: Method) -> str:
    return PALETTE[bench.methods.index(method) % len(PALETTE)]


def _percent(value: float | None) -> str:
    return "-" if value is None or value != value else f"{100 * value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)


def _interval(ends: Sequence[float] | None) -> str:
    if not ends or any(end is None for end in ends):
        return ""
    return f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def _threshold(values: Mapping[str, Any]) -> Cell:
    threshold, split = values["threshold"], values["threshold_split"]
    if threshold is None:
        return Cell("none")
    shown = f"{threshold:.2f}" if isinstance(threshold, float) else "by class"
    return Cell(shown, "" if split == "fixed" else f"({split})")


def _sure(p_value: float | None) -> bool:
    return p_value is not None and p_value < 0.05


def _nan(value: Any) -> Any:
    return float("nan") if value is None else value
