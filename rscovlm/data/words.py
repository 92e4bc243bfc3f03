"""Words of the zoom data: categories of questions, colours, shapes, families of classes."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

Category = Literal[
    "count",
    "object color",
    "object category",
    "object shape",
    "object status",
    "object background",
    "reasoning",
    "rural or urban",
    "object relation",
]
"""LRS-VQA's eight categories, and one for relations, which LRS-VQA files under reasoning."""

COLOURS = ("white", "red", "blue", "yellow", "black", "green", "gray", "brown", "orange")
"""Colours that a distractor may be taken from where an annotation holds too few of its own."""

SHAPES = MappingProxyType(
    {
        "storage tank": "round",
        "roundabout": "round",
        "tennis court": "rectangular",
        "basketball court": "rectangular",
        "football field": "rectangular",
        "soccer ball field": "rectangular",
        "ground track field": "oval",
    }
)
"""Classes whose outline follows from what they are; of any other, nothing is said unless it is annotated."""

FAIR1M_FAMILIES = MappingProxyType(
    {
        "plane": (
            *("Boeing737", "Boeing747", "Boeing777", "Boeing787", "C919"),
            *("A220", "A321", "A330", "A350", "ARJ21", "other-airplane"),
        ),
        "ship": (
            *("Passenger Ship", "Motorboat", "Fishing Boat", "Tugboat", "Engineering Ship"),
            *("Liquid Cargo Ship", "Dry Cargo Ship", "Warship", "other-ship"),
        ),
        "vehicle": (
            *("Small Car", "Bus", "Cargo Truck", "Dump Truck", "Van"),
            *("Trailer", "Tractor", "Excavator", "Truck Tractor", "other-vehicle"),
        ),
    }
)
"""FAIR1M's fine classes by what they are kinds of (FAIR1M, table 2); its courts and roads have no kinds."""
