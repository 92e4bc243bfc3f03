"""Where the plots of a split are, in which files, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.plot_files import open_plot_file, plot_files_in
from rscovlm.data.splits import Split, splits_of
from rscovlm.errors import DataError

TARGETS = {
    "agbd": "agb_mg_per_ha",
    "agbd_se": "agbd_se",
    "rh98": "canopy_height_m",
    "patch_count": "patch_count",
}
"""Numbers of a sample by what AGBD's files call them."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the plots of a split are.

    Attributes:
        file, row: (n,) index of the file, and row in its group.
        group: (n,) name of the group.
        tile: (n,) name of the tile.
        numbers: (n,) of each target, NaN where a file does not have it.
    """

    file: NDArray[np.int64]
    group: NDArray[np.str_]
    row: NDArray[np.int64]
    tile: NDArray[np.str_]
    numbers: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, files: Sequence[Path], split: Split) -> Places:
        """The plots of a split of some files, in order.

        Splits are those of ``rscovlm.data.splits.splits_of``.

        Raises:
            DataError: a file cannot be read, or there is none of the split.
        """
        columns: dict[str, list[NDArray[Any]]] = {}
        for index, path in enumerate(files):
            with open_plot_file(path) as opened:
                for group, tiles, stated in opened.tables(tuple(TARGETS)):
                    own = splits_of(path, tiles, opened.splits(group))
                    rows = np.flatnonzero((own == split) | (split == "all"))
                    found = {
                        "file": np.full(len(rows), index),
                        "group": np.full(len(rows), group),
                        "row": rows,
                        "tile": tiles[rows],
                        **{
                            name: stated[stored][rows] if stored in stated else np.full(len(rows), np.nan)
                            for stored, name in TARGETS.items()
                        },
                    }
                    for name, values in found.items():
                        columns.setdefault(name, []).append(values)
        whole = {name: np.concatenate(parts) for name, parts in columns.items()}
        if not whole or not len(whole["row"]):
            raise DataError(f"{', '.join(map(str, files))}: no tile belongs to split {split}")
        numbers = {name: whole.pop(name) for name in TARGETS.values()}
        return cls(**whole, numbers=numbers)

    def stored(self, files: Sequence[Path], name: str) -> NDArray[np.float64] | None:
        """(n,) a number by the name that files have for it, NaN where one has none; None where all have none.

        Args:
            files: that these plots are of.
            name: among the numbers of GEDI or the metadata of images.

        Raises:
            DataError: a file cannot be read.
        """
        found = np.full(len(self), np.nan)
        met = False
        for index in np.unique(self.file):
            with open_plot_file(files[index]) as opened:
                for group, _, columns in opened.columns():
                    if name in columns:
                        own = (self.file == index) & (self.group == group)
                        found[own] = columns[name][self.row[own]]
                        met = True
        return found if met else None

    def __len__(self) -> int:
        return len(self.row)

    def thinned(self, most: int) -> Places:
        """Evenly spaced ones, at most so many."""
        if most >= len(self):
            return self
        kept = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        numbers = {name: values[kept] for name, values in self.numbers.items()}
        return Places(self.file[kept], self.group[kept], self.row[kept], self.tile[kept], numbers)


def plot_files(root: Path, names: Sequence[str]) -> list[Path]:
    """Files below a folder by name or pattern, such as ``data_subset-*.h5``; a folder stands for those in it.

    Raises:
        DataError: a pattern meets none, or a folder holds none.
    """
    found: list[Path] = []
    for name in names:
        met = sorted(root.glob(name)) if any(mark in name for mark in "*?[") else [root / name]
        if not met:
            raise DataError(f"{root} holds no file {name}")
        found += [file for path in met for file in plot_files_in(path)]
    return found
