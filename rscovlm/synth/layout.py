"""What stands on the ground of a place: objects, flat paint, buildings and trees, laid out in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.synth.catalogue import ObjectClass
from rscovlm.synth.objects import SceneObject, make_object
from rscovlm.synth.paint import Material, Polygons, Sheet, rectangles

Array = NDArray[np.float64]
Colour = tuple[int, int, int]

WHITE, ASPHALT, CONCRETE = (226, 226, 220), (98, 98, 102), (172, 169, 162)
HALLS = ((186, 188, 188), (150, 156, 162), (206, 204, 198), (128, 146, 164), (168, 150, 134))
"""Colours of the roofs of large buildings."""


@dataclass(frozen=True)
class Buildings:
    """Boxes with roofs.

    Attributes:
        poses: (n, 6): x, y, length, width in scene pixels, heading in radians, height in metres.
        colours: (n, 3) RGB of roofs.
        gabled: (n,) whether a ridge runs along the length.
    """

    poses: Array
    colours: NDArray[np.float64]
    gabled: NDArray[np.bool_]

    @classmethod
    def none(cls) -> Buildings:
        """No building."""
        return cls(np.zeros((0, 6)), np.zeros((0, 3)), np.zeros(0, dtype=bool))

    @classmethod
    def joined(cls, parts: list[Buildings]) -> Buildings:
        """Those of several collections."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.poses for part in parts]),
            np.concatenate([part.colours for part in parts]),
            np.concatenate([part.gabled for part in parts]),
        )


@dataclass(frozen=True)
class Contents:
    """Everything that stands somewhere.

    Attributes:
        objects: with their boxes.
        flat: paint on the ground, below every shadow.
        buildings: with roofs and shadows.
        trees: (n, 4): x, y, radius in scene pixels, tone in [0, 1).
    """

    objects: tuple[SceneObject, ...]
    flat: Polygons
    buildings: Buildings
    trees: Array


@dataclass(frozen=True)
class Room:
    """The ground that a place has, and what shall stand there.

    Attributes:
        length, width: of the ground in metres, along and across the heading.
        count: objects of the place's class.
        kind, colour: of those objects.
    """

    length: float
    width: float
    count: int
    kind: str
    colour: str


@dataclass
class Layout:
    """The ground of a place being laid out, in metres about its centre, x along its heading.

    Attributes:
        x, y: its centre in scene pixels.
        angle_rad: its heading.
        gsd_m: metres per scene pixel.
        rng: the source of randomness.
        grass: colour of ground that is not paved.
    """

    x: float
    y: float
    angle_rad: float
    gsd_m: float
    rng: np.random.Generator
    grass: Colour = (116, 142, 76)
    objects: list[SceneObject] = field(default_factory=list)
    _flat: Sheet = field(default_factory=Sheet)
    _buildings: list[tuple[float, ...]] = field(default_factory=list)
    _trees: list[tuple[float, float, float, float]] = field(default_factory=list)

    def to_scene(self, points: ArrayLike) -> Array:
        """(..., 2) scene pixels of points in metres about the centre."""
        points = np.asarray(points, dtype=np.float64) / self.gsd_m
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return points @ np.array([[c, s], [-s, c]]) + (self.x, self.y)

    def area(self, points: ArrayLike, colour: Colour, material: Material) -> None:
        """Paint a polygon (k, 2), or several of equal numbers of corners (n, k, 2)."""
        self._flat.add(self.to_scene(points), colour, material)

    def rectangle(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Colour,
        material: Material = Material.CONCRETE,
    ) -> None:
        """Paint a rectangle along the heading."""
        self.area([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, material)

    def bars(
        self,
        x: ArrayLike,
        y: ArrayLike,
        length: ArrayLike,
        width: ArrayLike,
        colour: Colour = WHITE,
        material: Material = Material.PAINT,
    ) -> None:
        """Paint rectangles about centres, such as markings."""
        self.area(rectangles(x, y, length, width, 0.0), colour, material)

    def building(
        self,
        x: float,
        y: float,
        length: float,
        width: float,
        height: float,
        colour: Colour,
        gabled: bool = False,
    ) -> None:
        """A building along the heading, with its roof's colour."""
        self._buildings.append((x, y, length, width, height, *colour, float(gabled)))

    def tree(self, x: float, y: float, radius: float) -> None:
        """A single tree."""
        self._trees.append((x, y, radius, float(self.rng.random())))

    def trees_along(
        self, x0: float, x1: float, y: float, gap: float = 11.0, radius: tuple[float, float] = (1.8, 3.6)
    ) -> None:
        """A row of trees from x0 to x1 with a few missing, their radii between two bounds."""
        for x in np.arange(x0 + 3, x1 - 3, gap):
            if self.rng.random() < 0.75:
                shift = self.rng.uniform(-0.5, 0.5, 2) * radius[1]
                self.tree(float(x + shift[0]), float(y + shift[1]), float(self.rng.uniform(*radius)))

    def one_of(self, colours: Sequence[Colour]) -> Colour:
        """One of some colours, drawn at random."""
        return colours[int(self.rng.integers(len(colours)))]

    def add(
        self,
        kind_of: ObjectClass,
        kind: str,
        colour: str,
        x: float,
        y: float,
        heading: float = 0.0,
        longest: float = np.inf,
        fixed: tuple[float, float] | None = None,
    ) -> None:
        """Place an object, its heading relative to the place's; ``fixed`` its length and width in metres."""
        at = self.to_scene((x, y))
        angle = (self.angle_rad + heading + np.pi) % (2 * np.pi) - np.pi
        item = make_object(
            self.rng,
            kind_of,
            at[0],
            at[1],
            self.gsd_m,
            colour=colour,
            kind=kind,
            angle_rad=angle,
            longest_m=longest,
        )
        if fixed is not None:
            length, width = fixed[0] / self.gsd_m, fixed[1] / self.gsd_m
            item = replace(item, length=length, width=width)
        self.objects.append(item)

    def contents(self) -> Contents:
        """What was laid out, in scene pixels."""
        buildings = np.array(self._buildings).reshape(-1, 9)
        poses = np.concatenate(
            [
                self.to_scene(buildings[:, :2]),
                buildings[:, 2:4] / self.gsd_m,
                np.full((len(buildings), 1), self.angle_rad),
                buildings[:, 4:5],
            ],
            axis=1,
        )
        trees = np.array(self._trees).reshape(-1, 4)
        trees = np.concatenate(
            [self.to_scene(trees[:, :2]), trees[:, 2:3] / self.gsd_m, trees[:, 3:]], axis=1
        )
        return Contents(
            tuple(self.objects),
            self._flat.polygons(),
            Buildings(poses, buildings[:, 5:8], buildings[:, 8] > 0),
            trees,
        )
