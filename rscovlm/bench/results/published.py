"""Published results, from ``configs/published``: rows that stand beside ours, each table with its source."""

from __future__ import annotations

from typing import NamedTuple

from configs import ConfigError, available, load_config, located
from configs.checking import Section, checked
from detection_eval.words import counted

FOLDER = "published"


class Table(Section):
    """One published table."""

    benchmark: str
    """Name of the benchmark here."""
    metric: str
    """What is reported, with its unit."""
    protocol: str
    """How replies were judged, as far as it is known; an identifier where it is one of ours."""
    columns: tuple[str, ...]
    """Names of the values."""
    rows: dict[str, tuple[float | None, ...]]
    """Values by model; null where none was published."""
    note: str = ""
    """What a reader has to know."""


class Publication(Section):
    """The tables of one publication."""

    source: str
    """Paper or page, and which table of it."""
    tables: tuple[Table, ...]


class PublishedTable(NamedTuple):
    """A published table with its source; see :class:`Table`."""

    source: str
    benchmark: str
    metric: str
    protocol: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    note: str


def load_publication(name_or_path: str) -> list[PublishedTable]:
    """The tables of a publication, by name (``rscovlm``) or file.

    Raises:
        ConfigError: where there is none, naming all that is wrong in it.
    """
    where = located(name_or_path, FOLDER)
    found = checked(Publication, load_config(where), where)
    for table in found.tables:
        for model, values in table.rows.items():
            if len(values) != len(table.columns):
                raise ConfigError(
                    f"{where}: {table.benchmark}: {model} has {counted(len(values), 'value')} for "
                    f"{counted(len(table.columns), 'column')}"
                )
    return [
        PublishedTable(
            found.source,
            table.benchmark,
            table.metric,
            table.protocol,
            table.columns,
            table.rows,
            table.note,
        )
        for table in found.tables
    ]


def published_for(benchmark: str) -> list[PublishedTable]:
    """All shipped tables about a benchmark."""
    return [
        table
        for name in available(f"{FOLDER}/")
        for table in load_publication(name)
        if table.benchmark == benchmark
    ]
