"""Window and View: the only place where coordinates change frame.

Scene pixels are continuous, x right and y down, with (0, 0) at the outer corner of the top-left
pixel (GDAL's convention). A view shows a window of the scene at a size; view pixels follow the same
convention. x and y scale separately, because a resize to multiples of a model's factor changes the
aspect a little, and because pixels need not be square on the ground. A view may be turned by quarters or
mirrored against the scene's pixels, so that north is up where the file has it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Size(NamedTuple):
    """Pixels of an image, in the order of arrays and of Qwen's ``smart_resize``."""

    height: int
    width: int

    def to_json(self) -> dict[str, int]:
        """By name, since files of the field order the two either way."""
        return {"width": int(self.width), "height": int(self.height)}


class Orientation(NamedTuple):
    """One of the eight axis-aligned ways in which a picture can lie in a frame of pixels.

    A point of the picture gets its place in the frame by exchanging x and y, then by mirroring in the frame.

    Attributes:
        transpose: x and y change places.
        mirror_x: the frame's columns run right to left in the picture (top to bottom if transposed).
        mirror_y: likewise the frame's rows.
    """

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def signs(self) -> tuple[int, int]:
        """-1 for each axis of the frame that is mirrored, else 1."""
        return -1 if self.mirror_x else 1, -1 if self.mirror_y else 1

    def size(self, framed: Size) -> Size:
        """Size of the picture for that in the frame, and the other way round."""
        return Size(framed.width, framed.height) if self.transpose else framed

    def turned(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels (height, width, ...) as they lie in the frame, turned into those of the picture."""
        if self.mirror_x:
            pixels = pixels[:, ::-1]
        if self.mirror_y:
            pixels = pixels[::-1]
        return pixels.swapaxes(0, 1) if self.transpose else pixels


UPRIGHT = Orientation()
"""The picture lies as the frame does."""


@dataclass(frozen=True)
class Window:
    """An axis-aligned rectangle in scene pixels; may be fractional and may leave the scene."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise ValueError(
                f"window of {self.width} x {self.height} px is empty; both sides must be positive"
            )

    def to_json(self) -> dict[str, float]:
        """By name: ``x``, ``y``, ``width``, ``height`` in scene pixels."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}

    @classmethod
    def from_bounds(cls, x0: float, y0: float, x1: float, y1: float) -> Window:
        """The window from its left, top, right and bottom edges."""
        return cls(x0, y0, x1 - x0, y1 - y0)

    @classmethod
    def around(cls, points: ArrayLike) -> Window:
        """The smallest window around points (..., 2)."""
        flat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        return cls.from_bounds(*map(float, (*flat.min(axis=0), *flat.max(axis=0))))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def center(self) -> tuple[float, float]:
        """The middle point (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        """Area in square scene pixels."""
        return self.width * self.height

    def pad(self, margin: float) -> Window:
        """Grown by ``margin`` scene pixels on each side."""
        return Window(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    def resized(self, width: float, height: float) -> Window:
        """A window of another size about the same centre."""
        x, y = self.center
        return Window(x - width / 2, y - height / 2, width, height)

    def moved_inside(self, extent: Window) -> Window:
        """The same size, shifted as little as needed to lie in ``extent``; a longer side is cut to fit."""
        width, height = min(self.width, extent.width), min(self.height, extent.height)
        x = min(max(self.x, extent.x), extent.x + extent.width - width)
        y = min(max(self.y, extent.y), extent.y + extent.height - height)
        return Window(x, y, width, height)

    def intersection(self, other: Window) -> Window | None:
        """The common part, or None where the two do not overlap in area."""
        x0, y0 = max(self.x, other.x), max(self.y, other.y)
        x1 = min(self.x + self.width, other.x + other.width)
        y1 = min(self.y + self.height, other.y + other.height)
        return Window.from_bounds(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def iou(self, other: Window) -> float:
        """Intersection over union of two windows."""
        common = self.intersection(other)
        shared = common.area if common else 0.0
        return shared / (self.area + other.area - shared)

    def contains(self, other: Window) -> bool:
        """Whether ``other`` lies wholly inside."""
        x0, y0, x1, y1 = self.bounds
        a0, b0, a1, b1 = other.bounds
        return x0 <= a0 and y0 <= b0 and a1 <= x1 and b1 <= y1


@dataclass(frozen=True)
class View:
    """A window of a scene rendered at a size.

    Attributes:
        window: the part of the scene that is shown, in scene pixels.
        size: height and width of the rendered image in view pixels.
        orientation: how the rendered image lies in scene pixels.
    """

    window: Window
    size: Size
    orientation: Orientation = UPRIGHT

    def __post_init__(self) -> None:
        if self.size[0] < 1 or self.size[1] < 1:
            raise ValueError(
                f"view size {tuple(self.size)} is empty; give a height and width of at least 1 px"
            )
        object.__setattr__(self, "size", Size(*self.size))
        object.__setattr__(self, "orientation", Orientation(*self.orientation))

    @property
    def untransposed(self) -> View:
        """The same part with rows and columns along those of the scene."""
        return View(self.window, self.orientation.size(self.size))

    @property
    def scale(self) -> tuple[float, float]:
        """Scene pixels per view pixel along the scene's x and y; above 1 where the view is reduced."""
        height, width = self.orientation.size(self.size)
        return self.window.width / width, self.window.height / height

    def to_scene(self, points: ArrayLike) -> NDArray[np.float64]:
        """View pixels (..., 2) as scene pixels."""
        step, origin = self._step_and_origin
        framed = np.asarray(points, dtype=np.float64)
        return (framed[..., ::-1] if self.orientation.transpose else framed) * step + origin

    def from_scene(self, points: ArrayLike) -> NDArray[np.float64]:
        """Scene pixels (..., 2) as view pixels."""
        step, origin = self._step_and_origin
        framed = (np.asarray(points, dtype=np.float64) - origin) / step
        return framed[..., ::-1] if self.orientation.transpose else framed

    @property
    def _step_and_origin(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The signed scale, and the scene pixel at which the view's (0, 0) lies."""
        (scale_x, scale_y), (sign_x, sign_y) = self.scale, self.orientation.signs
        left, top, right, bottom = self.window.bounds
        origin = (right if sign_x < 0 else left, bottom if sign_y < 0 else top)
        return (scale_x * sign_x, scale_y * sign_y), origin

    def window_of(self, box: Iterable[float]) -> Window:
        """The scene window of a box (x0, y0, x1, y1) in view pixels."""
        return Window.around(self.to_scene(np.reshape(np.fromiter(box, dtype=np.float64), (2, 2))))

    def magnification_over(self, other: View) -> float:
        """Ratio of view pixels per scene pixel to those of ``other`` (geometric mean)."""
        (ax, ay), (bx, by) = self.scale, other.scale
        return float(np.sqrt((bx * by) / (ax * ay)))
