"""Plots of known physics as a table in the layout of ``AGBD_raw``, which ``rscovlm.data.agbd_raw`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import atomic_path
from rscovlm.data.agbd import SYNTHETIC, as_stored, gamma0_db, reflectance
from rscovlm.data.agbd_raw import CHANNELS
from rscovlm.synth.forest import BANDS, PIXEL_M, POLARISATIONS, SIDE, Plot

_EARTH_M = 6_371_000
_NO_DECIBELS = -9999.0
ROW_GROUP = 1000
"""Rows that ``datasets`` writes together."""


def write_agbd_raw(
    path: Path,
    plots: Sequence[Plot],
    *,
    tiles: bool = True,
    row_group: int = ROW_GROUP,
) -> None:
    """Write plots as a Parquet table of AGBD_raw, whole or not at all.

    Args:
        path: of the new file.
        plots: any number; later dates are left out, for which the layout has no place.
        tiles: add columns ``tile``, ``patch_count`` and ``activity``, which AGBD_raw does not have; tiles of
            synthetic plots are no places, so that they cannot be found by latitude and longitude.
        row_group: rows that are compressed together.
    """
    import pyarrow as pa
    from pyarrow import parquet

    stored = as_stored(plots, 1)
    columns = {
        "input": pa.array(_input(plots, stored).tolist(), pa.list_(pa.list_(pa.list_(pa.float32())))),
        "label": pa.array(stored["GEDI/agbd"]),
        "metadata": pa.array(_metadata(plots, stored)),
    }
    if tiles:
        columns["tile"] = pa.array([plot.tile.name for plot in plots])
        columns |= {name: pa.array(stored[f"GEDI/{name}"]) for name in ("patch_count", "activity")}
    table = pa.table(columns).replace_schema_metadata({"source": SYNTHETIC})
    with atomic_path(path) as partial:
        parquet.write_table(table, partial, row_group_size=row_group)


def _metadata(plots: Sequence[Plot], stored: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    return [
        {
            "s2_num_days": int(stored["Sentinel_metadata/S2_date"][row]),
            "lat": np.float32(plot.lat),
            "lon": np.float32(plot.lon),
            "agbd_se": stored["GEDI/agbd_se"][row],
            "rh98": stored["GEDI/rh98"][row],
        }
        for row, plot in enumerate(plots)
    ]


def _input(plots: Sequence[Plot], stored: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """(n, 32, 25, 25) the channels; those of which synthetic plots know nothing are 0."""
    found = np.zeros((len(plots), len(CHANNELS), SIDE, SIDE), np.float32)
    layers: dict[str, NDArray[Any]] = {
        "ch": stored["CH/ch"],
        "lc": stored["LC"][..., 0],
        "lc_prob": stored["LC"][..., 1],
        "dem": stored["DEM"],
        "s2_num_days": stored["Sentinel_metadata/S2_date"][:, None, None],
    }
    places = np.array([_places(plot) for plot in plots])
    layers |= {name: places[:, at] for at, name in enumerate(_PLACES)}
    spectra = reflectance(stored["S2_bands"], 1)
    radar = gamma0_db(stored["ALOS_bands"])
    layers |= {name: np.nan_to_num(spectra[..., at]) for at, name in enumerate(BANDS)}
    layers |= {name: np.nan_to_num(radar[..., at], nan=_NO_DECIBELS) for at, name in enumerate(POLARISATIONS)}
    for name, values in layers.items():
        found[:, CHANNELS.index(name)] = values
    return found


_PLACES = ("lat_cos", "lat_sin", "lon_cos", "lon_sin")


def _places(plot: Plot) -> list[NDArray[np.float64]]:
    """(25, 25) of each of ``_PLACES``: the place of each pixel as cosine and sine, from 0 to 1."""
    away = np.degrees((np.arange(SIDE) - SIDE // 2) * PIXEL_M / _EARTH_M)
    lat, lon = np.broadcast_arrays(
        (plot.lat + away)[:, None], (plot.lon + away / np.cos(np.radians(plot.lat)))[None]
    )
    angles = (np.pi * lat / 90, np.pi * lon / 180)
    return [(turn(angle) + 1) / 2 for angle in angles for turn in (np.cos, np.sin)]
