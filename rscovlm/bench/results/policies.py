"""Zoom policies side by side, from the logs of runs: what each gets right, and what it costs."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rscovlm.bench.protocol import Protocol
from rscovlm.bench.results.scores import interval_json, plain
from rscovlm.bench.results.tables import INTERVAL, ResultTable, ends, percent
from rscovlm.bench.row import Row
from rscovlm.bench.runs.folder import Run
from rscovlm.scoring.statistics import Interval, paired_difference, wilson
from tiling.view import Window
from zoom_chain.looks import shows_evidence
from zoom_chain.trace import Trace

AUDIT = ("direct", "off", "focus", "chain", "oracle", "blind")
"""Rows of the resize audit: how much of a score is what the model was shown."""

NAMES = {
    "off": "overview",
    "direct": "direct: the checkpoint's own largest size",
    "oracle": "oracle: the evidence alone",
    "blind": "blind: the question alone",
}
"""What tables call a way of looking, where its own name does not say it."""


@dataclass(frozen=True)
class Cost:
    """What a question costs, on average.

    Attributes:
        seconds: share of the wall-clock time of the batch that it was asked in.
        visual_tokens: of all images shown.
        calls: requests to the model.
        zooms: views beside the overview that were not shown to rank them.
        ranked: views that were shown to rank them.
    """

    seconds: float
    visual_tokens: float
    calls: float
    zooms: float
    ranked: float


@dataclass(frozen=True)
class PolicyScore:
    """A policy on some questions.

    Attributes:
        name: of the policy, or ``direct``, ``oracle``, ``blind``.
        n: questions.
        accuracy: share of the score that can be reached, with the score interval (Wilson).
        difference: from the overview alone, of the same questions, resampled by image; None for itself.
        groups: accuracy by column of the items' groups and value in it.
        cost: of a question.
        hits: share of the questions with known evidence whose answer was given about a view that shows it.
        ends: how often each reason ended a question.
        chosen: what answered in place of the policy, how often.
    """

    name: str
    n: int
    accuracy: Interval
    difference: Interval | None
    groups: Mapping[tuple[str, str], tuple[int, Interval]]
    cost: Cost
    hits: Interval
    ends: Mapping[str, int]
    chosen: Mapping[str, int]


def way_of(run: Run) -> str:
    """The policy of a run, or what else it was shown."""
    facts = run.manifest["facts"]
    return "blind" if facts["blind"] == "text" else str(facts["zoom"])


def compare_policies(runs: Sequence[Run], protocol: Protocol, seed: int = 0) -> list[PolicyScore]:
    """The runs of several policies on the same questions, in their order.

    Args:
        runs: of the same items.
        protocol: that judges them.
        seed: of resampling.
    """
    judged = {way_of(run): _scores(run.rows, protocol) for run in runs}
    base = judged.get("off", {})
    return [_policy_score(way_of(run), run.rows, judged[way_of(run)], base, seed) for run in runs]


def _scores(rows: Sequence[Row], protocol: Protocol) -> dict[str, float]:
    """By key of the item, without those that the protocol leaves out."""
    verdicts = ((row.item.key, protocol.judge(row).score) for row in rows)
    return {key: float(score) for key, score in verdicts if score is not None}


def _policy_score(
    name: str, rows: Sequence[Row], scores: Mapping[str, float], base: Mapping[str, float], seed: int
) -> PolicyScore:
    counted = [row for row in rows if row.item.key in scores]
    groups: dict[tuple[str, str], list[float]] = {}
    for row in counted:
        for column, value in row.item.groups.items():
            groups.setdefault((column, value), []).append(scores[row.item.key])
    shared = [row for row in counted if row.item.key in base]
    difference = None
    if name != "off" and len({row.item.images[0] for row in shared}) > 1:  # of one image nothing is drawn
        difference = paired_difference(
            [scores[row.item.key] for row in shared],
            [base[row.item.key] for row in shared],
            [row.item.images[0] for row in shared],
            seed=seed,
        )
    traces = [None if row.trace is None else Trace.from_json(json.dumps(row.trace)) for row in counted]
    hits = [
        _hit(row, trace)
        for row, trace in zip(counted, traces)
        if row.item.evidence is not None and name != "blind"
    ]
    return PolicyScore(
        name,
        len(counted),
        _share(list(scores.values())),
        difference,
        {key: (len(found), _share(found)) for key, found in groups.items()},
        _cost(counted, traces),
        _share([float(hit) for hit in hits]),
        Counter(row.stop_reason for row in counted),
        Counter(chosen for trace in traces if trace and (chosen := trace.settings.get("chosen"))),
    )


def _share(scores: Sequence[float]) -> Interval:
    return wilson(sum(scores) / len(scores) if scores else math.nan, len(scores))


def _cost(rows: Sequence[Row], traces: Sequence[Trace | None]) -> Cost:
    views = [() if trace is None else trace.views[1:] for trace in traces]
    return Cost(
        _mean([row.seconds for row in rows]),
        _mean([row.visual_tokens or 0 for row in rows]),
        _mean([1 if trace is None else len(trace.turns) for trace in traces]),
        _mean([sum(not view.ranked for view in each) for each in views]),
        _mean([sum(view.ranked for view in each) for each in views]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _hit(row: Row, trace: Trace | None) -> bool:
    """Whether a view that the answer is about shows the evidence, large enough to be read."""
    assert row.item.evidence is not None
    evidence = Window.from_bounds(*row.item.evidence)
    windows = [view.window for view in row.views] if trace is None else answered_from(trace)
    return any(shows_evidence(window, evidence) for window in windows)


def answered_from(trace: Trace) -> list[Window]:
    """What the answer is about: of a search the view that it chose, else all views that were not ranked."""
    answer = trace.chosen_answer
    turns = [turn for turn in trace.turns if turn.score is None] if answer is None else [answer]
    shown = dict.fromkeys(index for turn in turns for index in (*turn.about, *turn.shown))
    return [trace.views[index].closer for index in shown]


# --- tables -----------------------------------------------------------------------------------------


def policy_table(scores: Sequence[PolicyScore]) -> ResultTable:
    """A row for each policy: accuracy, what it is above the overview, cost, hits, ends."""
    accuracy = ("policy", "n", "accuracy", INTERVAL, "over overview", INTERVAL)
    cost = ("evidence seen", "visual tokens", "calls", "zooms", "ranked", "s")
    return ResultTable(
        "Policies",
        accuracy + cost,
        tuple(_row(each) for each in scores),
        (
            "Percent; intervals of accuracy are Wilson's, those of differences resample images.",
            "Costs are means over questions. Evidence is seen where a view that the answer is about has it.",
        ),
    )


def _row(each: PolicyScore) -> tuple[str, ...]:
    difference = each.difference
    return (
        NAMES.get(each.name, each.name),
        f"{each.n:,}",
        percent(each.accuracy.value),
        ends(each.accuracy),
        "" if difference is None else f"{100 * difference.value:+.2f}",
        "" if difference is None else ends(difference),
        "" if math.isnan(each.hits.value) else percent(each.hits.value),
        f"{each.cost.visual_tokens:,.0f}",
        f"{each.cost.calls:.1f}",
        f"{each.cost.zooms:.1f}",
        f"{each.cost.ranked:.1f}",
        f"{each.cost.seconds:.2f}",
    )


def _falling(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: -pair[1])


def ends_table(scores: Sequence[PolicyScore]) -> ResultTable:
    """What ended the questions of each policy, and what answered in its place."""
    rows = [
        (
            NAMES.get(each.name, each.name),
            ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in _falling(each.ends)),
            ", ".join(f"{name} {count}" for name, count in _falling(each.chosen)),
        )
        for each in scores
    ]
    return ResultTable("How questions ended", ("policy", "ended by", "answered by"), tuple(rows))


def group_table(scores: Sequence[PolicyScore], column: str) -> ResultTable:
    """Accuracy of each policy by the values of a column, with the number of questions."""
    values = sorted(
        {value for each in scores for name, value in each.groups if name == column}, key=_by_number
    )
    numbers = [max(each.groups.get((column, value), (0, None))[0] for each in scores) for value in values]
    head = ("policy", *(f"{value} ({number:,})" for value, number in zip(values, numbers)))
    rows = tuple(
        (NAMES.get(each.name, each.name), *(_cell(each, column, value) for value in values))
        for each in scores
    )
    return ResultTable(f"By {column}", head, rows, ("Percent, with the score interval (Wilson).",))


def _by_number(value: str) -> tuple[float, str]:
    """Values that begin with a number in the order of it: 4,096 px before 16,384 px."""
    leading = re.match(r"[\d,.]+", value)
    number = leading[0].replace(",", "").rstrip(".") if leading else ""
    return (float(number) if number.count(".") < 2 and number.strip(".") else math.inf), value


def _cell(each: PolicyScore, column: str, value: str) -> str:
    if (column, value) not in each.groups:
        return ""
    _, interval = each.groups[column, value]
    return f"{100 * interval.value:.0f} ({100 * interval.low:.0f}-{100 * interval.high:.0f})"


def audit_table(scores: Sequence[PolicyScore]) -> ResultTable:
    """The rows of the resize audit, in its order."""
    by_name = {each.name: each for each in scores}
    rows = [_row(by_name[name]) for name in AUDIT if name in by_name]
    head = ("shown", "n", "accuracy", INTERVAL, "over overview", INTERVAL, "evidence seen", "visual tokens")
    notes = ("How much of a score is what the model was shown: the same model, questions and words.",)
    return ResultTable("Resize audit", head, tuple(row[:8] for row in rows), notes)


def tables(scores: Sequence[PolicyScore]) -> list[ResultTable]:
    """All tables of a comparison."""
    values: dict[str, set[str]] = {}
    for each in scores:
        for column, value in each.groups:
            values.setdefault(column, set()).add(value)
    by_group = [group_table(scores, column) for column, found in values.items() if len(found) > 1]
    return [policy_table(scores), audit_table(scores), *by_group, ends_table(scores)]


def to_json(scores: Sequence[PolicyScore]) -> list[dict[str, Any]]:
    """The comparison as JSON; NaN is null."""
    return [
        {
            "policy": each.name,
            "n": each.n,
            "accuracy": interval_json(each.accuracy),
            "over_overview": None if each.difference is None else interval_json(each.difference),
            "groups": [
                {"column": column, "value": value, "n": n, "accuracy": interval_json(interval)}
                for (column, value), (n, interval) in each.groups.items()
            ],
            "cost": {name: plain(value) for name, value in vars(each.cost).items()},
            "evidence_seen": interval_json(each.hits),
            "ends": dict(each.ends),
            "chosen": dict(each.chosen),
        }
        for each in scores
    ]
