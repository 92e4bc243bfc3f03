"""Boxes at the edge of an image: the part of each that can be seen."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.quads import Floats, as_quads, canonical, min_area_rectangle

THINNEST_PX = 0.5
"""Side in px of a square: a box of which the edge leaves a smaller area is not seen."""


def visible_quads(polygons: ArrayLike, width: float, height: float) -> tuple[Floats, NDArray[np.int64]]:
    """The boxes that an image shows, each as the smallest rectangle around its visible part.

    A box whose centre lies outside is left to the neighbouring image, so that of two neighbours only one
    lists an object. A box that lies inside keeps its corners. One that the edge cuts becomes the minimum-area
    rectangle of its visible part, whose corners are then moved inside.

    Args:
        polygons: (n, 4, 2) in px of the image, which they may leave.
        width: image width in px.
        height: likewise.

    Returns:
        The boxes seen, canonical (m, 4, 2), and their rows (m,) among those given, in order.
    """
    quads = as_quads(polygons).copy()
    limits = np.array([width, height], dtype=np.float64)
    centres = quads.mean(axis=1)
    seen = ((centres >= 0) & (centres <= limits)).all(axis=1)
    inside = ((quads >= 0) & (quads <= limits)).all(axis=(1, 2))
    for row in np.flatnonzero(seen & ~inside):
        part = shapely.clip_by_rect(shapely.convex_hull(shapely.multipoints(quads[row])), 0, 0, *limits)
        if part.area < THINNEST_PX**2:
            seen[row] = False
        else:
            quads[row] = np.clip(min_area_rectangle(shapely.get_coordinates(part)), 0, limits)
    return canonical(quads[seen]), np.flatnonzero(seen)
