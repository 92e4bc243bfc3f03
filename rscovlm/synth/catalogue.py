"""Catalogue of synthetic scenes: land covers, object classes with kinds and colours, and named sites."""

from __future__ import annotations

from dataclasses import dataclass

LAND_COVERS = ("water", "forest", "farmland", "urban", "desert")
"""Scene classes: the cover of most of the ground."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (240, 240, 236),
    "red": (205, 42, 38),
    "blue": (40, 90, 215),
    "yellow": (236, 200, 40),
    "black": (28, 28, 30),
}
"""Paint of objects by name, RGB."""


@dataclass(frozen=True)
class ObjectClass:
    """A kind of object that scenes hold.

    Attributes:
        name: the class name, in the spelling of DOTA where DOTA has it.
        plural: for questions.
        length_m: range of the longer side in metres.
        aspect: longer side over shorter side.
        kinds: sub-types that differ in shape.
        is_round: drawn without a heading, with an axis-aligned box.
    """

    name: str
    plural: str
    length_m: tuple[float, float]
    aspect: float
    kinds: tuple[str, ...]
    is_round: bool = False


PLANE = ObjectClass("plane", "planes", (36.0, 60.0), 1.1, ("jet", "propeller plane"))
SHIP = ObjectClass("ship", "ships", (55.0, 100.0), 3.4, ("cargo ship", "tanker"))
TANK = ObjectClass("storage tank", "storage tanks", (28.0, 48.0), 1.0, ("fixed roof", "floating roof"), True)
COURT = ObjectClass("tennis court", "tennis courts", (36.0, 48.0), 1.9, ("single court", "double court"))
VEHICLE = ObjectClass("small vehicle", "vehicles", (9.0, 14.0), 2.1, ("car", "truck"))
BRIDGE = ObjectClass("bridge", "bridges", (90.0, 130.0), 5.0, ("road bridge", "railway bridge"))

OBJECT_CLASSES = (BRIDGE, PLANE, SHIP, VEHICLE, TANK, COURT)
CLASS_NAMES = tuple(sorted(kind.name for kind in OBJECT_CLASSES))
"""Alphabetical, as prompts list them."""


@dataclass(frozen=True)
class SiteKind:
    """A named place, visible in an overview by its ground, whose objects are not.

    Attributes:
        name: as questions call it; at most one of each stands in a scene.
        objects: the class that gathers there.
        side_m: range of the side of its ground in metres.
        ground: RGB of the ground.
        count: range of how many objects it holds; an empty site is possible besides.
    """

    name: str
    objects: ObjectClass
    side_m: tuple[float, float]
    ground: tuple[int, int, int]
    count: tuple[int, int]


SITES = (
    SiteKind("airport", PLANE, (170.0, 230.0), (176, 176, 172), (1, 5)),
    SiteKind("harbour", SHIP, (190.0, 260.0), (18, 48, 96), (1, 5)),
    SiteKind("tank farm", TANK, (130.0, 190.0), (150, 96, 70), (1, 6)),
    SiteKind("sports ground", COURT, (130.0, 190.0), (120, 196, 84), (1, 4)),
    SiteKind("car park", VEHICLE, (70.0, 100.0), (84, 78, 96), (1, 6)),
    SiteKind("canal", BRIDGE, (200.0, 260.0), (52, 130, 150), (1, 2)),
)
