"""Tables of further numbers of samples, by their keys: what a teacher says, or what a curriculum goes by."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError


def further_numbers(
    files: Sequence[Path], keys: Sequence[str], names: Sequence[str] = ()
) -> dict[str, NDArray[np.float64]]:
    """(N,) of each column of some tables, for N keys; NaN where a table does not have a key.

    Args:
        files: CSV with a column ``key``.
        keys: as ``PlotSource.key`` gives them.
        names: of columns that hold names and no numbers.

    Raises:
        DataError: a table cannot be read, or has none of the keys.
    """
    found: dict[str, NDArray[np.float64]] = {}
    places = {key: place for place, key in enumerate(keys)}
    for file in files:
        try:
            with file.open(encoding="utf-8", newline="") as opened:
                rows = list(csv.DictReader(opened))
            columns = [name for name in (rows[0] if rows else {}) if name not in ("key", *names)]
            known = [(places[row["key"]], row) for row in rows if row["key"] in places]
            for name in columns:
                values = found.setdefault(name, np.full(len(keys), np.nan))
                for place, row in known:
                    values[place] = float(row[name]) if row[name] else np.nan
        except (OSError, KeyError, ValueError, csv.Error) as error:
            raise DataError(f"{file} is no table of numbers by key: {error}") from None
        if not known:
            raise DataError(f"{file} names none of these plots; its keys are FILE/TILE/ROW, like {keys[0]}")
    return found
