"""Scores of a run under a protocol, from its log: no model is loaded, no image is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol, Summary, Verdict
from rscovlm.bench.row import Row
from rscovlm.scoring.statistics import Interval, bootstrap_mean, wilson

SCHEMA = "rscovlm.scores/1"
STATUSES = ("read", "unread", "refused", "failed")


@dataclass(frozen=True)
class GroupScore:
    """The items of one value of a column.

    Attributes:
        column: of the items' groups.
        value: in it.
        n: items that count.
        mean: of their scores, with the score interval of a share (Wilson).
    """

    column: str
    value: str
    n: int
    mean: Interval


@dataclass(frozen=True)
class Scores:
    """What a run is worth under a protocol.

    Attributes:
        label: of the run.
        benchmark: its name.
        protocol: identifier of the protocol.
        n: items that count.
        left_out: items that the protocol leaves out.
        missing: items that were never asked, as the run was interrupted.
        micro: mean over items; intervals resample images.
        macro: mean over the values of a column of their means, by column.
        groups: each value of each column.
        summary: in the protocol's own metrics.
        statuses: how many replies were read, could not be read, refused, or failed.
        kinds: mean by kind of task.
        verdicts: by key of the item.
        seconds: of an item, the mean.
        visual_tokens: of an item, the mean; NaN where the engine does not say.
        reply_tokens: likewise.
        baseline: whether it is no run of a model but an answer that needs none.
        notes: what a reader of them has to know, one line each.
    """

    label: str
    benchmark: str
    protocol: str
    n: int
    left_out: int
    missing: int
    micro: Interval
    macro: Mapping[str, Interval]
    groups: tuple[GroupScore, ...]
    summary: Summary
    statuses: Mapping[str, int]
    kinds: Mapping[str, Interval]
    verdicts: Mapping[str, Verdict]
    seconds: float = math.nan
    visual_tokens: float = math.nan
    reply_tokens: float = math.nan
    baseline: bool = False
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> float:
        """The metric that the benchmark's authors report."""
        return self.summary.metrics[self.summary.headline]


def score_rows(
    rows: Sequence[Row],
    protocol: Protocol,
    *,
    label: str,
    benchmark: str,
    asked: int | None = None,
    seed: int = 0,
    baseline: bool = False,
    notes: Sequence[str] = (),
) -> Scores:
    """Judge and sum up the rows of a run.

    Args:
        rows: of the run.
        protocol: to judge them under.
        label: of the run.
        benchmark: its name.
        asked: items of the whole run, of which an interrupted one has fewer rows.
        seed: of resampling.
        baseline: whether the rows are of no model.
        notes: of the run.
    """
    verdicts = [protocol.judge(row) for row in rows]
    judged = [(row, v.score) for row, v in zip(rows, verdicts) if v.score is not None]
    counted = [row for row, _ in judged]
    scores = [float(score) for _, score in judged]
    images = [cluster_of(row.item) for row in counted]
    columns = dict.fromkeys(column for row in counted for column in row.item.groups)
    return Scores(
        label,
        benchmark,
        protocol.id,
        len(scores),
        len(rows) - len(scores),
        max(0, (len(rows) if asked is None else asked) - len(rows)),
        bootstrap_mean(scores, images, seed=seed),
        {column: _macro(counted, scores, images, column, seed) for column in columns},
        tuple(_groups(counted, scores, columns)),
        protocol.summarise(rows, verdicts),
        {status: sum(v.status == status for v in verdicts) for status in STATUSES},
        _by_kind(counted, scores),
        {row.item.key: verdict for row, verdict in zip(rows, verdicts)},
        _mean(row.seconds for row in rows),
        _mean(row.visual_tokens for row in rows),
        _mean(row.reply_tokens for row in rows),
        baseline,
        tuple(notes),
    )


def cluster_of(item: Item) -> str:
    """What items are drawn as a whole by: their tile where they have one, else their image."""
    return str(item.extra.get("tile", "")) or (item.images[0] if item.images else item.key)


def _macro(
    rows: Sequence[Row], scores: Sequence[float], images: Sequence[str], column: str, seed: int
) -> Interval:
    known = [index for index, row in enumerate(rows) if column in row.item.groups]
    return bootstrap_mean(
        [scores[index] for index in known],
        [images[index] for index in known],
        [rows[index].item.groups[column] for index in known],
        seed=seed,
    )


def _groups(rows: Sequence[Row], scores: Sequence[float], columns: Iterable[str]) -> Iterable[GroupScore]:
    for column in columns:
        values: dict[str, list[float]] = {}
        for row, score in zip(rows, scores):
            if column in row.item.groups:
                values.setdefault(row.item.groups[column], []).append(score)
        for value, found in sorted(values.items()):
            yield GroupScore(column, value, len(found), wilson(sum(found) / len(found), len(found)))


def _by_kind(rows: Sequence[Row], scores: Sequence[float]) -> dict[str, Interval]:
    kinds: dict[str, list[float]] = {}
    for row, score in zip(rows, scores):
        kinds.setdefault(row.item.kind, []).append(score)
    return {kind: wilson(sum(found) / len(found), len(found)) for kind, found in kinds.items()}


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else math.nan


def to_json(scores: Scores, job: str = "") -> dict[str, Any]:
    """Scores as a file holds them; NaN is null.

    Args:
        scores: of a run.
        job: hash of the job, so that a file tells which log it is of.
    """
    return {
        "schema": SCHEMA,
        "job": job,
        "label": scores.label,
        "benchmark": scores.benchmark,
        "protocol": scores.protocol,
        "n": scores.n,
        "left_out": scores.left_out,
        "missing": scores.missing,
        "headline": scores.summary.headline,
        "metrics": {name: plain(value) for name, value in scores.summary.metrics.items()},
        "micro": interval_json(scores.micro),
        "macro": {column: interval_json(each) for column, each in scores.macro.items()},
        "kinds": {kind: interval_json(each) for kind, each in scores.kinds.items()},
        "groups": [
            {"column": each.column, "value": each.value, "n": each.n, "mean": interval_json(each.mean)}
            for each in scores.groups
        ],
        "metrics_by_group": [
            {
                "column": column,
                "value": value,
                **{name: plain(number) for name, number in metrics.items()},
            }
            for (column, value), metrics in scores.summary.groups.items()
        ],
        "notes": list(scores.notes),
        "statuses": dict(scores.statuses),
        "seconds": plain(scores.seconds),
        "visual_tokens": plain(scores.visual_tokens),
        "reply_tokens": plain(scores.reply_tokens),
        "verdicts": {
            key: {"score": verdict.score, "parsed": verdict.parsed, "status": verdict.status}
            for key, verdict in scores.verdicts.items()
        },
    }


def interval_json(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON holds it; NaN is None."""
    return {name: plain(value) for name, value in interval._asdict().items()}


def plain(value: float) -> float | None:
    """A number as JSON holds it; NaN is None."""
    return None if math.isnan(value) else value
