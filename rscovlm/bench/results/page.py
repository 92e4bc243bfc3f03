"""The page: tables of runs, how they differ, and samples to look at; one file, without scripts.

Filters are style rules over radio buttons, so that the page works where scripts are forbidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.html import render
from detection_eval.report.chart import PALETTE
from detection_eval.words import counted
from rscovlm.bench.protocol import Protocol
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.results.compare import compare
from rscovlm.bench.results.samples import (
    Picture,
    Replied,
    Sample,
    boxes_in,
    category_of,
    pictures,
    samples_of,
)
from rscovlm.bench.results.tables import ResultTable, comparison_table, percent, table_for_page
from rscovlm.bench.runs.folder import Run
from tiling.view import View, Window

MARKS = {
    "right": "right in all runs",
    "wrong": "wrong in all runs",
    "differ": "runs differ",
    "protocols": "protocols differ",
    "unread": "unread or refused",
    "failed": "failed",
}
"""What samples can be filtered by, besides their category."""

_MOST_TEXT = 2000  # characters of a reply or a question that the page shows

Part = tuple[Sequence[Run], Protocol, Sequence[ResultTable]]
"""Runs of a benchmark, the protocol that judges them, and its tables."""


@dataclass(frozen=True)
class _Filter:
    """A radio button: what it is called, and the class of samples that it leaves."""

    id: str
    text: str
    kept: str
    number: int


def report_html(
    parts: Sequence[Part], *, samples: int = 200, seed: int = 0, title: str = "Runs compared"
) -> str:
    """One page without scripts, links or files beside it.

    Args:
        parts: a benchmark each.
        samples: most samples of a benchmark.
        seed: of resampling.
        title: of the page.
    """
    sections = [_section(number, *part, samples, seed) for number, part in enumerate(parts)]
    return render(__package__, "report.html", title=title, sections=sections)


def _section(
    number: int, runs: Sequence[Run], protocol: Protocol, tables: Sequence[ResultTable], most: int, seed: int
) -> dict[str, Any]:
    benchmark = runs[0].benchmark
    found = samples_of([run.rows for run in runs], protocol, protocols_of(benchmark), most)
    images = pictures(source for sample in found for source in sample.item.images)
    styles = {source: f"p{number}-{index}" for index, source in enumerate(images)}
    categories = list(dict.fromkeys(category_of(sample.item) for sample in found))
    cards = [_card(sample, runs, images, styles, categories) for sample in found]
    name = f"b{number}"
    return {
        "id": name,
        "title": runs[0].manifest["benchmark"]["title"],
        "protocol": protocol.id,
        "tables": [table_for_page(table) for table in tables],
        "differences": [
            table_for_page(
                comparison_table(compare(one.rows, other.rows, protocol, _labels(one, other), seed))
            )
            for one, other in combinations(runs, 2)
            if {row.item.key for row in one.rows} & {row.item.key for row in other.rows}
        ],
        "categories": [
            _Filter(f"{name}-c{index}", text, f"c{index}", _number(cards, f"c{index}"))
            for index, text in enumerate(categories)
        ],
        "marks": [
            _Filter(f"{name}-m-{mark}", text, f"m-{mark}", _number(cards, f"m-{mark}"))
            for mark, text in MARKS.items()
            if _number(cards, f"m-{mark}")
        ],
        "samples": cards,
        "total": len({row.item.key for run in runs for row in run.rows}),
        "pictures": [(styles[source], picture.url) for source, picture in images.items()],
        "legend": [{"text": run.label, "colour": _colour(index)} for index, run in enumerate(runs)],
        "facts": [_facts(run) for run in runs],
    }


def _number(cards: Sequence[Mapping[str, Any]], kept: str) -> int:
    return sum(kept in card["kept"] for card in cards)


def _labels(one: Run, other: Run) -> tuple[str, str]:
    if one.label == other.label:
        return str(one.path), str(other.path)
    return one.label, other.label


def _facts(run: Run) -> dict[str, Any]:
    facts = run.manifest["facts"]
    shown = {
        "job": str(run.manifest["hash"])[:16],
        "model": facts.get("model"),
        "engine": " ".join(str(facts[name]) for name in ("engine", "device", "dtype") if facts.get(name)),
        "items": f"{len(run.rows):,} of {run.asked:,}",
        "seed": facts.get("seed"),
        "version": " ".join(filter(None, (facts.get("version"), run.manifest.get("commit")))),
        "written": run.manifest.get("written"),
    }
    rows = [[name, str(value)] for name, value in shown.items()]
    return {"title": run.label, "head": (), "rows": rows, "kinds": [], "notes": run.notes}


def _card(
    sample: Sample,
    runs: Sequence[Run],
    images: Mapping[str, Picture],
    styles: Mapping[str, str],
    categories: Sequence[str],
) -> dict[str, Any]:
    item = sample.item
    kept = [f"c{categories.index(category_of(item))}", *(f"m-{mark}" for mark in sample.marks)]
    shown = [source for source in item.images if source in images]
    return {
        "kept": kept,
        "key": item.key,
        "category": category_of(item),
        "kind": item.kind,
        "question": _short(sample.replies[0].row.user or item.subject),
        "truth": _truth(sample),
        "pictures": [
            _drawing(sample, images[source], styles[source], first=index == 0)
            for index, source in enumerate(shown)
        ],
        "missing": [source for source in item.images if source not in images],
        "replies": [_reply(reply, runs) for reply in sample.replies],
    }


def _truth(sample: Sample) -> str:
    truth = sample.item.truth
    if truth.answers:
        return _short(" | ".join(truth.answers))
    return ", ".join(truth.labels) or "nothing"


def _reply(reply: Replied, runs: Sequence[Run]) -> dict[str, Any]:
    row, verdict = reply.row, reply.verdict
    state = verdict.status if verdict.status != "read" else "right" if reply.right else "wrong"
    looks = (
        counted(len(row.tiles), "tile")
        if row.tiles
        else counted(len(row.views), "view")
        if len(row.views) > 1
        else ""
    )
    spent = [looks, "" if row.tiles else row.stop_reason.replace("_", " ")]
    spent += [counted(row.visual_tokens, "visual token") if row.visual_tokens is not None else ""]
    spent += [f"{row.seconds:.2f} s"]
    return {
        "run": runs[reply.run].label,
        "colour": _colour(reply.run),
        "state": state,
        "score": "left out" if verdict.score is None else percent(verdict.score),
        "text": _short(row.said),
        "parsed": _short(verdict.parsed),
        "error": row.error,
        "spent": ", ".join(filter(None, spent)),
        "others": ", ".join(
            f"{name} {'left out' if score is None else percent(score)}"
            for name, score in reply.others.items()
        ),
    }


def _drawing(sample: Sample, picture: Picture, style: str, *, first: bool) -> dict[str, Any]:
    """A picture with the right boxes, the evidence, the boxes of replies, and what was looked at closer."""
    height, width = picture.view.size
    shapes = []
    if first:
        truth = sample.item.truth.polygons
        if truth is not None:
            shapes += [_shape(picture.view, polygon, "truth", "") for polygon in truth]
        if sample.item.evidence is not None:
            corners = _corners(Window.from_bounds(*sample.item.evidence))
            shapes.append(_shape(picture.view, corners, "evidence", ""))
        for reply in sample.replies:
            colour = _colour(reply.run)
            shapes += [_shape(picture.view, box, "reply", colour) for box in boxes_in(reply.row)]
            looks = [tile.view for tile in reply.row.tiles] or reply.row.views[1:]
            shapes += [_shape(picture.view, _corners(view.window), "look", colour) for view in looks]
    return {"style": style, "width": width, "height": height, "shapes": shapes}


def _shape(view: View, polygon: NDArray[np.float64], kind: str, colour: str) -> dict[str, str]:
    corners = view.from_scene(polygon)
    return {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in corners), "kind": kind, "colour": colour}


def _corners(window: Window) -> NDArray[np.float64]:
    x0, y0, x1, y1 = window.bounds
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def _colour(run: int) -> str:
    return PALETTE[run % len(PALETTE)]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}... ({counted(len(text), 'character')})"
