"""Rotated boxes (cx, cy, w, h, angle) and their conventions.

A rotated box is a view of a quadrilateral for reading and writing files and text: overlap never depends on
the convention. Angles are radians, from +x towards +y, which is clockwise on the image; w runs along them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.geometry.quads import Floats, as_quads, min_area_rectangles


@dataclass(frozen=True)
class AngleConvention:
    """Convention that selects one of the equivalent (w, h, angle) of a rectangle.

    Attributes:
        name: name in the literature.
        start: lower end of the angle's range, radians.
        turn: length of the range: pi/2 (w and h swap freely), pi (w is the longer side), 2 pi (w points to
            the head).
        upper_closed: the range holds its upper end instead of its lower one.
    """

    name: str
    start: float
    turn: float
    upper_closed: bool = False


OC_V0 = AngleConvention("oc-0.x", 0.0, pi / 2, upper_closed=True)
"""mmrotate 0.x and OpenCV 4.5.1 to 4.12: (0, pi/2]."""

OC_V1 = AngleConvention("oc-1.x", -pi / 2, pi / 2)
"""mmrotate 1.x and OpenCV from 4.13: [-pi/2, 0)."""

LE90 = AngleConvention("le90", -pi / 2, pi)
"""Long edge, [-pi/2, pi/2)."""

LE135 = AngleConvention("le135", -pi / 4, pi)
"""Long edge, [-pi/4, 3 pi/4)."""

R360 = AngleConvention("r360", -pi, 2 * pi)
"""[-pi, pi): w keeps the direction of the head, which is the first edge of a quadrilateral."""

CONVENTIONS = {convention.name: convention for convention in (OC_V0, OC_V1, LE90, LE135, R360)}


def regularize(boxes: ArrayLike, convention: AngleConvention) -> Floats:
    """The same rectangles (n, 5) written under a convention."""
    cx, cy, w, h, angle = np.array(boxes, dtype=np.float64).reshape(-1, 5).T
    if convention.turn == pi:
        tall = w < h
        w, h = np.where(tall, h, w), np.where(tall, w, h)
        angle = angle + np.where(tall, pi / 2, 0.0)
    wrapped, turns = _wrap(angle, convention)
    if convention.turn == pi / 2:
        odd = turns % 2 != 0
        w, h = np.where(odd, h, w), np.where(odd, w, h)
    return np.stack([cx, cy, w, h, wrapped], axis=-1)


def _wrap(angle: Floats, convention: AngleConvention) -> tuple[Floats, Floats]:
    """The angle within the convention's range, and how many ranges it was moved down by."""
    start, turn = convention.start, convention.turn
    stop = start + turn
    if convention.upper_closed:
        turns = np.ceil((angle - stop) / turn)
        wrapped = angle - turns * turn
        low, high = wrapped <= start, wrapped > stop
    else:
        turns = np.floor((angle - start) / turn)
        wrapped = angle - turns * turn
        low, high = wrapped < start, wrapped >= stop
    # rounding may leave an angle just outside; the other end of the range is its neighbour
    step = high.astype(np.float64) - low
    wrapped = np.clip(wrapped - step * turn, start, stop)
    wrapped = np.where(low, stop if convention.upper_closed else np.nextafter(stop, start), wrapped)
    wrapped = np.where(high, np.nextafter(start, stop) if convention.upper_closed else start, wrapped)
    return wrapped, turns + step


def boxes_to_quads(boxes: ArrayLike) -> Floats:
    """Rotated boxes (n, 5), angle in radians -> quadrilaterals (n, 4, 2) clockwise on the image.

    The first edge runs along w, so that a box's head (r360) can be read back; ``canonical`` forgets it.
    """
    cx, cy, w, h, angle = np.asarray(boxes, dtype=np.float64).reshape(-1, 5).T
    cos, sin = np.cos(angle), np.sin(angle)
    along = np.stack([cos * w, sin * w], axis=-1) / 2
    across = np.stack([-sin * h, cos * h], axis=-1) / 2
    centre = np.stack([cx, cy], axis=-1)
    ahead, behind = centre + along, centre - along
    return np.stack([behind - across, ahead - across, ahead + across, behind + across], axis=1)


def quads_to_boxes(polygons: ArrayLike, convention: AngleConvention = LE90) -> Floats:
    """Minimum-area rectangles of quadrilaterals (n, 4, 2) -> rotated boxes (n, 5), angle in radians.

    Under ``R360`` the angle is that of the side nearest in direction to the quadrilateral's first edge.
    """
    quads = as_quads(polygons)
    corners = min_area_rectangles(quads)
    centre = corners.mean(axis=1)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    w, h = np.hypot(*first.T), np.hypot(*second.T)
    # the side with a length says the direction; a side without width has none
    angle = np.where(w > 0, _direction(first), _direction(second) - pi / 2)
    if convention.turn == 2 * pi:
        quarters = np.round((_direction(quads[:, 1] - quads[:, 0]) - angle) / (pi / 2))
        angle = angle + quarters * (pi / 2)
        w, h = np.where(quarters % 2 != 0, h, w), np.where(quarters % 2 != 0, w, h)
    return regularize(np.stack([*centre.T, w, h, angle], axis=-1), convention)


def _direction(vectors: Floats) -> Floats:
    return np.arctan2(vectors[:, 1], vectors[:, 0])
