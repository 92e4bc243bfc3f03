"""Composites: three channels of a multi-band scene shown to a model as red, green and blue.

Five recombinations of Sentinel-2 and one of L-band radar, as in REO-VLM (section 3.2): a model made for RGB
sees all bands that matter in several pictures of one place.

| name | red | green | blue |
|---|---|---|---|
| ``red_edge`` | B05 | B06 | B07 |
| ``geology`` | B12 | B11 | B02 |
| ``natural`` | B04 | B03 | B02 |
| ``infrared`` | B08 | B04 | B03 |
| ``swir`` | B12 | B08 | B04 |
| ``sar`` | HH in dB | HV in dB | mean of both in dB |
| ``sar_power`` | HH as power | HV as power | mean of both as power |

Pixels are physical values with NaN where there is no data. Channels become 8 bits between limits that are
percentiles of a data set, so that a value looks the same in every patch; no data becomes 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from tiling.dates import dated, parted
from tiling.errors import BandError

Floats = NDArray[np.floating[Any]]
Picture = TypeVar("Picture", NDArray[np.uint8], NDArray[np.float32])
Limits = Mapping[str, tuple[float, float]]
"""By the name of a channel, the values that become 0 and 255."""

Fit = Literal["upsample", "pad"]
"""How a patch becomes as large as a model wants it: stretched bilinearly, or mirrored about its edges."""

FITS: tuple[Fit, ...] = get_args(Fit)

PERCENTILES = (1.0, 99.0)
"""Percentiles of a data set that become 0 and 255: AGBD's own choice (``pct``)."""


@dataclass(frozen=True)
class Channel:
    """One channel of a composite.

    Attributes:
        bands: names; a channel of several is their mean.
        power: whether values in dB are made linear first: ``10^(dB / 10)``.
        date: of several of one place, at which bands are read (``tiling.dates``); limits are of all dates.
    """

    bands: tuple[str, ...]
    power: bool = False
    date: int = 1

    @property
    def read(self) -> tuple[str, ...]:
        """Names of the bands at its date: ``B04@2``."""
        return tuple(dated(band, self.date) for band in self.bands)

    @property
    def name(self) -> str:
        """As limits are stored under: ``B04``, ``HH power``; of several bands ``mean``, ``mean power``."""
        return (self.bands[0] if len(self.bands) == 1 else "mean") + (" power" if self.power else "")

    def of(self, pixels: Floats, names: Sequence[str]) -> Floats:
        """(...) values of the channel from (..., bands); NaN where any of its bands is.

        Raises:
            BandError: for a band that is not there.
        """
        missing = [band for band in self.read if band not in names]
        if missing:
            raise BandError(f"no band {missing[0]}; there are {', '.join(names)}")
        chosen = pixels[..., [list(names).index(band) for band in self.read]]
        return (10 ** (chosen / 10) if self.power else chosen).mean(axis=-1)


@dataclass(frozen=True)
class Composite:
    """Three channels as red, green and blue.

    Attributes:
        name: by which settings name it.
        channels: three.
    """

    name: str
    channels: tuple[Channel, Channel, Channel]

    def bands(self) -> tuple[str, ...]:
        """Names of the bands that it needs, each once."""
        return tuple(dict.fromkeys(band for channel in self.channels for band in channel.read))

    def at(self, date: int) -> Composite:
        """The same of a later date: ``natural@2``."""
        red, green, blue = (replace(channel, date=date) for channel in self.channels)
        return Composite(dated(self.name, date), (red, green, blue))

    def render(self, pixels: Floats, names: Sequence[str], limits: Limits) -> NDArray[np.uint8]:
        """(height, width, 3) uint8, 0 where there is no data.

        Args:
            pixels: (height, width, bands) physical values, NaN where there is no data.
            names: of the bands.
            limits: of its channels.

        Raises:
            BandError: for a band or limits that are not there.
        """
        unknown = [channel.name for channel in self.channels if channel.name not in limits]
        if unknown:
            raise BandError(f"composite {self.name} has no limits for its channel {unknown[0]}")
        low, high = (np.array(ends) for ends in zip(*(limits[c.name] for c in self.channels), strict=True))
        values = np.stack([channel.of(pixels, names) for channel in self.channels], axis=-1)
        return to_bytes(values.astype(np.float64), low, high)


def to_bytes(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """(..., channels) uint8 of values between two ends of each channel; what is not a number becomes 0."""
    shares = np.clip((values - low) / (high - low), 0, 1)
    return np.rint(np.nan_to_num(shares, nan=0.0) * 255).astype(np.uint8)


def _optical(name: str, red: str, green: str, blue: str) -> Composite:
    return Composite(name, (Channel((red,)), Channel((green,)), Channel((blue,))))


def _radar(name: str, power: bool) -> Composite:
    return Composite(name, (Channel(("HH",), power), Channel(("HV",), power), Channel(("HH", "HV"), power)))


COMPOSITES: Mapping[str, Composite] = MappingProxyType(
    {
        made.name: made
        for made in (
            _optical("red_edge", "B05", "B06", "B07"),
            _optical("geology", "B12", "B11", "B02"),
            _optical("natural", "B04", "B03", "B02"),
            _optical("infrared", "B08", "B04", "B03"),
            _optical("swir", "B12", "B08", "B04"),
            _radar("sar", power=False),
            _radar("sar_power", power=True),
        )
    }
)
"""Composites by name."""

MULTISPECTRAL = ("red_edge", "geology", "natural", "infrared", "swir")
"""REO-VLM's five of Sentinel-2."""


def composites_named(names: Iterable[str]) -> tuple[Composite, ...]:
    """Composites by their names, in order; ``natural@2`` is ``natural`` of the second date of a place.

    Raises:
        BandError: for a name that is not in ``COMPOSITES``.
    """
    chosen = [parted(name) for name in names]
    for name, date in chosen:
        if name not in COMPOSITES:
            raise BandError(f"no composite {dated(name, date)!r}; choose from {', '.join(COMPOSITES)}")
    return tuple(COMPOSITES[name].at(date) for name, date in chosen)


def bands_needed(composites: Iterable[Composite]) -> tuple[str, ...]:
    """Names of all bands that composites need, each once, in the order of first use."""
    return tuple(dict.fromkeys(band for composite in composites for band in composite.bands()))


def to_shares(pixels: Floats, names: Sequence[str], limits: Limits) -> NDArray[np.float32]:
    """(..., bands) float32 between 0 and 1 of the limits of each band; 0 where there is no data.

    Args:
        pixels: (..., bands) physical values, NaN where there is no data.
        names: of the bands.
        limits: of all of them.

    Raises:
        BandError: for a band without limits.
    """
    unknown = [name for name in names if name not in limits]
    if unknown:
        raise BandError(f"band {unknown[0]} has no limits")
    low, high = (np.array(ends) for ends in zip(*(limits[name] for name in names), strict=True))
    shares = np.clip((pixels - low) / (high - low), 0, 1)
    return np.nan_to_num(shares, nan=0.0).astype(np.float32)


def limits_of(
    pixels: Floats,
    names: Sequence[str],
    channels: Iterable[Channel],
    percentiles: tuple[float, float] = PERCENTILES,
) -> dict[str, tuple[float, float]]:
    """The limits of channels, as percentiles of a sample of a data set.

    Args:
        pixels: (..., bands) physical values, NaN where there is no data.
        names: of the bands.
        channels: any.
        percentiles: lower and upper percentile in 0-100.

    Raises:
        BandError: for a band that is not there, or a channel without two different values.
    """
    found: dict[str, tuple[float, float]] = {}
    for channel in channels:
        values = channel.of(pixels, names)
        values = values[np.isfinite(values)]
        if not len(values):
            raise BandError(f"channel {channel.name} has no value in the whole sample")
        low, high = np.percentile(values, percentiles)
        if low >= high:
            raise BandError(f"channel {channel.name} is {low:g} nearly everywhere; it cannot be scaled")
        found[channel.name] = (float(low), float(high))
    return found


def fitted(picture: Picture, side: int, fit: Fit) -> Picture:
    """A square picture (n, n, bands) as one of ``side`` px and the same number type, with the same middle.

    Args:
        picture: of two pixels a side or more; for ``pad`` no larger than ``side``.
        side: in px.
        fit: see ``Fit``.

    Raises:
        BandError: where ``pad`` would have to cut something off.
    """
    have = picture.shape[0]
    if fit == "pad":
        if side < have:
            raise BandError(f"a patch of {have} px does not fit into {side} px; use fit: upsample")
        before = (side - have) // 2
        around = (before, side - have - before)
        return np.pad(picture, (around, around, (0, 0)), mode="symmetric")
    stretched = _stretched(picture.astype(np.float64), side)
    whole = np.issubdtype(picture.dtype, np.integer)
    return (np.rint(stretched) if whole else stretched).astype(picture.dtype)


def _stretched(pixels: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Bilinear, with the edges of both grids in the same places."""
    have = pixels.shape[0]
    place = np.clip((np.arange(side) + 0.5) * have / side - 0.5, 0, have - 1)
    first = np.minimum(place.astype(int), have - 2)
    share = (place - first)[:, None, None]
    rows = pixels[first] * (1 - share) + pixels[first + 1] * share
    across = share.transpose(1, 0, 2)
    columns: NDArray[np.float64] = rows[:, first] * (1 - across) + rows[:, first + 1] * across
    return columns
