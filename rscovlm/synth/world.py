"""The plan of a synthetic scene: what stands where, before any pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.catalogue import (
    BRIDGE,
    COLOURS,
    COURT,
    LAND_COVERS,
    PLANE,
    SHIP,
    SITES,
    TANK,
    VEHICLE,
    ObjectClass,
    SiteKind,
)
from tiling.view import Window

_SCATTERED = {
    "water": (SHIP,),
    "forest": (TANK, COURT, VEHICLE),
    "farmland": (VEHICLE, TANK, PLANE, COURT),
    "urban": (COURT, TANK, VEHICLE),
    "desert": (PLANE, TANK, VEHICLE),
}
_SCATTER_SPACING_M = 320.0


@dataclass(frozen=True)
class SceneObject:
    """One object with its pose in scene pixels.

    Attributes:
        kind_of: its class.
        kind: its sub-type.
        colour: name of its paint.
        x, y: centre in scene pixels.
        length, width: sides in scene pixels, along and across the heading.
        angle_rad: heading, clockwise on the image from +x.
    """

    kind_of: ObjectClass
    kind: str
    colour: str
    x: float
    y: float
    length: float
    width: float
    angle_rad: float

    @cached_property
    def frame(self) -> NDArray[np.float64]:
        """(2, 3) affine from the unit frame [-1, 1]^2 to scene pixels."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.array(
            [
                [c * self.length / 2, -s * self.width / 2, self.x],
                [s * self.length / 2, c * self.width / 2, self.y],
            ]
        )

    @cached_property
    def polygon(self) -> NDArray[np.float64]:
        """(4, 2) corners in scene pixels, clockwise on the image."""
        unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
        return unit @ self.frame[:, :2].T + self.frame[:, 2]


@dataclass(frozen=True)
class Site:
    """A named place with the objects that stand on it."""

    kind: SiteKind
    x: float
    y: float
    side: float
    angle_rad: float
    objects: tuple[SceneObject, ...]

    @property
    def window(self) -> Window:
        """The axis-aligned bounds of its ground in scene pixels."""
        reach = self.side / 2 * (abs(np.cos(self.angle_rad)) + abs(np.sin(self.angle_rad)))
        return Window(self.x - reach, self.y - reach, 2 * reach, 2 * reach)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners of its ground in scene pixels."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * self.side / 2
        return unit @ np.array([[c, s], [-s, c]]) + (self.x, self.y)


@dataclass(frozen=True)
class World:
    """A whole synthetic scene as a plan.

    Attributes:
        seed: the seed it was drawn from; same seed and size, same scene.
        width, height: scene pixels.
        gsd_m: metres per scene pixel.
        cover: the scene class; patch: the second land cover.
        sites: named places, each kind at most once.
        scattered: objects outside the sites.
    """

    seed: int
    width: int
    height: int
    gsd_m: float
    cover: str
    patch: str
    sites: tuple[Site, ...]
    scattered: tuple[SceneObject, ...]

    @cached_property
    def objects(self) -> tuple[SceneObject, ...]:
        """All objects, those of sites first."""
        return (*(item for site in self.sites for item in site.objects), *self.scattered)

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(n, 4) left, top, right, bottom of each object in scene pixels."""
        if not self.objects:
            return np.zeros((0, 4))
        corners = np.stack([item.polygon for item in self.objects])
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def objects_in(self, window: Window) -> list[SceneObject]:
        """Objects whose bounds touch a window."""
        x0, y0, x1, y1 = window.bounds
        b = self.bounds
        touching = (b[:, 0] < x1) & (b[:, 2] > x0) & (b[:, 1] < y1) & (b[:, 3] > y0)
        return [self.objects[i] for i in np.flatnonzero(touching)]


def make_object(
    rng: np.random.Generator,
    kind_of: ObjectClass,
    x: float,
    y: float,
    gsd_m: float,
    *,
    colour: str | None = None,
    kind: str | None = None,
    angle_rad: float | None = None,
) -> SceneObject:
    """Draw an object of a class at a place; what is not given is random."""
    length = rng.uniform(*kind_of.length_m) / gsd_m
    heading = (
        0.0 if kind_of.is_round else float(rng.uniform(-np.pi, np.pi)) if angle_rad is None else angle_rad
    )
    return SceneObject(
        kind_of,
        kind or str(rng.choice(kind_of.kinds)),
        colour or str(rng.choice(list(COLOURS))),
        x,
        y,
        float(length),
        float(length / kind_of.aspect),
        heading,
    )


def _spots(rng: np.random.Generator, count: int, reach: float, spacing: float) -> list[tuple[float, float]]:
    """Up to ``count`` points in [-reach, reach]^2 at least ``spacing`` apart."""
    spots: list[tuple[float, float]] = []
    for _ in range(60 * count):
        if len(spots) == count:
            break
        x, y = rng.uniform(-reach, reach, 2)
        if all((x - a) ** 2 + (y - b) ** 2 >= spacing**2 for a, b in spots):
            spots.append((float(x), float(y)))
    return spots


def make_site(
    rng: np.random.Generator, kind: SiteKind, x: float, y: float, gsd_m: float, empty: float = 0.2
) -> Site:
    """Draw a site around (x, y); its objects share a colour and a sub-type, so a question has one answer."""
    side = float(rng.uniform(*kind.side_m) / gsd_m)
    angle = float(rng.uniform(-0.3, 0.3))
    count = 0 if rng.random() < empty else int(rng.integers(kind.count[0], kind.count[1] + 1))
    longest = kind.objects.length_m[1] / gsd_m
    colour, sub_type = str(rng.choice(list(COLOURS))), str(rng.choice(kind.objects.kinds))
    if kind.objects is BRIDGE:
        offsets = (
            [(0.0, float(t) * side * 0.3) for t in np.linspace(-1, 1, count)]
            if count > 1
            else [(0.0, 0.0)] * count
        )
    else:
        spacing = longest * (0.95 if kind.objects is SHIP else 1.08)
        offsets = _spots(rng, count, max(side / 2 - longest * 0.55, side * 0.1), spacing)
    heading = angle if kind.objects in (BRIDGE, SHIP) else None
    objects = []
    for dx, dy in offsets:
        c, s = np.cos(angle), np.sin(angle)
        turn = heading if heading is None else heading + (np.pi if rng.random() < 0.5 else 0.0)
        objects.append(
            make_object(
                rng,
                kind.objects,
                x + c * dx - s * dy,
                y + s * dx + c * dy,
                gsd_m,
                colour=colour,
                kind=sub_type,
                angle_rad=turn,
            )
        )
    return Site(kind, x, y, side, angle, tuple(objects))


def plan_world(
    seed: int,
    width: int = 8192,
    height: int = 8192,
    gsd_m: float = 0.3,
    cover: str | None = None,
    sites: int | None = None,
) -> World:
    """Plan a scene.

    Args:
        seed: decides everything that is not given.
        width, height: scene pixels.
        gsd_m: metres per pixel.
        cover: land cover of the ground; random when None.
        sites: number of named sites, at most one of each kind; as many as fit when None.
    """
    rng = np.random.default_rng([seed, width, height])
    cover = cover or str(rng.choice(LAND_COVERS))
    patch = str(rng.choice(LAND_COVERS))
    placed: list[Site] = []
    order = list(rng.permutation(len(SITES)))[: len(SITES) if sites is None else sites]
    for index in order:
        site = _place_site(rng, SITES[index], width, height, gsd_m, placed)
        if site is not None:
            placed.append(site)
    scattered = _scatter(rng, cover, width, height, gsd_m, placed)
    return World(seed, width, height, gsd_m, cover, patch, tuple(placed), tuple(scattered))


def _place_site(
    rng: np.random.Generator, kind: SiteKind, width: int, height: int, gsd_m: float, placed: list[Site]
) -> Site | None:
    reach = kind.side_m[1] / gsd_m * 0.65
    if 2 * reach >= min(width, height):
        return None
    for _ in range(50):
        x, y = float(rng.uniform(reach, width - reach)), float(rng.uniform(reach, height - reach))
        if all(np.hypot(x - s.x, y - s.y) > reach + s.side for s in placed):
            return make_site(rng, kind, x, y, gsd_m)
    return None


def _scatter(
    rng: np.random.Generator, cover: str, width: int, height: int, gsd_m: float, placed: list[Site]
) -> list[SceneObject]:
    step = _SCATTER_SPACING_M / gsd_m
    found = []
    for row in range(int(height // step)):
        for column in range(int(width // step)):
            kind_of = _SCATTERED[cover][int(rng.integers(len(_SCATTERED[cover])))]
            reach = kind_of.length_m[1] / gsd_m
            x = float((column + 0.5) * step + rng.uniform(-0.3, 0.3) * step)
            y = float((row + 0.5) * step + rng.uniform(-0.3, 0.3) * step)
            item = make_object(rng, kind_of, x, y, gsd_m)
            if rng.random() < 0.6 and all(np.hypot(x - s.x, y - s.y) > s.side * 0.75 + reach for s in placed):
                found.append(item)
    return found
