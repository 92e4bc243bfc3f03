"""Hash-based lattice noise: the value at a scene position depends on nothing but the position and a seed.

Any window of a scene can therefore be rendered alone, at any reduction, and neighbouring blocks agree.
Wavelengths that a reduced view cannot show fade to their mean instead of aliasing.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

_MIX_X, _MIX_Y, _MIX_SEED = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)
_FINAL = np.uint64(0xD6E8FEB86659FD93)


def lattice(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) at integer nodes: x (w,), y (h,) -> (h, w)."""
    with np.errstate(over="ignore"):
        row = x.astype(np.uint64)[None, :] * _MIX_X
        column = y.astype(np.uint64)[:, None] * _MIX_Y
        mixed = row ^ column ^ (np.uint64(seed & 0xFFFFFFFF) * _MIX_SEED)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _FINAL
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _FINAL
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def _nodes(
    positions: NDArray[np.float64], wavelength: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    scaled = positions / wavelength
    cells = np.floor(scaled).astype(np.int64)
    fraction = (scaled - cells).astype(np.float32)
    nodes = np.arange(cells.min(), cells.max() + 2)
    return nodes, cells - cells.min(), fraction * fraction * (3 - 2 * fraction)


def smooth(
    x: NDArray[np.float64], y: NDArray[np.float64], wavelength: float, seed: int
) -> NDArray[np.float32]:
    """Smooth noise in [0, 1): columns x (w,), rows y (h,) in scene pixels -> (h, w)."""
    nodes_x, left, weight_x = _nodes(x, wavelength)
    nodes_y, top, weight_y = _nodes(y, wavelength)
    values = lattice(nodes_x, nodes_y, seed)
    rows = values[:, left] * (1 - weight_x) + values[:, left + 1] * weight_x
    between = rows[top] * (1 - weight_y)[:, None] + rows[top + 1] * weight_y[:, None]
    return cast("NDArray[np.float32]", between)


def cells(x: NDArray[np.float64], y: NDArray[np.float64], side: float, seed: int) -> NDArray[np.float32]:
    """Piecewise constant noise in [0, 1) on square cells of ``side`` scene pixels -> (h, w)."""
    column, row = np.floor(x / side).astype(np.int64), np.floor(y / side).astype(np.int64)
    nodes_x, nodes_y = np.arange(column.min(), column.max() + 1), np.arange(row.min(), row.max() + 1)
    values = lattice(nodes_x, nodes_y, seed)
    return values[np.ix_(row - row.min(), column - column.min())]


def visible(wavelength: float, pixel: float) -> float:
    """How much of a pattern's contrast survives averaging over ``pixel`` scene pixels, in [0, 1]."""
    return float(np.clip(wavelength / pixel / 2 - 0.5, 0.0, 1.0))
