"""Images annotated by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rscovlm.data.annotations import Annotated, Place, Relation, Thing
from rscovlm.data.zoom.items import Item
from tiling.resolution import Resolution
from tiling.view import Window

SMALL = Resolution(16, 64 * 64, 128 * 128)
"""An image of 1280 x 1280 px is seen at 128 x 128: ten pixels of the file are one of the overview."""


def thing(name: str, x: float, y: float, width: float = 40, height: float = 20, **known) -> Thing:
    """An upright object by its centre."""
    difficult = bool(known.pop("difficult", False))
    x0, y0, x1, y1 = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    polygon = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
    return Thing(name, polygon, known, difficult)


def image(
    *things: Thing,
    places: tuple[Place, ...] = (),
    relations: tuple[Relation, ...] = (),
    name: str = "scene",
    path: Path = Path("scene.png"),
    side: int = 1280,
) -> Annotated:
    """A square image of these objects."""
    return Annotated(name, path, side, side, things, places, relations, source="hand")


def harbour() -> Annotated:
    """Two ships and a lone tank: one ship red at the left, one white at the harbour; an empty car park."""
    return image(
        thing("ship", 200, 200, 60, 20, color="red", kind="tanker", background="water"),
        thing("ship", 900, 1000, 90, 30, color="white", kind="cargo ship", place="harbour"),
        thing("storage tank", 1100, 200, 40, 40, color="white", kind="fixed roof"),
        places=(
            Place("harbour", Window(800, 900, 200, 200), (1,), "ship"),
            Place("car park", Window(100, 900, 150, 150), (), "small vehicle"),
        ),
    )


HERE = Window(100, 100, 40, 20)


def item(text="What color is it?", answer="red", category="object color", number=0, **fields):
    """A question about the image of a number."""
    return Item(f"i{number}", text, answer, category, fields.pop("evidence", HERE), HERE, **fields)
