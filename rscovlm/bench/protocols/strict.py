"""Strict and answered: rules of our own that hold for any benchmark.

A reply is read by the very parser of its task, and is right by the task's own score. What cannot be read, a
refusal and a request that failed are wrong under ``strict``; ``answered`` leaves them out, and states as
``coverage`` how much is left, since a score of the answered part alone is no score of the model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.text.contracts import CONTRACTS
from rscovlm.bench.item import Item
from rscovlm.bench.prompts import task_of
from rscovlm.bench.protocol import Protocol, Summary, Verdict
from rscovlm.bench.row import Row
from rscovlm.tasks.detect import Detection
from rscovlm.tasks.ground import LEVEL, Grounding
from rscovlm.tasks.questions import SeveralChoices
from rscovlm.tasks.task import Counts, Task, hit, rates, total


@dataclass(frozen=True)
class Strict:
    """The task's own parser and score.

    Attributes:
        benchmark: that the protocol is part of.
        answered: leave out what holds no answer, in place of counting it as wrong.
        column: of the groups whose means the macro average takes.
    """

    benchmark: str
    answered: bool = False
    column: str = "category"

    @property
    def id(self) -> str:
        """``<benchmark>/strict/1`` or ``<benchmark>/answered/1``."""
        return f"{self.benchmark}/{'answered' if self.answered else 'strict'}/1"

    def judge(self, row: Row) -> Verdict:
        """How good one reply is, in [0, 1]."""
        verdict = Verdict(0.0, status="failed") if row.error is not None else _judged(row)
        return replace(verdict, score=None) if self.answered and verdict.status != "read" else verdict

    def summarise(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
        """``micro`` over items, ``macro`` over values of the column, ``coverage``, and what tasks count."""
        parts: dict[tuple[str, str], list[Verdict]] = {}
        for row, verdict in zip(rows, verdicts, strict=True):
            for column, value in row.item.groups.items():
                parts.setdefault((column, value), []).append(verdict)
        groups = {place: _metrics(found) for place, found in parts.items()}
        means = [
            metrics["micro"]
            for (column, _), metrics in groups.items()
            if column == self.column and not math.isnan(metrics["micro"])
        ]
        whole = _metrics(verdicts)
        macro = sum(means) / len(means) if means else whole["micro"]
        return Summary("micro", whole | {"macro": macro}, groups)


def generic(benchmark: str, column: str = "category") -> dict[str, Protocol]:
    """The protocols that any benchmark may have, by short name."""
    return {
        "strict": Strict(benchmark, column=column),
        "answered": Strict(benchmark, answered=True, column=column),
    }


def _metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    counts = total(verdict.counts for verdict in verdicts)
    names = sorted(name.removesuffix("/of") for name in counts if name.endswith("/of"))
    return {
        "micro": sum(scores) / len(scores) if scores else math.nan,
        **rates(counts, *names),
        "coverage": sum(verdict.status == "read" for verdict in verdicts) / max(1, len(verdicts)),
        "n": float(len(scores)),
    }


def _judged(row: Row) -> Verdict:
    item = row.item
    task = task_of(item, CONTRACTS.get(row.contract))
    if isinstance(task, Grounding):
        return _box(row, task)
    if isinstance(task, Detection):
        return _boxes(row, task)
    parsed = task.parse(row.text, row.view.size)
    if parsed is None or parsed == "":
        return Verdict(0.0, status="unread")
    found = [task.score(parsed, truth) for truth in _truths(item, task, row)]
    counts = max(found, key=_score, default={})
    words = " ".join(sorted(parsed)) if isinstance(parsed, frozenset) else str(parsed)
    return Verdict(_score(counts), words, counts=counts)


def _truths(item: Item, task: Task[Any], row: Row) -> list[Any]:
    """The right answers as the task's parser reads them; any of them will do."""
    answers = item.truth.answers
    if isinstance(task, SeveralChoices):
        return [frozenset(answers)]
    if item.kind in ("classify", "choice"):
        return list(answers)
    return [task.parse(answer, row.view.size) for answer in answers]


def _score(counts: Counts) -> float:
    """The share of the first metric that a task counts."""
    of = next((name for name in counts if name.endswith("/of")), "")
    return counts[f"{of.removesuffix('/of')}/hits"] / counts[of] if counts.get(of) else 0.0


def _box(row: Row, task: Grounding) -> Verdict:
    """The first box of a reply against those that are right, in pixels of the image."""
    box = task.parse(row.text, row.view.size)
    if box is None:
        return Verdict(0.0, status="unread")
    found, right = row.view.to_scene(box), row.item.truth.polygons
    each = [] if right is None else [task.score(found, polygon[None]) for polygon in right]
    counts = max(each, key=_score, default=hit("acc@0.5", False))
    corners = " ".join(f"{x:.0f},{y:.0f}" for x, y in found[0])
    return Verdict(_score(counts), corners, counts=counts)


def _boxes(row: Row, task: Detection) -> Verdict:
    """All boxes of a reply, by the F1 of the item; nothing found where nothing is is right."""
    read = task.read(row.text, row.view.size)
    if read.report.unreadable or read.report.refused:
        return Verdict(0.0, status="refused" if read.report.refused else "unread")
    found = read.detections.with_polygons(row.view.to_scene(read.detections.polygons))
    truth = _true_boxes(row.item, found.classes)
    ignored = row.item.truth.ignored
    if ignored is not None and ignored.any():
        found, truth = _without_ignored(found, truth, ignored)
    counts = task.score(found, truth)
    score = task.aggregate(counts).get("f1@0.5", 0.0)
    tally = Counter(found.names)
    return Verdict(score, ", ".join(f"{n} {name}" for name, n in tally.items()) or "none", counts=counts)


def _true_boxes(item: Item, classes: tuple[str, ...]) -> Detections:
    truth = item.truth
    polygons = np.zeros((0, 4, 2)) if truth.polygons is None else truth.polygons
    every = tuple(dict.fromkeys((*classes, *truth.labels)))
    labels = np.array([every.index(label) for label in truth.labels], dtype=np.int64)
    return Detections(polygons, labels, every)


def _without_ignored(
    found: Detections, truth: Detections, ignored: NDArray[np.bool_]
) -> tuple[Detections, Detections]:
    """Boxes without those that lie by half or more in what is neither right nor wrong to find."""
    kept = np.ones(len(found), dtype=bool)
    for polygon in truth.polygons[ignored]:
        for index in range(len(found)):
            kept[index] &= pair_iou(found.polygons[index : index + 1], polygon[None])[0] < LEVEL
    return found.select(kept), truth.select(~ignored)
