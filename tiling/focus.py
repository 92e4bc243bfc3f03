"""A view of the whole scene in which one region is enlarged and the rest compressed, axis by axis.

The map from the even view to this one is piecewise linear along each axis and strictly increasing, so that it
is exactly invertible. Such a view is at most nine ordinary views side by side, each read by window: memory is
that of the picture, whatever the size of the scene.

Source: the warp is that of GazeEarth (arXiv 2609.31747): the region 1.5 times as long, but no more than 55 %
of an axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tiling.view import Size, View, Window

if TYPE_CHECKING:
    from tiling.scene import Scene

ENLARGED = 1.5
MOST_OF_AXIS = 0.55
_LEAST_PX = 4
_NOTHING_PX = 1e-6


class Axis(NamedTuple):
    """One axis of a focused view: up to three pieces, each of which is scaled evenly.

    Attributes:
        even: ends of the pieces in pixels of the even view, from 0 on, increasing.
        shown: likewise in pixels of the focused view, whole numbers.
    """

    even: tuple[float, ...]
    shown: tuple[int, ...]


class Piece(NamedTuple):
    """A part of a focused view that is scaled evenly.

    Attributes:
        view: of that part of the scene.
        top: its place in the focused view, px.
        left: likewise.
    """

    view: View
    top: int
    left: int


@dataclass(frozen=True)
class FocusedView:
    """A view of the same window and size as ``base``, with more of its pixels for one region.

    Attributes:
        base: the even view.
        columns: the x axis of the view.
        rows: the y axis.
    """

    base: View
    columns: Axis
    rows: Axis

    @classmethod
    def of(
        cls,
        base: View,
        region: Window,
        enlarged: float = ENLARGED,
        most: float = MOST_OF_AXIS,
    ) -> FocusedView:
        """The focused view of a region.

        Args:
            base: the even view.
            region: of the scene, in scene pixels; what lies outside ``base`` is left out.
            enlarged: how many times as long the region becomes along each axis.
            most: the share of an axis that it may take, unless it takes more in the even view.

        Raises:
            ValueError: for a region outside the view.
        """
        height, width = base.size
        corners = base.from_scene(np.reshape(region.bounds, (2, 2)))
        (x0, y0), (x1, y1) = np.sort(np.clip(corners, 0, (width, height)), axis=0).tolist()
        if min(x1 - x0, y1 - y0) <= 0:
            raise ValueError(f"region {region.bounds} lies outside the view of {base.window.bounds}")
        return cls(base, _axis(x0, x1, width, enlarged, most), _axis(y0, y1, height, enlarged, most))

    @property
    def window(self) -> Window:
        """The part of the scene that is shown, in scene pixels."""
        return self.base.window

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.base.size

    @property
    def pieces(self) -> Iterator[Piece]:
        """The evenly scaled parts, row by row."""
        for (y0, y1), (top, bottom) in zip(_spans(self.rows.even), _spans(self.rows.shown)):
            for (x0, x1), (left, right) in zip(_spans(self.columns.even), _spans(self.columns.shown)):
                size = Size(int(bottom - top), int(right - left))
                window = self.base.window_of((x0, y0, x1, y1))
                yield Piece(View(window, size, self.base.orientation), int(top), int(left))

    @property
    def finest(self) -> View:
        """The piece that shows the scene at the finest resolution: the region."""
        return min((piece.view for piece in self.pieces), key=lambda view: view.scale[0] * view.scale[1])

    def to_scene(self, points: ArrayLike) -> NDArray[np.float64]:
        """View pixels (..., 2) as scene pixels."""
        points = np.asarray(points, dtype=np.float64)
        x = np.interp(points[..., 0], self.columns.shown, self.columns.even)
        y = np.interp(points[..., 1], self.rows.shown, self.rows.even)
        return self.base.to_scene(np.stack([x, y], axis=-1))

    def from_scene(self, points: ArrayLike) -> NDArray[np.float64]:
        """Scene pixels (..., 2) as view pixels."""
        even = self.base.from_scene(points)
        x = np.interp(even[..., 0], self.columns.even, self.columns.shown)
        y = np.interp(even[..., 1], self.rows.even, self.rows.shown)
        return np.stack([x, y], axis=-1)


def read_focused(scene: Scene, view: FocusedView) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The pixels (height, width, 3) of a focused view, and which of them are valid (height, width).

    Raises:
        SceneError: as ``Scene.read``.
    """
    pixels = np.zeros((*view.size, 3), dtype=np.uint8)
    valid = np.zeros(view.size, dtype=bool)
    for piece, top, left in view.pieces:
        raster = scene.read(piece)
        place = np.s_[top : top + piece.size.height, left : left + piece.size.width]
        pixels[place], valid[place] = raster.pixels, raster.mask
    return pixels, valid


def _axis(start: float, end: float, length: int, enlarged: float, most: float) -> Axis:
    """One axis of ``length`` px; ``start`` to ``end`` is enlarged and the rest shares what is left."""
    # What rounding leaves at an edge of the view is no piece.
    start = 0.0 if start < _NOTHING_PX else start
    end = float(length) if length - end < _NOTHING_PX else end
    inner = end - start
    before, after = start, length - end
    wanted = max(min(inner * enlarged, most * length), inner)
    kept = [piece for piece in (before, inner, after) if piece > 0]
    if len(kept) == 1:
        return Axis((0.0, float(length)), (0, length))
    # Each compressed piece keeps some pixels, so that nothing of the scene is lost.
    sides = sum(1 for piece in (before, after) if piece > 0)
    if length <= _LEAST_PX * (sides + 1):
        return Axis((0.0, float(length)), (0, length))
    middle = max(1, round(min(wanted, length - _LEAST_PX * sides)))
    rest = length - middle
    first = 0 if before <= 0 else rest
    if before > 0 and after > 0:
        first = min(max(round(rest * before / (before + after)), _LEAST_PX), rest - _LEAST_PX)
    even, shown = [0.0], [0]
    for piece, pixels in ((before, first), (inner, middle), (after, rest - first)):
        if piece > 0:
            even.append(even[-1] + piece)
            shown.append(shown[-1] + pixels)
    even[-1] = float(length)
    return Axis(tuple(even), tuple(shown))


def _spans(ends: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    yield from pairwise(ends)
