"""Tables of scores for the terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detection_eval.words import counted
from rscovlm.bench.results.compare import Comparison
from rscovlm.bench.results.published import PublishedTable
from rscovlm.bench.results.scores import Scores
from rscovlm.scoring.statistics import Interval

IN_UNITS = ("rmse", "mae")
"""Metrics that are no shares."""

INTERVAL = "95 %"
"""Head of a column that holds the interval of the one before it."""


@dataclass(frozen=True)
class ResultTable:
    """A table of texts.

    Attributes:
        title: above it.
        head: names of the columns.
        rows: as wide as the head.
        notes: below it, one line each.
        foreign: whether the rows were not computed here.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    foreign: bool = False

    def to_text(self) -> str:
        """Columns aligned with spaces; the first to the left, others to the right."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        body = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *body, *(f"  {note}" for note in self.notes)]) + "\n"

    def to_markdown(self) -> str:
        """A table of GitHub's Markdown under a heading."""
        rule = "|---|" + "---:|" * (len(self.head) - 1)
        lines = [_bars(self.head), rule, *map(_bars, self.rows)]
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *lines, *notes]) + "\n"

    def to_csv(self) -> str:
        """The header and the rows; the title is the first column."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("table", *self.head))
        writer.writerows((self.title, *row) for row in self.rows)
        return text.getvalue()

    def to_latex(self) -> str:
        """A ``tabular`` of booktabs, the title and the notes as comments."""
        lines = [f"% {self.title}", f"\\begin{{tabular}}{{l{'r' * (len(self.head) - 1)}}}", "\\toprule"]
        lines += [_ampersands(self.head), "\\midrule", *map(_ampersands, self.rows)]
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", *(f"% {n}" for n in self.notes)]) + "\n"


def table_for_page(table: ResultTable) -> dict[str, Any]:
    """As the macro of the shared layout takes it; intervals are small words behind their value."""
    ends = {place for place, name in enumerate(table.head) if name == INTERVAL}
    rows = [
        [
            {"text": cell, "small": row[place + 1], "colour": ""} if place + 1 in ends else cell
            for place, cell in enumerate(row)
            if place not in ends
        ]
        for row in table.rows
    ]
    return {
        "title": table.title,
        "head": [name for place, name in enumerate(table.head) if place not in ends],
        "rows": rows,
        "kinds": ["published" if table.foreign or row[0].startswith("[") else "" for row in table.rows],
        "notes": table.notes,
    }


def _bars(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(_latex(cell) for cell in cells) + " \\\\"


def _latex(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text


def overview(scores: Sequence[Scores]) -> ResultTable:
    """One row for each run of a benchmark under a protocol: what it is worth, and what it cost."""
    first = scores[0]
    headline = first.summary.headline
    own = headline not in ("micro", "macro")
    columns = list(dict.fromkeys(column for each in scores for column in each.macro))
    head = ["run", "n", *([headline] if own else []), "micro", INTERVAL]
    for column in columns:
        head += [f"macro {column}", INTERVAL]
    head += ["unread", "failed", "tokens seen", "tokens said", "s"]
    rows = []
    for each in scores:
        row = [_name(each), f"{each.n:,}"]
        row += [_headline(headline, each.headline)] if own else []
        row += [percent(each.micro.value), ends(each.micro)]
        for column in columns:
            macro = each.macro.get(column, Interval(math.nan, math.nan, math.nan))
            row += [percent(macro.value), ends(macro)]
        unread = each.statuses["unread"] + each.statuses["refused"]
        spent = (each.visual_tokens, each.reply_tokens)
        row += [_count(each, unread), _count(each, each.statuses["failed"])]
        row += [*(_number(value, 0) for value in spent), "" if each.baseline else _number(each.seconds, 2)]
        rows.append(tuple(row))
    notes = [
        (
            "Percent; intervals resample images. Tokens and seconds are means over items: visual tokens, "
            "tokens of replies."
        )
    ]
    if any(each.baseline for each in scores):
        notes.append("In brackets: no model was asked.")
    notes += [
        f"{each.label}: {counted(each.missing, 'item was', 'items were')} never asked; "
        "continue the run with --resume"
        for each in scores
        if each.missing
    ]
    notes += [
        f"{each.label}: the protocol leaves out {counted(each.left_out, 'item')}"
        for each in scores
        if each.left_out
    ]
    notes += [f"{each.label}: {note}" for each in scores for note in each.notes]
    return ResultTable(
        f"{first.benchmark}, protocol {first.protocol}", tuple(head), tuple(rows), tuple(notes)
    )


def by_group(scores: Sequence[Scores]) -> ResultTable:
    """One row for each category, one column for each run."""
    runs = [{(group.column, group.value): group for group in each.groups} for each in scores]
    places = dict.fromkeys(place for groups in runs for place in groups)
    columns = list(dict.fromkeys(column for column, _ in places))
    rows = []
    for column, value in sorted(places, key=lambda place: columns.index(place[0])):
        row = [f"{column}: {value}"]
        known = [groups.get((column, value)) for groups in runs]
        row.append(f"{max(group.n for group in known if group is not None):,}")
        for group in known:
            row += ["", ""] if group is None else [percent(group.mean.value), ends(group.mean)]
        rows.append(tuple(row))
    head = ["category", "n", *(cell for each in scores for cell in (_name(each), INTERVAL))]
    note = "Percent; score intervals (Wilson) of n independent questions."
    return ResultTable(f"{scores[0].benchmark}, by category", tuple(head), tuple(rows), (note,))


def own_metrics(scores: Sequence[Scores]) -> ResultTable:
    """One row for each metric of the protocol itself."""
    names = dict.fromkeys(name for each in scores for name in each.summary.metrics)
    found = {name: [each.summary.metrics.get(name, math.nan) for each in scores] for name in names}
    rows = [
        (f"{name} *" if name == scores[0].summary.headline else name, *map(_metric, values))
        for name, values in found.items()
        if not all(map(math.isnan, values))
    ]
    return ResultTable(
        f"{scores[0].benchmark}, metrics of {scores[0].protocol}",
        ("metric", *(each.label for each in scores)),
        tuple(rows),
        ("* is the headline of the protocol.",),
    )


def published_table(table: PublishedTable) -> ResultTable:
    """Rows that were not computed here."""
    rows = [
        (model, *("-" if value is None else f"{value:g}" for value in values))
        for model, values in table.rows.items()
    ]
    notes = (
        f"Not computed here: {table.source}; protocol {table.protocol}.",
        *([table.note] if table.note else []),
    )
    return ResultTable(
        f"{table.benchmark}, published: {table.metric}",
        ("model", *table.columns),
        tuple(rows),
        notes,
        foreign=True,
    )


def comparison_table(found: Comparison) -> ResultTable:
    """The difference over all items, and in each category."""
    one, other = found.labels
    whole = (
        "all",
        f"{found.n:,}",
        percent(found.difference.value, sign=True),
        f"{percent(found.difference.low, sign=True)} to {percent(found.difference.high, sign=True)}",
        p_value(found.p_value),
    )
    rows = [
        (f"{column}: {value}", f"{n:,}", percent(difference, sign=True), "", p_value(p))
        for (column, value), (n, difference, p) in found.groups.items()
    ]
    notes = [
        f"{one}: {percent(found.means[0])}; {other}: {percent(found.means[1])}; protocol {found.protocol}.",
        (
            f"Of {counted(found.n, 'item')} the first is better on {found.wins:,}, "
            f"the second on {found.losses:,}. "
            "The interval is a paired bootstrap over images, p that of the exact sign test (McNemar's for "
            "right and wrong), not corrected for the number of categories."
        ),
    ]
    for label, alone in zip(found.labels, found.alone):
        if alone:
            notes.append(
                counted(
                    alone,
                    f"item of {label} is not in the other run and is left out.",
                    f"items of {label} are not in the other run and are left out.",
                )
            )
    head = ("items", "n", "difference", INTERVAL, "p")
    return ResultTable(f"{one} less {other}", head, (whole, *rows), tuple(notes))


def _headline(name: str, value: float) -> str:
    """An error in its unit, everything else as a share."""
    return _number(value, 2) or "-" if name in IN_UNITS else percent(value)


def percent(value: float, sign: bool = False) -> str:
    """A share in percent with two decimals; a dash for none."""
    return "-" if math.isnan(value) else f"{100 * value:{'+' if sign else ''}.2f}"


def p_value(value: float) -> str:
    """Three digits, or less than a thousandth."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def ends(interval: Interval) -> str:
    """The ends of an interval of a share in percent; nothing for none. A minus sign is no dash."""
    if math.isnan(interval.low):
        return ""
    dash = " to " if interval.low < 0 else "-"
    return f"{100 * interval.low:.1f}{dash}{100 * interval.high:.1f}"


def _name(scores: Scores) -> str:
    return f"[{scores.label}]" if scores.baseline else scores.label


def _count(scores: Scores, number: int) -> str:
    return "" if scores.baseline else f"{number:,}"


def _metric(value: float) -> str:
    """A number of things without decimals, a share with four."""
    return _number(value, 0 if abs(value) > 1 and value.is_integer() else 4)


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:,.{digits}f}"
