"""Protocols made of one rule for a row and of averages over rows, macro and micro both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol, Status, Summary, Verdict
from rscovlm.bench.row import Row
from rscovlm.scoring.counts import number_metrics
from rscovlm.tasks.task import total

Rule = Callable[[Row], Verdict]
"""How good the reply of a row is; of one that failed, which has no words, what it counts."""

Means = Callable[[Sequence[Row], Sequence[Verdict]], Mapping[str, float]]
"""Metrics of a whole run that are not means of scores."""

_ERRORS = ("error", "absolute_error", "squared_error")
"""Sums that become MAE, RMSE and bias."""

_FLAGS = ("abstain", "multi_letter", "ambiguous")


def no_more(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Mapping[str, float]:
    """No further metrics."""
    return {}


@dataclass(frozen=True)
class Scored:
    """A protocol of one rule.

    Attributes:
        id: ``<benchmark>/<name>/<version>``.
        rule: judges a reply.
        by: column whose groups the macro average is over.
        headline: metric that the authors report.
        expected: values of columns that are listed, with n = 0, where nothing of them was asked.
        failed_is_wrong: whether a row without a usable reply is wrong; else it is left out, as by scorers
            that read a file of replies.
        more: further metrics of a run.
        in_groups: further metrics of each of its groups.
    """

    id: str
    rule: Rule
    by: str = ""
    headline: str = "micro"
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failed_is_wrong: bool = False
    more: Means = no_more
    in_groups: Means = no_more

    def judge(self, row: Row) -> Verdict:
        """How good one reply is."""
        if row.error is None:
            return self.rule(row)
        if not self.failed_is_wrong:
            return Verdict(None, "", "failed")
        # What the rule counts of a reply without words: a box that never came has an IoU of 0 as well.
        return Verdict(0.0, "", "failed", self.rule(replace(row, text="")).counts)

    def summarise(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
        """``micro`` over all, ``macro`` over the groups of ``by``, rates, and the same by group."""
        groups = {
            key: {**rates(inside), **self.in_groups(*_picked(rows, verdicts, key))}
            for key, inside in grouped(rows, verdicts, self.expected, self.by).items()
        }
        overall = rates(verdicts)
        metrics = {
            "micro": overall["micro"],
            "macro": mean(value["micro"] for (column, _), value in groups.items() if column == self.by),
            **overall,
            **self.more(rows, verdicts),
        }
        return Summary(self.headline, metrics, groups)


def _picked(
    rows: Sequence[Row], verdicts: Sequence[Verdict], key: tuple[str, str]
) -> tuple[list[Row], list[Verdict]]:
    column, value = key
    pairs = [(row, said) for row, said in zip(rows, verdicts) if column_of(row.item, column) == value]
    return [row for row, _ in pairs], [said for _, said in pairs]


def mean(values: object) -> float:
    """The mean of numbers without those that are NaN; NaN of none."""
    kept = [value for value in values if not math.isnan(value)]  # type: ignore[attr-defined]
    return math.fsum(kept) / len(kept) if kept else math.nan


def column_of(item: Item, column: str) -> str | None:
    """Value of a column; the class of a scene is its right answer where the item has no such column."""
    value = item.groups.get(column)
    if value is None and column == "class" and item.truth.answers:
        return item.truth.answers[0]
    return value


def grouped(
    rows: Sequence[Row], verdicts: Sequence[Verdict], expected: Mapping[str, tuple[str, ...]], by: str = ""
) -> dict[tuple[str, str], list[Verdict]]:
    """Verdicts by (column, value): values that are expected first, then as they come."""
    found: dict[tuple[str, str], list[Verdict]] = {
        (column, value): [] for column, values in expected.items() for value in values
    }
    for row, verdict in zip(rows, verdicts, strict=True):
        for column in dict.fromkeys([*row.item.groups, *([by] if by else [])]):
            value = column_of(row.item, column)
            if value is not None:
                found.setdefault((column, value), []).append(verdict)
    return found


def rates(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Mean score and rates of some verdicts; NaN where there is nothing to divide by.

    Returns:
        ``micro``, the mean score; ``n``, and ``scored`` of them; ``coverage`` (what was read),
        ``parse_fail``, ``refusal`` and ``failed`` as shares of n;
        ``abstain``, ``multi_letter`` and ``ambiguous`` of those for which the rule tells; what it counts.
    """
    n = len(verdicts)
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    sums = total(verdict.counts for verdict in verdicts)
    names = dict.fromkeys([*_FLAGS, *(name.rpartition("/")[0] for name in sums)])
    shares = {name: _share(sums, name) for name in names if name not in _ERRORS}
    return {
        "micro": mean(scores),
        "n": float(n),
        "scored": float(len(scores)),
        "coverage": _of_status(verdicts, "read"),
        "parse_fail": _of_status(verdicts, "unread"),
        "refusal": _of_status(verdicts, "refused"),
        "failed": _of_status(verdicts, "failed"),
        **shares,
        **(number_metrics(sums) if "absolute_error/of" in sums else {}),
    }


def _share(sums: Mapping[str, float], name: str) -> float:
    of = sums.get(f"{name}/of", 0.0)
    return sums.get(f"{name}/hits", 0.0) / of if of else math.nan


def _of_status(verdicts: Sequence[Verdict], status: Status) -> float:
    if not verdicts:
        return math.nan
    undecided = 0 if status != "refused" else sum(_abstains(verdict) for verdict in verdicts)
    return (sum(verdict.status == status for verdict in verdicts) - undecided) / len(verdicts)


def _abstains(verdict: Verdict) -> bool:
    return verdict.status == "refused" and verdict.counts.get("abstain/hits", 0.0) > 0


@dataclass(frozen=True)
class ByKind:
    """A protocol for a benchmark of several kinds of task, with one of its own for each.

    Attributes:
        id: ``<benchmark>/<name>/<version>``.
        parts: protocol by kind of item, the main one first.
    """

    id: str
    parts: Mapping[str, Protocol]

    def judge(self, row: Row) -> Verdict:
        """By the protocol of the item's kind; an item of another kind is left out."""
        part = self.parts.get(row.item.kind)
        return Verdict(None) if part is None else part.judge(row)

    def summarise(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
        """The sums of the first kind that was asked; those of the others as ``<kind>/<metric>``."""
        pairs = list(zip(rows, verdicts, strict=True))
        asked = {row.item.kind for row in rows}
        kinds = [kind for kind in self.parts if kind in asked] or list(self.parts)[:1]
        headline = ""
        metrics: dict[str, float] = {}
        groups: dict[tuple[str, str], Mapping[str, float]] = {}
        for kind in kinds:
            mine = [(row, verdict) for row, verdict in pairs if row.item.kind == kind]
            found = self.parts[kind].summarise([row for row, _ in mine], [verdict for _, verdict in mine])
            before = f"{kind}/" if headline else ""
            headline = headline or found.headline
            metrics |= {before + name: value for name, value in found.metrics.items()}
            groups |= {(before + column, value): each for (column, value), each in found.groups.items()}
        return Summary(headline, metrics, groups)
