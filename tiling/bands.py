"""The bands of a dataset: names, units and wavelengths, and which are read together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from detection_eval.words import counted
from tiling.errors import BandError
from tiling.overrides import AS_STORED, Overrides
from tiling.validity import Validity, validity_of

_UNNAMED = (ColorInterp.undefined, ColorInterp.gray)  # says nothing about which band it is


class _Colour(NamedTuple):
    """Names of bands of one colour, and the range of their wavelengths."""

    names: tuple[str, ...]
    nm: tuple[float, float]


_COLOURS = {
    # Sentinel-2 and HLS write band numbers with two digits, Landsat (whose red is 3 or 4) with one.
    "red": _Colour(("r", "b04"), (620, 700)),
    "green": _Colour(("g", "b03"), (510, 600)),
    "blue": _Colour(("b", "b02"), (450, 510)),
}
_OTHER_COLOURS = frozenset(
    ("edge", "rededge", "infrared", "infra", "near", "nir", "swir", "far", "thermal", "coastal", "deep")
)
_NUMPY_TYPES = {"complex_int16": "complex64"}  # numpy has no complex integers
_PER_NM = {"nanometers": 1.0, "nm": 1.0, "micrometers": 1000.0, "um": 1000.0}


@dataclass(frozen=True)
class Band:
    """Name, unit and wavelength of one band, and how stored values become physical ones.

    Attributes:
        name: its description in the file, else its colour, else ``band 1``, ``band 2``, ...
        unit: unit of the physical values, such as ``m`` or ``dB``; "" where the file states none.
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
        validity: what says where they are valid.
        nodata: per band, the value that stands for no data, if any.
        palette: colours (n, 4) uint8 of the values of a paletted band, if it is one.
        dtype: number type that holds all the bands.
        mixed: whether the bands are stored in different number types, or in one that numpy lacks.
        bands: names and units of the bands; for a paletted band, its three colours.
        block_size: (height, width) of the blocks in which the bands are stored.
    """

    indexes: tuple[int, ...]
    validity: Validity
    nodata: tuple[float | None, ...]
    palette: NDArray[np.uint8] | None
    dtype: np.dtype
    mixed: bool
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
        return self.validity.always and self.palette is None and self.dtype.kind not in "fc"


class Shown(NamedTuple):
    """The one (grey or palette) or three (red, green, blue) 1-based bands that show a dataset.

    Attributes:
        indexes: the bands.
        warning: how they were chosen, where the file leaves it open.
    """

    indexes: tuple[int, ...]
    warning: str | None = None


def shown_bands(dataset: rasterio.DatasetReader, bands: Sequence[int | str] | None) -> Shown:
    """The bands that show a dataset.

    Args:
        dataset: the open dataset.
        bands: by number or name; None takes those marked red, green and blue, else those named so, else
            those of such wavelengths, else the first three, else the first.

    Raises:
        BandError: a band does not exist, or other than one or three bands are given.
    """
    if bands is not None:
        if len(bands) not in (1, 3):
            raise BandError(
                f"{counted(len(bands), 'band')} {tuple(bands)} cannot be shown; "
                "choose one (grey) or three (red, green, blue)"
            )
        return Shown(band_indexes(dataset, bands))
    interpretation = dataset.colorinterp
    named = named_colours(bands_of(dataset))
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(colour in interpretation for colour in colours):
        marked = tuple(interpretation.index(colour) + 1 for colour in colours)
        if named is None or named == marked or not any(dataset.descriptions):
            return Shown(marked)
        return Shown(
            marked,
            f"bands {_numbers(marked)} are marked red, green, blue and bands {_numbers(named)} are named so; "
            f"{_numbers(marked)} are shown (--bands chooses others)",
        )
    if named is not None:
        names = ", ".join(dataset.descriptions[index - 1] or str(index) for index in named)
        return Shown(
            named,
            f"bands {_numbers(named)} ({names}) are shown as red, green, blue (--bands chooses others)",
        )
    data = band_indexes(dataset, None)
    if len(data) < 3:
        return Shown(data[:1])
    unsaid = "no band is marked or named red, green or blue; bands {} are shown (--bands chooses others)"
    return Shown(data[:3], None if len(data) == 3 else unsaid.format(_numbers(data[:3])))


def _numbers(indexes: Sequence[int]) -> str:
    return ", ".join(map(str, indexes))


def named_colours(bands: Sequence[Band]) -> tuple[int, int, int] | None:
    """1-based bands that are red, green and blue by name, else by wavelength; None where neither says so."""
    names = [band.name.casefold() for band in bands]
    for of in (_named_exactly, _named_among_words, _of_wavelength):
        found = [of(colour, names, bands) for colour in _COLOURS]
        if all(len(each) == 1 for each in found):
            red, green, blue = (each[0] for each in found)
            return red, green, blue
    return None


def _named_exactly(colour: str, names: Sequence[str], bands: Sequence[Band]) -> list[int]:
    return [i for i, name in enumerate(names, start=1) if name.strip() in (colour, *_COLOURS[colour].names)]


def _named_among_words(colour: str, names: Sequence[str], bands: Sequence[Band]) -> list[int]:
    words = [re.findall(r"[a-z]+", name) for name in names]
    return [i for i, each in enumerate(words, start=1) if colour in each and _OTHER_COLOURS.isdisjoint(each)]


def _of_wavelength(colour: str, names: Sequence[str], bands: Sequence[Band]) -> list[int]:
    """The band nearest to the middle of a colour, if it is of that colour at all."""
    low, high = _COLOURS[colour].nm
    middle = (low + high) / 2
    known = [(abs(b.wavelength_nm - middle), i) for i, b in enumerate(bands, start=1) if b.wavelength_nm]
    return [index for away, index in sorted(known)[:1] if away <= (high - low) / 2]


def band_indexes(dataset: rasterio.DatasetReader, bands: Sequence[int | str] | None) -> tuple[int, ...]:
    """1-based numbers of bands that are given by number or by name; None takes all but alpha.

    Names are compared without regard to case.

    Raises:
        BandError: a band does not exist, two bands have the name, or no band is given.
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
        # As people say it: "red" of "B4 (Red)", "B4" of "B4, central wavelength 665 nm".
        colours = dict(zip(_COLOURS, named_colours(bands_of(dataset)) or ()))
        marked = [i for i, kind in enumerate(dataset.colorinterp, start=1) if kind.name == band.casefold()]
        if marked or band.casefold() in colours:
            return marked[0] if marked else colours[band.casefold()]
        opening = re.compile(re.escape(band.casefold()) + r"\W")
        begin = [i for i, name in enumerate(names, start=1) if opening.match(name)]
        if len(begin) == 1:
            return begin[0]
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
    """The centre of a band: GDAL's ``IMAGERY`` domain, else its ENVI driver's items, else its description."""
    try:
        stated = dataset.tags(index, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        if stated is not None:
            return float(stated) * 1000
        tags = dataset.tags(index)
        unit = tags.get("wavelength_units", "").casefold()
        return float(tags["wavelength"]) * _PER_NM[unit]
    except (KeyError, ValueError):
        words = re.search(r"(\d+(?:\.\d+)?) ?(nm|um|µm)\b", dataset.descriptions[index - 1] or "")
        return None if words is None else float(words[1]) * _PER_NM[words[2].replace("µ", "u")]


def band_layout(
    dataset: rasterio.DatasetReader,
    indexes: tuple[int, ...],
    named: bool = False,
    stated: Overrides = AS_STORED,
) -> BandLayout:
    """Selection of bands of a dataset.

    Args:
        dataset: the open dataset.
        indexes: 1-based bands that exist.
        named: whether a user named them, so that the file's marking of colours and alpha says nothing.
        stated: what goes before the file's own word about validity.

    Raises:
        BandError: for an alpha band that does not exist.
    """
    first = indexes[0] - 1
    palette = _palette(dataset, indexes[0]) if len(indexes) == 1 else None
    stored = {dataset.dtypes[index - 1] for index in indexes}
    declared = tuple(dataset.nodatavals[index - 1] for index in indexes)
    nodata = (
        (stated.nodata,) * len(indexes)
        if isinstance(stated.nodata, float | int)
        else declared
        if stated.nodata == "file"
        else (None,) * len(indexes)
    )
    return BandLayout(
        indexes=indexes,
        validity=validity_of(dataset, indexes, named, stated),
        nodata=nodata,
        palette=palette,
        dtype=np.result_type(*(_NUMPY_TYPES.get(name, name) for name in stored)),
        mixed=len(stored) > 1 or not stored.isdisjoint(_NUMPY_TYPES),
        bands=RGB if palette is not None else tuple(_band(dataset, index) for index in indexes),
        block_size=dataset.block_shapes[first],
    )


def _palette(dataset: rasterio.DatasetReader, index: int) -> NDArray[np.uint8] | None:
    """Colours (n, 4) of the values of a paletted band; None where there are none, and values are grey."""
    if dataset.colorinterp[index - 1] is not ColorInterp.palette:
        return None
    try:
        colours = dataset.colormap(index)
    except ValueError:  # marked as paletted, without a table
        return None
    if not colours:
        return None
    palette = np.zeros((max(colours) + 1, 4), dtype=np.uint8)
    palette[list(colours)] = list(colours.values())
    return palette
