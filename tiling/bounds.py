"""Bounds of a part of a scene: on its map, and in longitude and latitude."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tiling.errors import NotGeoreferenced
from tiling.scene import Scene
from tiling.view import Window

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top; of degrees west, south, east, north."""

_STEPS = 16
"""Steps along a side of a window: the corners alone would miss where sides bulge in a projection."""


def map_bounds(scene: Scene, window: Window) -> Bounds | None:
    """Bounds in the CRS of the scene; None where it has no place, or the projection leaves the plane."""
    try:
        outline = scene.to_map(_outline(window))
    except NotGeoreferenced:
        return None
    if not np.isfinite(outline).all():
        return None
    (left, bottom), (right, top) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    return left, bottom, right, top


def lonlat_bounds(scene: Scene, window: Window) -> Bounds | None:
    """Bounds in WGS84 degrees as :func:`outline_bounds`; None too where nothing leads to them."""
    try:
        return outline_bounds(scene.to_lonlat(_outline(window)))
    except NotGeoreferenced:
        return None


def outline_bounds(outline: NDArray[np.float64]) -> Bounds | None:
    """West, south, east, north of a closed outline (n, 2) in degrees; None where it leaves the Earth.

    Across the antimeridian west is above east (RFC 7946, section 5.2). Around a pole all longitudes count.
    """
    if not np.isfinite(outline).all():
        return None
    lon, lat = np.unwrap(outline[:, 0], period=360), outline[:, 1]
    west, east = float(lon.min()), float(lon.max())
    south, north = float(lat.min()), float(lat.max())
    if south < -90 or north > 90:
        return None
    if abs(lon[-1] - lon[0]) > 180:
        return (-180.0, south, 180.0, 90.0) if south + north > 0 else (-180.0, -90.0, 180.0, north)
    if east - west >= 360 - 1e-9:
        return -180.0, south, 180.0, north
    return (west + 180) % 360 - 180, south, 180 - (180 - east) % 360, north


def _outline(window: Window) -> NDArray[np.float64]:
    """Points (n, 2) around the edge of a window, ending where they begin."""
    x0, y0, x1, y1 = window.bounds
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    along = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    edges = [a + (b - a) * along for a, b in pairwise(corners)]
    return np.concatenate([*edges, corners[-1:]])
