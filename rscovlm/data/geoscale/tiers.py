"""Tiers of ground sampling distance (GSD): what can be said about an image at each."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tier:
    """A range of GSD.

    Attributes:
        name: as questions call what is seen at it.
        low_m, high_m: metres per pixel, the lower end included.
        instruction: what a teacher is told to ask for.
    """

    name: str
    low_m: float
    high_m: float
    instruction: str


TIERS = (
    Tier(
        "objects",
        0.0,
        1.0,
        "Single objects and their parts can be seen. Ask about kinds, shapes, colours, states and sizes of "
        "single objects.",
    ),
    Tier(
        "structures",
        1.0,
        10.0,
        "Buildings, roads, fields and groups of objects can be seen, but no parts of objects. Ask about "
        "arrangement, density, extent and what groups of objects make up. Never ask about details.",
    ),
    Tier(
        "land cover",
        10.0,
        math.inf,
        "Only land cover, large areas and their pattern can be seen. Ask about types of land, their shares, "
        "borders and use. Never ask about single objects.",
    ),
)
"""From fine to coarse: the object, structure and semantic tier of ScaleEarth, whose ends are not stated."""


def tier_of(gsd_m: float) -> Tier:
    """The tier of an image.

    Args:
        gsd_m: metres per pixel as it is shown.
    """
    return next(tier for tier in TIERS if gsd_m < tier.high_m)
