"""Tile grids: overlapping windows that cover a scene of any size, and the core that each of them owns.

One axis at a time, because both follow the same rule. A scene of 23 px with tiles of 10 px that overlap by
4 px (stride 6) is covered by tiles starting at 0, 6, 12 and 13: the last one is shifted back to end with
the scene instead of being padded. Neighbours share at least the overlap, so an object no larger than it is
whole in some tile. The cores meet in the middle of each shared strip (at 8, 14 and 17), so every point of
the scene belongs to exactly one tile, which is what makes counts over tiles add up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tiling.errors import GridError, OutsideScene
from tiling.view import Window

if TYPE_CHECKING:
    from tiling.areas import SceneArea
    from tiling.scene import Scene

_LENGTH = re.compile(r"\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>px|m|km)?\s*")
_METRES = {"m": 1.0, "km": 1000.0}


@dataclass(frozen=True)
class Tile:
    """One window of a grid.

    Attributes:
        index: position in the grid, row by row.
        row: from the top, starting at 0.
        column: from the left, starting at 0.
        window: extent of the tile in scene pixels, always inside the scene.
        core: the part of the window that no other tile owns; the cores partition the tiled region.
    """

    index: int
    row: int
    column: int
    window: Window
    core: Window


@dataclass(frozen=True)
class TilePlan:
    """The tiles of a grid that are worth reading, and those that are not.

    Attributes:
        tiles: those with at least one valid pixel, in grid order.
        skipped: those that hold nothing but nodata, in grid order.
        outside: those that the area to be examined does not touch, in grid order.
    """

    tiles: tuple[Tile, ...]
    skipped: tuple[Tile, ...]
    outside: tuple[Tile, ...] = ()


@dataclass(frozen=True)
class TileGrid:
    """Overlapping tiles over a scene, or over a region of it, in reading order.

    Attributes:
        width: scene width in px.
        height: scene height in px.
        tile: tile side in px; rounded up to a multiple of ``factor``. A scene narrower or lower than a
            tile gets tiles of its own width or height.
        overlap: px that neighbouring tiles share at least; the largest object that is sure to be whole
            in some tile.
        shape_xy: how many times as long tile and overlap are along x and along y; other than 1 where pixels
            are not square on the ground and tiles are to be.
        factor: the side of the model's visual token in px, so that a tile needs no further resize.
        region: the part of the scene to tile, or None for all of it; grown to whole pixels and clipped
            to the scene.

    Raises:
        GridError: for an empty scene, a tile that is not larger than the overlap, a negative overlap or a
            factor below 1.
        OutsideScene: the region lies outside the scene.
    """

    width: int
    height: int
    tile: int
    overlap: int = 0
    factor: int = 1
    region: Window | None = None
    shape_xy: tuple[float, float] = (1.0, 1.0)
    _columns: tuple[tuple[int, ...], tuple[int, ...]] = field(init=False, repr=False, compare=False)
    _rows: tuple[tuple[int, ...], tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise GridError(f"scene of {self.width} x {self.height} px is empty; there is nothing to tile")
        if self.factor < 1:
            raise GridError(f"tile factor {self.factor} is below 1; give the model's pixels per token side")
        if self.overlap < 0:
            raise GridError(f"overlap {self.overlap} px is negative; give 0 or more")
        if self.tile <= self.overlap:
            raise GridError(
                f"tile {self.tile} px is not larger than overlap {self.overlap} px; "
                "choose an overlap below the tile size"
            )
        object.__setattr__(self, "tile", -(-self.tile // self.factor) * self.factor)
        extent, (width, height), (x_shared, y_shared) = self.extent, self.sides_xy, self.overlaps_xy
        for name, start, length, tile, shared in (
            ("_columns", int(extent.x), int(extent.width), width, x_shared),
            ("_rows", int(extent.y), int(extent.height), height, y_shared),
        ):
            starts = _starts(length, tile, shared)
            edges = _core_edges(starts, length, tile)
            object.__setattr__(
                self, name, (tuple(start + s for s in starts), tuple(start + e for e in edges))
            )

    @classmethod
    def for_scene(
        cls,
        scene: Scene,
        tile: int | str,
        overlap: int | str = 0,
        factor: int = 1,
        region: Window | None = None,
    ) -> TileGrid:
        """The grid over a scene, with lengths in pixels or metres (see :func:`parse_length`)."""
        return cls(
            scene.width,
            scene.height,
            parse_length(tile, scene.gsd_m),
            parse_length(overlap, scene.gsd_m),
            factor,
            region,
        )

    @property
    def sides_xy(self) -> tuple[int, int]:
        """Width and height of a tile in px, where the scene is large enough for one."""
        x, y = (max(1, round(self.tile * times / self.factor)) * self.factor for times in self.shape_xy)
        return x, y

    @property
    def overlaps_xy(self) -> tuple[int, int]:
        """Least overlap of neighbours along x and y, in px."""
        x, y = (
            min(side - 1, math.ceil(self.overlap * times - 1e-9))
            for side, times in zip(self.sides_xy, self.shape_xy, strict=True)
        )
        return x, y

    @property
    def extent(self) -> Window:
        """Extent that the tiles cover: the scene, or the region in whole pixels inside it."""
        scene = Window(0, 0, self.width, self.height)
        if self.region is None:
            return scene
        x0, y0, x1, y1 = self.region.bounds
        whole = Window.from_bounds(int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)), int(np.ceil(y1)))
        common = scene.intersection(whole)
        if common is None:
            raise OutsideScene(
                f"region {self.region.bounds} lies outside the scene of {self.width} x {self.height} px; "
                "give x0, y0, x1, y1 in scene pixels that overlap it"
            )
        return common

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self._rows[0]), len(self._columns[0])

    def __len__(self) -> int:
        rows, columns = self.shape
        return rows * columns

    def __getitem__(self, index: int) -> Tile:
        if not 0 <= index < len(self):
            raise IndexError(f"tile {index} is outside a grid of {len(self)} tiles")
        row, column = divmod(index, self.shape[1])
        extent = self.extent
        (lefts, x_edges), (tops, y_edges) = self._columns, self._rows
        width, height = self.sides_xy
        return Tile(
            index,
            row,
            column,
            Window(lefts[column], tops[row], min(width, extent.width), min(height, extent.height)),
            Window.from_bounds(x_edges[column], y_edges[row], x_edges[column + 1], y_edges[row + 1]),
        )

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))

    def valid_tiles(
        self,
        scene: Scene,
        *,
        area: SceneArea | None = None,
        progress: Callable[[int, int], None] | None = None,
        readers: int = 2,
    ) -> TilePlan:
        """The tiles with at least one valid pixel, and the skipped ones without any.

        Args:
            scene: that the grid is over.
            area: part of the scene; tiles that it does not touch are left out. None for no limit.
            progress: called with (tiles looked at, tiles in all).
            readers: threads that look.
        """
        tiles, outside = list(self), []
        if area is not None:
            touched = area.touches([tile.window for tile in tiles])
            outside = [tile for tile, inside in zip(tiles, touched) if not inside]
            tiles = [tile for tile, inside in zip(tiles, touched) if inside]
        kept: list[Tile] = []
        skipped: list[Tile] = []
        with ThreadPoolExecutor(max_workers=readers) as pool:
            valid = pool.map(lambda tile: scene.has_valid(tile.window), tiles)
            for done, (tile, holds) in enumerate(zip(tiles, valid), start=1):
                (kept if holds else skipped).append(tile)
                if progress and (done % 64 == 0 or done == len(tiles)):
                    progress(done, len(tiles))
        return TilePlan(tuple(kept), tuple(skipped), tuple(outside))


def parse_length(length: int | str, gsd_m: float | None) -> int:
    """As ``length_px``, in whole pixels."""
    return round(length_px(length, gsd_m))


def length_px(length: float | str, gsd_m: float | None) -> float:
    """A length such as ``512``, ``"512px"``, ``"500m"`` or ``"1.5 km"`` in scene pixels.

    Args:
        length: a number of pixels, or text with the unit px (the default), m or km.
        gsd_m: metres per pixel of the scene, None where unknown.

    Raises:
        GridError: for text that is not a length, or for metres where the scene has no GSD.
    """
    match = _LENGTH.fullmatch(str(length))
    if match is None:
        raise GridError(f"length {length!r} is not understood; give pixels (512) or metres (500m, 1.5km)")
    number, unit = float(match["number"]), match["unit"]
    if unit not in _METRES:
        return number
    if gsd_m is None:
        raise GridError(
            f"length {length!r} is in metres, but the scene has no known ground sampling distance; "
            "give the length in pixels"
        )
    return number * _METRES[unit] / gsd_m


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Start of each tile on one axis: a regular stride, the last one shifted back inside."""
    last = length - tile
    if last <= 0:
        return [0]
    return [*range(0, last, tile - overlap), last]


def _core_edges(starts: list[int], length: int, tile: int) -> list[int]:
    """The edges between the cores of one axis: the middles of the strips that neighbours share."""
    middles = [(left + tile + right) // 2 for left, right in pairwise(starts)]
    return [0, *middles, length]
