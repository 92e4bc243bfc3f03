"""Catalogue of synthetic scenes: scene classes, object classes with their kinds, and named places."""

from __future__ import annotations

from dataclasses import dataclass

LAND_COVERS = ("coast", "desert", "farmland", "forest", "industrial", "urban", "water")
"""Scene classes: what most of the ground is, and the coast."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (232, 232, 228),
    "red": (186, 48, 42),
    "blue": (46, 92, 190),
    "yellow": (226, 190, 52),
    "black": (34, 34, 38),
    "green": (62, 122, 66),
    "gray": (132, 136, 140),
}
"""Paint of objects by name, RGB."""


@dataclass(frozen=True)
class Kind:
    """A sub-type with a shape of its own.

    Attributes:
        name: as answers call it.
        length_m: range of the longer side in metres.
        aspect: range of the longer over the shorter side.
        height_m: of what throws the shadow; 0 for what lies flat.
    """

    name: str
    length_m: tuple[float, float]
    aspect: tuple[float, float]
    height_m: float = 0.0


@dataclass(frozen=True)
class ObjectClass:
    """A class of objects that scenes hold.

    Attributes:
        name: in the spelling of DOTA.
        plural: for questions.
        types: sub-types that differ in shape.
        colours: names of paint that it comes in.
        is_round: drawn without a heading, with an axis-aligned box.
    """

    name: str
    plural: str
    types: tuple[Kind, ...]
    colours: tuple[str, ...]
    is_round: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of its sub-types."""
        return tuple(kind.name for kind in self.types)

    def kind(self, name: str) -> Kind:
        """The sub-type of a name.

        Raises:
            ValueError: there is none.
        """
        for kind in self.types:
            if kind.name == name:
                return kind
        raise ValueError(f"{self.name} has no kind {name!r}; choose from {', '.join(self.kinds)}")


_SQUARE = (1.0, 1.0)

PLANE = ObjectClass(
    "plane",
    "planes",
    (
        Kind("airliner", (32, 64), (1.0, 1.16), 5),
        Kind("propeller plane", (14, 27), (0.86, 0.98), 3),
        Kind("fighter", (14, 19), (1.4, 1.6), 2.5),
    ),
    ("white", "gray", "blue", "red", "yellow", "green"),
)
HELICOPTER = ObjectClass(
    "helicopter",
    "helicopters",
    (
        Kind("light helicopter", (11, 16), (1.2, 1.3), 2.5),
        Kind("tandem helicopter", (18, 26), (1.8, 2.0), 3.5),
    ),
    ("white", "red", "yellow", "green", "blue", "black"),
)
SHIP = ObjectClass(
    "ship",
    "ships",
    (
        Kind("cargo ship", (60, 150), (5.2, 7.0), 12),
        Kind("tanker", (60, 160), (5.2, 6.6), 9),
        Kind("ferry", (35, 70), (3.4, 4.4), 12),
        Kind("sailing boat", (10, 22), (3.2, 4.0), 2),
    ),
    ("white", "red", "blue", "black", "green", "gray"),
)
TANK = ObjectClass(
    "storage tank",
    "storage tanks",
    (Kind("fixed roof", (14, 44), _SQUARE, 11), Kind("floating roof", (20, 60), _SQUARE, 13)),
    ("white", "gray", "yellow", "green", "red", "blue"),
    True,
)
COURT = ObjectClass(
    "tennis court",
    "tennis courts",
    (Kind("single court", (34, 37), (1.9, 2.05)), Kind("double court", (34, 37), (1.02, 1.1))),
    ("red", "green", "blue"),
)
PITCH = ObjectClass(
    "soccer ball field",
    "soccer ball fields",
    (Kind("grass pitch", (94, 112), (1.45, 1.6)), Kind("artificial pitch", (88, 106), (1.45, 1.6))),
    ("green",),
)
POOL = ObjectClass(
    "swimming pool",
    "swimming pools",
    (Kind("rectangular pool", (8, 13), (1.8, 2.2)), Kind("oval pool", (7, 11), (1.4, 1.7))),
    ("blue",),
)
CAR = ObjectClass(
    "small vehicle",
    "vehicles",
    (
        Kind("car", (3.9, 4.9), (2.35, 2.6), 1.5),
        Kind("van", (4.9, 5.9), (2.5, 2.7), 2.2),
        Kind("pickup", (5.0, 5.6), (2.6, 2.8), 1.8),
    ),
    ("white", "black", "gray", "red", "blue", "yellow", "green"),
)
TRUCK = ObjectClass(
    "large vehicle",
    "large vehicles",
    (
        Kind("truck", (7.5, 10.5), (3.0, 3.9), 3.4),
        Kind("semi-trailer", (14.5, 17.0), (5.6, 6.5), 4),
        Kind("bus", (10.5, 14.0), (4.2, 5.4), 3.2),
    ),
    ("white", "red", "blue", "yellow", "green", "gray"),
)
BRIDGE = ObjectClass(
    "bridge",
    "bridges",
    (Kind("road bridge", (24, 150), (1.5, 9)), Kind("railway bridge", (24, 150), (2.5, 12))),
    ("gray", "white", "red"),
)

OBJECT_CLASSES = (BRIDGE, HELICOPTER, TRUCK, PLANE, SHIP, CAR, PITCH, TANK, POOL, COURT)
CLASS_NAMES = tuple(sorted(kind.name for kind in OBJECT_CLASSES))
"""Alphabetical, as prompts list them."""


@dataclass(frozen=True)
class SiteKind:
    """A named place, visible in an overview by its ground, whose objects are not.

    Attributes:
        name: as questions call it; at most one of each stands in a scene.
        objects: the class that gathers there and shares a kind and mostly a colour.
        others: further classes that may stand there.
        side_m: range of its longer and range of its shorter side in metres.
        count: range of how many objects of its class it holds; an empty site is possible besides.
    """

    name: str
    objects: ObjectClass
    others: tuple[ObjectClass, ...]
    side_m: tuple[tuple[float, float], tuple[float, float]]
    count: tuple[int, int]


SITES = (
    SiteKind("airport", PLANE, (HELICOPTER,), ((420, 760), (190, 230)), (1, 9)),
    SiteKind("harbour", SHIP, (), ((220, 330), (210, 270)), (1, 8)),
    SiteKind("tank farm", TANK, (), ((140, 230), (120, 170)), (1, 12)),
    SiteKind("sports ground", COURT, (PITCH,), ((170, 230), (120, 150)), (1, 6)),
    SiteKind("car park", CAR, (), ((80, 120), (62, 84)), (1, 40)),
    SiteKind("truck yard", TRUCK, (), ((110, 170), (90, 130)), (1, 16)),
    SiteKind("garden quarter", POOL, (), ((150, 210), (120, 160)), (1, 9)),
    SiteKind("river crossing", BRIDGE, (), ((60, 300), (60, 300)), (1, 2)),
)
