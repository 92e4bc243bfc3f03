"""Exact intersection over union of quadrilaterals, in float64, over the pairs that can overlap at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry import Floats, area, as_quads, bounds, is_convex, signed_area

_BLOCK = 1 << 17  # pairs whose bounds are compared at once
_CLIPPED_AT_ONCE = 1 << 13  # pairs clipped at once: small enough for the cache

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
    a, b = bounds(as_quads(first)), bounds(as_quads(second))
    group_a, group_b = (np.zeros(len(box), np.int64) for box in (a, b)) if groups is None else groups
    # x as its rank, so that (group, x) is one integer and groups stand side by side without touching
    values, rank = np.unique(np.concatenate([a[:, 0], a[:, 2], b[:, 0], b[:, 2]]), return_inverse=True)
    base = np.concatenate([group_a, group_a, group_b, group_b]).astype(np.int64) * (len(values) + 1)
    a_from, a_to, b_from, b_to = np.split(base + rank, [len(a), 2 * len(a), 2 * len(a) + len(b)])
    order = np.argsort(b_from, kind="stable")
    b, b_from, b_to = b[order], b_from[order], b_to[order]
    # beyond `stop` a box starts right of ours; before `start` all end left of ours
    start = np.searchsorted(np.maximum.accumulate(b_to), a_from, side="left")
    stop = np.maximum(np.searchsorted(b_from, a_to, side="right"), start)
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for rows in _blocks_of(stop - start):
        i = np.repeat(np.arange(rows.start, rows.stop), (stop - start)[rows])
        ends = np.cumsum((stop - start)[rows])
        j = np.arange(len(i)) + np.repeat(stop[rows] - ends, (stop - start)[rows])
        meet = (b_to[j] >= a_from[i]) & (b[j, 1] <= a[i, 3]) & (b[j, 3] >= a[i, 1])
        left.append(i[meet])
        right.append(order[j[meet]])
    i, j = np.concatenate(left), np.concatenate(right)
    reading = np.lexsort((j, i))
    return i[reading], j[reading]


def _blocks_of(counts: NDArray[np.int64]) -> list[slice]:
    """Consecutive rows whose counts add up to about a million each."""
    if not len(counts):
        return []
    block = np.cumsum(counts) // 1_000_000
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
        common[rows] = _block_intersection(a[rows], b[rows])
    return common


def _block_intersection(a: Floats, b: Floats) -> Floats:
    upright = _are_upright(a) & _are_upright(b)
    common = np.zeros(len(a))
    common[upright] = _upright_intersection(a[upright], b[upright])
    origin = a[:, :1]
    a, b = a - origin, b - origin
    a_convex, b_convex = is_convex(a), is_convex(b)
    direct, turned = b_convex & ~upright, a_convex & ~b_convex & ~upright
    common[direct] = _clipped_area(a[direct], b[direct])
    common[turned] = _clipped_area(b[turned], a[turned])
    bent = ~(a_convex | b_convex)
    for corners in ((0, 1, 2), (0, 2, 3)):
        triangle = b[bent][:, corners]
        common[bent] += np.sign(signed_area(triangle)) * _clipped_area(a[bent], triangle)
    return np.abs(common)


def _are_upright(quads: Floats) -> NDArray[np.bool_]:
    """Which quadrilaterals are axis-aligned rectangles, to the last bit."""
    x, y = quads[..., 0].T, quads[..., 1].T
    level = (y[0] == y[1]) & (x[1] == x[2]) & (y[2] == y[3]) & (x[3] == x[0])
    upright = (x[0] == x[1]) & (y[1] == y[2]) & (x[2] == x[3]) & (y[3] == y[0])
    return np.asarray(level | upright)


def _upright_intersection(a: Floats, b: Floats) -> Floats:
    """Exact, so that two boxes of whole pixels meet a level of 1/2 when they should."""
    one, other = bounds(a), bounds(b)
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    return np.asarray(np.maximum(sides, 0.0).prod(axis=1))


def _clipped_area(subject: Floats, clip: Floats) -> Floats:
    """Signed area of polygons (n, k, 2) within convex polygons (n, l, 2).

    The outline of the subject is cut by one line after another (Sutherland and Hodgman, CACM 17(1), 1974).
    It is kept as directed sides in no order, (sides, n) each of x and y, since their cross products sum to
    the area. A side is shortened to what is inside, and where the outline leaves and comes back, a side
    along the line joins the two points. A corner shared by two sides is on the same side of a line for
    both, so the outline stays closed whatever is rounded.
    """
    turn = signed_area(clip)
    clip = np.where((turn >= 0)[:, None, None], clip, clip[:, ::-1])
    x0, y0 = np.ascontiguousarray(subject.transpose(2, 1, 0))
    x1, y1 = np.roll(x0, -1, axis=0), np.roll(y0, -1, axis=0)
    corner_x, corner_y = np.ascontiguousarray(clip.transpose(2, 1, 0))
    for side in range(len(corner_x)):
        x, y = corner_x[side], corner_y[side]
        dx, dy = corner_x[side - len(corner_x) + 1] - x, corner_y[side - len(corner_x) + 1] - y
        inner0, inner1 = dx * (y0 - y) - dy * (x0 - x), dx * (y1 - y) - dy * (x1 - x)
        starts, ends = inner0 >= 0, inner1 >= 0
        leaves, returns = starts & ~ends, ends & ~starts
        share = inner0 / np.where(starts != ends, inner0 - inner1, 1.0)
        cut_x, cut_y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        joins = _joins(leaves, returns, cut_x, cut_y)
        x0, y0 = np.where(returns, cut_x, x0), np.where(returns, cut_y, y0)
        x1, y1 = np.where(leaves, cut_x, x1), np.where(leaves, cut_y, y1)
        outside = ~(starts | ends)  # left as a side without length
        x1, y1 = np.where(outside, x0, x1), np.where(outside, y0, y1)
        x0, y0, x1, y1 = (np.concatenate([kept, new]) for kept, new in zip((x0, y0, x1, y1), joins))
    total = np.zeros(len(clip))
    for twice in x0 * y1 - y0 * x1:  # one after another: sides without length then change no bit
        total += twice
    # a clip polygon without area cuts by a line from both sides and leaves, at most, a sliver of rounding
    return np.where(turn != 0, total / 2, 0.0)


def _joins(
    leaves: NDArray[np.bool_], returns: NDArray[np.bool_], cut_x: Floats, cut_y: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sides x0, y0, x1, y1, (joins, n) each, from where outlines leave to where they return, in any pairing.

    An outline that is convex but for rounding leaves once, so there is seldom more than one join.
    """
    most = int(leaves.sum(axis=0).max(initial=0))
    left, back = (leaves, returns) if most < 2 else (leaves.cumsum(axis=0), returns.cumsum(axis=0))
    joins: list[list[Floats]] = [[], [], [], []]
    for number in range(1, most + 1):
        exits, entries = leaves & (left == number), returns & (back == number)
        for points, mask, cut in zip(joins, (exits, exits, entries, entries), (cut_x, cut_y, cut_x, cut_y)):
            points.append((cut * mask).sum(axis=0))
    empty = np.zeros((0, leaves.shape[1]))
    x0, y0, x1, y1 = (np.stack(points) if points else empty for points in joins)
    return x0, y0, x1, y1


def pair_iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of each pair, (n, 4, 2) and (n, 4, 2) -> (n,); 0 where neither has area."""
    a, b = as_quads(first), as_quads(second)
    common = intersection_area(a, b)
    union = area(a) + area(b) - common
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
    i, j = candidate_pairs(a, b, groups)
    if at_least > 0:
        possible = _largest_iou(a, b, i, j) >= at_least - 1e-9
        i, j = i[possible], j[possible]
    iou = pair_iou(a[i], b[j])
    overlap = (iou > 0) & (iou >= at_least)
    return i[overlap], j[overlap], iou[overlap]


def _largest_iou(a: Floats, b: Floats, i: Indices, j: Indices) -> Floats:
    """An upper bound on the IoU of pairs: no more is common than the bounds share and either one covers."""
    bounds_a, bounds_b, area_a, area_b = bounds(a), bounds(b), area(a), area(b)
    largest = np.zeros(len(i))
    for begin in range(0, len(i), _BLOCK):
        one, other = i[begin : begin + _BLOCK], j[begin : begin + _BLOCK]
        box, mate = bounds_a[one], bounds_b[other]
        sides = np.minimum(box[:, 2:], mate[:, 2:]) - np.maximum(box[:, :2], mate[:, :2])
        common = np.minimum(sides[:, 0] * sides[:, 1], np.minimum(area_a[one], area_b[other]))
        union = area_a[one] + area_b[other] - common
        largest[begin : begin + _BLOCK] = common / np.where(union > 0, union, np.inf)
    return largest


def iou_matrix(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every pair: (n, 4, 2) and (m, 4, 2) -> (n, m)."""
    a, b = as_quads(first), as_quads(second)
    matrix = np.zeros((len(a), len(b)))
    i, j, iou = overlapping_pairs(a, b)
    matrix[i, j] = iou
    return matrix
