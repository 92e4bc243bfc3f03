"""Views of a plot: three bands of its Sentinel-2 image, or its backscatter, as a picture of 8 bits.

The combinations are REO-VLM's (section 3.1). How it scales them to 0-255 is not stated; here each band runs
from its 1st to its 99th percentile over training plots (``scaling_of``), which are kept with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_files import open_plots
from rscovlm.errors import DataError
from rscovlm.models.inputs import PatchInput, Scaling
from rscovlm.synth.forest import BANDS, PIXEL_M, POLARISATIONS, SIDE
from tiling.composites import (
    COMPOSITES,
    MULTISPECTRAL,
    PERCENTILES,
    Channel,
    Fit,
    fitted,
    limits_of,
    to_shares,
)
from tiling.dates import dated, parted
from tiling.errors import BandError
from tiling.view import Size
from zoom_chain.chat import Pixels

Floats = NDArray[np.float64]

SAR, NATIVE = "sar", "native"
"""Views of their own: radar in dB; all bands of ``RASTER`` in an image, for a checkpoint with such a stem."""
RADAR = (SAR, "sar_power")
"""Views of radar: in dB, and linear."""

VIEWS: Mapping[str, tuple[str, ...]] = {
    name: tuple(channel.name for channel in COMPOSITES[name].channels) for name in (*MULTISPECTRAL, *RADAR)
}
"""Channels of each view by its name; ``mean`` is that of HH and HV in dB, ``mean power`` of both as power."""

RASTER = (*BANDS, *POLARISATIONS)
"""Bands of a plot: reflectance, and backscatter in dB."""

_CHANNELS = (*(Channel((name,)) for name in RASTER), Channel(POLARISATIONS))
CHANNELS = tuple(channel.name for channel in _CHANNELS)
"""Names of its channels: the bands, and the mean of both polarisations."""

_POWER = COMPOSITES["sar_power"].channels


def scaling_of(plots: Iterable[Footprint], percentiles: tuple[float, float] = PERCENTILES) -> Scaling:
    """Ranges of all channels of ``VIEWS``, from percentiles of some training plots, all their dates.

    Raises:
        DataError: where a channel has no values, or one value alone.
    """
    pixels = np.stack([raster(plot, date) for plot in plots for date in range(1, 2 + len(plot.later))])
    try:
        return Scaling.of(limits_of(pixels, RASTER, (*_CHANNELS, *_POWER), percentiles))
    except BandError as error:
        raise DataError(f"ranges of the plots: {error}") from None


def read_scaling(data: Any, views: Iterable[str] = ()) -> Scaling:
    """Ranges as a checkpoint keeps them.

    Args:
        data: of them.
        views: that are shown by them; of radar as power ranges were not always kept.

    Raises:
        DataError: where channels are missing.
    """
    try:
        found = Scaling.model_validate(data)
    except ValueError as error:
        raise DataError(f"the ranges of channels are incomplete: {str(error).splitlines()[0]}") from None
    needed = [*CHANNELS, *(name for view in views for name in VIEWS.get(view, ()))]
    missing = [name for name in needed if name not in found.limits]
    if missing:
        raise DataError(f"the ranges of channels are incomplete: {missing[0]} is missing")
    return found


def raster(plot: Footprint, date: int = 1) -> Floats:
    """(25, 25, 14) of a plot, bands as in ``RASTER``; NaN where there is no data.

    Args:
        plot: as it is read.
        date: of its Sentinel-2 image, counted from 1.

    Raises:
        DataError: it has no image of that date.
    """
    if date > 1 + len(plot.later):
        raise DataError(
            f"{plot.key} has {counted(1 + len(plot.later), 'date')}, and views of date {date} are asked for"
        )
    seen = plot.reflectance if date == 1 else plot.later[date - 2]
    return np.concatenate([seen, plot.gamma0_db], axis=-1)


def channels(plot: Footprint) -> dict[str, Floats]:
    """(25, 25) of each channel of a plot, then of each optical band at later dates (``B04@2``)."""
    pixels = raster(plot)
    found = {each.name: np.asarray(each.of(pixels, RASTER), np.float64) for each in _CHANNELS}
    for date, seen in enumerate(plot.later, start=2):
        found |= {dated(band, date): seen[..., place] for place, band in enumerate(BANDS)}
    return found


def check_views(views: Iterable[str]) -> tuple[str, ...]:
    """Names of views; ``natural@2`` is ``natural`` of the second date.

    Raises:
        DataError: for none, one that does not exist, or such as do not go together; radar has one date.
    """
    names = tuple(views)
    if any(parted(name)[0] == NATIVE for name in names):
        if names != native_views(len(names)):
            raise DataError(
                f"views {', '.join(names)} cannot be shown together; native stands alone, or with its later "
                "dates in order: native, native@2"
            )
        return names
    optical = [name for name in names if name not in RADAR]
    unknown = [name for name in optical if parted(name)[0] not in MULTISPECTRAL]
    if unknown or not names:
        told = f"view {unknown[0]!r} is unknown" if unknown else "no view is asked for"
        raise DataError(f"{told}; choose from {', '.join(VIEWS)}")
    return names


def native_views(dates: int) -> tuple[str, ...]:
    """Names of the views of a stem for all bands, of some dates of a place."""
    return tuple(dated(NATIVE, 1 + date) for date in range(dates))


def shown_as(inputs: PatchInput) -> dict[str, Any]:
    """Options of ``PlotSource`` by which plots look as they do to a checkpoint."""
    regions = inputs.regions
    return {
        "views": native_views(inputs.native_dates) if inputs.native else inputs.views,
        "side": inputs.side,
        "fit": inputs.fit,
        "scaling": inputs.scaling.model_dump(),
        "regions": None if regions is None else regions.by,
        "region_statistics": None if regions is None else regions.model_dump(),
    }


def render_view(plot: Footprint, view: str, scaling: Scaling, side: int, fit: Fit) -> Pixels:
    """(side, side, 3) uint8 picture of a plot; of the view ``native`` (side, side, 14) float32 from 0 to 1.

    Args:
        plot: to show.
        view: a name of ``VIEWS`` or ``native``, of a later date ``natural@2``.
        scaling: of its channels.
        side: in pixels.
        fit: see ``tiling.composites``.

    Raises:
        DataError: for ``pad`` on a picture smaller than the plot.
    """
    try:
        base, date = parted(view)
        if base == NATIVE:
            return fitted(to_shares(raster(plot, date), RASTER, scaling.limits), side, fit)
        return fitted(COMPOSITES[base].render(raster(plot, date), RASTER, scaling.limits), side, fit)
    except BandError as error:
        raise DataError(str(error)) from None


@dataclass(frozen=True)
class PlotPicture:
    """A view of a plot in a file, which is read and rendered when it is asked for.

    Attributes:
        path: of the file of plots.
        group, row: of the plot, as its ``keys`` gives them.
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

    def read(self) -> Pixels:
        """(side, side, 3) uint8, or what ``native`` is.

        Raises:
            DataError: the plot cannot be read.
        """
        plot = open_plots(self.path).read(self.group, self.row)
        return render_view(plot, self.view, self.scaling, self.side, self.fit)
