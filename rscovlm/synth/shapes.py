"""Objects from above: shapes in the object's own frame, painted with PIL.

The unit frame of an object has its length along x in [-1, 1] and its width along y in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from rscovlm.synth.catalogue import COLOURS, ObjectClass

Points = Sequence[tuple[float, float]]
Shape = tuple[Points, tuple[int, int, int]]

_DARK = (52, 54, 58)
_LINE = (236, 236, 230)


def _circle(radius: float, corners: int = 20) -> Points:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return [(radius * float(np.cos(a)), radius * float(np.sin(a))) for a in angles]


def _box(x0: float, y0: float, x1: float, y1: float) -> Points:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _darker(colour: tuple[int, int, int], share: float = 0.6) -> tuple[int, int, int]:
    return (int(colour[0] * share), int(colour[1] * share), int(colour[2] * share))


def _plane(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    fuselage = [(1.0, 0.0), (0.8, 0.11), (-0.85, 0.08), (-1.0, 0.0), (-0.85, -0.08), (0.8, -0.11)]
    wings: Sequence[tuple[float, float]]
    tail: Sequence[tuple[float, float]]
    if kind == "jet":
        wings = [(0.35, 0.0), (-0.35, 1.0), (-0.55, 1.0), (-0.2, 0.0), (-0.55, -1.0), (-0.35, -1.0)]
        tail = [(-0.65, 0.0), (-0.95, 0.38), (-1.0, 0.38), (-0.9, 0.0), (-1.0, -0.38), (-0.95, -0.38)]
        return [(wings, paint), (tail, paint), (fuselage, paint)]
    wings = _box(0.1, -1.0, 0.42, 1.0)
    tail = _box(-1.0, -0.4, -0.8, 0.4)
    engines = [(_box(0.34, side - 0.09, 0.6, side + 0.09), _DARK) for side in (-0.5, 0.5)]
    return [(wings, paint), (tail, paint), (fuselage, paint), *engines]


def _ship(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    hull = [
        (1.0, 0.0),
        (0.7, 0.9),
        (0.4, 1.0),
        (-0.95, 1.0),
        (-1.0, 0.8),
        (-1.0, -0.8),
        (-0.95, -1.0),
        (0.4, -1.0),
        (0.7, -0.9),
    ]
    bridge = _box(-0.9, -0.7, -0.68, 0.7)
    if kind == "cargo ship":
        stacks = [(_box(x, -0.66, x + 0.2, 0.66), _darker(paint, 0.45)) for x in (-0.55, -0.25, 0.05, 0.35)]
        return [(hull, paint), *stacks, (bridge, _LINE)]
    return [(hull, paint), (_box(-0.6, -0.16, 0.75, 0.16), _darker(paint, 0.55)), (bridge, _LINE)]


def _tank(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    if kind == "floating roof":
        return [
            (_circle(1.0), paint),
            (_circle(0.72), _darker(paint, 0.35)),
            (_circle(0.6), _darker(paint, 0.75)),
        ]
    return [(_circle(1.0), paint), (_circle(0.12, 8), _DARK)]


def _court(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    shapes: list[Shape] = [(_box(-1, -1, 1, 1), paint)]
    halves = [(-0.8, 0.8)] if kind == "single court" else [(-0.85, -0.08), (0.08, 0.85)]
    for y0, y1 in halves:
        shapes += [
            (_box(-0.8, y0, 0.8, y1), _LINE),
            (_box(-0.74, y0 + 0.09, 0.74, y1 - 0.09), _darker(paint, 0.8)),
        ]
        shapes.append((_box(-0.05, y0, 0.05, y1), _LINE))
    return shapes


def _vehicle(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    body: Shape = (_box(-1, -1, 1, 1), paint)
    if kind == "truck":
        return [body, (_box(0.5, -1, 0.62, 1), _DARK)]
    return [body, (_box(-0.1, -0.8, 0.4, 0.8), _DARK)]


def _bridge(kind: str, paint: tuple[int, int, int]) -> list[Shape]:
    deck: Shape = (_box(-1, -1, 1, 1), paint)
    if kind == "railway bridge":
        return [deck, *((_box(-1, y - 0.12, 1, y + 0.12), _DARK) for y in (-0.4, 0.4))]
    return [deck, *((_box(x, -0.1, x + 0.12, 0.1), _darker(paint, 0.4)) for x in np.arange(-0.95, 0.9, 0.3))]


_PAINTERS = {
    "plane": _plane,
    "ship": _ship,
    "storage tank": _tank,
    "tennis court": _court,
    "small vehicle": _vehicle,
    "bridge": _bridge,
}


def shapes_of(kind_of: ObjectClass, kind: str, colour: str) -> list[Shape]:
    """Polygons in the unit frame with their RGB, painted in order."""
    return _PAINTERS[kind_of.name](kind, COLOURS[colour])


def draw(draw_on: ImageDraw.ImageDraw, shapes: Sequence[Shape], frame: NDArray[np.float64]) -> None:
    """Paint shapes through an affine ``frame`` (2, 3): unit frame -> canvas pixels."""
    for points, colour in shapes:
        # PIL cuts coordinates to whole numbers towards zero, moving shapes across the canvas's edge.
        corners = np.floor(np.asarray(points) @ frame[:, :2].T + frame[:, 2])
        draw_on.polygon([(float(x), float(y)) for x, y in corners], fill=colour)
