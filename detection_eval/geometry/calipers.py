"""The smallest rectangle that OpenCV chooses where several are equally small, for parity with MMRotate.

``cv2.minAreaRect`` turns calipers round the convex hull (Toussaint, "Solving geometric problems with the
rotating calipers", 1983) and keeps the last of the smallest rectangles, in float32: which of two equal ones
that is hangs on the last digit. So its arithmetic is repeated here, operation by operation
(``rotatingCalipers`` in OpenCV 4.12, modules/imgproc/src/rotcalipers.cpp). OpenCV is not needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.quads import (
    Floats,
    as_quads,
    canonical,
    convex_hull,
    cross,
    min_area_rectangles,
)

_Floats32 = NDArray[np.float32]


def opencv_rectangles(polygons: ArrayLike) -> Floats:
    """The rectangle that ``cv2.minAreaRect`` chooses around each quadrilateral: (n, 4, 2) -> canonical.

    The choice is OpenCV's; the rectangle along the chosen side is computed in float64. Quadrilaterals without
    area, which OpenCV treats on its own, get that of ``min_area_rectangles``.
    """
    quads = as_quads(polygons)
    rectangles = np.empty_like(quads)
    listed = quads.astype(np.float32)
    edges = np.roll(quads, -1, axis=1) - quads
    turns = cross(edges, np.roll(edges, -1, axis=1))
    ahead, backwards = (turns > 0).all(axis=1), (turns < 0).all(axis=1)
    rectangles[ahead] = _around(quads[ahead], _chosen_direction(listed[ahead]))
    rectangles[backwards] = _around(quads[backwards], _chosen_direction(listed[backwards][:, ::-1]))
    for index in np.flatnonzero(~(ahead | backwards)):
        hull, quad = _hull(listed[index]), quads[index : index + 1]
        flat = len(hull) < 3
        rectangles[index] = (
            min_area_rectangles(quad) if flat else _around(quad, _chosen_direction(hull[None]))
        )[0]
    return rectangles


def _hull(quad: _Floats32) -> _Floats32:
    """The hull (k, 2), clockwise on the image, from the vertex on at which OpenCV begins.

    That is the first as listed, if the hull runs as the list does; the last, if it runs the other way; and
    else the rightmost. It matters where a side is upright: whether that side is tried first or last.
    """
    hull = convex_hull(quad).astype(np.float32)
    if len(hull) < 3:
        return hull
    listed = [int((quad == corner).all(axis=1).argmax()) for corner in hull]
    for wanted in (sorted(listed), sorted(listed, reverse=True)):
        begin = listed.index(wanted[0])
        if listed[begin:] + listed[:begin] == wanted:
            return np.roll(hull, -begin, axis=0)
    return np.roll(hull, -int(hull[:, 0].argmax()), axis=0)


def _chosen_direction(hull: _Floats32) -> _Floats32:
    """The unit vector (n, 2) of the side that the calipers settle on.

    Args:
        hull: (n, k, 2) convex, clockwise on the image.
    """
    n, count, _ = hull.shape
    rows = np.arange(n)
    edge = np.roll(hull, -1, axis=1) - hull
    wide = edge.astype(np.float64)
    inverse = (1 / np.sqrt((wide**2).sum(axis=2))).astype(np.float32)
    x, y = hull[..., 0], hull[..., 1]
    seat = np.stack([y.argmin(1), x.argmax(1), y.argmax(1), x.argmin(1)], axis=1)  # bottom, right, top, left
    least = np.full(n, np.finfo(np.float32).max, dtype=np.float32)
    chosen = np.zeros((n, 2), dtype=np.float32)
    for _ in range(count):
        # the edges that the four sides would meet next, turned so that the sides coincide
        ahead = [_turned(edge[rows, seat[:, side]], side) for side in range(4)]
        main = np.zeros(n, dtype=np.int64)
        for side in range(1, 4):
            best = np.stack(ahead)[main, rows]
            sooner = ahead[side][:, 0] * best[:, 1] - ahead[side][:, 1] * best[:, 0] > 0
            main[sooner] = side
        leading = seat[rows, main]
        unit = edge[rows, leading] * inverse[rows, leading][:, None]
        base = np.choose(main[:, None], [_turned(unit, side) for side in range(4)])
        seat[rows, main] = (leading + 1) % count
        across = hull[rows, seat[:, 1]] - hull[rows, seat[:, 3]]
        upwards = hull[rows, seat[:, 2]] - hull[rows, seat[:, 0]]
        width = across[:, 0] * base[:, 0] + across[:, 1] * base[:, 1]
        height = -upwards[:, 0] * base[:, 1] + upwards[:, 1] * base[:, 0]
        area_px = width * height
        smaller = area_px <= least
        least[smaller] = area_px[smaller]
        chosen[smaller] = base[smaller]
    return chosen


def _turned(vectors: _Floats32, quarters: int) -> _Floats32:
    """Vectors (n, 2) turned back by quarter turns."""
    x, y = vectors[:, 0], vectors[:, 1]
    return np.stack([(x, y), (y, -x), (-x, -y), (-y, x)][quarters], axis=1)


def _around(quads: Floats, direction: _Floats32) -> Floats:
    """The rectangles around quadrilaterals with a side along directions (n, 2)."""
    along = direction.astype(np.float64)
    along /= np.hypot(*along.T)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    centre = quads.mean(axis=1, keepdims=True)
    u, v = (np.einsum("nkc,nc->nk", quads - centre, axis) for axis in (along, across))
    corner_u = np.stack([u.min(1), u.max(1), u.max(1), u.min(1)], axis=1)[..., None]
    corner_v = np.stack([v.min(1), v.min(1), v.max(1), v.max(1)], axis=1)[..., None]
    return canonical(centre + corner_u * along[:, None] + corner_v * across[:, None])
