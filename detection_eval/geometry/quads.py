"""Quadrilaterals on an image: orientation, area, bounds, convex hull, minimum-area rectangle.

All arrays are float64, x right and y down, so that a positive signed area means clockwise on the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_NEXT = [1, 2, 3, 0]


def as_quads(polygons: ArrayLike) -> Floats:
    """Quadrilaterals as (n, 4, 2) float64, from (n, 4, 2), (n, 8), or one of them, (4, 2) or (8,).

    Raises:
        ValueError: the numbers do not make whole quadrilaterals.
    """
    quads = np.asarray(polygons, dtype=np.float64)
    if quads.size % 8 or (quads.size and quads.shape[-1] not in (2, 8)):
        raise ValueError(f"an array of shape {quads.shape} holds no whole quadrilaterals; give (n, 4, 2)")
    return quads.reshape(-1, 4, 2)


def planes(polygons: ArrayLike) -> Floats:
    """Polygons (n, k, 2) as (2, k, n): x and y of one corner of all polygons side by side in memory.

    numpy is up to fifty times faster along such rows than across the corners of each polygon. More leading
    axes come out in reversed order.
    """
    return np.ascontiguousarray(np.asarray(polygons, dtype=np.float64).T)


def cross(first: Floats, second: Floats) -> Floats:
    """z of the cross product of vectors (..., 2)."""
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def signed_area(polygons: ArrayLike) -> Floats:
    """Shoelace area of polygons (..., k, 2), positive where the vertices run clockwise on the image.

    Vertices are taken relative to the first one, so that far from the origin no digits are lost.
    """
    return planar_area(planes(polygons)).T


def planar_area(corners: Floats) -> Floats:
    """``signed_area`` of polygons that lie in ``planes``, (2, k, n) -> (n,)."""
    x, y = corners[:, 1:] - corners[:, :1]
    return np.asarray((x[:-1] * y[1:] - y[:-1] * x[1:]).sum(axis=0) / 2)


def area(polygons: ArrayLike) -> Floats:
    """Area of simple polygons (..., k, 2)."""
    return np.abs(signed_area(polygons))


def bounds(polygons: ArrayLike) -> Floats:
    """Axis-aligned bounds (..., 4) as x0, y0, x1, y1 of polygons (..., k, 2)."""
    corners = planes(polygons)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)]).T


def box_quads(boxes: ArrayLike) -> Floats:
    """Axis-aligned boxes (n, 4) as x0, y0, x1, y1 -> canonical quadrilaterals (n, 4, 2)."""
    x0, y0, x1, y1 = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    return np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=-1).reshape(-1, 4, 2)


def canonical(polygons: ArrayLike) -> Floats:
    """The same quadrilaterals with vertices clockwise on the image, the topmost (then leftmost) first.

    This is the vertex order of RSCoVLM's training text. Only the direction and the first vertex change:
    vertices that cross over (a bow-tie) stay so, see ``validity``.

    Args:
        polygons: (n, 4, 2), in any vertex order.

    Returns:
        (n, 4, 2).
    """
    quads = as_quads(polygons).copy()
    x, y = planes(quads)
    leads = ((y[1:] > y[0]) | ((y[1:] == y[0]) & (x[1:] >= x[0]))).all(axis=0)
    others = np.flatnonzero(~(leads & (signed_area(quads) >= 0)))
    if len(others):
        quads[others] = _turned(quads[others])
    return quads


def _turned(quads: Floats) -> Floats:
    reverse = signed_area(quads) < 0
    quads = np.where(reverse[:, None, None], quads[:, ::-1], quads)
    x, y = planes(quads)
    first = np.where(y == y.min(axis=0), x, np.inf).argmin(axis=0)
    order = (first[:, None] + np.arange(4)) % 4
    return np.take_along_axis(quads, order[..., None], axis=1)


def is_convex(polygons: ArrayLike) -> NDArray[np.bool_]:
    """Whether each quadrilateral (n, 4, 2) is simple and convex; flat ones count as convex."""
    return planar_convex(planes(as_quads(polygons)))


def planar_convex(corners: Floats) -> NDArray[np.bool_]:
    """``is_convex`` of quadrilaterals that lie in ``planes``, (2, 4, n) -> (n,)."""
    edges = corners[:, _NEXT] - corners
    (x, y), (next_x, next_y) = edges, edges[:, _NEXT]
    turns = x * next_y - y * next_x
    # rounding of coordinates turns a straight corner into a slightly reflex one, which is no dent
    slack = 1e-12 * np.abs(edges).max(axis=(0, 1), initial=0.0) ** 2
    return np.asarray((turns >= -slack).all(axis=0) | (turns <= slack).all(axis=0))


def convex_hull(points: ArrayLike) -> Floats:
    """Convex hull (h, 2) of points (k, 2), clockwise on the image, without collinear vertices.

    Andrew's monotone chain (Information Processing Letters 9(5), 1979). Coincident or collinear points give
    a hull of one or two vertices.

    Raises:
        ValueError: no points.
    """
    cloud = np.unique(np.asarray(points, dtype=np.float64).reshape(-1, 2), axis=0)
    if not len(cloud):
        raise ValueError("the convex hull of no points is undefined; give at least one")
    if len(cloud) < 3:
        return cloud
    lower, upper = _chain(cloud), _chain(cloud[::-1])
    return np.array(lower[:-1] + upper[:-1])


def _chain(points: Floats) -> list[Floats]:
    chain: list[Floats] = []
    for point in points:
        while len(chain) >= 2 and cross(chain[-1] - chain[-2], point - chain[-2]) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def min_area_rectangle(points: ArrayLike) -> Floats:
    """The smallest rectangle, at any angle, that holds points (k, 2): canonical (4, 2).

    One of its sides lies on an edge of the convex hull (Freeman and Shapira, CACM 18(7), 1975). Equally small
    ones are told apart as in ``min_area_rectangles``. Collinear points give a rectangle without width.

    Raises:
        ValueError: no points.
    """
    hull = convex_hull(points)
    edges = np.roll(hull, -1, axis=0) - hull
    return _smallest_rectangles(hull[None], hull[None], edges[None])[0]


def min_area_rectangles(polygons: ArrayLike) -> Floats:
    """The smallest rectangle around each quadrilateral: (n, 4, 2) -> canonical (n, 4, 2).

    It is often not unique: around 8 % of quadrilaterals whose corners are up to 3 px off a rectangle's, two
    are equally small, and they may overlap by a third only. Of those whose areas differ by no more than
    ``EQUALLY_SMALL`` this is the one on the longest edge of the hull; of equally long edges the one that is
    closest to upright; of two that lean equally far the one that leans clockwise. So the choice depends on
    the shape alone: not on the order of vertices, the place, or rounding to float32.
    """
    quads = as_quads(polygons)
    start, stop = np.triu_indices(4, k=1)  # an edge of the hull joins two of the four points
    # the four sides come before the two diagonals, so a rectangle keeps its own sides to the last bit
    order = np.argsort((stop - start) % 2 == 0, kind="stable")
    start, stop = start[order], stop[order]
    return _smallest_rectangles(quads, quads[:, start], quads[:, stop] - quads[:, start])


EQUALLY_SMALL = 1e-4
"""Rectangles whose areas differ by a smaller part are equally small; float32 coordinates are no finer."""


def _smallest_rectangles(points: Floats, starts: Floats, directions: Floats) -> Floats:
    """The smallest rectangles around points (n, k, 2) with a side along one of the hull's edges.

    Args:
        points: (n, k, 2).
        starts: (n, d, 2) a point of each line that may be an edge of the hull.
        directions: (n, d, 2) the line from there to another point.
    """
    centre = points.mean(axis=1, keepdims=True)
    length = np.hypot(directions[..., 0], directions[..., 1])
    still = length == 0
    along = np.where(still[..., None], [1.0, 0.0], directions / np.where(still, 1.0, length)[..., None])
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    u = np.einsum("nkc,ndc->ndk", points - centre, along)
    v = np.einsum("nkc,ndc->ndk", points - centre, across)
    u0, u1, v0, v1 = u.min(axis=2), u.max(axis=2), v.min(axis=2), v.max(axis=2)
    side = ((starts - centre) * across).sum(axis=2)
    inner = np.minimum(side - v0, v1 - side) > 1e-9 * (u1 - u0 + v1 - v0)  # points on both sides of the line
    area_px = np.where(inner | still, np.inf, (u1 - u0) * (v1 - v0))
    best = _preferred(area_px, length, along)
    rows = np.arange(len(points))
    corner_u = np.stack([u0, u1, u1, u0], axis=-1)[rows, best][..., None]
    corner_v = np.stack([v0, v0, v1, v1], axis=-1)[rows, best][..., None]
    return canonical(centre + corner_u * along[rows, best][:, None] + corner_v * across[rows, best][:, None])


def _preferred(area_px: Floats, length: Floats, along: Floats) -> NDArray[np.int64]:
    """Index of the rectangle (n, d) to take, by area, then edge, then lean; see ``min_area_rectangles``."""
    scale = length.max(axis=1, keepdims=True, initial=0.0) ** 2
    smallest = area_px.min(axis=1, keepdims=True, initial=np.inf)
    left = area_px <= smallest * (1 + EQUALLY_SMALL) + 1e-12 * scale
    # the angle times four, since a rectangle turned by a right angle stands on the same lines
    double_cos, double_sin = along[..., 0] ** 2 - along[..., 1] ** 2, 2 * along[..., 0] * along[..., 1]
    upright, clockwise = double_cos**2 - double_sin**2, 2 * double_cos * double_sin
    for value, unit in ((length, length.max(axis=1, keepdims=True, initial=0.0)), (upright, 1.0)):
        most = np.where(left, value, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        left &= value >= most - EQUALLY_SMALL * unit
    return np.where(left, clockwise, -np.inf).argmax(axis=1)
