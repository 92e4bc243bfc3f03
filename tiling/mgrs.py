"""MGRS: squares of 100 km by name, which Sentinel-2's tiles are called after.

Zones are those of the plain rule, 6 degrees of longitude each; the wider ones of Norway and Svalbard, north
of 56 degrees, are not among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # 8 degrees of latitude each from 80 S on
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # of the zones that are 0, 1 and 2 modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SQUARE_M = 100_000


def squares(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.str_]:
    """(N,) name of the square of 100 km in which each place lies, such as ``32TMT``; empty where it has none.

    Args:
        lat, lon: (N,) degrees in WGS84; not finite, beyond 80 S or 84 N, or not on the globe: no square.
    """
    lat, lon = np.atleast_1d(np.asarray(lat, np.float64)), np.atleast_1d(np.asarray(lon, np.float64))
    found = np.full(len(lat), "", dtype="<U5")
    known = np.isfinite(lat) & np.isfinite(lon) & (lat >= -80) & (lat < 84) & (np.abs(lon) <= 180)
    zone = np.zeros(len(lat), np.int64)
    zone[known] = (lon[known] + 180) // 6 % 60 + 1
    for each in np.unique(zone[known]):
        for south in (False, True):
            own = np.flatnonzero((zone == each) & ((lat < 0) == south))
            if len(own):
                found[own] = _named(int(each), lat[own], lon[own], south)
    return found


def _named(zone: int, lat: NDArray[np.float64], lon: NDArray[np.float64], south: bool) -> list[str]:
    code = (32700 if south else 32600) + zone
    east, north = Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    columns, first = _COLUMNS[zone % 3], 0 if zone % 2 else 5
    names = []
    for x, y, degrees in zip(east, north, lat, strict=True):
        band = _BANDS[min(int((degrees + 80) // 8), len(_BANDS) - 1)]
        row = _ROWS[(int(y // _SQUARE_M) + first) % len(_ROWS)]
        names.append(f"{zone:02d}{band}{columns[int(x // _SQUARE_M) - 1]}{row}")
    return names


def in_tile(tile: str, lat: float, lon: float, margin: float = 1.5) -> bool:
    """Whether a place lies in the UTM zone and the latitude band of a tile.

    Args:
        tile: such as ``30UWB``; see ``is_tile``.
        lat, lon: degrees.
        margin: degrees by which tiles may reach over.
    """
    west, south = 6 * int(tile[:2]) - 186, 8 * _BANDS.index(tile[2]) - 80
    north = south + (12 if tile[2] == "X" else 8)
    away = abs((lon - west - 3 + 180) % 360 - 180)
    return south - margin <= lat <= north + margin and away <= 3 + margin


def is_tile(name: str) -> bool:
    """Whether a name begins as those of tiles do: two digits of a zone and the letter of a band."""
    return len(name) >= 3 and name[:2].isdigit() and name[2] in _BANDS
