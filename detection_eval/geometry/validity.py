"""Validity of quadrilaterals, and the declared policy for invalid ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.geometry.quads import (
    Floats,
    area,
    as_quads,
    bounds,
    canonical,
    convex_hull,
    cross,
    is_convex,
    min_area_rectangles,
)

Policy = Literal["hull", "reject", "keep"]

Mask = NDArray[np.bool_]

NON_RECTANGULAR = 0.8
"""A quadrilateral that fills less of its minimum-area rectangle is reported as non-rectangular."""


@dataclass(frozen=True)
class Validity:
    """Findings about n quadrilaterals, each an (n,) mask; one may have several.

    Attributes:
        not_finite: a coordinate is NaN or infinite; the other findings are False there.
        self_intersecting: two opposite sides cross (a bow-tie).
        concave: a corner points inwards, sides do not cross.
        zero_area: all vertices on one line or point.
        duplicate_vertices: two vertices coincide.
        non_rectangular: fills less than ``NON_RECTANGULAR`` of its minimum-area rectangle.
        out_of_canvas: reaches beyond the image; False where no size was given.
    """

    not_finite: Mask
    self_intersecting: Mask
    concave: Mask
    zero_area: Mask
    duplicate_vertices: Mask
    non_rectangular: Mask
    out_of_canvas: Mask

    @property
    def broken(self) -> Mask:
        """Those that convex clipping cannot take as they are, or that have no area."""
        return self.not_finite | self.self_intersecting | self.concave | self.zero_area

    def counts(self) -> dict[str, int]:
        """Number of quadrilaterals with each finding."""
        return {name: int(mask.sum()) for name, mask in vars(self).items()}


def examine(polygons: ArrayLike, width: float | None = None, height: float | None = None) -> Validity:
    """Look at quadrilaterals (n, 4, 2), on an image of width x height pixels where that is known."""
    quads = as_quads(polygons)
    finite: Mask = np.asarray(np.isfinite(quads).all(axis=(1, 2)))
    quads = np.where(finite[:, None, None], quads, 0.0)
    box = bounds(quads)
    extent = np.maximum(box[:, 2:] - box[:, :2], 0).max(axis=1)
    rectangle = area(min_area_rectangles(quads))
    flat = rectangle <= 1e-12 * np.maximum(extent, 1e-300) ** 2
    crossing = _sides_cross(quads)
    start, stop = np.triu_indices(4, k=1)
    outside = np.zeros(len(quads), dtype=bool)
    if width is not None and height is not None:
        outside = (box[:, 0] < 0) | (box[:, 1] < 0) | (box[:, 2] > width) | (box[:, 3] > height)
    return Validity(
        not_finite=~finite,
        self_intersecting=crossing & finite & ~flat,
        concave=~is_convex(quads) & ~crossing & finite & ~flat,
        zero_area=flat & finite,
        duplicate_vertices=(quads[:, start] == quads[:, stop]).all(axis=2).any(axis=1) & finite,
        non_rectangular=(area(quads) < NON_RECTANGULAR * rectangle) & finite & ~flat,
        out_of_canvas=outside & finite,
    )


def _sides_cross(quads: Floats) -> Mask:
    """Whether either pair of opposite sides properly crosses."""
    a, b, c, d = (quads[:, i] for i in range(4))
    return _segments_cross(a, b, c, d) | _segments_cross(b, c, d, a)


def _segments_cross(a: Floats, b: Floats, c: Floats, d: Floats) -> Mask:
    split_cd = np.sign(cross(b - a, c - a)) * np.sign(cross(b - a, d - a)) < 0
    split_ab = np.sign(cross(d - c, a - c)) * np.sign(cross(d - c, b - c)) < 0
    return split_cd & split_ab


def repair(
    polygons: ArrayLike, policy: Policy, found: Validity | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Quadrilaterals under a policy: canonical (m, 4, 2), and which of the input (m,) they come from.

    ``hull`` replaces bow-ties and dents by the convex hull (a triangle repeats its last vertex) and rejects
    what has no area or is not finite; ``reject`` drops everything broken; ``keep`` changes nothing but the
    vertex order. ``found`` is what ``examine`` said about these polygons, where that is known already.

    Raises:
        ValueError: unknown policy.
    """
    quads = as_quads(polygons)
    if policy == "keep":
        return canonical(quads), np.arange(len(quads))
    if policy not in ("hull", "reject"):
        raise ValueError(f"unknown policy {policy!r} for broken polygons; choose hull, reject or keep")
    found = examine(quads) if found is None else found
    bent = found.self_intersecting | found.concave
    if policy == "hull":
        quads = quads.copy()
        for index in np.flatnonzero(bent):
            hull = convex_hull(quads[index])
            quads[index] = np.concatenate([hull, np.repeat(hull[-1:], 4 - len(hull), axis=0)])
        bent = np.zeros_like(bent)
    keep = np.flatnonzero(~(found.not_finite | found.zero_area | bent))
    return canonical(quads[keep]), keep
