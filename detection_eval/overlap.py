"""Exact intersection over union of quadrilaterals, in float64, over the pairs that can overlap at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry import Floats, area, as_quads, bounds, cross, is_convex, signed_area

_BLOCK = 1 << 17  # pairs clipped at once: some 50 MB of temporaries

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

    Convex pairs are clipped (Sutherland and Hodgman, CACM 17(1), 1974). Others are summed over signed
    triangles, exact for simple quadrilaterals; the two lobes of a bow-tie count against each other.
    """
    a, b = as_quads(first), as_quads(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} quadrilaterals cannot be paired with {len(b)}; give equally many")
    common = np.zeros(len(a))
    for begin in range(0, len(a), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        common[rows] = _block_intersection(a[rows], b[rows])
    return common


def _block_intersection(a: Floats, b: Floats) -> Floats:
    origin = a[:, :1]
    upright = _are_upright(a) & _are_upright(b)
    common = np.zeros(len(a))
    common[upright] = _upright_intersection(a[upright], b[upright])
    a, b = a - origin, b - origin
    convex = is_convex(a) & is_convex(b) & ~upright
    common[convex] = _convex_intersection(a[convex], b[convex])
    bent = ~(convex | upright)
    if bent.any():
        common[bent] = np.abs(_signed_intersection(a[bent], b[bent]))
    return common


def _are_upright(quads: Floats) -> NDArray[np.bool_]:
    """Which quadrilaterals are axis-aligned rectangles, to the last bit."""
    box = bounds(quads)
    low, high = box[:, None, :2], box[:, None, 2:]
    on_corners = ((quads == low) | (quads == high)).all(axis=(1, 2))
    return np.asarray(on_corners & (area(quads) == (high - low).prod(axis=2)[:, 0]))


def _upright_intersection(a: Floats, b: Floats) -> Floats:
    """Exact, so that two boxes of whole pixels meet a level of 1/2 when they should."""
    one, other = bounds(a), bounds(b)
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    return np.asarray(np.maximum(sides, 0.0).prod(axis=1))


def _signed_intersection(a: Floats, b: Floats) -> Floats:
    total = np.zeros(len(a))
    for one in ((0, 1, 2), (0, 2, 3)):
        for other in ((0, 1, 2), (0, 2, 3)):
            s, t = a[:, one], b[:, other]
            total += np.sign(signed_area(s)) * np.sign(signed_area(t)) * _convex_intersection(s, t)
    return total


def _convex_intersection(subject: Floats, clip: Floats) -> Floats:
    """Area of convex (n, k, 2) within convex (n, l, 2)."""
    clockwise = (signed_area(clip) >= 0)[:, None, None]
    clip = np.where(clockwise, clip, clip[:, ::-1])
    piece = subject
    for side in range(clip.shape[1]):
        start = clip[:, side]
        piece = _clip(piece, start, clip[:, (side + 1) % clip.shape[1]] - start)
    # a clip polygon without area clips by a line from both sides and leaves, at most, a sliver of rounding
    return np.where(area(clip) > 0, _fan_area(piece), 0.0)


def _fan_area(polygons: Floats) -> Floats:
    """Area of convex polygons (n, k, 2), summed one triangle after another.

    Repeated vertices then add nothing to the last bit, and the IoU of a pair does not depend on how many
    vertices the others of its block have.
    """
    spokes = polygons - polygons[:, :1]
    total = np.zeros(len(polygons))
    for corner in range(1, polygons.shape[1] - 1):
        total += cross(spokes[:, corner], spokes[:, corner + 1])
    return np.abs(total) / 2


def _clip(polygon: Floats, start: Floats, edge: Floats) -> Floats:
    """The part of polygons (n, k, 2) on the inner side of a line; unused slots repeat its first vertex."""
    inner = cross(edge[:, None], polygon - start[:, None])
    ahead, ahead_inner = np.roll(polygon, -1, axis=1), np.roll(inner, -1, axis=1)
    kept = inner >= 0
    crosses = kept != (ahead_inner >= 0)
    share = inner / np.where(crosses, inner - ahead_inner, 1.0)
    crossing = polygon + (ahead - polygon) * share[..., None]
    emitted = np.stack([kept, crosses], axis=2).reshape(len(polygon), 2 * polygon.shape[1])
    points = np.stack([polygon, crossing], axis=2).reshape(len(polygon), 2 * polygon.shape[1], 2)
    slots = max(int(emitted.sum(axis=1).max(initial=0)), 3)
    first = points[np.arange(len(points)), emitted.argmax(axis=1)]
    clipped = np.repeat(first[:, None], slots, axis=1)
    row, column = np.nonzero(emitted)
    clipped[row, (np.cumsum(emitted, axis=1) - 1)[row, column]] = points[row, column]
    return clipped


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
