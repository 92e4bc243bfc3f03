"""Mappings of points (..., 2) and their inverses: affine ones, and those of control points and of RPC."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.transform import TransformerBase

Points = NDArray[np.float64]
PointMap = Callable[[ArrayLike], Points]
"""Points (..., 2) of one frame as points of another."""


def mapped(function: Callable[[Points, Points], Sequence[ArrayLike]], points: ArrayLike) -> Points:
    """Points (..., 2) through a function of two flat sequences x, y that returns two."""
    points = np.asarray(points, dtype=np.float64)
    x, y = function(points[..., 0].ravel(), points[..., 1].ravel())
    return np.stack((np.asarray(x, np.float64), np.asarray(y, np.float64)), axis=-1).reshape(points.shape)


def apply_affine(transform: Affine, points: ArrayLike) -> Points:
    """Points (..., 2) under an affine transform."""
    points = np.asarray(points, dtype=np.float64)
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        (transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f),
        axis=-1,
    )


def affine_mapping(
    transform: Affine,
) -> tuple[PointMap, PointMap]:
    """An affine transform and its inverse as functions of points.

    The inverse subtracts the origin first: coordinates of some 10 million metres would cost digits in
    ``~transform``.
    """
    linear = ~Affine(transform.a, transform.b, 0, transform.d, transform.e, 0)
    origin = (transform.c, transform.f)
    return (
        lambda points: apply_affine(transform, points),
        lambda points: apply_affine(linear, np.asarray(points, dtype=np.float64) - origin),
    )


def warped_mapping(transformer: TransformerBase, orientation: Affine) -> tuple[PointMap, PointMap]:
    """A GDAL transformer of ground control points or RPC as functions of points.

    GDAL fits the two directions of a polynomial apart, so that one does not undo the other. Pixel to map is
    taken as the truth here, and its inverse is refined by Newton's method from GDAL's guess.
    """
    lock = threading.Lock()  # the transformer holds one GDAL object
    upright = ~orientation
    half_x, half_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])

    def to_map(points: ArrayLike) -> Points:
        stored = apply_affine(orientation, points)
        with lock, rasterio.Env():  # within which GDAL's errors are logged, not printed
            return mapped(lambda x, y: transformer.xy(y, x, offset="ul"), stored)

    def guess(points: ArrayLike) -> Points:
        with lock, rasterio.Env():
            stored = mapped(
                lambda x, y: transformer.rowcol(x, y, op=float)[::-1], np.asarray(points, dtype=np.float64)
            )
        return apply_affine(upright, stored)

    def from_map(points: ArrayLike) -> Points:
        points = np.asarray(points, dtype=np.float64)
        pixels = guess(points)
        for _ in range(3):
            along_x = to_map(pixels + half_x) - to_map(pixels - half_x)
            along_y = to_map(pixels + half_y) - to_map(pixels - half_y)
            miss = points - to_map(pixels)
            area = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
            step = np.stack(
                (
                    miss[..., 0] * along_y[..., 1] - miss[..., 1] * along_y[..., 0],
                    miss[..., 1] * along_x[..., 0] - miss[..., 0] * along_x[..., 1],
                ),
                axis=-1,
            )
            with np.errstate(divide="ignore", invalid="ignore"):  # off the map, or points in one line
                pixels = pixels + step / area[..., None]
        return pixels

    return to_map, from_map
