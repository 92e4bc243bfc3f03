"""The resolutions at which a file can be read cheaply, and reading a view from the right one.

A pyramid is the stored pixels, the overviews of the file and, where those do not reach down to a few
megapixels, one more level made once in memory, strip by strip. Handles to the file are lent to one thread
at a time, as GDAL requires.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import AffineError
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from tiling.bands import BandLayout
from tiling.errors import EmptyScene, SceneError, SceneNotFound, SceneUnreadable
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

GDAL_OPTIONS = {
    # Bytes of decoded blocks that GDAL keeps for all scenes together; its own default grows with the machine.
    "GDAL_CACHEMAX": 64 * 2**20,
    # Read whole, a PNG that is cut off would come out black below the cut, without an error.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,  # s
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,  # bytes/s, for as many seconds as
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
    "VSI_CACHE": True,
}

ABSENT = ("No such file or directory", "does not exist", "response code: 404")
"""What GDAL says of a file, an archive member, an object of a store or a page that is not there."""

logging.getLogger("rasterio").addHandler(logging.NullHandler())  # else Python prints GDAL's log to stderr

LEVEL_PIXELS = 2048 * 2048
"""Area of the level made in memory for up to three bands, less for more; made where the coarsest level of the
file has twice as many pixels."""

MOSTLY_VALID = 128
"""Coverage from which on a pixel is valid."""


class HandlePool:
    """Open handles to one file, each lent to one thread at a time; processes never share one.

    Args:
        source: a path or anything else that GDAL opens.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._idle: dict[int | None, list[rasterio.DatasetReader]] = {}
        self._owner = os.getpid()
        self._closed = False

    @contextlib.contextmanager
    def borrow(self, overview: int | None = None) -> Iterator[rasterio.DatasetReader]:
        """A handle to the stored pixels, or to one overview of them; GDAL's errors become scene errors.

        Raises:
            SceneError: where the file is missing, empty, not a raster, or corrupt.
        """
        with rasterio.Env(**GDAL_OPTIONS), self._explained():
            dataset = self._take(overview)
            try:
                yield dataset
            finally:
                self._give(overview, dataset)

    def _take(self, overview: int | None) -> rasterio.DatasetReader:
        with self._lock:
            if self._closed:
                raise SceneUnreadable(f"{self.source} is closed; read it inside its with block")
            if self._owner != os.getpid():
                # A forked child shares file positions with its parent: it leaves those handles alone.
                self._idle, self._owner = {}, os.getpid()
            idle = self._idle.setdefault(overview, [])
            if idle:
                return idle.pop()
            options = {} if overview is None else {"OVERVIEW_LEVEL": overview}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(self.source, **options)

    def _give(self, overview: int | None, dataset: rasterio.DatasetReader) -> None:
        with self._lock:
            if self._closed:
                dataset.close()
            else:
                self._idle[overview].append(dataset)

    def close(self) -> None:
        """Close what is idle now, and what is lent as it comes back."""
        with self._lock:
            self._closed = True
            for dataset in (handle for handles in self._idle.values() for handle in handles):
                dataset.close()
            self._idle.clear()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (RasterioError, CPLE_BaseError, AffineError, OSError) as error:
            raise self._explain(error) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if _is_own(error):
                raise
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> SceneError:
        path = Path(self.source)
        if path.is_dir():
            return SceneUnreadable(f"{self.source} is a folder; give a raster file")
        if path.is_file() and path.stat().st_size == 0:
            return EmptyScene(f"{self.source} is empty (0 bytes)")
        reason = " ".join(str(error.__cause__ or error).split())
        # A file that is there may still lack another that it names, as a VRT does its sources.
        if not path.exists() and any(phrase in reason for phrase in ABSENT):
            return SceneNotFound(f"{self.source} does not exist")
        return SceneUnreadable(f"{self.source} cannot be read, it may be corrupt or cut off: {reason}")


def _is_own(error: Exception) -> bool:
    """Whether an error was raised by this package, and so is a defect of it, rather than below it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("tiling")


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

    def read(self, view: View, rendering: Callable[[NDArray], NDArray] | None = None) -> Block:
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
        images = None if self.mask is None else self.mask.at(level)
        with self.pool.borrow(level.overview) as dataset:
            return read_cells(dataset, self.layout, cells, step, images)

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

    def _exact_fraction(self, cells: Cells) -> float:
        """A lower bound of the valid part of stored pixels, 0 only where none is; stops once it is not."""
        with self.pool.borrow() as dataset:
            for part in chunks(dataset, self.layout, cells, (1, 1)):
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
