"""Overlaps of all pairs of boxes, as a matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.geometry.overlap import overlapping_pairs
from detection_eval.geometry.quads import Floats, as_quads


def iou_matrix(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every pair: (n, 4, 2) and (m, 4, 2) -> (n, m)."""
    a, b = as_quads(first), as_quads(second)
    matrix = np.zeros((len(a), len(b)))
    i, j, iou = overlapping_pairs(a, b)
    matrix[i, j] = iou
    return matrix
