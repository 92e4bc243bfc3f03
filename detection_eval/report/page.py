"""The page: what was compared and how, tables, curves, differences, errors, and what was lost in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from detection_eval.metrics.anatomy import KINDS, anatomy
from detection_eval.metrics.comparison import Benchmark, Method
from detection_eval.metrics.slices import slices
from detection_eval.report.chart import PALETTE, Chart, bars, differences
from detection_eval.report.gallery import gallery
from detection_eval.report.tables import TableRow, comparison_table, shared_classes

_F1 = (0.2, 0.4, 0.6, 0.8)
_DRAWN_EACH = 3


def report_html(
    bench: Benchmark,
    *,
    title: str = "Detections compared",
    published: Sequence[TableRow] = (),
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """One page without scripts, links or files beside it.

    Args:
        bench: what was compared.
        title: of the page.
        published: rows that were not computed here, marked as such.
        provenance: names and values for the end of the page: files with their hashes, versions.
    """
    sections = [
        f"<h1>{escape(title)}</h1>",
        _introduction(bench),
        _summary(bench),
        _classes(bench, published),
        _right_and_wrong(bench),
        _levels(bench),
        _luck(bench),
        _curves(bench),
        _differences(bench),
        _errors(bench),
        _slices(bench),
        _parsing(bench),
        _protocol(bench),
        _facts("Where this comes from", provenance or {}),
    ]
    style = (files("detection_eval") / "report" / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body><main>{''.join(filter(None, sections))}</main></body></html>\n"
    )


def _introduction(bench: Benchmark) -> str:
    overlaps = bench.methods[0].result.overlaps
    return (
        f"<p>{len(overlaps.images):,} images of {len(set(overlaps.scenes)):,} scenes with "
        f"{int(overlaps.positives.sum()):,} objects of {len(bench.classes)} classes, under the protocol "
        f"<b>{escape(bench.preset.name)}</b>. APnc is the average precision of boxes without confidence: the "
        "value that no order of the boxes can change, and the lowest that any order gives.</p>"
    )


def _summary(bench: Benchmark) -> str:
    head = ["Method", "threshold", "boxes", "APnc50", "APnc75", "APnc50:95", "F1 50", "AP50"]
    rows = []
    for method in bench.methods:
        v = method.summary
        ci = v["ci"]
        boxes = sum(row["detections"] for row in v["per_class"].values())
        rows.append(
            [
                _named(bench, method),
                _threshold(v),
                f"{boxes:,}",
                _percent(v["APnc50"]) + _interval(ci.get("APnc50")),
                _percent(v["APnc75"]) + _interval(ci.get("APnc75")),
                _percent(v["APnc50:95"]),
                _percent(v["f1_50"]) + _interval(ci.get("f1_50")),
                _percent(v["AP50"]) + _interval(ci.get("AP50")),
            ]
        )
    note = "Percent; brackets are 95 % bootstrap intervals over scenes. AP50 uses the scores. "
    return _section("Summary", note + _warnings(bench), _table(head, rows))


def _right_and_wrong(bench: Benchmark) -> str:
    head = ["Method", "precision", "recall", "LRP", "displacement", "wrong", "missed", "count error", "bias"]
    rows = []
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
    note = (
        "At IoU 0.5, in percent. Precision and recall count all classes together. LRP joins its three parts "
        "in one error, means over classes with objects: how far right boxes are off (1 - IoU), wrong boxes, "
        "missed objects. "
        "Count error: boxes too many or too few of a class in an image, and whether rather too many (+)."
    )
    return _section("Right and wrong", note, _table(head, rows))


def _levels(bench: Benchmark) -> str:
    levels = [f"{level:.2f}" for level in sorted(bench.levels)]
    rows = [
        [_named(bench, method), *(_percent(method.summary["by_level"][level]["APnc"]) for level in levels)]
        for method in bench.methods
    ]
    note = "APnc by the IoU that is demanded, in percent."
    return _section("By overlap", note, _table(["Method", *levels], rows))


def _luck(bench: Benchmark) -> str:
    head = ["Method", "APnc50", "as given", "shuffled", "highest", "oracle gap"]
    rows = []
    for method in bench.methods:
        v = method.summary
        shuffled = v["APnc50_shuffles"]
        rows.append(
            [
                _named(bench, method),
                _percent(v["APnc50"]),
                _percent(v["APnc50_parity"]),
                f"{_percent(shuffled['mean'])} <small>sd {_percent(shuffled['sd'])}</small>",
                _percent(v["APnc50_upper"]),
                _percent(v["oracle_gap"]),
            ]
        )
    note = (
        "As given, shuffled and highest: what the order in the file, random orders and the luckiest order "
        "would give for APnc50. Oracle gap: what a threshold chosen on the evaluated images themselves would "
        "add."
    )
    return _section("What order and threshold are worth", note, _table(head, rows))


def _warnings(bench: Benchmark) -> str:
    words = []
    for method in bench.methods:
        overlaps = method.result.overlaps
        if overlaps.unanswered:
            lost = len(overlaps.unanswered)
            words.append(f"{method.name} has no entry for {lost:,} images: counted as empty.")
        if overlaps.unknown:
            words.append(
                f"{method.name} has {len(overlaps.unknown):,} images that the ground truth lacks: left out."
            )
        if method.summary["threshold_split"] == "oracle":
            words.append(f"The threshold of {method.name} is an oracle's, which flatters it.")
    return f"<b>{escape(' '.join(words))}</b>" if words else ""


def _classes(bench: Benchmark, published: Sequence[TableRow]) -> str:
    table = comparison_table(bench, published)
    rows = [[escape(cell) for cell in table.cells(row, "-")] for row in table.rows]
    kinds = ["published" if row.source else "" for row in table.rows]
    note = "APnc50 by class, in percent."
    if short := [pair for pair in zip(table.header[2:], bench.classes) if pair[0] != pair[1]]:
        note += " " + escape(", ".join(f"{name} {meaning}" for name, meaning in short)) + "."
    if published:
        note += f" In italics: {escape(published[0].source or '')}."
        if not shared_classes(published, bench.classes):
            note += " <b>Their means are over other classes than those evaluated here.</b>"
    return _section("By class", note, _table([escape(name) for name in table.header], rows, kinds))


def _curves(bench: Benchmark) -> str:
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
    note = (
        "At IoU 0.5, all classes counted together on the left. A detector is a curve over its thresholds, "
        "its ring the threshold it was given (where folds have their own, their mean, so that the ring may "
        "lie beside the curve); a model without scores is a point, and a dashed level on the right."
    )
    charts = "".join(
        f'<div class="card">{chart.svg(name)}</div>'
        for chart, name in ((plane, "precision and recall"), (along, "APnc50 over the score threshold"))
    )
    return _section("Points and curves", note, f'{_legend(bench)}<div class="columns">{charts}</div>')


def _differences(bench: Benchmark) -> str:
    if not bench.paired:
        return ""
    cards = []
    for name, pair in bench.paired.items():
        whole = pair["APnc"]
        rows = [("all classes", whole["difference"], *whole["ci"], _sure(whole["p_value"]))]
        rows += [
            (label, row["difference"], *row["ci"], _sure(row["p_value_holm"]))
            for label, row in pair["per_class"].items()
            if row["difference"] is not None
        ]
        f1 = pair["f1"]
        words = (
            f"APnc50 {100 * whole['difference']:+.2f}, p = {whole['p_value']:.3g}; "
            f"F1 {100 * f1['difference']:+.2f}, p = {f1['p_value']:.3g}"
        )
        drawn = differences([tuple(_nan(v) for v in row) for row in rows])
        cards.append(f'<div class="card"><h3>{escape(name)}</h3><p>{words}</p>{drawn}</div>')
    note = (
        "Points of APnc50, positive where the first is better; paired bootstrap over scenes, sign-flip "
        "tests, classes corrected after Holm. Red: p below 0.05."
    )
    return _section("Paired differences", note, f'<div class="columns">{"".join(cards)}</div>')


def _errors(bench: Benchmark) -> str:
    found = {m.name: anatomy(m.result.overlaps, m.result.matches(0.5), m.result.keep) for m in bench.methods}
    colours = [_colour(bench, method) for method in bench.methods]
    numbers = [(kind, [float(e.numbers[k].sum()) for e in found.values()]) for k, kind in enumerate(KINDS)]
    costs = [(kind, [100 * float(e.gain[k]) for e in found.values()]) for k, kind in enumerate(KINDS)]
    charts = (
        f'<div class="card"><h3>How many</h3>{bars(numbers, colours)}</div>'
        f'<div class="card"><h3>What mending each kind would add to APnc50</h3>{bars(costs, colours)}</div>'
    )
    drawings = "".join(
        f"<h3>{escape(m.name)}</h3><div class='gallery'>"
        + gallery(m.result.overlaps, m.result.matches(0.5), found[m.name], m.result.keep, _DRAWN_EACH)
        + "</div>"
        for m in bench.methods
    )
    note = (
        "Kinds of error at IoU 0.5, after TIDE, with errors of place split into centre, size, angle and "
        "width swapped with height. In the drawings objects are dashed white, right boxes green, other wrong "
        "ones orange; the error itself is red."
    )
    return _section("Errors", note, f'{_legend(bench)}<div class="columns">{charts}</div>{drawings}')


def _slices(bench: Benchmark) -> str:
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
    head = ["", "", "objects", *(f"{escape(m.name)} {what}" for m in bench.methods for what in ("R", "P"))]
    rows, last = [], ""
    for by, name in keys:
        row = [escape(by) if by != last else "", escape(name)]
        known = next(part[by, name] for part in parts if (by, name) in part)
        row.append(f"{known.objects:,}" if known.objects else "-")
        for part in parts:
            there = part.get((by, name))
            row += ["-", "-"] if there is None else [_percent(there.recall), _percent(there.precision)]
        rows.append(row)
        last = by
    note = "Recall (R) of objects and precision (P) of boxes at IoU 0.5, in percent, by their own properties."
    return _section("Slices", note, _table(head, rows))


def _parsing(bench: Benchmark) -> str:
    reports = {m.name: m.summary["parse"] for m in bench.methods if m.summary["parse"]}
    if not reports:
        return ""
    flat = {name: _flat(report) for name, report in reports.items()}
    keys = list(dict.fromkeys(key for report in flat.values() for key in report))
    rows = [[escape(key), *(f"{report.get(key, 0):,}" for report in flat.values())] for key in keys]
    note = "What became of the text of models: what could be read, mended, and what was lost."
    return _section("Parsing", note, _table(["", *map(escape, flat)], rows))


def _flat(report: Mapping[str, Any]) -> dict[str, int]:
    flat: dict[str, int] = {}
    for name, value in report.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}: {what}": n for what, n in value.items() if isinstance(n, int)}
        elif isinstance(value, int):
            flat[name.replace("_", " ")] = int(value)
    return flat


def _protocol(bench: Benchmark) -> str:
    rows = {name.replace("_", " "): value for name, value in bench.preset.rows().items()}
    return _facts("Protocol", rows)


def _facts(title: str, facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    rows = [[escape(str(name)), escape(_words(value))] for name, value in facts.items()]
    return _section(title, "", f'<div class="facts">{_table(["", ""], rows)}</div>')


def _words(value: Any) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)


# --- pieces ---------------------------------------------------------------------------------------


def _section(title: str, note: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{f'<p>{note}</p>' if note else ''}{body}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kinds: Sequence[str] | None = None) -> str:
    """A table of HTML cells."""
    top = "".join(f"<th>{cell}</th>" for cell in head) if any(head) else ""
    lines = [
        f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for row, kind in zip(rows, kinds or [""] * len(rows), strict=True)
    ]
    return f'<div class="scroll"><table>{f"<tr>{top}</tr>" if top else ""}{"".join(lines)}</table></div>'


def _legend(bench: Benchmark) -> str:
    names = "".join(f"<span>{_dot(bench, m)}{escape(m.name)}</span>" for m in bench.methods)
    return f'<div class="legend">{names}</div>'


def _dot(bench: Benchmark, method: Method) -> str:
    return f'<i class="dot" style="background:{_colour(bench, method)}"></i>'


def _named(bench: Benchmark, method: Method) -> str:
    return _dot(bench, method) + escape(method.name)


def _colour(bench: Benchmark, method: Method) -> str:
    return PALETTE[bench.methods.index(method) % len(PALETTE)]


def _percent(value: float | None) -> str:
    return "-" if value is None or value != value else f"{100 * value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _interval(ends: Sequence[float] | None) -> str:
    if not ends or any(end is None for end in ends):
        return ""
    return f" <small>[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]</small>"


def _threshold(values: Mapping[str, Any]) -> str:
    threshold, split = values["threshold"], values["threshold_split"]
    if threshold is None:
        return "none"
    shown = f"{threshold:.2f}" if isinstance(threshold, float) else "by class"
    return shown if split == "fixed" else f"{shown} <small>({split})</small>"


def _sure(p_value: float | None) -> bool:
    return p_value is not None and p_value < 0.05


def _nan(value: Any) -> Any:
    return float("nan") if value is None else value
