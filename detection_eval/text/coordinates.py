"""Coordinate spaces: the units in which a model writes points about the image that it was shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class CoordinateSpace:
    """Coordinate space: relation of written numbers to pixels of the image as the model saw it.

    Attributes:
        name: how the space is called in configs and reports.
        extent: the written value of the image's far edge, or None where numbers are pixels.
    """

    name: str
    extent: float | None = None

    def to_pixels(self, values: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
        """Written points (..., 2) as pixels of a width x height image."""
        points = np.asarray(values, dtype=np.float64)
        return points if self.extent is None else points * (np.array([width, height]) / self.extent)

    def from_pixels(self, points: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
        """Pixels (..., 2) of a width x height image as (unrounded) written values."""
        pixels = np.asarray(points, dtype=np.float64)
        return pixels if self.extent is None else pixels * (self.extent / np.array([width, height]))


PIXELS = CoordinateSpace("pixels")
"""Absolute pixels of the resized image: Qwen2.5-VL, RSCoVLM."""

PERMILLE = CoordinateSpace("0-1000", 1000.0)
"""0-1000 of the image's width and height: Qwen3-VL, Qwen2-VL."""

PERCENT = CoordinateSpace("0-100", 100.0)
"""0-100 of the image's width and height: GeoChat, TEOChat, SkySenseGPT."""

UNIT = CoordinateSpace("0-1", 1.0)
"""0-1 of the image's width and height: LHRS-Bot, Kimi-VL."""

SPACES = {space.name: space for space in (PIXELS, PERMILLE, PERCENT, UNIT)}
