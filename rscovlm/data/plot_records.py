"""Plots of files by their index: where they lie, and what the files say about each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_files import open_plots
from rscovlm.data.plot_places import Places
from rscovlm.data.plot_regions import cover_name
from rscovlm.errors import DataError


class PlotRecords:
    """See the module.

    Attributes:
        files: of the plots.
        places: where each plot is, and its numbers.
    """

    files: Sequence[Path]
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    def place(self, index: int) -> str:
        """File, group and row of a plot."""
        places = self.places
        return f"{self.files[places.file[index]]}: {places.group[index] or 'plots'} {places.row[index]}"

    @property
    def keys(self) -> list[str]:
        """Of all plots."""
        return [self.key(index) for index in range(len(self))]

    def key(self, index: int) -> str:
        """``<file>/<tile>/<row>`` of a plot."""
        places = self.places
        return f"{self.files[places.file[index]].stem}/{places.tile[index]}/{places.row[index]}"

    def footprint(self, index: int) -> Footprint:
        """A plot as it is read.

        Raises:
            DataError: it is damaged.
        """
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        return opened.read(str(places.group[index]), int(places.row[index]))

    def cover(self, index: int) -> str:
        """Name of the land cover in the middle.

        Raises:
            DataError: the file has none.
        """
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        code = opened.cover(str(places.group[index]), int(places.row[index]))
        if code is None:
            raise DataError(f"{self.place(index)} has no land cover in the middle")
        return cover_name(code)

    def gedi(self, index: int, name: str) -> float | None:
        """A number of GEDI about a plot by the file's own name; None where the file does not have it."""
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        return opened.number(str(places.group[index]), f"GEDI/{name}", int(places.row[index]))

    def covers(self) -> NDArray[np.str_]:
        """(N,) name of the land cover in the middle of each plot, read once; empty where there is none."""
        return self._covers

    @cached_property
    def _covers(self) -> NDArray[np.str_]:
        names = []
        for index in range(len(self)):
            try:
                names.append(self.cover(index))
            except DataError:
                names.append("")
        return np.array(names)
