"""Views of a plot: three bands of its Sentinel-2 image, or its backscatter, as a picture of 8 bits.

The combinations are REO-VLM's (section 3.1). How it scales them to 0-255 is not stated; here each band runs
from its 1st to its 99th percentile over training plots (``Scaling``), which are kept with the checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import AgbdFile, Footprint
from rscovlm.errors import DataError
from rscovlm.synth.forest import BANDS, PIXEL_M, POLARISATIONS, SIDE
from tiling.composites import COMPOSITES, MULTISPECTRAL, Fit, fitted, to_bytes
from tiling.errors import BandError
from tiling.view import Size

Floats = NDArray[np.float64]

SAR = "sar"
VIEWS: Mapping[str, tuple[str, ...]] = {
    name: tuple(channel.name for channel in COMPOSITES[name].channels) for name in (*MULTISPECTRAL, SAR)
}
"""Channels of each view by its name; ``mean`` is that of HH and HV in dB."""

CHANNELS = (*BANDS, *POLARISATIONS, "mean")
"""What a plot has: reflectance, and backscatter in dB."""


@dataclass(frozen=True)
class Scaling:
    """Values of each channel that become 0 and 255.

    Attributes:
        low, high: by channel, reflectance or dB.
    """

    low: Mapping[str, float]
    high: Mapping[str, float]

    @classmethod
    def of(cls, plots: Iterable[Footprint], share: float = 0.01) -> Scaling:
        """From percentiles of some plots.

        Args:
            plots: of the training set.
            share: of values that are below ``low``, and above ``high``.

        Raises:
            DataError: where a channel has no values, or one value alone.
        """
        stacks: dict[str, list[Floats]] = {name: [] for name in CHANNELS}
        for plot in plots:
            for name, values in channels(plot).items():
                stacks[name].append(values.ravel())
        low, high = {}, {}
        for name, parts in stacks.items():
            values = np.concatenate([np.zeros(0), *parts])
            values = values[np.isfinite(values)]
            if not len(values):
                raise DataError(f"channel {name} has no data in the plots that its range is taken from")
            low[name], high[name] = (float(v) for v in np.quantile(values, (share, 1 - share)))
            if low[name] >= high[name]:
                raise DataError(f"channel {name} is {low[name]:g} everywhere; it cannot be scaled")
        return cls(low, high)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Scaling:
        """From ``to_json``.

        Raises:
            DataError: where channels are missing.
        """
        try:
            low, high = ({name: float(data[end][name]) for name in CHANNELS} for end in ("low", "high"))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the ranges of channels are incomplete: {error}") from None
        return cls(low, high)

    def to_json(self) -> dict[str, dict[str, float]]:
        """Low and high by channel."""
        return {"low": dict(self.low), "high": dict(self.high)}

    def apply(self, values: Floats, names: tuple[str, ...]) -> NDArray[np.uint8]:
        """(..., channels) uint8 from values in the units of the channels; no data becomes 0."""
        low = np.array([self.low[name] for name in names])
        high = np.array([self.high[name] for name in names])
        return to_bytes(values, low, high)


def channels(plot: Footprint) -> dict[str, Floats]:
    """(25, 25) of each channel of a plot."""
    found = {name: plot.reflectance[..., index] for index, name in enumerate(BANDS)}
    found |= {name: plot.gamma0_db[..., index] for index, name in enumerate(POLARISATIONS)}
    return found | {"mean": plot.gamma0_db.mean(axis=-1)}


def check_views(views: Iterable[str]) -> tuple[str, ...]:
    """Names of views.

    Raises:
        DataError: for none, or one that does not exist.
    """
    names = tuple(views)
    unknown = [name for name in names if name not in VIEWS]
    if unknown or not names:
        told = f"view {unknown[0]!r} is unknown" if unknown else "no view is asked for"
        raise DataError(f"{told}; choose from {', '.join(VIEWS)}")
    return names


def render_view(plot: Footprint, view: str, scaling: Scaling, side: int, fit: Fit) -> NDArray[np.uint8]:
    """(side, side, 3) uint8 picture of a plot.

    Args:
        plot: to show.
        view: a name of ``VIEWS``.
        scaling: of its channels.
        side: in pixels.
        fit: see ``tiling.composites``.

    Raises:
        DataError: for ``pad`` on a picture smaller than the plot.
    """
    names, found = VIEWS[view], channels(plot)
    pixels = scaling.apply(np.stack([found[name] for name in names], axis=-1), names)
    try:
        return fitted(pixels, side, fit)
    except BandError as error:
        raise DataError(str(error)) from None


@dataclass(frozen=True)
class PlotPicture:
    """A view of a plot in a file, which is read and rendered when it is asked for.

    Attributes:
        path: of the HDF5 file.
        group, row: of the plot, as ``AgbdFile.keys`` gives them.
        view: a name of ``VIEWS``.
        scaling: of its channels.
        side: of the picture in pixels.
        fit: see ``render_view``.
    """

    path: Path
    group: str
    row: int
    view: str
    scaling: Scaling
    side: int
    fit: Fit

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return Size(self.side, self.side)

    @property
    def gsd_m(self) -> float | None:
        """Metres on the ground per pixel: a padded plot keeps its own."""
        return PIXEL_M if self.fit == "pad" else PIXEL_M * SIDE / self.side

    def read(self) -> NDArray[np.uint8]:
        """(side, side, 3) uint8.

        Raises:
            DataError: the plot cannot be read.
        """
        plot = open_plots(self.path).read(self.group, self.row)
        return render_view(plot, self.view, self.scaling, self.side, self.fit)


def open_plots(path: Path) -> AgbdFile:
    """A file that stays open for the next plot, in this process: HDF5 handles do not survive a fork.

    Raises:
        DataError: it cannot be opened.
    """
    return _opened(path, os.getpid())


@lru_cache(maxsize=64)
def _opened(path: Path, process: int) -> AgbdFile:
    return AgbdFile(path)
