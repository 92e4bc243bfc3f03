"""Annotations of an image: objects with attributes, named places, relations between objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.words import SHAPES
from tiling.view import Window

ATTRIBUTES = ("color", "kind", "shape", "status", "background", "place")
"""Attributes of an object besides its class; ``place`` is the name of the place that it stands at."""


@dataclass(frozen=True, eq=False)
class Thing:
    """One annotated object.

    Attributes:
        name: its class as it is spoken of (``storage tank``).
        polygon: (4, 2) float64 pixels of the image file.
        attributes: what else is known of it, by a name of ``ATTRIBUTES``.
        difficult: marked so by the annotators: never asked about, but others may be mistaken for it.
    """

    name: str
    polygon: NDArray[np.float64]
    attributes: Mapping[str, str] = field(default_factory=dict)
    difficult: bool = False

    @cached_property
    def window(self) -> Window:
        """Its axis-aligned bounds."""
        (x0, y0), (x1, y1) = self.polygon.min(axis=0), self.polygon.max(axis=0)
        return Window.from_bounds(float(x0), float(y0), max(float(x1), x0 + 1e-6), max(float(y1), y0 + 1e-6))

    @cached_property
    def center(self) -> NDArray[np.float64]:
        """(2,) x, y: the mean of its corners."""
        center: NDArray[np.float64] = self.polygon.mean(axis=0)
        return center

    @cached_property
    def sides(self) -> tuple[float, float]:
        """Longer and shorter side in pixels: means of opposite edges."""
        edges = np.linalg.norm(np.roll(self.polygon, -1, axis=0) - self.polygon, axis=1)
        one, other = float(edges[0] + edges[2]) / 2, float(edges[1] + edges[3]) / 2
        return max(one, other), min(one, other)

    @property
    def area(self) -> float:
        """Square pixels, longer times shorter side."""
        return self.sides[0] * self.sides[1]

    @cached_property
    def slope_deg(self) -> float:
        """Direction of the longer side against +x, clockwise on the image, in [0, 180)."""
        edges = np.roll(self.polygon, -1, axis=0) - self.polygon
        first, second = edges[0] - edges[2], edges[1] - edges[3]
        along = first if np.hypot(*first) >= np.hypot(*second) else second
        return float(np.degrees(np.arctan2(along[1], along[0])) % 180)

    def known(self, attribute: str) -> str | None:
        """An attribute, also where it follows from the class; None where nothing is known."""
        found = self.attributes.get(attribute)
        return SHAPES.get(self.name) if found is None and attribute == "shape" else found


@dataclass(frozen=True)
class Place:
    """A named area, unique in its image, all objects of which are annotated.

    Attributes:
        name: as questions call it (``harbour``).
        window: its bounds in pixels of the file.
        things: indices of the objects that stand there.
        usual: the class that one expects there, to ask about where it is empty.
    """

    name: str
    window: Window
    things: tuple[int, ...] = ()
    usual: str = ""


@dataclass(frozen=True)
class Relation:
    """A triplet: the subject does something to the object, by their indices."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True, eq=False)
class Annotated:
    """One image with all that is known of it.

    Attributes:
        id: unique in the collection.
        path: of the image file.
        width, height: of the image in px.
        things: all annotated objects.
        places: named areas.
        relations: annotated triplets.
        gsd_m: metres per pixel, None where unknown.
        source: the data set.
    """

    id: str
    path: Path
    width: int
    height: int
    things: tuple[Thing, ...] = ()
    places: tuple[Place, ...] = ()
    relations: tuple[Relation, ...] = ()
    gsd_m: float | None = None
    source: str = ""

    @property
    def window(self) -> Window:
        """The whole image."""
        return Window(0, 0, self.width, self.height)

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Indices of the objects of each class, in order."""
        found: dict[str, list[int]] = {}
        for index, thing in enumerate(self.things):
            found.setdefault(thing.name, []).append(index)
        return found

    def vocabulary(self, attribute: str) -> list[str]:
        """The values of an attribute in this image, sorted."""
        return sorted({value for thing in self.things if (value := thing.known(attribute))})


def union(windows: list[Window]) -> Window:
    """The smallest window around some windows.

    Raises:
        ValueError: there are none.
    """
    if not windows:
        raise ValueError("no windows to put one around")
    edges = np.array([window.bounds for window in windows])
    return Window.from_bounds(*map(float, (*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0))))
