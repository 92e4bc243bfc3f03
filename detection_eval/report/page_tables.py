"""The tables of the page, each of a comparison of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detection_eval.metrics.comparison import Benchmark, Method
from detection_eval.metrics.slices import slices
from detection_eval.report.cells import Cell, Row, Table, interval, named, number_or_dash, percent
from detection_eval.report.tables import TableRow, comparison_table, shared_classes


def summary(bench: Benchmark) -> Table:
    """The main numbers of each method, with intervals where there are any."""
    head = ["Method", "threshold", "boxes", "APnc50", "P x R 50", "APnc75", "APnc50:95", "F1 50", "AP50"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        boxes = sum(row["detections"] for row in v["per_class"].values())
        with_interval = [
            Cell(percent(v[name]), interval(v["ci"].get(name)))
            for name in ("APnc50", "APnc75", "f1_50", "AP50")
        ]
        rows.append(
            [
                named(bench, method),
                _threshold(v),
                f"{boxes:,}",
                with_interval[0],
                percent(v["PxR50"]),
                with_interval[1],
                percent(v["APnc50:95"]),
                *with_interval[2:],
            ]
        )
    return Table(head, rows)


def right_and_wrong(bench: Benchmark) -> Table:
    """Precision, recall, LRP and its parts, and errors of counting."""
    head = ["Method", "precision", "recall", "LRP", "displacement", "wrong", "missed", "count error", "bias"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        errors = (v["lrp_50"][name] for name in ("error", "displacement", "wrong", "missed"))
        rows.append(
            [
                named(bench, method),
                *map(percent, (v["precision_50"], v["recall_50"], *errors)),
                number_or_dash(v["count_error"]["mean_absolute"]),
                number_or_dash(v["count_error"]["bias"]),
            ]
        )
    return Table(head, rows)


def levels(bench: Benchmark) -> Table:
    """APnc at each level of overlap."""
    levels = [f"{level:.2f}" for level in sorted(bench.levels)]
    rows: list[Row] = [
        [named(bench, method), *(percent(method.summary["by_level"][level]["APnc"]) for level in levels)]
        for method in bench.methods
    ]
    return Table(["Method", *levels], rows)


def sizes(bench: Benchmark) -> Table:
    """AP and recall by the size of objects."""
    rows: list[Row] = []
    for name in bench.methods[0].summary["by_size"]:
        for method in bench.methods:
            v = method.summary["by_size"][name]
            values = (v[key] for key in ("APnc50", "APnc50:95", "AR", "AP50", "AP50:95"))
            rows.append([name, f"{v['objects']:,}", named(bench, method), *map(percent, values)])
    head = ["size", "objects", "Method", "APnc50", "APnc50:95", "AR", "AP50", "AP50:95"]
    return Table(head, rows)


def recalls(bench: Benchmark) -> Table:
    """Average recall, of all boxes and of the first few of an image."""
    names = ("AR", "AR_1", "AR_10", "AR_100")
    rows: list[Row] = [
        [named(bench, method), *(percent(method.summary[name]) for name in names)] for method in bench.methods
    ]
    return Table(["Method", "AR", "AR at 1", "AR at 10", "AR at 100"], rows)


def coco_results(bench: Benchmark) -> Table | None:
    """Results of COCOeval itself, where it was run."""
    found = {method.name: method.summary.get("coco") for method in bench.methods}
    names = next((list(values) for values in found.values() if values), None)
    if names is None:
        return None
    rows: list[Row] = [
        [named(bench, method), *(percent(values[name]) for name in names)]
        for method in bench.methods
        if (values := found[method.name]) is not None
    ]
    return Table(["Method", *(name.replace("_", " ") for name in names)], rows)


def confusion(method: Method) -> Table:
    """Found classes by true ones, with those alone that hold something."""
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


def luck(bench: Benchmark) -> Table:
    """APnc beside what orders of the boxes and a better threshold could make of it."""
    head = ["Method", "APnc50", "as given", "random orders", "upper bound", "oracle gap"]
    rows: list[Row] = []
    for method in bench.methods:
        v = method.summary
        shuffled = v["APnc50_shuffles"]
        rows.append(
            [
                named(bench, method),
                percent(v["APnc50"]),
                percent(v["APnc50_parity"]),
                Cell(percent(shuffled["mean"]), f"sd {percent(shuffled['sd'])}"),
                percent(v["APnc50_upper"]),
                percent(v["oracle_gap"]),
            ]
        )
    return Table(head, rows)


def by_class(bench: Benchmark, published: Sequence[TableRow]) -> dict[str, Any]:
    """The comparison by class, with published rows, and how its columns are abbreviated."""
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


def by_slice(bench: Benchmark) -> Table:
    """Recall and precision by properties of objects."""
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
            row += ["-", "-"] if there is None else [percent(there.recall), percent(there.precision)]
        rows.append(row)
        last = by
    return Table(head, rows)


def parsing(bench: Benchmark) -> Table | None:
    """What was read of replies; None where nothing was."""
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


def facts(facts: Mapping[str, Any]) -> Table | None:
    """Names and values; None where there are none."""
    rows = [[str(name), _words(value)] for name, value in facts.items()]
    return Table([], rows) if rows else None


def _words(value: Any) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)


def _threshold(values: Mapping[str, Any]) -> Cell:
    threshold, split = values["threshold"], values["threshold_split"]
    if threshold is None:
        return Cell("none")
    shown = f"{threshold:.2f}" if isinstance(threshold, float) else "by class"
    return Cell(shown, "" if split == "fixed" else f"({split})")
