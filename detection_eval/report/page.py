"""The page: what was compared and how, tables, curves, differences, errors, and what was lost in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detection_eval.html import render
from detection_eval.metrics.comparison import Benchmark
from detection_eval.report import figures
from detection_eval.report import page_tables as tables
from detection_eval.report.cells import named
from detection_eval.report.gallery import Pixels
from detection_eval.report.tables import TableRow
from detection_eval.words import counted


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
        methods=[named(bench, method) for method in bench.methods],
        warnings=_warnings(bench),
        summary=tables.summary(bench),
        by_class=tables.by_class(bench, published),
        right_and_wrong=tables.right_and_wrong(bench),
        levels=tables.levels(bench),
        sizes=tables.sizes(bench),
        recalls=tables.recalls(bench),
        class_curves=figures.class_curves(bench),
        confusions={method.name: tables.confusion(method) for method in bench.methods},
        coco=tables.coco_results(bench),
        luck=tables.luck(bench),
        curves=figures.whole_curves(bench),
        differences=figures.difference_charts(bench),
        errors=figures.error_charts(bench, pixels),
        slices=tables.by_slice(bench),
        parsing=tables.parsing(bench),
        protocol=tables.facts({name.replace("_", " "): value for name, value in bench.preset.rows().items()}),
        provenance=tables.facts(provenance or {}),
    )


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
