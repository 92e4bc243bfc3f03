"""Exact intersection over union of quadrilaterals, in float64, over the pairs that can overlap at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.quads import Floats, area, as_quads, bounds, planar_area, planar_convex, planes

_BLOCK = 1 << 17  # pairs whose bounds are compared at once
_CLIPPED_AT_ONCE = 1 << 12  # pairs clipped at once: small enough for the cache

Indices = NDArray[np.int64]


def candidate_pairs(
    first: ArrayLike, second: ArrayLike, groups: tuple[ArrayLike, ArrayLike] | None = None
) -> tuple[Indices, Indices]:
    """Indices (i, j) of quadrilaterals (n, 4, 2) and (m, 4, 2) whose axis-aligned bounds touch, in order.

    A sweep over x: O((n + m) log (n + m)) plus the pairs that overlap in x.

    Args:
        first: (n, 4, 2).
        second: (m, 4, 2).
        groups: integers (n,) and (m,); only members of the same group meet, such as boxes of one image.
    """
    return _touching(bounds(as_quads(first)), bounds(as_quads(second)), groups)


def _touching(a: Floats, b: Floats, groups: tuple[ArrayLike, ArrayLike] | None) -> tuple[Indices, Indices]:
    """Indices (i, j) of bounds (n, 4) and (m, 4) that touch, in order."""
    group_a, group_b = (np.zeros(len(box), np.int64) for box in (a, b)) if groups is None else groups
    # (group, x) as one integer: groups then stand side by side without touching
    a_from, a_to = _ordinal(a[:, 0], group_a), _ordinal(a[:, 2], group_a)
    b_from, b_to = _ordinal(b[:, 0], group_b), _ordinal(b[:, 2], group_b)
    order = np.argsort(b_from, kind="stable")
    # beyond `stop` a box starts right of ours; before `start` all end left of ours
    start = np.searchsorted(np.maximum.accumulate(b_to[order]), a_from, side="left")
    stop = np.maximum(np.searchsorted(b_from[order], a_to, side="right"), start)
    pairs = [np.zeros(0, np.int64)]
    for rows in _blocks_of(stop - start):
        counts = (stop - start)[rows]
        i = np.repeat(np.arange(rows.start, rows.stop), counts)
        j = order[np.arange(len(i)) + np.repeat(stop[rows] - np.cumsum(counts), counts)]
        meet = (b[j, 0] <= a[i, 2]) & (b[j, 2] >= a[i, 0]) & (b[j, 1] <= a[i, 3]) & (b[j, 3] >= a[i, 1])
        pairs.append(i[meet] * len(b) + j[meet])
    i, j = np.divmod(np.sort(np.concatenate(pairs)), max(len(b), 1))
    return i, j


def _ordinal(x: Floats, group: ArrayLike) -> Indices:
    """Integers in the order of (group, x), where ``x`` of equal float32 are equal."""
    with np.errstate(over="ignore"):
        bits = (x.astype(np.float32) + np.float32(0)).view(np.int32).astype(np.int64)  # + 0: no -0
    # floats are a sign and a magnitude
    signed = np.where(bits < 0, -(bits + (1 << 31)), bits)
    return (np.asarray(group, dtype=np.int64) << 32) + signed + (1 << 31)


def _blocks_of(counts: NDArray[np.int64]) -> list[slice]:
    """Consecutive rows whose counts add up to about ``_BLOCK`` each."""
    if not len(counts):
        return []
    block = np.cumsum(counts) // _BLOCK
    cuts = np.flatnonzero(np.diff(block)) + 1
    edges = [0, *cuts.tolist(), len(counts)]
    return [slice(a, b) for a, b in pairwise(edges)]


def intersection_area(first: ArrayLike, second: ArrayLike) -> Floats:
    """Area common to each pair of quadrilaterals, (n, 4, 2) and (n, 4, 2) -> (n,).

    Exact for simple quadrilaterals, convex or not; the two lobes of a bow-tie count against each other.
    """
    a, b = as_quads(first), as_quads(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} quadrilaterals cannot be paired with {len(b)}; give equally many")
    common = np.zeros(len(a))
    for begin in range(0, len(a), _CLIPPED_AT_ONCE):
        rows = slice(begin, begin + _CLIPPED_AT_ONCE)
        common[rows] = _block_intersection(planes(a[rows]), planes(b[rows]))
    return common


def _block_intersection(a: Floats, b: Floats) -> Floats:
    """IoU of quadrilaterals in ``planes``, (2, 4, n) and (2, 4, n) -> (n,), as for all functions below."""
    upright = _are_upright(a) & _are_upright(b)
    common = np.zeros(a.shape[2])
    if upright.any():
        common[upright] = _upright_intersection(a[..., upright], b[..., upright])
    origin = a[:, :1]
    a, b = a - origin, b - origin
    a_convex, b_convex = planar_convex(a), planar_convex(b)
    direct, turned = b_convex & ~upright, a_convex & ~b_convex & ~upright
    common[direct] = _clipped_area(*((a, b) if direct.all() else (a[..., direct], b[..., direct])))
    if turned.any():
        common[turned] = _clipped_area(b[..., turned], a[..., turned])
    bent = ~(a_convex | b_convex)
    if bent.any():
        for corners in ([0, 1, 2], [0, 2, 3]):
            triangle = b[..., bent][:, corners]
            common[bent] += np.sign(planar_area(triangle)) * _clipped_area(a[..., bent], triangle)
    return np.abs(common)


def _are_upright(quads: Floats) -> NDArray[np.bool_]:
    """Mask of the quadrilaterals that are axis-aligned rectangles, to the last bit."""
    x, y = quads
    level = (y[0] == y[1]) & (x[1] == x[2]) & (y[2] == y[3]) & (x[3] == x[0])
    upright = (x[0] == x[1]) & (y[1] == y[2]) & (x[2] == x[3]) & (y[3] == y[0])
    return np.asarray(level | upright)


def _upright_intersection(a: Floats, b: Floats) -> Floats:
    """Exact, so that two boxes of whole pixels meet a level of 1/2 when they should."""
    sides = np.minimum(a.max(axis=1), b.max(axis=1)) - np.maximum(a.min(axis=1), b.min(axis=1))
    width, height = np.maximum(sides, 0.0)
    return np.asarray(width * height)


def _clipped_area(subject: Floats, clip: Floats) -> Floats:
    """Signed area of polygons (2, k, n) within convex polygons (2, l, n).

    The outline of the subject is cut by one line after another (Sutherland and Hodgman, CACM 17(1), 1974).
    It is kept as directed sides in no order, (sides, n) each of x and y, since their cross products sum to
    the area. A side is shortened to what is inside, and where the outline leaves and comes back, a side
    along the line joins the two points. A corner shared by two sides is on the same side of a line for
    both, so the outline stays closed whatever is rounded.
    """
    turn = planar_area(clip)
    corner_x, corner_y = np.where(turn >= 0, clip, clip[:, ::-1])
    (_, sides, count), lines = subject.shape, clip.shape[1]
    outline = np.zeros((4, sides + lines, count))  # x0, y0, x1, y1 of each side
    outline[:2, :sides] = subject
    outline[2:, :sides] = np.roll(outline[:2, :sides], -1, axis=1)
    for line in range(lines):
        x, y = corner_x[line], corner_y[line]
        dx, dy = corner_x[line - lines + 1] - x, corner_y[line - lines + 1] - y
        x0, y0, x1, y1 = outline[:, :sides]
        inner0, inner1 = dx * (y0 - y) - dy * (x0 - x), dx * (y1 - y) - dy * (x1 - x)
        outline, sides = _cut(outline, sides, inner0.ravel(), inner1.ravel())
    total = np.zeros(count)
    x0, y0, x1, y1 = outline
    for twice in x0 * y1 - y0 * x1:  # one after another: sides without length then change no bit
        total += twice
    # a clip polygon without area cuts by a line from both sides and leaves, at most, a sliver of rounding
    return np.where(turn != 0, total / 2, 0.0)


def _cut(outline: Floats, sides: int, inner0: Floats, inner1: Floats) -> tuple[Floats, int]:
    """Cut outlines by one line each, in place where there is room.

    Only what the line meets is touched, by its place in the flat array: half the time of masks.

    Args:
        outline: (4, at least sides, n) x0, y0, x1, y1 of directed sides.
        sides: how many of them are in use.
        inner0: (sides * n,) distance of (x0, y0) from the line, in any unit, positive inside.
        inner1: that of (x1, y1).

    Returns:
        The outlines, and how many sides are in use now.
    """
    count = outline.shape[2]
    starts, ends = inner0 >= 0, inner1 >= 0
    x0, y0, x1, y1 = outline.reshape(4, -1)
    outside = np.flatnonzero(~(starts | ends))  # left as sides without length
    x1[outside], y1[outside] = x0[outside], y0[outside]
    crossing = np.flatnonzero(starts != ends)
    distance, begin_x, begin_y = inner0[crossing], x0[crossing], y0[crossing]
    share = distance / (distance - inner1[crossing])
    x, y = begin_x + (x1[crossing] - begin_x) * share, begin_y + (y1[crossing] - begin_y) * share
    leaves = starts[crossing]
    leaving, returning = crossing[leaves], crossing[~leaves]
    leaving_x, leaving_y, returning_x, returning_y = x[leaves], y[leaves], x[~leaves], y[~leaves]
    x1[leaving], y1[leaving] = leaving_x, leaving_y
    x0[returning], y0[returning] = returning_x, returning_y
    # joins lead from where outlines leave to where they return, in any pairing; an outline that is convex
    # but for rounding leaves once, so there is seldom more than one
    owner, other = leaving % count, returning % count
    join, rejoin = _occurrence(owner), _occurrence(other)
    joins = int(join.max(initial=-1)) + 1
    if sides + joins > outline.shape[1]:
        outline = np.concatenate([outline, np.zeros((4, joins, count))], axis=1)
    x0, y0, x1, y1 = outline[:, sides : sides + joins]
    x0[join, owner], y0[join, owner] = leaving_x, leaving_y
    x1[rejoin, other], y1[rejoin, other] = returning_x, returning_y
    return outline, sides + joins


def _occurrence(owners: Indices) -> Indices:
    """Occurrences of each number before its position."""
    if not len(owners) or np.bincount(owners).max() < 2:
        return np.zeros(len(owners), dtype=np.int64)
    order = np.argsort(owners, kind="stable")
    _, first, times = np.unique(owners[order], return_index=True, return_counts=True)
    place = np.empty(len(owners), dtype=np.int64)
    place[order] = np.arange(len(owners)) - np.repeat(first, times)
    return place


def pair_iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of each pair, (n, 4, 2) and (n, 4, 2) -> (n,); 0 where neither has area."""
    a, b = as_quads(first), as_quads(second)
    return _share(intersection_area(a, b), area(a), area(b))


def _share(common: Floats, area_a: Floats, area_b: Floats) -> Floats:
    union = area_a + area_b - common
    return np.clip(np.where(union > 0, common, 0.0) / np.where(union > 0, union, 1.0), 0.0, 1.0)


def overlapping_pairs(
    first: ArrayLike,
    second: ArrayLike,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    at_least: float = 0.0,
) -> tuple[Indices, Indices, Floats]:
    """All (i, j, IoU) with IoU > 0 between quadrilaterals (n, 4, 2) and (m, 4, 2), by i then j.

    Args:
        first: (n, 4, 2).
        second: (m, 4, 2).
        groups: integers (n,) and (m,); only members of the same group meet.
        at_least: pairs of a lower IoU are left out; the bounds alone rule most of them out.
    """
    a, b = as_quads(first), as_quads(second)
    bounds_a, bounds_b, area_a, area_b = bounds(a), bounds(b), area(a), area(b)
    i, j = _touching(bounds_a, bounds_b, groups)
    if at_least > 0:
        largest = _largest_iou(bounds_a, bounds_b, area_a, area_b, i, j)
        i, j = i[largest >= at_least - 1e-9], j[largest >= at_least - 1e-9]
    iou = _share(intersection_area(a[i], b[j]), area_a[i], area_b[j])
    overlap = (iou > 0) & (iou >= at_least)
    return i[overlap], j[overlap], iou[overlap]


def _largest_iou(
    bounds_a: Floats, bounds_b: Floats, area_a: Floats, area_b: Floats, i: Indices, j: Indices
) -> Floats:
    """An upper bound on the IoU of pairs: no more is common than the bounds share and either one covers."""
    largest = np.zeros(len(i))
    for begin in range(0, len(i), _BLOCK):
        one, other = i[begin : begin + _BLOCK], j[begin : begin + _BLOCK]
        width, height = (
            np.minimum(bounds_a[one, high], bounds_b[other, high])
            - np.maximum(bounds_a[one, low], bounds_b[other, low])
            for low, high in ((0, 2), (1, 3))
        )
        mine, its = area_a[one], area_b[other]
        common = np.minimum(width * height, np.minimum(mine, its))
        union = mine + its - common
        largest[begin : begin + _BLOCK] = common / np.where(union > 0, union, np.inf)
    return largest
