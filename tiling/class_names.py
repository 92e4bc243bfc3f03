"""Names of the classes of a thematic map: as files hold them, in which column, and what they stand for."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tiling.errors import ThematicMapError
from tiling.handles import file_identity

_MOST_SHOWN = 8
"""Names of a column, or columns, that a message lists."""


def class_name(value: Any) -> str:
    """A class as a file has it, in words: ``20`` for 20 and 20.0; empty for nothing."""
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    if isinstance(value, float | np.floating) and not float(value).is_integer():
        return f"{value:g}"
    return str(value).strip() if isinstance(value, str | bytes) else str(int(value))


def column_of(
    source: str,
    columns: Mapping[str, Iterable[str]],
    known: Collection[str],
    stated: str | None,
) -> str:
    """The column that holds the names of classes.

    Args:
        source: path, for errors.
        columns: what stands in each.
        known: names.
        stated: the column that a user names; None for the only one in which known names stand.

    Raises:
        ThematicMapError: for one that does not exist or holds no known name, or where none or several do.
    """
    if stated is not None and stated not in columns:
        raise ThematicMapError(f"{source} has no column {stated!r}; it has {listed(columns)}")
    asked = list(columns) if stated is None else [stated]
    held = {name: set(columns[name]) - {""} for name in asked}
    found = [name for name, values in held.items() if not values.isdisjoint(known)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ThematicMapError(
            f"columns {', '.join(found)} of {source} hold known names; say which one by {source}:{found[0]}"
        )
    shown = "; ".join(f"{name}: {listed(sorted(values))}" for name, values in held.items())
    raise ThematicMapError(
        f"{source} holds none of the names {listed(sorted(known))}; its columns are {shown or 'none'}"
    )


def identity_of(files: Iterable[str | Path], settings: Mapping[str, Any]) -> str:
    """By which a resumed run knows a map again: its files, and a fingerprint of how they are understood."""
    told = json.dumps(settings, sort_keys=True, default=dict)
    stated = [file_identity(Path(each)) or str(each) for each in files]
    return "|".join([*stated, f"names {hashlib.sha256(told.encode()).hexdigest()[:16]}"])


def listed(names: Iterable[str]) -> str:
    """Names in one line, the first of many."""
    every = list(names)
    more = f" and {len(every) - _MOST_SHOWN} more" if len(every) > _MOST_SHOWN else ""
    return (", ".join(every[:_MOST_SHOWN]) or "none") + more


def read_names(path: Path) -> dict[str, str]:
    """What names or codes of a map stand for: a CSV table with the columns ``value`` and ``name``.

    Raises:
        ThematicMapError: where it cannot be read, or has other columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise ThematicMapError(f"{path} is no table of names: {error}") from None
    if not rows or not {"value", "name"} <= rows[0].keys():
        held = listed(rows[0]) if rows else "nothing"
        raise ThematicMapError(f"{path} needs the columns value and name; it holds {held}")
    return {(row["value"] or "").strip(): (row["name"] or "").strip() for row in rows}
