"""The street grid of a scene: a turned, gently bent, irregular lattice that fields, blocks and roads follow.

Grid coordinates (u, v) are metres along and across the streets. The way between ground and grid is a
rotation and two shears, so it keeps areas and is exact in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.synth import noise

Array = NDArray[np.float64]

_JITTER = 0.34
"""Of a step: how far a line lies from its regular place at most, times two."""


@dataclass(frozen=True)
class Axis:
    """Lines across one axis of the grid.

    Attributes:
        step_m: mean distance between lines.
        seed: of their places.
    """

    step_m: float
    seed: int

    def line(self, index: ArrayLike) -> Array:
        """Where lines lie, in metres of the axis."""
        index = np.asarray(index)
        jitter = noise.hashed(index, 0, self.seed).astype(np.float64) - 0.5
        return (index + _JITTER * jitter) * self.step_m

    def cell(self, position: ArrayLike) -> NDArray[np.int64]:
        """The index of the last line at or before positions."""
        position = np.asarray(position, dtype=np.float64)
        guess = np.floor(position / self.step_m).astype(np.int64)
        guess = guess - (position < self.line(guess))
        return guess + (position >= self.line(guess + 1))

    def located(self, position: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32], int]:
        """For many positions: cell from the first, signed offset from the nearest line, the first cell.

        The offset is positive behind the line, negative before the next one.
        """
        first = int(np.floor(float(position.min()) / self.step_m)) - 1
        last = int(np.floor(float(position.max()) / self.step_m)) + 3
        lines = self.line(np.arange(first, last + 1)).astype(np.float32)
        if last - first <= 8:
            passed = np.zeros(position.shape, dtype=np.uint8)
            for line in lines[1:-1]:
                passed += position >= line
            cell = passed.astype(np.intp)
        else:
            cell = np.floor(position * np.float32(1 / self.step_m)).astype(np.intp)
            cell -= first
            cell += position >= lines[cell + 1]
            cell -= position < lines[cell]
        middle = (lines[:-1] + lines[1:]) / 2
        nearest = np.where(position < middle[cell], lines[:-1][cell], lines[1:][cell])
        return cell, position - nearest, first


@dataclass(frozen=True)
class Grid:
    """The frame of a scene's streets and fields.

    Attributes:
        angle_rad: of the u axis, clockwise on the image from +x.
        u, v: lines across each axis.
        bend_m: amplitudes of the two shears, along u and along v.
        wave_m: their wavelengths over 2 pi.
    """

    angle_rad: float
    u: Axis
    v: Axis
    bend_m: tuple[float, float]
    wave_m: tuple[float, float]

    def to_grid(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Grid coordinates of points on the ground, which broadcast."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        u, v = c * x + s * y, c * y - s * x
        u = u + self.bend_m[0] * np.sin(v / self.wave_m[0])
        return u, v + self.bend_m[1] * np.sin(u / self.wave_m[1])

    def raster(self, x: Array, y: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Grid coordinates of columns x (w,) and rows y (h,) -> two (h, w), faster and to a millimetre."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        u = (c * x).astype(np.float32)[None, :] + (s * y).astype(np.float32)[:, None]
        v = (-s * x).astype(np.float32)[None, :] + (c * y).astype(np.float32)[:, None]
        u += np.float32(self.bend_m[0]) * np.sin(v * np.float32(1 / self.wave_m[0]))
        v += np.float32(self.bend_m[1]) * np.sin(u * np.float32(1 / self.wave_m[1]))
        return u, v

    def to_ground(self, u: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
        """Points on the ground of grid coordinates: the inverse of ``to_grid``."""
        u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
        v = v - self.bend_m[1] * np.sin(u / self.wave_m[1])
        u = u - self.bend_m[0] * np.sin(v / self.wave_m[0])
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return c * u - s * v, s * u + c * v

    def headings(self, u: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
        """Directions on the ground, in radians clockwise from +x, of the u lines' and v lines' normals.

        The first is the way in which u grows along a v line; the second that in which v grows along a u line.
        """
        found = []
        for du, dv in ((0.5, 0.0), (0.0, 0.5)):
            x0, y0 = self.to_ground(np.asarray(u) - du, np.asarray(v) - dv)
            x1, y1 = self.to_ground(np.asarray(u) + du, np.asarray(v) + dv)
            found.append(np.arctan2(y1 - y0, x1 - x0))
        return found[0], found[1]

    def window(self, x: Array, y: Array) -> tuple[float, float, float, float]:
        """Least u, least v, largest u, largest v that a window can hold; x, y are its edges (2,)."""
        edge = np.linspace(0, 1, 9)
        xs, ys = x[0] + (x[1] - x[0]) * edge, y[0] + (y[1] - y[0]) * edge
        u, v = self.to_grid(
            np.concatenate([xs, xs, np.full(9, x[0]), np.full(9, x[1])]),
            np.concatenate([np.full(9, y[0]), np.full(9, y[1]), ys, ys]),
        )
        slack = 0.06 * max(x[1] - x[0], y[1] - y[0]) * (self.bend_m != (0.0, 0.0))
        return u.min() - slack, v.min() - slack, u.max() + slack, v.max() + slack


def draw_grid(rng: np.random.Generator) -> Grid:
    """A random grid."""
    seeds = rng.integers(0, 1 << 31, 2)
    wave = rng.uniform(180, 420, 2)
    slope = rng.uniform(0.02, 0.13, 2)
    return Grid(
        float(rng.uniform(-np.pi / 4, np.pi / 4)),
        Axis(float(rng.uniform(95, 130)), int(seeds[0])),
        Axis(float(rng.uniform(72, 92)), int(seeds[1])),
        (float(slope[0] * wave[0]), float(slope[1] * wave[1])),
        (float(wave[0]), float(wave[1])),
    )
