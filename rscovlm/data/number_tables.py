"""Tables of further numbers of samples, by their keys: what a teacher says, or what a curriculum goes by."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError
from rscovlm.models.inputs import Target

DESCRIBED = {
    "agb_mg_per_ha": {"unit": "Mg ha-1", "long_name": "above-ground biomass density"},
    "canopy_height_m": {"unit": "m", "long_name": "canopy height"},
    "patch_count": {"unit": "1", "long_name": "number of patches of forest"},
}
"""Units and names in words of what heads estimate of plots, for maps."""


def described(targets: Mapping[str, Any], known: Sequence[str]) -> dict[str, dict[str, str]]:
    """Units and names in words of numbers of tables, as ``DESCRIBED`` has them.

    Args:
        targets: by the name of a column.
        known: columns that there are.

    Raises:
        DataError: for a number that no table has, or one that is not described.
    """
    unknown = [name for name in targets if name not in known]
    if unknown:
        raise DataError(
            f"targets: no table has a column {unknown[0]}; they have {', '.join(known) or 'none'}"
        )
    try:
        return {name: Target.model_validate(about).model_dump() for name, about in targets.items()}
    except ValueError:
        raise DataError(
            "targets: give each a unit and a long_name, such as {lst: {unit: K, long_name: land surface "
            "temperature}}"
        ) from None


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
