"""Plots in Parquet: ``AGBD_raw``, and tables whose columns are called as AGBD's data sets are.

| column of ``AGBD_raw`` | shape | holds |
|---|---|---|
| ``input`` | (32, 25, 25) float32 | ``CHANNELS``: reflectance, gamma0 in dB, metres, classes |
| ``label`` | | above-ground biomass in Mg/ha |
| ``metadata`` | struct | ``lat``, ``lon``, ``agbd_se``, ``rh98``, ``s2_num_days`` ... |

Its card (huggingface.co/datasets/prs-eth/AGBD_raw) states types and no order of channels. Their number is
that of its bytes (83,372 a sample), their order that in which AGBD's own loader adds features
(Models/dataset.py). The loader also turns patches about their diagonal: the channels of latitude say which
axis runs north. It names no tile: plots are of the MGRS square in which they lie, the Sentinel-2 tile but for
the 10 km by which tiles reach over the square that they are called after.

Other tables may hold ``S2_bands`` and ``ALOS_bands`` (25 x 25 x bands, or bands first), ``LC``, ``DEM``,
``ch``, ``agbd``, ``tile``, ``split``: names in any case, patches as lists of any nesting or bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.closing import Closing
from rscovlm.data.agbd import GEDI_BEGAN, NO_CLASS, Footprint, gamma0_db, reflectance
from rscovlm.data.table_blocks import Blocks, is_patch
from rscovlm.errors import DataError
from rscovlm.synth.forest import BANDS, POLARISATIONS, SIDE
from tiling.mgrs import squares

if TYPE_CHECKING:
    from pyarrow import parquet

Floats = NDArray[np.float64]

CHANNELS = (
    *BANDS,
    *("s2_num_days", "s2_doy_cos", "s2_doy_sin", "lat_cos", "lat_sin", "lon_cos", "lon_sin"),
    *("gedi_num_days", "gedi_doy_cos", "gedi_doy_sin", *POLARISATIONS),
    *("ch", "ch_std", "lc", "lc_prob", "slope", "aspect_cos", "aspect_sin", "dem"),
)
"""Channels of ``input`` in their order."""

NAMES: Mapping[str, str] = MappingProxyType(
    {"label": "agbd", "agb": "agbd", "latitude": "lat", "longitude": "lon", "s2_num_days": "S2_date"}
    | {"image_day": "S2_date", "gedi_num_days": "date", "label_day": "date", "boa_offset": "S2_boa_offset"}
    | {name.lower(): name for name in ("S2_date", "S2_boa_offset", "S2_vegetation_score", "S2_pbn", "S2_ron")}
    | {name: name for name in ("agbd", "agbd_se", "rh98", "lat", "lon", "date", "patch_count", "activity")}
    | {name: name for name in ("region_cla", "pft_class", "sensitivity", "leaf_off_f", "urban_prop")}
)
"""Numbers of a plot as AGBD's HDF5 files call them, by names in lower case."""

_WORDS = {
    "tile": ("tile", "mgrs_tile", "s2_tile", "mgrs"),
    "split": ("split", "subset", "fold"),
    "cover": ("cover", "land_cover"),
    "key": ("key", "id"),
}
_WHOLE = ("input", "image", "patch", "patches")
_LAYERS = {
    "S2_bands": ("s2_bands", "s2"),
    "ALOS_bands": ("alos_bands", "alos", "palsar"),
    "LC": ("lc", "land_cover_patch"),
    "DEM": ("dem",),
    "ch": ("ch", "canopy_height"),
}
_OF_INPUT = {
    "S2_bands": [CHANNELS.index(name) for name in BANDS],
    "ALOS_bands": [CHANNELS.index(name) for name in POLARISATIONS],
    "LC": [CHANNELS.index("lc")],
    "DEM": [CHANNELS.index("dem")],
    "ch": [CHANNELS.index("ch")],
}
_BYTES: Mapping[int, type[np.number[Any]]] = {2: np.uint16, 4: np.float32, 8: np.float64}
_SMALL = ("LC", "ch")
"""Layers of which a byte is a number."""
_LATITUDE = [CHANNELS.index("lat_cos"), CHANNELS.index("lat_sin")]
_STORED = 40.0
"""Reflectance is below, and decibels are; Sentinel-2's and PALSAR-2's whole numbers are above."""
_NO_DATA = -9000.0  # below it: AGBD's loader writes -9999


def read_columns(file: parquet.ParquetFile) -> tuple[dict[str, Floats], dict[str, NDArray[np.str_]]]:
    """(N,) numbers and words of the rows of a table, by AGBD's own names or their own; patches are not read.

    The fields of structs count as columns. Dates are days since 2019-04-17, as AGBD counts them.
    """
    import pyarrow as pa

    flat = [each.name for each in file.schema_arrow if not is_patch(each.type)]
    table = file.read(columns=flat).flatten()
    numbers: dict[str, Floats] = {}
    words: dict[str, NDArray[np.str_]] = {}
    for name in table.column_names:
        column, own = table[name], name.rpartition(".")[2]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            known = NAMES.get(own.lower(), own)
            numbers[known] = np.array([_float(each) for each in column.to_pylist()], np.float64)
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            days = column.cast(pa.date32()).cast(pa.int32()).to_pandas().to_numpy(np.float64)
            numbers[NAMES.get(own.lower(), own)] = days - float(GEDI_BEGAN.astype(int))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            called = next((word for word, names in _WORDS.items() if own.lower() in names), own)
            words[called] = np.array([each or "" for each in column.to_pylist()], dtype=np.str_)
    return numbers, words


def _float(value: Any) -> float:
    return np.nan if value is None else float(value)


def tiles_of(numbers: Mapping[str, Floats], words: Mapping[str, NDArray[np.str_]]) -> NDArray[np.str_] | None:
    """(N,) tile of each row: as stated, else the square of MGRS it lies in; None where neither is known."""
    if "tile" in words:
        return words["tile"]
    if "lat" in numbers and "lon" in numbers:
        return squares(numbers["lat"], numbers["lon"])
    return None


class RawFile(Closing):
    """A Parquet table of plots, read by row group; a context manager that does what ``AgbdFile`` does.

    Args:
        path: of the table.

    Attributes:
        path: of the table.
        lite: tiles are no level of the file.
        counts: plots by tile.
        dates: Sentinel-2 images of each plot: one.
        synthetic: whether the file says that its plots were made.

    Raises:
        DataError: it cannot be read, or lacks what a plot needs, which is named.
    """

    lite, dates = True, 1

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks = Blocks(path)
        numbers, self._words = read_columns(self._blocks.file)
        self._numbers = numbers
        self._columns = self._layers_in(self._blocks.patches)
        tiles = tiles_of(numbers, self._words)
        lacking = [
            told
            for told, there in (
                ("patches (a column input, or S2_bands and ALOS_bands)", "S2_bands" in self._columns),
                ("radar (ALOS_bands)", "ALOS_bands" in self._columns or "S2_bands" not in self._columns),
                ("biomass (label or agbd)", "agbd" in numbers),
                ("tile (or lat and lon to find it by)", tiles is not None),
            )
            if not there
        ]
        if lacking:
            held = ", ".join(self._blocks.file.schema_arrow.names) or "none"
            raise DataError(f"{path} has no {', no '.join(lacking)}; its columns are {held}")
        assert tiles is not None, "asked for above"
        self._tiles = tiles
        names, counts = np.unique(tiles, return_counts=True)
        self.counts = dict(zip(names.tolist(), counts.tolist(), strict=True))
        self.synthetic = b"rscovlm" in (self._blocks.file.schema_arrow.metadata or {}).get(b"source", b"")

    def _layers_in(self, patches: Sequence[str]) -> dict[str, str]:
        """Column of each layer; that of ``input`` for those that are among its channels."""
        by_case = {name.lower(): name for name in patches}
        whole = next((by_case[name] for name in _WHOLE if name in by_case), None)
        if whole is not None:
            return dict.fromkeys(_LAYERS, whole)
        found = {
            layer: next((by_case[name] for name in names if name in by_case), "")
            for layer, names in _LAYERS.items()
        }
        return {layer: column for layer, column in found.items() if column}

    def close(self) -> None:
        """Close the file."""
        self._blocks.close()

    def __len__(self) -> int:
        """Number of plots."""
        return len(self._tiles)

    def keys(self) -> Iterator[tuple[str, int]]:
        """Group, which is empty, and row of each plot."""
        return (("", row) for row in range(len(self)))

    def tables(
        self, names: Sequence[str]
    ) -> Iterator[tuple[str, NDArray[np.str_], dict[str, NDArray[np.float64]]]]:
        """See ``AgbdFile.tables``."""
        yield "", self._tiles, {name: self._numbers[name] for name in names if name in self._numbers}

    def columns(self) -> Iterator[tuple[str, NDArray[np.str_], dict[str, NDArray[np.float64]]]]:
        """See ``AgbdFile.columns``."""
        yield "", self._tiles, dict(self._numbers)

    def splits(self, name: str) -> NDArray[np.str_] | None:
        """(n,) the split that the table states of each plot of a group; None where it states none."""
        return self._words.get("split")

    def number(self, name: str, stored: str, row: int) -> float | None:
        """See ``AgbdFile.number``."""
        values = self._numbers.get(stored.rpartition("/")[2])
        return None if values is None or np.isnan(values[row]) else float(values[row])

    def cover(self, name: str, row: int) -> int | None:
        """See ``AgbdFile.cover``."""
        classes = self._classes(row)
        code = NO_CLASS if classes is None else int(classes[SIDE // 2, SIDE // 2])
        return None if code == NO_CLASS else code

    def read(self, name: str, row: int) -> Footprint:
        """See ``AgbdFile.read``."""
        try:
            offset = self.number(name, "S2_boa_offset", row) or 0.0
            tile = str(self._tiles[row])
            numbers = {each: float(values[row]) for each, values in self._numbers.items()}
            return Footprint(
                f"{self.path.stem}/{tile}/{row}",
                tile,
                _reflectance(self._layer("S2_bands", row, len(BANDS)), offset),
                _decibels(self._layer("ALOS_bands", row, len(POLARISATIONS))),
                self._classes(row),
                self._plain("DEM", row, _NO_DATA),
                self._plain("ch", row, NO_CLASS),
                {each: value for each, value in numbers.items() if np.isfinite(value)},
                days=(numbers.get("S2_date", np.nan),),
            )
        except (ValueError, IndexError) as error:
            raise DataError(f"{self.path}: row {row} cannot be read: {error}") from None

    def __iter__(self) -> Iterator[Footprint]:
        return (self.read(name, row) for name, row in self.keys())

    def _layer(self, layer: str, row: int, bands: int) -> Floats:
        """(25, 25, bands) as the table has them.

        Raises:
            ValueError: there is no patch, or one of another shape.
        """
        column = self._columns[layer]
        values = self._blocks.row(column, row)
        if values is None:
            raise ValueError(f"{column} is empty")
        whole = column.lower() in _WHOLE
        wanted = len(CHANNELS) if whole else bands
        width = values.size // (wanted * SIDE * SIDE)
        if values.dtype == np.uint8 and values.ndim == 1 and layer not in _SMALL and width in _BYTES:
            values = values.view(np.int16 if layer == "DEM" and width == 2 else _BYTES[width])
        per_band = values.size // (SIDE * SIDE)
        if values.size != per_band * SIDE * SIDE or per_band < wanted or (whole and per_band != wanted):
            raise ValueError(
                f"{column} has {' x '.join(map(str, values.shape))} values, "
                f"not {wanted} x {SIDE} x {SIDE}"
                + (", as in AGBD_raw (other sets of AGBD are cut down or normalised)" if whole else "")
            )
        first = whole or values.shape[-2:] == (SIDE, SIDE)
        cube = values.reshape(per_band, SIDE, SIDE) if first else values.reshape(SIDE, SIDE, per_band)
        cube = np.moveaxis(cube, 0, -1) if first else cube
        if whole:
            cube = cube.swapaxes(0, 1) if _turned(cube[..., _LATITUDE]) else cube
            return cube[..., _OF_INPUT[layer]].astype(np.float64)
        return cube[..., :bands].astype(np.float64)

    def _classes(self, row: int) -> NDArray[np.uint8] | None:
        if "LC" not in self._columns:
            return None
        codes = self._layer("LC", row, 1)[..., 0]
        known = np.isfinite(codes) & (codes > 0) & (codes < NO_CLASS)
        return np.where(known, codes, NO_CLASS).astype(np.uint8)

    def _plain(self, layer: str, row: int, no_data: float) -> Floats | None:
        """(25, 25) of a layer, NaN where there is no data; None where the table has none."""
        if layer not in self._columns:
            return None
        values = self._layer(layer, row, 1)[..., 0]
        empty = values <= no_data if no_data < 0 else values >= no_data
        return np.where(empty, np.nan, values)


def _turned(latitude: NDArray[Any]) -> bool:
    """Whether latitude runs along columns, so that rows and columns of a (25, 25, 2) patch are swapped."""
    along = [float(np.ptp(latitude, axis=axis).max(initial=0.0)) for axis in (0, 1)]
    return along[1] > along[0]


def _reflectance(values: Floats, boa_offset: float) -> Floats:
    """Reflectance of what a table holds: of reflectance, or of Sentinel-2's whole numbers; NaN without data.

    Raises:
        ValueError: neither, such as values that somebody has normalised.
    """
    known = values[np.isfinite(values) & (values != 0)]
    if len(known) and np.median(known) > _STORED:
        return reflectance(np.nan_to_num(values), boa_offset)
    if len(known) and np.percentile(known, 5) < -0.05:
        raise ValueError(
            f"optical bands reach {known.min():.2f}: normalised, where reflectance is due (AGBD_raw has it)"
        )
    found = np.where(np.isfinite(values) & (values != 0), np.maximum(values, 0), np.nan)
    return _whole(found, np.rint(found * 10_000) / 10_000)


def _decibels(values: Floats) -> Floats:
    """gamma0 in dB of what a table holds: of decibels, or of PALSAR-2's amplitudes; NaN without data.

    Raises:
        ValueError: neither.
    """
    there = np.isfinite(values) & (values != 0) & (values > _NO_DATA)
    known = values[there]
    if len(known) and np.median(known) > _STORED:
        return gamma0_db(np.where(there, values, 0))
    if len(known) and known.min() >= 0:
        raise ValueError(
            f"radar lies between {known.min():.2f} and {known.max():.2f}: normalised, where dB is due "
            "(AGBD_raw has it)"
        )
    found = np.where(there, values, np.nan)
    return _whole(found, gamma0_db(np.rint(10 ** ((np.nan_to_num(found, nan=-300.0) + 83) / 20))))


def _whole(values: Floats, exact: Floats) -> Floats:
    """Values, in double precision where they are float32 of what was a whole number in the product."""
    return np.where(np.abs(values - exact) < 1e-5, exact, values)
