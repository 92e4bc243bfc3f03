"""Objects from above: shapes in the object's own frame.

The unit frame of an object has its length along x in [-1, 1] and its width along y in [-1, 1]; +x is its bow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.catalogue import COLOURS, OBJECT_CLASSES

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]


class Shape(NamedTuple):
    """A polygon of an object.

    Attributes:
        points: (k, 2) in the unit frame.
        colour: RGB.
        casts: whether it throws a shadow.
    """

    points: NDArray[np.float64]
    colour: Colour
    casts: bool = False


_DARK, _GLASS, _LINE, _METAL = (52, 54, 58), (44, 54, 66), (236, 236, 230), (176, 178, 180)


def circle(radius: float = 1.0, corners: int = 20, x: float = 0.0, stretch: float = 1.0) -> Points:
    """A regular polygon about (x, 0), ``stretch`` times as high as wide."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return [(x + radius * float(np.cos(a)), stretch * radius * float(np.sin(a))) for a in angles]


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """A rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def tinted(colour: Colour, share: float) -> Colour:
    """Darker for shares below 1, lighter above."""
    return (
        min(255, int(colour[0] * share)),
        min(255, int(colour[1] * share)),
        min(255, int(colour[2] * share)),
    )


def _shape(points: Points, colour: Colour, casts: bool = False) -> Shape:
    return Shape(np.array(points, dtype=np.float64), colour, casts)


def _mirrored(points: Points) -> Points:
    return [(x, -y) for x, y in reversed(list(points))]


def _pair(points: Points, colour: Colour, casts: bool = False) -> list[Shape]:
    return [_shape(points, colour, casts), _shape(_mirrored(points), colour, casts)]


def _plane(kind: str, paint: Colour) -> list[Shape]:
    if kind == "fighter":
        delta = [(0.3, 0.1), (-0.55, 1.0), (-0.72, 1.0), (-0.72, 0.1)]
        body = [(1.0, 0.0), (0.72, 0.09), (0.2, 0.2), (-0.9, 0.18), (-0.9, -0.18), (0.2, -0.2), (0.72, -0.09)]
        tail = [(-0.6, 0.12), (-0.84, 0.52), (-1.0, 0.52), (-1.0, 0.1)]
        return [
            *_pair(delta, paint, True),
            *_pair(tail, tinted(paint, 0.85), True),
            _shape(body, tinted(paint, 1.1), True),
            _shape(circle(0.13, 10, 0.5, 0.55), _GLASS),
            *_pair([(-0.4, 0.2), (-0.85, 0.2), (-0.85, 0.26), (-0.45, 0.22)], tinted(paint, 0.6)),
        ]
    fuselage = [(1.0, 0.0), (0.95, 0.055), (0.84, 0.09), (-0.5, 0.09), (-0.98, 0.025)]
    fuselage = [*fuselage, *((x, -y) for x, y in reversed(fuselage) if y)]
    if kind == "airliner":
        wing = [(0.3, 0.07), (-0.3, 1.0), (-0.42, 1.0), (-0.12, 0.3), (-0.16, 0.07)]
        tail = [(-0.72, 0.04), (-0.92, 0.4), (-1.0, 0.4), (-0.94, 0.04)]
        pod = [(0.28, 0.27), (0.28, 0.35), (0.06, 0.35), (0.06, 0.27)]
        return [
            *_pair(wing, tinted(paint, 0.86), True),
            *_pair(pod, tinted(paint, 0.55)),
            *_pair(tail, tinted(paint, 0.8), True),
            _shape(fuselage, paint, True),
            _shape(box(-0.96, -0.018, -0.66, 0.018), tinted(paint, 0.5)),
            _shape([(0.95, 0.05), (0.9, 0.06), (0.9, -0.06), (0.95, -0.05)], _GLASS),
        ]
    wing = [(0.44, 0.06), (0.4, 1.0), (0.16, 1.0), (0.06, 0.06)]
    tail = [(-0.74, 0.04), (-0.78, 0.4), (-0.97, 0.4), (-1.0, 0.04)]
    engine = box(0.22, 0.3, 0.6, 0.4)
    prop = box(0.6, 0.2, 0.635, 0.5)
    return [
        *_pair(wing, tinted(paint, 0.92), True),
        *_pair(tail, tinted(paint, 0.85), True),
        _shape(fuselage, paint, True),
        *_pair(engine, tinted(paint, 0.6)),
        *_pair(prop, _DARK),
        _shape(box(-0.96, -0.02, -0.7, 0.02), tinted(paint, 0.5)),
        _shape([(0.86, 0.07), (0.78, 0.08), (0.78, -0.08), (0.86, -0.07)], _GLASS),
    ]


def _rotor(x: float, radius: float) -> list[Shape]:
    """Four blades in the object's frame, in which a circle is as high as it is wide times its aspect."""
    blades = []
    for turn in (0.0, 0.5):
        a = turn * np.pi + 0.0
        along, across = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        points = [
            along + 0.035 * across,
            along - 0.035 * across,
            -along - 0.035 * across,
            -along + 0.035 * across,
        ]
        blades.append(_shape([(x + radius * float(p[0]), float(p[1])) for p in points], (74, 76, 80), True))
    return blades


def _helicopter(kind: str, paint: Colour) -> list[Shape]:
    if kind == "tandem helicopter":
        hull = [
            (0.86, 0.14),
            (0.94, 0.0),
            (0.86, -0.14),
            (0.7, -0.24),
            (-0.84, -0.2),
            (-0.84, 0.2),
            (0.7, 0.24),
        ]
        return [
            _shape(hull, paint, True),
            _shape(box(0.74, -0.16, 0.84, 0.16), _GLASS),
            _shape(box(-0.6, -0.08, 0.5, 0.08), tinted(paint, 0.8)),
            *_rotor(0.47, 0.53),
            *_rotor(-0.47, 0.53),
        ]
    cabin = circle(0.36, 14, 0.26, 0.78)
    boom = [(0.1, 0.1), (-0.95, 0.035), (-0.95, -0.035), (0.1, -0.1)]
    return [
        _shape(boom, tinted(paint, 0.9), True),
        _shape(box(-1.0, -0.2, -0.9, 0.2), tinted(paint, 0.75), True),
        _shape(cabin, paint, True),
        _shape([(0.6, 0.0), (0.52, 0.17), (0.4, 0.2), (0.4, -0.2), (0.52, -0.17)], _GLASS),
        *_rotor(0.2, 0.8),
    ]


_HULL: Points = [
    (1.0, 0.0),
    (0.93, 0.35),
    (0.82, 0.74),
    (0.66, 1.0),
    (-0.94, 1.0),
    (-1.0, 0.7),
    (-1.0, -0.7),
    (-0.94, -1.0),
    (0.66, -1.0),
    (0.82, -0.74),
    (0.93, -0.35),
]
_BOXES = ((176, 70, 52), (62, 104, 150), (196, 190, 180), (86, 128, 92), (198, 146, 62), (120, 60, 56))


def _inner(points: Points, x: float, y: float) -> Points:
    return [(a * x, b * y) for a, b in points]


def _ship(kind: str, paint: Colour) -> list[Shape]:
    hull = _shape(_HULL, paint, True)
    house = _shape(box(-0.92, -0.8, -0.74, 0.8), _LINE)
    if kind == "sailing boat":
        slim = [(1.0, 0.0), (0.6, 0.55), (0.0, 1.0), (-0.7, 0.8), (-1.0, 0.55)]
        slim = [*slim, *((x, -y) for x, y in reversed(slim) if y)]
        return [
            _shape(slim, paint, True),
            _shape(_inner(slim, 0.82, 0.66), (202, 178, 140)),
            _shape([(0.72, 0.02), (0.1, 0.6), (-0.55, 0.42), (0.1, 0.0)], (242, 242, 238)),
            _shape(box(-0.62, -0.3, -0.3, 0.3), tinted((202, 178, 140), 0.7)),
        ]
    if kind == "ferry":
        return [
            hull,
            _shape(_inner(_HULL, 0.9, 0.84), tinted(paint, 1.2) if sum(paint) > 200 else (56, 56, 60)),
            _shape(box(-0.72, -0.5, 0.46, 0.5), (232, 232, 226)),
            _shape(box(0.34, -0.8, 0.48, 0.8), _LINE),
            *_pair(box(-0.6, 0.14, -0.4, 0.4), paint),
            _shape(box(-0.96, -0.6, -0.82, 0.6), (120, 122, 124)),
        ]
    deck = _shape(_inner(_HULL, 0.965, 0.84), tinted(paint, 0.72) if sum(paint) > 200 else (62, 58, 60))
    if kind == "cargo ship":
        stacks = []
        for row, x in enumerate(np.arange(-0.64, 0.66, 0.115)):
            for lane in range(4):
                y = -0.74 + lane * 0.37
                colour = _BOXES[(row * 5 + lane * 3 + row * lane) % len(_BOXES)]
                if x + 0.1 > 0.56 and lane in (0, 3):
                    continue
                stacks.append(_shape(box(float(x), y, float(x) + 0.1, y + 0.34), colour))
        return [hull, deck, *stacks, house]
    pipes = [
        _shape(box(-0.66, -0.07, 0.78, 0.07), tinted(paint, 1.25)),
        _shape(box(-0.02, -0.78, 0.06, 0.78), _METAL),
    ]
    hatches = [
        s for x in (-0.5, -0.25, 0.25, 0.5) for s in _pair(box(x, 0.3, x + 0.07, 0.5), tinted(paint, 0.5))
    ]
    return [hull, deck, *pipes, *hatches, house]


def _tank(kind: str, paint: Colour) -> list[Shape]:
    if kind == "floating roof":
        return [
            _shape(circle(1.0), paint, True),
            _shape(circle(0.9), tinted(paint, 0.42)),
            _shape(circle(0.82), tinted(paint, 0.8)),
            _shape(box(-0.8, -0.04, 0.1, 0.04), tinted(paint, 0.45)),
        ]
    return [
        _shape(circle(1.0), paint, True),
        _shape([(0.0, 0.0), *list(circle(0.97, 24))[14:24], (0.97, 0.0)], tinted(paint, 1.08)),
        _shape([(0.0, 0.0), *list(circle(0.97, 24))[2:11]], tinted(paint, 0.9)),
        _shape(circle(0.1, 8), tinted(paint, 0.5)),
    ]


def _court_lines(y0: float, y1: float, ground: Colour) -> list[Shape]:
    """A court in x of [-0.66, 0.66] and y of [y0, y1], its lines as wide as they look."""
    h, t = y1 - y0, 0.012
    w = t * 2 / max(0.6, h)
    shapes = [
        _shape(box(-0.66, y0, 0.66, y1), _LINE),
        _shape(box(-0.66 + t, y0 + w, 0.66 - t, y1 - w), ground),
    ]
    for share in (0.125, 0.875):
        y = y0 + share * h
        shapes.append(_shape(box(-0.66, y - w / 2, 0.66, y + w / 2), _LINE))
    for x in (-0.355, 0.355):
        shapes.append(_shape(box(x - t / 2, y0 + 0.125 * h, x + t / 2, y1 - 0.125 * h), _LINE))
    shapes.append(_shape(box(-0.355, y0 + 0.5 * h - w / 2, 0.355, y0 + 0.5 * h + w / 2), _LINE))
    shapes.append(_shape(box(-0.014, y0 - 0.06 * h, 0.014, y1 + 0.06 * h), (66, 70, 74)))
    return shapes


def _court(kind: str, paint: Colour) -> list[Shape]:
    inner = tinted(paint, 0.8)
    around = _shape(box(-1, -1, 1, 1), paint)
    if kind == "single court":
        return [around, *_court_lines(-0.62, 0.62, inner)]
    return [around, *_court_lines(-0.78, -0.12, inner), *_court_lines(0.12, 0.78, inner)]


def _ring(
    x: float, radius: float, stretch: float, thick: float, start: int = 0, stop: int = 24
) -> list[Shape]:
    """Pieces of a circle's line, of 24."""
    outer, inner = circle(radius, 24, x, stretch), circle(radius - thick, 24, x, stretch)
    pieces = [(k % 24, (k + 1) % 24) for k in range(start, stop)]
    return [_shape([outer[a], outer[b], inner[b], inner[a]], _LINE) for a, b in pieces]


def _pitch(kind: str, _: Colour) -> list[Shape]:
    grass = (96, 142, 70) if kind == "grass pitch" else (46, 112, 62)
    shapes = [_shape(box(-1, -1, 1, 1), grass)]
    if kind == "grass pitch":
        edges = np.linspace(-0.94, 0.94, 13)
        shapes += [
            _shape(box(float(a), -0.92, float(b), 0.92), tinted(grass, 1.14))
            for a, b in zip(edges[:-1:2], edges[1::2])
        ]
    t, w = 0.006, 0.009
    x, y = 0.94, 0.91
    lines = [box(-x, s * y - w, x, s * y + w) for s in (-1, 1)]
    lines += [box(s * x - t, -y, s * x + t, y) for s in (-1, 0, 1)]
    for side in (-1, 1):
        for depth, half in ((0.31, 0.55), (0.105, 0.25)):
            a, b = sorted((side * x, side * (x - depth)))
            lines += [box(a, s * half - w, b, s * half + w) for s in (-1, 1)]
            lines.append(box(side * (x - depth) - t, -half, side * (x - depth) + t, half))
    shapes += [_shape(line, _LINE) for line in lines]
    shapes += _ring(0.0, 0.172, 1.53, 0.012)
    if kind == "artificial pitch":
        shapes += [_shape(box(s - 0.004, -0.5, s + 0.004, 0.5), (226, 196, 70)) for s in (-0.45, 0.45)]
    return shapes


def _pool(kind: str, _: Colour) -> list[Shape]:
    rim, water = (222, 216, 202), (70, 168, 206)
    if kind == "oval pool":
        return [
            _shape(circle(1.0), rim),
            _shape(circle(0.84), water),
            _shape(circle(0.4, 12, 0.2), (92, 186, 218)),
        ]
    return [
        _shape(box(-1, -1, 1, 1), rim),
        _shape(box(-0.86, -0.72, 0.86, 0.72), water),
        _shape(box(0.66, -0.72, 0.86, 0.72), (112, 196, 222)),
    ]


_CAR_BODY: Points = [
    (1.0, 0.62),
    (0.9, 0.94),
    (0.4, 1.0),
    (-0.85, 1.0),
    (-1.0, 0.8),
    (-1.0, -0.8),
    (-0.85, -1.0),
    (0.4, -1.0),
    (0.9, -0.94),
    (1.0, -0.62),
]


def _car(kind: str, paint: Colour) -> list[Shape]:
    if kind == "van":
        body = _shape(box(-1, -1, 1, 1), paint, True)
        return [
            body,
            _shape(box(0.52, -0.86, 0.74, 0.86), _GLASS),
            _shape(box(-0.9, -0.72, 0.4, 0.72), tinted(paint, 1.1)),
        ]
    body = _shape(_CAR_BODY, paint, True)
    wind = _shape([(0.44, -0.84), (0.44, 0.84), (0.16, 0.68), (0.16, -0.68)], _GLASS)
    if kind == "pickup":
        return [body, _shape(box(-0.94, -0.74, -0.24, 0.74), tinted(paint, 0.45)), wind]
    return [
        body,
        wind,
        _shape([(-0.58, -0.7), (-0.58, 0.7), (-0.76, 0.8), (-0.76, -0.8)], _GLASS),
        _shape(box(-0.56, -0.68, 0.14, 0.68), tinted(paint, 1.12)),
    ]


def _truck(kind: str, paint: Colour) -> list[Shape]:
    if kind == "bus":
        lights = [_shape(box(x, -0.3, x + 0.16, 0.3), tinted(paint, 0.66)) for x in (-0.5, 0.2)]
        return [_shape(box(-1, -1, 1, 1), paint, True), _shape(box(0.9, -0.9, 0.98, 0.9), _GLASS), *lights]
    if kind == "semi-trailer":
        return [
            _shape(box(-1, -1, 0.64, 1), paint, True),
            _shape(box(0.72, -0.94, 1.0, 0.94), tinted(paint, 0.72), True),
            _shape(box(0.62, -0.5, 0.74, 0.5), _DARK, True),
            _shape(box(0.9, -0.8, 0.96, 0.8), _GLASS),
            _shape(box(-0.96, -0.86, 0.6, 0.86), tinted(paint, 1.12)),
        ]
    return [
        _shape(box(-1, -1, 0.5, 1), paint, True),
        _shape(box(0.56, -0.92, 1.0, 0.92), tinted(paint, 0.7), True),
        _shape(box(0.48, -0.6, 0.58, 0.6), _DARK),
        _shape(box(0.84, -0.8, 0.93, 0.8), _GLASS),
    ]


def _bridge(kind: str, paint: Colour) -> list[Shape]:
    deck = _shape(box(-1, -1, 1, 1), paint, True)
    if kind == "railway bridge":
        ties = [
            _shape(box(float(x), -0.5, float(x) + 0.012, 0.5), (86, 76, 66))
            for x in np.arange(-0.99, 0.97, 0.03)
        ]
        rails = _pair(box(-1, 0.26, 1, 0.36), (70, 66, 64))
        return [deck, _shape(box(-1, -0.7, 1, 0.7), (132, 122, 110)), *ties, *rails]
    dashes = [
        _shape(box(float(x), -0.025, float(x) + 0.05, 0.025), _LINE) for x in np.arange(-0.95, 0.95, 0.12)
    ]
    return [deck, _shape(box(-1, -0.76, 1, 0.76), (106, 106, 108)), *dashes]


_PAINTERS = {
    "plane": _plane,
    "helicopter": _helicopter,
    "ship": _ship,
    "storage tank": _tank,
    "tennis court": _court,
    "soccer ball field": _pitch,
    "swimming pool": _pool,
    "small vehicle": _car,
    "large vehicle": _truck,
    "bridge": _bridge,
}
assert _PAINTERS.keys() == {kind.name for kind in OBJECT_CLASSES}


@cache
def shapes_of(name: str, kind: str, colour: str) -> tuple[Shape, ...]:
    """Polygons of an object in the unit frame, in the order in which they are painted.

    Args:
        name: of its class.
        kind: its sub-type.
        colour: name of its paint.
    """
    return tuple(_PAINTERS[name](kind, COLOURS[colour]))
