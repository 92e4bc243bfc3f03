"""Files of plots, however they are stored: AGBD's HDF5, or tables as ``AGBD_raw``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from rscovlm.data.agbd import AgbdFile, Footprint
from rscovlm.data.agbd_raw import RawFile
from rscovlm.errors import DataError

PlotFile = AgbdFile | RawFile

TABLES = (".parquet", ".pq")
HDF5 = (".h5", ".hdf5", ".hdf")


def open_plot_file(path: Path) -> PlotFile:
    """A file of plots; a context manager.

    Raises:
        DataError: it cannot be read, or lacks what a plot needs.
    """
    return RawFile(path) if path.suffix.lower() in TABLES else AgbdFile(path)


def open_plots(path: Path) -> PlotFile:
    """A file that stays open for the next plot, in this process: its handles do not survive a fork.

    Raises:
        DataError: it cannot be opened.
    """
    return _opened(path, os.getpid())


@lru_cache(maxsize=64)
def _opened(path: Path, process: int) -> PlotFile:
    return open_plot_file(path)


def plot_files_in(path: Path) -> list[Path]:
    """A file of plots, or those of a folder and the folders below it: HDF5, or Parquet where there is none.

    Raises:
        DataError: there is none.
    """
    if not path.is_dir():
        return [path]
    for suffixes in (HDF5, TABLES):
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in suffixes)
        if found:
            return found
    raise DataError(f"{path} holds no plots in HDF5 or Parquet")


def spaced_plots(files: Sequence[Path], most: int) -> Iterator[Footprint]:
    """Evenly spaced plots of some files, at most so many, in order.

    Raises:
        DataError: a file cannot be read.
    """
    counts = []
    for path in files:
        with open_plot_file(path) as opened:
            counts.append(len(opened))
    starts = np.cumsum([0, *counts])
    chosen = np.unique(np.linspace(0, starts[-1] - 1, min(most, int(starts[-1]))).round().astype(int))
    for path, start, stop in zip(files, starts[:-1], starts[1:], strict=True):
        own = chosen[(chosen >= start) & (chosen < stop)] - start
        if len(own):
            with open_plot_file(path) as opened:
                keys = list(opened.keys())
                yield from (opened.read(*keys[place]) for place in own)
