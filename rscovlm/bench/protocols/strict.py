"""Strict and answered: rules of our own that hold for any benchmark.

A reply is read by the very parser of its task, and is right by the task's own score. What cannot be read, a
refusal and a request that failed are wrong under ``strict``; ``answered`` leaves them out, and states as
``coverage`` how much is left, since a score of the answered part alone is no score of the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.text.contracts import CONTRACTS
from rscovlm.bench.item import Item
from rscovlm.bench.prompts import task_of
from rscovlm.bench.protocol import Protocol, Status, Summary, Verdict
from rscovlm.bench.row import Row
from rscovlm.tasks.detect import Detection
from rscovlm.tasks.ground import LEVEL
from rscovlm.tasks.task import Counts, Task, rates, total
from zoom_chain.calls import spoken_text

NO_SIZE = "answers in words have no size"


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
        """``micro`` over items, ``macro`` over the values of the column, ``coverage``, and what tasks count."""
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
    if item.kind == "detect":
        return _detections(row, task)
    if item.kind == "ground":
        return _box(row, task)
    parsed = task.parse(row.text, row.view.size)
    if parsed is None or parsed == "":
        return Verdict(0.0, status="unread")
    counts = max((task.score(parsed, truth) for truth in _truths(item, task)), key=_score, default={})
    return Verdict(_score(counts), str(parsed), counts=counts)


def _truths(item: Item, task: Task[Any]) -> list[Any]:
    """The right answers as the task's parser reads them; any of them will do."""
    if item.kind in ("classify", "choice"):
        return list(item.truth.answers)
    return [task.parse(answer, _ANY) for answer in item.truth.answers]


def _score(counts: Counts) -> float:
    """The first metric that a task counts."""
    of = next((name for name in counts if name.endswith("/of")), None)
    return counts[f"{of.removesuffix('/of')}/hits"] / counts[of] if of and counts[of] else 0.0
