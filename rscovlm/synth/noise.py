"""Hash-based lattice noise: the value at a position depends on nothing but the position and a seed.

Any window of a scene can therefore be rendered alone, at any reduction, and neighbouring blocks agree.
Wavelengths that a reduced view cannot show fade to their mean instead of aliasing.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MIX_X, _MIX_Y, _MIX_SEED = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)
_FINAL = np.uint64(0xD6E8FEB86659FD93)
_LOW, _HALF, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(40)


def hashed(i: ArrayLike, j: ArrayLike, seed: ArrayLike) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) for pairs of integers and a seed, which broadcast."""
    row, column, salt = (np.array(value, dtype=np.int64, ndmin=1).astype(np.uint64) for value in (i, j, seed))
    mixed = (row * _MIX_X) ^ (column * _MIX_Y) ^ ((salt & _LOW) * _MIX_SEED)
    mixed ^= mixed >> _HALF
    mixed *= _FINAL
    mixed ^= mixed >> _HALF
    mixed *= _FINAL
    mixed >>= _HIGH
    uniform = mixed.astype(np.float32)
    uniform *= np.float32(1 / (1 << 24))
    return uniform.reshape(np.broadcast_shapes(np.shape(i), np.shape(j), np.shape(seed)))


def lattice(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) at integer nodes: x (w,), y (h,) -> (h, w)."""
    return hashed(x[None, :], y[:, None], seed)


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
    """Smooth noise in [0, 1): columns x (w,), rows y (h,) in units of the wavelength's -> (h, w)."""
    nodes_x, left, weight_x = _nodes(x, wavelength)
    nodes_y, top, weight_y = _nodes(y, wavelength)
    values = lattice(nodes_x, nodes_y, seed)
    rows = values[:, left] * (1 - weight_x) + values[:, left + 1] * weight_x
    lower, step = rows[top], (rows[1:] - rows[:-1])[top]
    step *= weight_y[:, None]
    lower += step
    return cast("NDArray[np.float32]", lower)


def smooth_at(
    x: NDArray[np.float64], y: NDArray[np.float64], wavelength: ArrayLike, seed: ArrayLike
) -> NDArray[np.float32]:
    """The same noise at points: x, y of any one shape; arrays of wavelengths lead: (k,) -> (k, ...)."""
    waves, seeds = (np.asarray(value) for value in (wavelength, seed))
    lead = waves.shape + (1,) * np.ndim(x)
    waves, seeds = waves.reshape(lead), seeds.reshape(lead)
    s, t = x / waves, y / waves
    i, j = np.floor(s), np.floor(t)
    s, t = s - i, t - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    i, j = i.astype(np.int64), j.astype(np.int64)
    nodes = hashed(np.stack([i, i + 1, i, i + 1]), np.stack([j, j, j + 1, j + 1]), seeds)
    top, bottom = nodes[0] + (nodes[1] - nodes[0]) * s, nodes[2] + (nodes[3] - nodes[2]) * s
    return cast("NDArray[np.float32]", (top + (bottom - top) * t).astype(np.float32))


def bounds(
    x: NDArray[np.float64], y: NDArray[np.float64], wavelength: float, seed: int
) -> tuple[float, float]:
    """Least and largest that ``smooth`` is between the outermost columns and rows.

    In each cell of the lattice it is monotone along either axis, so both lie at corners of parts of cells.
    """
    values = smooth(_breaks(x, wavelength), _breaks(y, wavelength), wavelength, seed)
    return float(values.min()), float(values.max())


def _breaks(positions: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """The outermost positions and the lattice's lines between them."""
    first, last = float(positions.min()), float(positions.max())
    lines = np.arange(np.ceil(first / wavelength), np.floor(last / wavelength) + 1) * wavelength
    return np.concatenate([[first], lines, [last]])


def visible(wavelength: float, pixel: float) -> float:
    """How much of a pattern's contrast survives averaging over ``pixel``, in [0, 1]."""
    return float(np.clip(wavelength / pixel / 2 - 0.5, 0.0, 1.0))
