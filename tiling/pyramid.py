"""The resolutions at which a file can be read cheaply, and reading a view from the right one.

A pyramid is the stored pixels, the overviews of the file and, where those do not reach down to a few
megapixels, one more level made once in memory, strip by strip. Handles to the file are lent to one thread
at a time, as GDAL requires.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiling.bands import BandLayout
from tiling.blocks import StoredBlocks, stored_blocks
from tiling.handles import HandlePool
from tiling.masks import mask_of
from tiling.reading import (
    Block,
    Cells,
    chunks,
    read_cells,
    read_pixels,
    reduce_by_mean,
    resample,
)
from tiling.view import Size, View, Window

LEVEL_PIXELS = 2048 * 2048
"""Area of the level made in memory for up to three bands, less for more; made where the coarsest level of the
file has twice as many pixels."""

QUICK_SIDE = 64
"""Side in px of what is read to see quickly that a window holds something."""

MOSTLY_VALID = 128
"""Coverage from which on a pixel is valid."""


@dataclass(frozen=True)
class Level:
    """One resolution of a file.

    Attributes:
        size: height and width in pixels of the level.
        scale: stored pixels per pixel of the level along x and y.
        overview: index of the overview in the file, None for the stored pixels.
        block: the pixels of a level that is held in memory.
    """

    size: Size
    scale: tuple[float, float]
    overview: int | None = None
    block: Block | None = None


class Pyramid:
    """The levels of one file in stored pixels.

    Args:
        pool: handles to the file.
        layout: the bands to read.
    """

    def __init__(self, pool: HandlePool, layout: BandLayout) -> None:
        self.pool, self.layout = pool, layout
        self._building = threading.Lock()
        self._indexing = threading.Lock()
        self._indexed = False
        self._stored: StoredBlocks | None = None
        with pool.borrow() as dataset:
            self.size = Size(dataset.height, dataset.width)
            overviews = len(dataset.overviews(layout.indexes[0]))
        self.mask = mask_of(pool, layout, self.size)
        self.levels = [Level(self.size, (1.0, 1.0))]
        for overview in range(overviews):
            with pool.borrow(overview) as dataset:
                size = Size(dataset.height, dataset.width)
            scale = (self.size.width / size.width, self.size.height / size.height)
            self.levels.append(Level(size, scale, overview))
        self.levels.sort(key=lambda level: level.scale)

    def read(self, view: View, rendering: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> Block:
        """A view of the stored pixels: (height, width, bands) and how much of each is valid.

        What lies outside the image is invalid; what is mostly invalid is 0 in all bands. The last filter
        leaves 8-bit values 8-bit, and makes others float32 where it has anything to do.

        Args:
            view: in stored pixels.
            rendering: applied to the pixels (height, width, bands) before the last filter; it keeps the
                number of bands. A stretch to 8 bits, for one, makes the filter several times as fast.

        Raises:
            SceneError: where the file is corrupt.
        """
        level, step = self.level_for(view.scale)
        cell = (level.scale[0] * step[0], level.scale[1] * step[1])
        grid = Size(math.ceil(level.size.height / step[1]), math.ceil(level.size.width / step[0]))
        left, top, right, bottom = view.window.bounds
        box = (left / cell[0], top / cell[1], right / cell[0], bottom / cell[1])
        x0, x1 = _span(box[0], box[2], view.size.width, grid.width)
        y0, y1 = _span(box[1], box[3], view.size.height, grid.height)
        inside = Cells(max(x0, 0), max(y0, 0), min(x1, grid.width), min(y1, grid.height))

        if inside.x1 <= inside.x0 or inside.y1 <= inside.y0:
            nothing = np.zeros((*view.size, len(self.layout.bands)), self.layout.pixel_dtype)
            nothing = nothing if rendering is None else np.zeros_like(rendering(nothing))
            return Block(nothing, np.zeros(view.size, np.uint8))
        pixels, coverage = self.read_cells(level, inside, step)
        if rendering is not None:
            pixels = rendering(pixels)
        beyond = ((inside.y0 - y0, y1 - inside.y1), (inside.x0 - x0, x1 - inside.x1))
        if any(map(any, beyond)):
            pixels, coverage = np.pad(pixels, (*beyond, (0, 0))), np.pad(coverage, beyond)
        box = (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0)
        pixels, coverage = resample(Block(pixels, coverage), box, view.size)
        mask = coverage >= MOSTLY_VALID
        if not mask.all():
            pixels = np.where(mask[..., None], pixels, pixels.dtype.type(0))
        return Block(pixels, coverage)

    def read_cells(self, level: Level, cells: Cells, step: tuple[int, int] = (1, 1)) -> Block:
        """Means over cells of ``step`` pixels of a level."""
        if level.block is not None:
            part = Cells(
                cells.x0 * step[0],
                cells.y0 * step[1],
                min(cells.x1 * step[0], level.size.width),
                min(cells.y1 * step[1], level.size.height),
            )
            rows, columns = slice(part.y0, part.y1), slice(part.x0, part.x1)
            block = Block(level.block.pixels[rows, columns], level.block.coverage[rows, columns])
            return block if step == (1, 1) else reduce_by_mean(block, step)
        images = None if self.mask is None else self.mask.at(level.overview, level.scale, level.size)
        with self.pool.borrow(level.overview) as dataset:
            holds = self._holds if level.overview is None and step != (1, 1) else None
            return read_cells(dataset, self.layout, cells, step, images, holds)

    def level_for(self, scale: tuple[float, float]) -> tuple[Level, tuple[int, int]]:
        """The coarsest level that has all the detail of a view, and the whole cells to average on it.

        Args:
            scale: stored pixels per view pixel along x and y.
        """
        finer = [level for level in self._levels_down_to(min(scale)) if _at_most(level.scale, scale)]
        level = finer[-1] if finer else self.levels[0]
        step_x, step_y = (max(1, int(s / own + 1e-6)) for s, own in zip(scale, level.scale))
        return level, (step_x, step_y)

    def overall(self, max_side: int) -> Block:
        """The whole image, no longer than ``max_side`` px, and no shorter than half of that if reduced."""
        scale = max(1.0, max(self.size) / max_side)
        level, step = self.level_for((scale, scale))
        if max(level.size) / step[0] > max_side:
            step = (step[0] + 1, step[1] + 1)
        whole = Cells(0, 0, math.ceil(level.size.width / step[0]), math.ceil(level.size.height / step[1]))
        return self.read_cells(level, whole, step)

    def valid_fraction(self, window: Window) -> float:
        """The part of a window that is valid, 0-1; estimated from a reduced mask, but exact about 0."""
        inside = window.intersection(Window(0, 0, self.size.width, self.size.height))
        if inside is None:
            return 0.0
        shown = inside.area / window.area
        if self.layout.always_valid:
            return shown
        scale = max(1.0, math.sqrt(inside.area) / 64)
        level, step = self.level_for((scale, scale))
        cells = _touched(inside, (level.scale[0] * step[0], level.scale[1] * step[1]))
        estimate = float(self.read_cells(level, cells, step).coverage.mean()) / 255
        return shown * (estimate or self._exact_fraction(_touched(inside, (1.0, 1.0))))

    def has_valid(self, window: Window) -> bool:
        """Whether a single pixel of a window is valid; exact, and cheap where that is easily seen.

        What is not stored needs no reading; an overview of the file, or a look at the middle, shows that most
        windows hold something. Only where neither does are the stored pixels read, up to the first valid one.
        """
        inside = window.intersection(Window(0, 0, self.size.width, self.size.height))
        if inside is None:
            return False
        cells = _touched(inside, (1.0, 1.0))
        if self.layout.always_valid:
            return True
        if not self._holds(cells):
            return False
        return self._seems_valid(inside) or self._exact_fraction(cells) > 0

    def _seems_valid(self, inside: Window) -> bool:
        """Whether a quick look finds a valid pixel in a window of stored pixels."""
        if any(level.overview is not None for level in self.levels):
            scale = max(1.0, math.sqrt(inside.area) / QUICK_SIDE)
            level, step = self.level_for((scale, scale))
            cells = _touched(inside, (level.scale[0] * step[0], level.scale[1] * step[1]))
            return bool(self.read_cells(level, cells, step).coverage.any())
        block = self.layout.block_size
        x, y = inside.center
        height, width = (min(side, QUICK_SIDE) for side in block)
        middle = Window(x - width / 2, y - height / 2, width, height).intersection(inside)
        cells = _touched(middle or inside, (1.0, 1.0))
        with self.pool.borrow() as dataset:
            return bool(read_pixels(dataset, self.layout, cells).coverage.any())

    def _holds(self, cells: Cells) -> bool:
        """False where no block of stored pixels in ``cells`` is in the file."""
        with self._indexing:
            if not self._indexed:
                with self.pool.borrow() as dataset:
                    self._stored = stored_blocks(dataset, self.layout)
                self._indexed = True
        return self._stored is None or self._stored.any_in(cells)

    def _exact_fraction(self, cells: Cells) -> float:
        """A lower bound of the valid part of stored pixels, 0 only where none is; stops once it is not."""
        with self.pool.borrow() as dataset:
            for part in chunks(dataset, self.layout, cells, (1, 1)):
                if not self._holds(part):
                    continue
                valid = np.count_nonzero(read_pixels(dataset, self.layout, part).coverage)
                if valid:
                    return valid / (cells.size.height * cells.size.width)
        return 0.0

    def _levels_down_to(self, scale: float) -> list[Level]:
        """All levels, with the one in memory made if it serves ``scale``."""
        coarsest = self.levels[-1]
        area = coarsest.size.height * coarsest.size.width
        held = LEVEL_PIXELS * min(1.0, 3 / len(self.layout.bands))
        if coarsest.block is not None or area <= 2 * held:
            return self.levels
        step = math.ceil(math.sqrt(area / held))
        scales = (coarsest.scale[0] * step, coarsest.scale[1] * step)
        if max(scales) > scale:
            return self.levels
        with self._building:
            if self.levels[-1] is coarsest:
                size = Size(math.ceil(coarsest.size.height / step), math.ceil(coarsest.size.width / step))
                block = self.read_cells(coarsest, Cells(0, 0, size.width, size.height), (step, step))
                self.levels = [*self.levels, Level(size, scales, block=block)]
        return self.levels


def _at_most(fine: tuple[float, float], scale: tuple[float, float]) -> bool:
    """Whether a level is at least as fine as a view, but for rounding of odd sides."""
    return fine[0] <= scale[0] * 1.001 and fine[1] <= scale[1] * 1.001


def _span(low: float, high: float, shown: int, available: int) -> tuple[int, int]:
    """The cells to hold along one axis: those of the box, and beyond it those that the filter reaches."""
    reach = math.ceil(2 * max(1.0, (high - low) / shown)) + 1
    first, last = math.floor(low + 1e-6), math.ceil(high - 1e-6)
    return max(first - reach, min(first, 0)), min(last + reach, max(last, available))


def _touched(window: Window, cell: tuple[float, float]) -> Cells:
    """The cells of a given size that a window inside the image touches."""
    left, top, right, bottom = window.bounds
    x0, y0 = math.floor(left / cell[0] + 1e-6), math.floor(top / cell[1] + 1e-6)
    return Cells(
        x0,
        y0,
        max(x0 + 1, math.ceil(right / cell[0] - 1e-6)),
        max(y0 + 1, math.ceil(bottom / cell[1] - 1e-6)),
    )
