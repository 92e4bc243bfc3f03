"""Polygons in order, with what they are made of, and how they come onto a canvas.

Coordinates are scene pixels until they are painted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageDraw

Array = NDArray[np.float64]

_THINNEST = 0.35
"""Of a canvas pixel: thinner polygons leave no trace, instead of one that is too strong."""

_OFFSET = 0.0137
"""Of a canvas pixel, so that corners on whole pixels are cut alike in every window."""


class Material(IntEnum):
    """What a surface is made of, for sensors that see more than colours."""

    ASPHALT = 0
    CONCRETE = 1
    ROOF = 2
    METAL = 3
    GRASS = 4
    TREE = 5
    WATER = 6
    SOIL = 7
    PAINT = 8


@dataclass(frozen=True)
class Polygons:
    """Polygons in the order in which they are painted.

    Attributes:
        points: (m, 2) corners of all of them, one polygon after the other.
        counts: (n,) corners of each.
        colours: (n,) RGB as one number each, red in the lowest byte.
        materials: (n,) ``Material`` codes.
    """

    points: Array
    counts: NDArray[np.int64]
    colours: NDArray[np.int64]
    materials: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.counts)


def packed(colours: ArrayLike) -> NDArray[np.int64]:
    """(..., 3) RGB in 0-255 as numbers of the form that PIL paints with."""
    rgb = np.clip(np.asarray(colours), 0, 255).astype(np.int64)
    return np.asarray(rgb[..., 0] | rgb[..., 1] << 8 | rgb[..., 2] << 16)


class Sheet:
    """Collects polygons, in the order in which they are painted."""

    def __init__(self) -> None:
        self._parts: list[Polygons] = []

    def add(self, points: ArrayLike, colours: ArrayLike, material: Material) -> None:
        """Add polygons of equal numbers of corners.

        Args:
            points: (n, k, 2) corners, or (k, 2) of one polygon.
            colours: (n, 3) RGB, or (3,) for all of them.
            material: of all of them.
        """
        corners = np.asarray(points, dtype=np.float64)
        corners = corners.reshape(-1, *corners.shape[-2:])
        n, k = corners.shape[:2]
        if n:
            self._parts.append(
                Polygons(
                    corners.reshape(-1, 2),
                    np.full(n, k),
                    np.broadcast_to(packed(colours), n).copy(),
                    np.full(n, int(material), dtype=np.uint8),
                )
            )

    def extend(self, others: Iterable[Polygons]) -> None:
        """Add what was collected elsewhere."""
        self._parts += [other for other in others if len(other)]

    def polygons(self) -> Polygons:
        """All that was added."""
        return joined(self._parts)


def joined(parts: Iterable[Polygons]) -> Polygons:
    """Polygons of several collections, one after the other."""
    parts = list(parts)
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Polygons(np.zeros((0, 2)), none, none, none.astype(np.uint8))
    if len(parts) == 1:
        return parts[0]
    return Polygons(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.materials for part in parts]),
    )


def rectangles(
    x: ArrayLike, y: ArrayLike, length: ArrayLike, width: ArrayLike, angle_rad: ArrayLike
) -> Array:
    """(n, 4, 2) rectangles about centres, with sides along and across a heading."""
    x, y, length, width, angle = np.broadcast_arrays(*np.atleast_1d(x, y, length, width, angle_rad))
    c, s = np.cos(angle)[:, None] / 2, np.sin(angle)[:, None] / 2
    along, across = np.array([-1, 1, 1, -1]) * length[:, None], np.array([-1, -1, 1, 1]) * width[:, None]
    return np.stack([x[:, None] + c * along - s * across, y[:, None] + s * along + c * across], axis=2)


def swept(points: Array, shift: Array) -> Array:
    """Where convex polygons pass when they are moved: (n, k, 2) clockwise, (n, 2) or (2,) -> (n, 2k, 2)."""
    shift = np.broadcast_to(shift, (len(points), 2))[:, None, :]
    edge = np.roll(points, -1, axis=1) - points
    # The outer normal of an edge that runs clockwise on the image, y down, is (dy, -dx).
    ahead = (edge[..., 1] * shift[..., 0] - edge[..., 0] * shift[..., 1] > 0)[..., None]
    pair = np.stack([points + shift * np.roll(ahead, 1, axis=1), points + shift * ahead], axis=2)
    return pair.reshape(len(points), -1, 2)


def paint(
    pen: ImageDraw.ImageDraw,
    polygons: Polygons,
    frame: Array,
    canvas: tuple[int, int],
    ink: int | None = None,
) -> None:
    """Paint polygons onto a canvas.

    Args:
        pen: of the canvas.
        polygons: in scene pixels.
        frame: (2, 3) affine from scene pixels to those of the canvas.
        canvas: its width and height.
        ink: instead of the polygons' own colours.
    """
    if not len(polygons):
        return
    points = polygons.points @ frame[:, :2].T + (frame[:, 2] + _OFFSET)
    starts = np.concatenate([[0], np.cumsum(polygons.counts)[:-1]])
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    seen = (high > 0).all(axis=1) & (low < canvas).all(axis=1)
    if not seen.any():
        return
    following = np.arange(1, len(points) + 1)
    following[starts + polygons.counts - 1] = starts
    after = points[following]
    cross = points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]
    area = np.abs(np.add.reduceat(cross, starts)) / 2
    outline = np.add.reduceat(np.abs(after - points).sum(axis=1), starts)
    seen &= area * 2.4 > _THINNEST * outline
    # PIL paints both ends of a span: without this every shape would be a pixel too long and too wide.
    extent, middle = np.maximum(high - low, 1e-9), (high + low) / 2
    share = np.maximum(0.0, 1 - 1 / np.maximum(extent, 1.0))
    spread = np.repeat(share, polygons.counts, axis=0)
    centre = np.repeat(middle, polygons.counts, axis=0)
    cells = np.floor(centre + (points - centre) * spread).ravel().tolist()
    inks = polygons.colours.tolist() if ink is None else [ink] * len(polygons)
    first, ends = (2 * starts).tolist(), (2 * (starts + polygons.counts)).tolist()
    for row in np.flatnonzero(seen).tolist():
        pen.polygon(cells[first[row] : ends[row]], fill=inks[row])
