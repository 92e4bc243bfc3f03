"""Grounding: how much a found box shares with the right one, by the conventions of public scorers.

Boxes are (x0, y0, x1, y1). The conventions differ in whether a pixel at the far edge belongs to a box:

| convention | sides | intersection | right where |
|---|---|---|---|
| ``continuous`` | x1 - x0 | the common part | IoU >= 0.5 (RSEvalKit) |
| ``inclusive`` | x1 - x0 + 1 | the common part, 1 longer | IoU >= 0.5, 0.7 on a grid of 0-100 (VRSBench) |
| ``rscovlm`` | x1 - x0 | 0 unless 1 longer than a pixel | IoU > 0.5 (RSCoVLM) |

A box of 10 x 10 px shifted by one pixel has an IoU of 0.818, 0.833 and 0.818; one that is 1 px wide shares
nothing with itself under ``rscovlm``, and nor does any box in parts of the image's sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.overlap import candidate_pairs, intersection_area
from detection_eval.geometry.quads import Floats, area, as_quads, convex_hull, signed_area


class Shared(NamedTuple):
    """Overlap of pairs of boxes.

    Attributes:
        intersection: (n,) area.
        union: (n,) area.
    """

    intersection: Floats
    union: Floats

    @property
    def iou(self) -> Floats:
        """(n,) intersection over union; 0 where neither has area."""
        return np.where(self.union > 0, self.intersection / np.where(self.union > 0, self.union, 1.0), 0.0)


Convention = Callable[[ArrayLike, ArrayLike], Shared]
"""Sides of the intersections of boxes (n, 4) and (n, 4), pair by pair."""


def continuous(found: ArrayLike, right: ArrayLike) -> Shared:
    """Overlap of boxes as areas of the plane."""
    a, b = _boxes(found), _boxes(right)
    common = np.prod(np.maximum(_far(a, b) - _near(a, b), 0.0), axis=1)
    return Shared(common, np.prod(_sides(a), axis=1) + np.prod(_sides(b), axis=1) - common)


def inclusive(found: ArrayLike, right: ArrayLike) -> Shared:
    """Overlap of boxes as sets of pixels, the last ones included: each side is longer by one."""
    a, b = _boxes(found), _boxes(right)
    common = np.prod(np.maximum(_far(a, b) - _near(a, b) + 1, 0.0), axis=1)
    return Shared(common, np.prod(_sides(a) + 1, axis=1) + np.prod(_sides(b) + 1, axis=1) - common)


def rscovlm(found: ArrayLike, right: ArrayLike) -> Shared:
    """Overlap of boxes by RSCoVLM: last pixels at x1 - 1, counted in the intersection alone.

    An intersection of one pixel in width or height is none.
    """
    a, b = _boxes(found), _boxes(right)
    steps = _far(a, b) - 1 - _near(a, b)  # from the first common pixel to the last
    common = np.where((steps > 0).all(axis=1), np.prod(steps + 1, axis=1), 0.0)
    return Shared(common, np.prod(_sides(a), axis=1) + np.prod(_sides(b), axis=1) - common)


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {"continuous": continuous, "inclusive": inclusive, "rscovlm": rscovlm}
)


def to_grid(boxes: ArrayLike, width: float, height: float, cells: int = 100) -> Floats:
    """Boxes (n, 4) in pixels as whole numbers of a grid over the image, 0 to ``cells``."""
    scale = np.array([cells / width, cells / height] * 2)
    return np.floor(_boxes(boxes) * scale + 0.5)


def giou_matrix(first: ArrayLike, second: ArrayLike) -> Floats:
    """Generalised IoU of polygons (n, 4, 2) and (m, 4, 2) -> (n, m), in [-1, 1] (Rezatofighi et al. 2019).

    That is the IoU less the share of the convex hull of both that neither covers.
    """
    a, b = as_quads(first), as_quads(second)
    common = np.zeros((len(a), len(b)))
    i, j = candidate_pairs(a, b)
    common[i, j] = intersection_area(a[i], b[j])
    union = area(a)[:, None] + area(b)[None, :] - common
    hulls = [[abs(float(signed_area(convex_hull(np.concatenate([one, other]))))) for other in b] for one in a]
    hull = np.array(hulls).reshape(len(a), len(b))
    whole = np.maximum(hull, union)
    iou = np.where(union > 0, common / np.where(union > 0, union, 1.0), 0.0)
    return np.asarray(iou - np.where(whole > 0, (whole - union) / np.where(whole > 0, whole, 1.0), 0.0))


def matched_by_giou(found: ArrayLike, right: ArrayLike, level: float = 0.5) -> int:
    """Pairs that GeoChat's scorer in RSCoVLM matches: greedily, the highest generalised IoU first.

    Args:
        found: (n, 4, 2).
        right: (m, 4, 2).
        level: lowest generalised IoU of a pair.
    """
    giou = giou_matrix(found, right)
    pairs = 0
    while giou.size and giou.max() >= level:
        row, column = np.unravel_index(int(giou.argmax()), giou.shape)
        giou = np.delete(np.delete(giou, row, axis=0), column, axis=1)
        pairs += 1
    return pairs


def all_matched(found: ArrayLike, right: ArrayLike, level: float = 0.5) -> bool:
    """GeoChat's "F1 = 1": every box found is matched, and every right one."""
    boxes, wanted = as_quads(found), as_quads(right)
    return len(boxes) == len(wanted) == matched_by_giou(boxes, wanted, level)


def _boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def _near(a: Floats, b: Floats) -> Floats:
    return np.maximum(a[:, :2], b[:, :2])


def _far(a: Floats, b: Floats) -> Floats:
    return np.minimum(a[:, 2:], b[:, 2:])


def _sides(boxes: Floats) -> Floats:
    return boxes[:, 2:] - boxes[:, :2]
