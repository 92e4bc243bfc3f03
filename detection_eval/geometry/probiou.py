"""ProbIoU: the overlap of rotated boxes taken for Gaussians, which Ultralytics calls IoU.

Llerena, Zeni, Kristen and Jung, "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union for Object
Detection", arXiv 2106.06072; Ultralytics' ``batch_probiou`` in ``ultralytics/utils/metrics.py``. A box of
w x h turned by t is a Gaussian around its centre with the covariance of a uniform rectangle,

    a = w^2/12 cos^2 t + h^2/12 sin^2 t
    b = w^2/12 sin^2 t + h^2/12 cos^2 t
    c = (w^2/12 - h^2/12) cos t sin t

With sums A, B, C over the two boxes, D = A B - C^2, and the differences x and y of their centres, the
Bhattacharyya distance is

    1/4 (A y^2 + B x^2) / D - 1/2 C x y / D + 1/2 ln(D / (4 sqrt(det1 det2))),

and ProbIoU is 1 - sqrt(1 - exp(-distance)). It is not an IoU: for a square and the same square turned by
45 degrees it is 1, where the IoU is 0.71, and where the IoU is about 0.5 it is 0.65 or so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.geometry.overlap import Indices, candidate_pairs
from detection_eval.geometry.quads import Floats, as_quads, bounds, box_quads
from detection_eval.geometry.rotated import LE90, quads_to_boxes

_EPS = 1e-7  # Ultralytics'


def probiou(first: ArrayLike, second: ArrayLike) -> Floats:
    """ProbIoU of each pair of rotated boxes, (n, 5) and (n, 5), angle in radians -> (n,) 0 to 1."""
    one, other = (np.asarray(boxes, dtype=np.float64).reshape(-1, 5) for boxes in (first, second))
    (a1, b1, c1), (a2, b2, c2) = _covariance(one), _covariance(other)
    x, y = (one[:, :2] - other[:, :2]).T
    a, b, c = a1 + a2, b1 + b2, c1 + c2
    d = a * b - c**2
    det = np.maximum(a1 * b1 - c1**2, 0) * np.maximum(a2 * b2 - c2**2, 0)
    apart = (a * y**2 + b * x**2) / (d + _EPS) / 4 - c * x * y / (d + _EPS) / 2
    unlike = np.log(d / (4 * np.sqrt(det) + _EPS) + _EPS) / 2
    distance = np.clip(apart + unlike, _EPS, 100.0)
    return np.asarray(np.maximum(1 - np.sqrt(1 - np.exp(-distance) + _EPS), 0.0))


def _covariance(boxes: Floats) -> tuple[Floats, Floats, Floats]:
    w, h, cos, sin = boxes[:, 2] ** 2 / 12, boxes[:, 3] ** 2 / 12, np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    return w * cos**2 + h * sin**2, w * sin**2 + h * cos**2, (w - h) * cos * sin


def probiou_pairs(
    first: ArrayLike, second: ArrayLike, groups: tuple[ArrayLike, ArrayLike], at_least: float = 0.1
) -> tuple[Indices, Indices, Floats]:
    """All (i, j, ProbIoU) of quadrilaterals (n, 4, 2) and (m, 4, 2) from 0.1 on, as ``overlapping_pairs``.

    Boxes that do not touch can have some, so bounds are widened by half before they are compared: from
    ProbIoU >= 0.1 follows a distance of 1.66 at most, and from that, with variances of at most a third of the
    squared half widths u and v, |x| <= sqrt(8 * 1.66 (u^2 + v^2) / 6) < 1.5 (u + v).
    """
    if at_least < 0.1:
        raise ValueError(f"pairs are found from a ProbIoU of 0.1 on, not from {at_least}")
    a, b = as_quads(first), as_quads(second)
    i, j = candidate_pairs(_widened(a), _widened(b), groups)
    value = probiou(quads_to_boxes(a, LE90)[i], quads_to_boxes(b, LE90)[j])
    enough = value >= at_least
    return i[enough], j[enough], value[enough]


def _widened(quads: Floats) -> Floats:
    box = bounds(quads)
    middle, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) / 2
    return box_quads(np.concatenate([middle - 1.5 * half, middle + 1.5 * half], axis=1))
