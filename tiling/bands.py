"""The bands of a dataset: names, units and wavelengths, and which are read together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from tiling.errors import BandError

_UNNAMED = (ColorInterp.undefined, ColorInterp.gray)  # says nothing about which band it is
_PER_NM = {"nanometers": 1.0, "nm": 1.0, "micrometers": 1000.0, "um": 1000.0}


@dataclass(frozen=True)
class Band:
    """Name, unit and wavelength of one band, and how stored values become physical ones.

    Attributes:
        name: its description in the file, else its colour, else ``band 1``, ``band 2``, ...
        unit: of the physical values, such as ``m`` or ``dB``; "" where the file states none.
        scale, offset: physical value = stored value * scale + offset.
        wavelength_nm: centre of the band, None where the file states none.
    """

    name: str
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    wavelength_nm: float | None = None

    @property
    def physical(self) -> Band:
        """The same band once scale and offset have been applied."""
        return replace(self, scale=1.0, offset=0.0)


RGB = (Band("red"), Band("green"), Band("blue"))
"""The bands of a rendering for the eye."""


@dataclass(frozen=True)
class BandLayout:
    """Bands of a dataset that are read together, and what says where they are valid.

    Attributes:
        indexes: 1-based bands in the order in which they are read.
        alpha: the band that says what is transparent, if any.
        masked: whether the dataset has a mask of its own, inside or beside the file.
        nodata: per band, the value that stands for no data, if any.
        palette: colours (n, 4) uint8 of the values of a paletted band, if it is one.
        dtype: number type that holds all the bands.
        bands: names and units of the bands; for a paletted band, its three colours.
        block_size: (height, width) of the blocks in which the bands are stored.
    """

    indexes: tuple[int, ...]
    alpha: int | None
    masked: bool
    nodata: tuple[float | None, ...]
    palette: NDArray[np.uint8] | None
    dtype: np.dtype
    bands: tuple[Band, ...]
    block_size: tuple[int, int]

    @property
    def pixel_dtype(self) -> np.dtype:
        """Number type of pixels as they are read: colours of a palette, magnitudes of complex numbers."""
        if self.palette is not None:
            return np.dtype(np.uint8)
        return np.empty(0, self.dtype).real.dtype

    @property
    def always_valid(self) -> bool:
        """Whether each pixel is valid whatever its value."""
        opaque = self.palette is None or bool((self.palette[:, 3] > 0).all())
        return (
            self.alpha is None
            and not self.masked
            and all(value is None for value in self.nodata)
            and opaque
            and self.dtype.kind not in "fc"
        )


def shown_bands(dataset: rasterio.DatasetReader, bands: Sequence[int | str] | None) -> tuple[int, ...]:
    """The one (grey or palette) or three (red, green, blue) 1-based bands that show a dataset.

    Args:
        dataset: the open dataset.
        bands: by number or name; None takes those marked red, green and blue, else the first three, else the
            first.

    Raises:
        BandError: for a band that does not exist, or a number of bands other than one or three.
    """
    if bands is not None:
        if len(bands) not in (1, 3):
            raise BandError(
                f"{len(bands)} bands {tuple(bands)} cannot be shown; "
                "choose one (grey) or three (red, green, blue)"
            )
        return band_indexes(dataset, bands)
    interpretation = dataset.colorinterp
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(colour in interpretation for colour in colours):
        return tuple(interpretation.index(colour) + 1 for colour in colours)
    data = band_indexes(dataset, None)
    return data[:3] if len(data) >= 3 else data[:1]


def band_indexes(dataset: rasterio.DatasetReader, bands: Sequence[int | str] | None) -> tuple[int, ...]:
    """1-based numbers of bands that are given by number or by name; None takes all but alpha.

    Names are compared without regard to case.

    Raises:
        BandError: for a band that does not exist, a name that two bands have, or no band at all.
    """
    if bands is None:
        kinds = dataset.colorinterp
        return tuple(i for i, kind in enumerate(kinds, start=1) if kind is not ColorInterp.alpha) or (1,)
    if not bands:
        raise BandError(f"no band to read of {dataset.name}; it has {_listed(dataset)}")
    return tuple(_band_index(dataset, band) for band in bands)


def _band_index(dataset: rasterio.DatasetReader, band: int | str) -> int:
    if isinstance(band, str):
        names = [each.name.casefold() for each in bands_of(dataset)]
        found = [i for i, name in enumerate(names, start=1) if name == band.casefold()]
        if len(found) > 1:
            raise BandError(f"bands {found} of {dataset.name} are all named {band!r}; give a number")
        if found:
            return found[0]
    elif 1 <= band <= dataset.count:
        return int(band)
    raise BandError(f"no band {band} in {dataset.name}; it has {_listed(dataset)}")


def _listed(dataset: rasterio.DatasetReader) -> str:
    names = [text or kind.name for text, kind in zip(dataset.descriptions, dataset.colorinterp)]
    return ", ".join(f"{i} ({name})" for i, name in enumerate(names, start=1))


def bands_of(dataset: rasterio.DatasetReader) -> tuple[Band, ...]:
    """Every band of a dataset, in the order of the file."""
    return tuple(_band(dataset, index) for index in range(1, dataset.count + 1))


def _band(dataset: rasterio.DatasetReader, index: int) -> Band:
    kind = dataset.colorinterp[index - 1]
    name = dataset.descriptions[index - 1] or ("" if kind in _UNNAMED else kind.name) or f"band {index}"
    return Band(
        name,
        dataset.units[index - 1] or "",
        dataset.scales[index - 1],
        dataset.offsets[index - 1],
        _wavelength_nm(dataset, index),
    )


def _wavelength_nm(dataset: rasterio.DatasetReader, index: int) -> float | None:
    """The centre of a band: GDAL's ``IMAGERY`` domain, else the items that its ENVI driver sets."""
    try:
        stated = dataset.tags(index, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        if stated is not None:
            return float(stated) * 1000
        tags = dataset.tags(index)
        unit = tags.get("wavelength_units", "").casefold()
        return float(tags["wavelength"]) * _PER_NM[unit]
    except (KeyError, ValueError):
        return None


def band_layout(dataset: rasterio.DatasetReader, indexes: tuple[int, ...]) -> BandLayout:
    """How bands of a dataset are read.

    Args:
        dataset: the open dataset.
        indexes: 1-based bands that exist.
    """
    interpretation = dataset.colorinterp
    alpha = interpretation.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in interpretation else None
    if alpha in indexes:
        # Asked for as an image: writers mark the fourth band of four as alpha, whatever it holds.
        alpha = None
    first = indexes[0] - 1
    palette = None
    if len(indexes) == 1 and interpretation[first] is ColorInterp.palette:
        colours = dataset.colormap(indexes[0])
        palette = np.zeros((max(colours) + 1, 4), dtype=np.uint8)
        palette[list(colours)] = list(colours.values())
    return BandLayout(
        indexes=indexes,
        alpha=alpha,
        masked=MaskFlags.per_dataset in dataset.mask_flag_enums[first] and alpha is None,
        nodata=tuple(dataset.nodatavals[index - 1] for index in indexes),
        palette=palette,
        dtype=np.result_type(*(dataset.dtypes[index - 1] for index in indexes)),
        bands=RGB if palette is not None else tuple(_band(dataset, index) for index in indexes),
        block_size=dataset.block_shapes[first],
    )
