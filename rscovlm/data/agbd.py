"""AGBD's HDF5 files: plots about GEDI footprints, read one by one and decoded to physical units.

AGBD keeps a group for each Sentinel-2 tile; AGBD-Lite keeps the same data sets without that level, and
``tile`` beside them. Facts of the layout: ghjuliasialelli/AGBD, Patches/create_patches.py, Models/dataset.py.

| data set | shape | stored as |
|---|---|---|
| ``S2_bands`` | (n, 25, 25, 12) uint16 | reflectance * 10000, + 1000 * ``S2_boa_offset``; 0 is no data |
| ``S2_bands@2``, ... | as ``S2_bands`` | of later dates; AGBD has none, ``write_agbd`` may |
| ``ALOS_bands`` | (n, 25, 25, 2) uint16 | HH and HV; gamma0 in dB is ``10 log10(DN^2) - 83``; 0 is no data |
| ``LC`` | (n, 25, 25, 2) uint8 | CGLS-LC100 class and probability; 255 is no data |
| ``DEM`` | (n, 25, 25) int16 | metres; -9999 is no data |
| ``CH/ch`` | (n, 25, 25) uint8 | canopy height in metres; 255 is no data |
| ``GEDI/agbd``, ``agbd_se``, ``rh98`` | (n,) | Mg/ha, Mg/ha, m |
| ``Sentinel_metadata/S2_date`` | (n,) int16 | days since 2019-04-17, negative before it |
| ``GEDI/lat_offset``, ``lat_decimal``, and of ``lon`` | (n,) | parts of degrees, see ``degrees`` |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.closing import Closing
from detection_eval.files import atomic_path
from rscovlm.errors import DataError
from rscovlm.synth.forest import BANDS, POLARISATIONS, SIDE, Plot, canopy_height
from tiling.dates import dated

if TYPE_CHECKING:
    import h5py

Floats = NDArray[np.float64]

GEDI_BEGAN = np.datetime64("2019-04-17")
"""AGBD counts days from here, of footprints and of images."""

NO_CLASS, NO_HEIGHT = 255, -9999
_REQUIRED = ("S2_bands", "ALOS_bands", "GEDI")


@dataclass(frozen=True, eq=False)
class Footprint:
    """One plot as it is read, in physical units; NaN where there is no data.

    Attributes:
        key: ``<file>/<tile>/<row>``, unique among the files of a set.
        tile: name of its Sentinel-2 tile.
        reflectance: (25, 25, 12) in the order of ``rscovlm.synth.forest.BANDS``.
        gamma0_db: (25, 25, 2) HH and HV.
        land_cover: (25, 25) CGLS-LC100 codes, 255 without data; None where the file has none.
        elevation_m: (25, 25); None where the file has none.
        canopy_height_m: (25, 25); None where the file has none.
        numbers: of the footprint, by the file's names: ``agbd``, ``agbd_se``, ``rh98``, ``lat``, ``lon`` ...
        later: as ``reflectance``, of each later date.
        days: since ``GEDI_BEGAN``, when each Sentinel-2 image was taken; NaN where unknown.
    """

    key: str
    tile: str
    reflectance: Floats
    gamma0_db: Floats
    land_cover: NDArray[np.uint8] | None
    elevation_m: Floats | None
    canopy_height_m: Floats | None
    numbers: dict[str, float]
    later: tuple[Floats, ...] = ()
    days: tuple[float, ...] = ()


class AgbdFile(Closing):
    """An AGBD or AGBD-Lite file; a context manager.

    Args:
        path: of the HDF5 file.

    Attributes:
        path: of the file.
        lite: whether tiles are no level of the file.
        counts: plots by tile, in file order.
        dates: Sentinel-2 images of each plot.

    Raises:
        DataError: where it cannot be read, or is of another layout, with what was expected.
    """

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ModuleNotFoundError:
            raise DataError(f"{path}: reading HDF5 needs h5py; install rscovlm[regress]") from None
        self.path = path
        try:
            self._file: h5py.File = h5py.File(path, "r")
        except OSError as error:
            raise DataError(f"{path} cannot be read as HDF5: {str(error).splitlines()[0]}") from None
        self.lite = "S2_bands" in self._file
        groups: dict[str, Any] = {"": self._file} if self.lite else dict(self._file.items())
        for name, group in groups.items():
            missing = [part for part in _REQUIRED if part not in group]
            if missing:
                self.close()
                place = f"group {name!r}" if name else "it"
                raise DataError(
                    f"{path}: {place} has no {', '.join(missing)}; AGBD keeps {', '.join(_REQUIRED)} in each "
                    "tile, AGBD-Lite at the top"
                )
        self._groups = groups
        self._tiles = _names(self._file["tile"]) if self.lite and "tile" in self._file else None
        self.counts = self._counted()
        self.dates = 1
        while all(dated("S2_bands", self.dates + 1) in group for group in groups.values()):
            self.dates += 1

    def _counted(self) -> dict[str, int]:
        if self._tiles is None:
            return {name or self.path.stem: len(group["S2_bands"]) for name, group in self._groups.items()}
        names, counts = np.unique(self._tiles, return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        """Number of plots."""
        return sum(self.counts.values())

    def keys(self) -> Iterator[tuple[str, int]]:
        """Group and row of each plot, in file order; what ``read`` takes."""
        for name, group in self._groups.items():
            for row in range(len(group["S2_bands"])):
                yield name, row

    def tables(
        self, names: Sequence[str]
    ) -> Iterator[tuple[str, NDArray[np.str_], dict[str, NDArray[np.float64]]]]:
        """Name of each group, the tile of each of its plots, and numbers of GEDI that it has, each (n,).

        Args:
            names: of the numbers, as the file has them.
        """
        for name, group in self._groups.items():
            count = len(group["S2_bands"])
            tiles = np.full(count, name or self.path.stem) if self._tiles is None else self._tiles
            gedi = group["GEDI"]
            yield name, tiles, {each: np.asarray(gedi[each][:], float) for each in names if each in gedi}

    def columns(self) -> Iterator[tuple[str, NDArray[np.str_], dict[str, NDArray[np.float64]]]]:
        """Name of each group, the tile of each of its plots, and all numbers that a plot has one of, (n,)."""
        for name, group in self._groups.items():
            count = len(group["S2_bands"])
            tiles = np.full(count, name or self.path.stem) if self._tiles is None else self._tiles
            found = {}
            for place in (group["GEDI"], group.get("Sentinel_metadata", {})):
                for own, values in place.items():
                    if values.shape == (count,) and values.dtype.kind in "fiub":
                        found[own] = np.asarray(values[:], np.float64)
            yield name, tiles, found

    def splits(self, name: str) -> NDArray[np.str_] | None:
        """(n,) the split that the file states of each plot of a group; HDF5 states none."""
        return None

    @property
    def synthetic(self) -> bool:
        """Whether the file says that its plots were made, so that their tiles are no places."""
        return _text(self._file.attrs.get("source", "")) == SYNTHETIC

    def layers(self) -> dict[str, tuple[tuple[int, ...], str, tuple[str, ...]]]:
        """Shape, number type and stated order of bands of each data set of the first group, by name."""
        found = {}
        for name, values in next(iter(self._groups.values())).items():
            if hasattr(values, "shape"):
                order = tuple(_text(each) for each in values.attrs.get("order", ()))
                found[name] = (tuple(values.shape), str(values.dtype), order)
        return found

    def stored(self, name: str, row: int, layer: str) -> NDArray[Any]:
        """The stored numbers of a layer of a plot.

        Args:
            name: of the group.
            row: in the group.
            layer: such as ``S2_bands``.
        """
        return np.asarray(self._groups[name][layer][row])

    def number(self, name: str, stored: str, row: int) -> float | None:
        """A number of a plot; None where the file does not have it.

        Args:
            name: of the group.
            stored: path of the data set in it, such as ``GEDI/rh98``.
            row: in the group.
        """
        return _number(self._groups[name], stored, row)

    def cover(self, name: str, row: int) -> int | None:
        """CGLS-LC100 code in the middle of a plot; None where there is none."""
        group = self._groups[name]
        code = int(group["LC"][row, SIDE // 2, SIDE // 2, 0]) if "LC" in group else NO_CLASS
        return None if code == NO_CLASS else code

    def read(self, name: str, row: int) -> Footprint:
        """One plot.

        Args:
            name: of the group, as ``keys`` gives it.
            row: in the group.

        Raises:
            DataError: where it is damaged.
        """
        group = self._groups[name]
        try:
            offset = _number(group, "Sentinel_metadata/S2_boa_offset", row)
            tile = name if self._tiles is None else str(self._tiles[row])
            cover = group["LC"][row, ..., 0] if "LC" in group else None
            height = np.asarray(group["DEM"][row], dtype=np.float64) if "DEM" in group else None
            canopy = np.asarray(group["CH/ch"][row], dtype=np.float64) if "CH/ch" in group else None
            return Footprint(
                f"{self.path.stem}/{tile or self.path.stem}/{row}",
                tile or self.path.stem,
                reflectance(self._ordered(name, "S2_bands", row, BANDS), offset or 0.0),
                gamma0_db(self._ordered(name, "ALOS_bands", row, POLARISATIONS)),
                cover,
                None if height is None else np.where(height == NO_HEIGHT, np.nan, height),
                None if canopy is None else np.where(canopy == NO_CLASS, np.nan, canopy),
                _numbers(group["GEDI"], row),
                tuple(
                    reflectance(self._ordered(name, dated("S2_bands", date), row, BANDS), offset or 0.0)
                    for date in range(2, self.dates + 1)
                ),
                tuple(self._day(group, row, date) for date in range(1, self.dates + 1)),
            )
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"{self.path}: plot {row} of {name or 'the file'} cannot be read: {error}"
            ) from None

    def _day(self, group: Any, row: int, date: int) -> float:
        day = _number(group, dated("Sentinel_metadata/S2_date", date), row)
        return np.nan if day is None else day

    def _ordered(self, name: str, layer: str, row: int, wanted: tuple[str, ...]) -> NDArray[Any]:
        """Stored numbers of a plot with bands in the order of ``wanted``, whatever order the file states.

        Raises:
            ValueError: it states an order that lacks one of them.
        """
        values = self._groups[name][layer]
        stated = tuple(_text(each) for each in values.attrs.get("order", ())) or wanted
        missing = [band for band in wanted if band not in stated]
        if missing:
            raise ValueError(
                f"{layer} states the bands {', '.join(stated)}, and {missing[0]} is not among them"
            )
        stored = np.asarray(values[row])
        return stored if stated == wanted else stored[..., [stated.index(band) for band in wanted]]

    def __iter__(self) -> Iterator[Footprint]:
        for name, row in self.keys():
            yield self.read(name, row)


def reflectance(stored: ArrayLike, boa_offset: float = 0.0) -> Floats:
    """Surface reflectance: ``(DN - 1000 boa_offset) / 10000``, no less than 0; NaN where the number is 0."""
    numbers = np.asarray(stored, dtype=np.float64)
    return np.where(numbers == 0, np.nan, np.maximum(numbers - 1000 * boa_offset, 0) / 10_000)


def gamma0_db(stored: ArrayLike) -> Floats:
    """Backscatter in dB from stored amplitudes: ``10 log10(DN^2) - 83``; NaN for 0."""
    numbers = np.asarray(stored, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.where(numbers == 0, np.nan, 20 * np.log10(numbers) - 83)


def degrees(offset: float, decimal: float) -> float:
    """A place on the globe from its two parts: the sign of ``decimal``, and the sum of both.

    A ``decimal`` of 0 has no sign, so that places whose own degree is whole are taken as north or east.
    """
    return float(np.copysign(abs(decimal) + offset, decimal if decimal != 0 else 1.0))


def _numbers(gedi: Any, row: int) -> dict[str, float]:
    found = {name: float(values[row]) for name, values in gedi.items() if values.dtype.kind in "fiub"}
    for axis in ("lat", "lon"):
        if f"{axis}_decimal" in found and f"{axis}_offset" in found:
            found[axis] = degrees(found.pop(f"{axis}_offset"), found.pop(f"{axis}_decimal"))
    return found


def _number(group: Any, name: str, row: int) -> float | None:
    return float(group[name][row]) if name in group else None


def _names(values: Any) -> NDArray[np.str_]:
    return np.array([_text(name) for name in values[:]])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def write_agbd(path: Path, plots: Sequence[Plot], *, lite: bool = False, boa_offset: int = 1) -> None:
    """Write plots in AGBD's layout, or in that of AGBD-Lite, whole or not at all.

    Args:
        path: of the new file.
        plots: any number, of as many dates each.
        lite: without the level of tiles.
        boa_offset: 1 where 1000 is added to stored reflectance, as since processing baseline 04.00.
    """
    import h5py

    by_tile: dict[str, list[Plot]] = {}
    for plot in plots:
        by_tile.setdefault("" if lite else plot.tile.name, []).append(plot)
    with atomic_path(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["source"] = SYNTHETIC
        for name, group in by_tile.items():
            place = file if lite else file.create_group(name)
            for part, values in as_stored(group, boa_offset).items():
                # A chunk a plot, as AGBD has them: one is read without unpacking its neighbours.
                chunks = (1, *values.shape[1:]) if values.ndim > 1 else None
                place.create_dataset(part, data=values, chunks=chunks, compression="gzip", compression_opts=1)
            for date in range(1, 2 + len(group[0].later)):
                place[dated("S2_bands", date)].attrs["order"] = list(BANDS)
            place["ALOS_bands"].attrs["order"] = list(POLARISATIONS)
        if lite:
            file.create_dataset("tile", data=[plot.tile.name.encode() for plot in plots])


def as_stored(plots: Sequence[Plot], boa_offset: int) -> dict[str, NDArray[Any]]:
    """The data sets of AGBD's files by name, each (n, ...), in the number types of the originals.

    Args:
        plots: of as many dates each.
        boa_offset: see ``write_agbd``.
    """
    spectra = np.stack([plot.reflectance for plot in plots])
    backscatter = np.stack([plot.gamma0_db for plot in plots])
    cover = np.stack([plot.land_cover for plot in plots])
    lat, lon = (np.array([getattr(plot, axis) for plot in plots]) for axis in ("lat", "lon"))
    later: dict[str, NDArray[Any]] = {}
    for date, seen in enumerate(zip(*(plot.later for plot in plots), strict=True), start=2):
        days, images = zip(*seen, strict=True)
        later[dated("S2_bands", date)] = _numbers_of(np.stack(images), boa_offset)
        later[dated("Sentinel_metadata/S2_date", date)] = _dates(plots, days)
    return {
        "S2_bands": _numbers_of(spectra, boa_offset),
        "ALOS_bands": np.clip(np.rint(10 ** ((backscatter + 83) / 20)), 1, 65535).astype(np.uint16),
        "LC": np.stack([cover, np.full_like(cover, 90)], axis=-1),
        "DEM": np.stack([np.full((SIDE, SIDE), plot.elevation_m) for plot in plots]).astype(np.int16),
        "CH/ch": np.rint(canopy_height(np.stack([plot.biomass for plot in plots]))).astype(np.uint8),
        "GEDI/agbd": np.array([plot.agbd for plot in plots], np.float32),
        "GEDI/agbd_se": np.array([plot.agbd_se for plot in plots], np.float32),
        "GEDI/rh98": np.array([plot.height_m for plot in plots], np.float32),
        "GEDI/lat_offset": np.trunc(np.abs(lat)).astype(np.uint8),
        "GEDI/lat_decimal": np.copysign(np.abs(lat) % 1, lat).astype(np.float32),
        "GEDI/lon_offset": np.trunc(np.abs(lon)).astype(np.uint8),
        "GEDI/lon_decimal": np.copysign(np.abs(lon) % 1, lon).astype(np.float32),
        "GEDI/patch_count": np.array([plot.patches for plot in plots], np.uint16),
        "GEDI/activity": np.array([ACTIVITY_CODES[plot.activity] for plot in plots], np.uint8),
        "Sentinel_metadata/S2_boa_offset": np.full(len(plots), boa_offset, np.uint8),
        "Sentinel_metadata/S2_date": _dates(plots, [plot.day for plot in plots]),
        **later,
    }


def _dates(plots: Sequence[Plot], days: Sequence[int]) -> NDArray[np.int16]:
    """(n,) days since ``GEDI_BEGAN`` of days of the year 2020, in the south of one that begins in July.

    Leaves of synthetic plots go by the day of the year, so that summers are in June here, in December there.
    """
    new_years = [np.datetime64("2020-01-01" if plot.lat >= 0 else "2020-07-01") for plot in plots]
    return np.array(
        [(year - GEDI_BEGAN).astype(int) + day - 1 for year, day in zip(new_years, days, strict=True)],
        np.int16,
    )


def _numbers_of(reflectance: Floats, boa_offset: int) -> NDArray[np.uint16]:
    """As Sentinel-2 stores reflectance; never 0, which is no data."""
    return np.clip(np.rint(reflectance * 10_000 + 1000 * boa_offset), 1, 65535).astype(np.uint16)


SYNTHETIC = "rscovlm.synth.forest: made of known physics, in places that are invented"
"""Attribute ``source`` of files that ``write_agbd`` makes."""

ACTIVITY_CODES = {"none": 0, "cropping": 1, "logging": 2, "settlement": 3}
"""Activities of people in files of synthetic plots."""
