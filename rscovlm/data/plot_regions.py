"""Regions of plots: what they are told apart by where targets are standardised by region."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import Footprint
from rscovlm.errors import DataError
from rscovlm.models.regions import LEAST, Regions
from rscovlm.synth.forest import LAND_COVERS, SIDE
from tiling.class_names import class_name

if TYPE_CHECKING:
    from rscovlm.data.plot_source import PlotSource

TILE, COVER = "tile", "cover"
NO_COVER = 255


def region_of(by: str, plot: Footprint) -> str:
    """The region of a plot; empty where nothing is known.

    Args:
        by: ``tile``, ``cover`` (in the middle), or a number of GEDI such as ``region_cla``.
        plot: as it is read.
    """
    if by == TILE:
        return plot.tile
    if by == COVER:
        code = NO_COVER if plot.land_cover is None else int(plot.land_cover[SIDE // 2, SIDE // 2])
        return "" if code == NO_COVER else cover_name(code)
    return class_name(plot.numbers.get(by))


def region_names(by: str, source: PlotSource, tables: Sequence[Path]) -> NDArray[np.str_]:
    """(N,) the region of each plot of a source; empty where nothing is known.

    Args:
        by: as of ``region_of``, or a column of a table.
        source: of N plots.
        tables: CSV files with a column ``key``.

    Raises:
        DataError: a table cannot be read.
    """
    if by == TILE:
        return source.places.tile
    if by == COVER:
        return source.covers()
    keys = [source.key(index) for index in range(len(source))]
    known = {key: name for table in tables for key, name in _column(table, by).items()}
    if known:
        return np.array([known.get(key, "") for key in keys])
    return np.array([class_name(source.gedi(index, by)) for index in range(len(source))])


def measured(
    by: str, split: str, names: NDArray[np.str_], numbers: Mapping[str, NDArray[np.float64]]
) -> Regions:
    """The statistics of regions, of plots for training.

    Args:
        by: as of ``region_names``.
        split: that the plots are of.
        names: (N,) region of each plot.
        numbers: (N,) of each target, by name.

    Raises:
        DataError: plots of another split, or regions that nothing tells apart.
    """
    if split != "train":
        raise DataError(
            f"regions {by}: statistics are of split train alone, not of {split}; "
            "state those of training by region_statistics"
        )
    if not (names != "").any():
        raise DataError(
            f"regions {by!r}: no plot has one; choose tile, cover, a number of GEDI in the files, or a "
            "column of names in tables"
        )
    own = {name: values for name, values in numbers.items() if name != "agbd_se"}
    found = Regions.of(by, names, own, LEAST)
    if not found.names:
        raise DataError(f"regions {by!r}: none has {LEAST} plots or more, which its statistics need")
    return found


def cover_name(code: int) -> str:
    """Land cover of a CGLS-LC100 code."""
    return LAND_COVERS.get(code, f"class {code}")


def names_of_codes(by: str) -> dict[str, str]:
    """What the codes of a map of regions stand for: of ``cover`` those of CGLS-LC100, else themselves."""
    return {str(code): cover_name(code) for code in range(NO_COVER)} if by == COVER else {}


def _column(table: Path, name: str) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8", newline="") as opened:
            return {row["key"]: row[name].strip() for row in csv.DictReader(opened) if row.get(name)}
    except (OSError, KeyError, csv.Error) as error:
        raise DataError(f"{table} is no table of regions by key: {error}") from None
