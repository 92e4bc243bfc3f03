"""Result tables in the layout of the RSCoVLM paper: a method a row, its threshold, AP by class, APnc."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from detection_eval.errors import SettingError
from detection_eval.metrics.comparison import Benchmark, Method
from detection_eval.text.labels import spoken

PUBLISHED = ("rscovlm-dota",)
"""Published tables that ship with the package."""

ABBREVIATIONS = {
    "plane": "PL",
    "baseball-diamond": "BD",
    "bridge": "BR",
    "ground-track-field": "GTF",
    "small-vehicle": "SV",
    "large-vehicle": "LV",
    "ship": "SH",
    "tennis-court": "TC",
    "basketball-court": "BC",
    "storage-tank": "ST",
    "soccer-ball-field": "SBF",
    "roundabout": "RA",
    "harbor": "HA",
    "swimming-pool": "SP",
    "helicopter": "HC",
    "container-crane": "CC",
    "airport": "AP",
    "helipad": "HP",
}
"""DOTA's class names as tables head their columns."""

MEANS = ("APnc50", "APnc75", "APnc50:95")
"""The columns after those of the classes."""


@dataclass(frozen=True)
class TableRow:
    """One method.

    Attributes:
        method: its name.
        threshold: score threshold of a detector, None for a method without scores.
        per_class: AP at IoU 0.5 by class name, 0 to 1; a class may be missing.
        means: values of ``MEANS``, 0 to 1; None for what is not known.
        source: origin of the numbers, for a row that was not computed here.
    """

    method: str
    threshold: float | None
    per_class: Mapping[str, float | None]
    means: tuple[float | None, ...]
    source: str | None = None


@dataclass(frozen=True)
class ResultTable:
    """Methods compared.

    Attributes:
        classes: in column order.
        rows: in order.
    """

    classes: tuple[str, ...]
    rows: tuple[TableRow, ...]

    @property
    def header(self) -> list[str]:
        """Column names: method, score threshold, classes (abbreviated where all are DOTA's), means."""
        short = [ABBREVIATIONS.get(spoken(name).replace(" ", "-")) for name in self.classes]
        names = [name for name in short if name is not None]
        return ["Method", "Score", *(names if len(names) == len(short) else self.classes), *MEANS]

    def cells(self, row: TableRow, missing: str) -> list[str]:
        """A row as text; AP in percent with two decimals, as the paper prints it."""
        threshold = missing if row.threshold is None else f"{row.threshold:.2f}"
        values = [row.per_class.get(name) for name in self.classes] + list(row.means)
        return [
            row.method,
            threshold,
            *(missing if v is None or v != v else f"{100 * v:.2f}" for v in values),
        ]

    def to_csv(self) -> str:
        """Comma-separated, one row a method; what is unknown is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*self.header, "Source"])
        for row in self.rows:
            writer.writerow([*self.cells(row, ""), row.source or ""])
        return text.getvalue()

    def to_markdown(self) -> str:
        """A Markdown table; rows that were not computed here are marked and explained below it."""
        lines = [self.header, ["---", *("---:" for _ in self.header[1:])]]
        lines += [[_marked(row), *self.cells(row, "-")[1:]] for row in self.rows]
        text = "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )
        return text + "\n" + "".join(f"\n\\* {source}\n" for source in self._sources())

    def to_latex(self) -> str:
        """A ``tabular`` with booktabs rules."""
        lines = [f"\\begin{{tabular}}{{lr{'r' * len(self.classes)}|{'r' * len(MEANS)}}}", "\\toprule"]
        lines += [" & ".join(_latex(cell) for cell in self.header) + " \\\\", "\\midrule"]
        lines += [
            " & ".join(_latex(cell) for cell in [_marked(row), *self.cells(row, "-")[1:]]) + " \\\\"
            for row in self.rows
        ]
        lines += ["\\bottomrule", "\\end{tabular}"]
        return "\n".join([*lines, *(f"% * {source}" for source in self._sources())]) + "\n"

    def _sources(self) -> list[str]:
        return list(dict.fromkeys(row.source for row in self.rows if row.source))


def comparison_table(bench: Benchmark, published: Sequence[TableRow] = ()) -> ResultTable:
    """The methods of a comparison as a table, published rows first."""
    return ResultTable(bench.classes, (*published, *map(method_row, bench.methods)))


def method_row(method: Method) -> TableRow:
    """The row of one method."""
    values, threshold = method.summary, method.summary["threshold"]
    return TableRow(
        method.name,
        None if isinstance(threshold, dict) else threshold,
        {name: row["APnc50"] for name, row in values["per_class"].items()},
        tuple(values[name] for name in MEANS),
    )


def published(name: str) -> tuple[TableRow, ...]:
    """The rows of a published table.

    Args:
        name: one of ``PUBLISHED``. ``rscovlm-dota``: DOTA-v1.0 test, as scored by the DOTA server, from
            "Co-Training Vision-Language Models for Remote Sensing Multi-Task Learning".

    Raises:
        SettingError: for an unknown name.
    """
    if name not in PUBLISHED:
        raise SettingError(f"no published table is called {name!r}; known are {', '.join(PUBLISHED)}")
    text = (files(__package__) / "published" / f"{name}.csv").read_text(encoding="utf-8")
    long_names = {short: long for long, short in ABBREVIATIONS.items()}
    rows = []
    for record in csv.DictReader(io.StringIO(text)):
        classes = {long_names[key]: float(v) / 100 for key, v in record.items() if key in long_names}
        rows.append(
            TableRow(
                record["method"],
                float(record["score"]) if record["score"] else None,
                classes,
                tuple(float(record[column]) / 100 for column in MEANS),
                "published by the RSCoVLM paper: DOTA-v1.0 test, DOTA server; not computed here",
            )
        )
    return tuple(rows)


def shared_classes(rows: Iterable[TableRow], classes: Sequence[str]) -> bool:
    """Whether rows have a column for each of these classes and no others, so that their means compare."""
    return all(set(row.per_class) == set(classes) for row in rows)


def _marked(row: TableRow) -> str:
    return f"{row.method} *" if row.source else row.method


def _latex(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text
