"""Masks that are images of their own: read from the source for overviews that lack them."""

from __future__ import annotations

import math
import threading
from functools import partial

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterioWindow

from tiling.bands import BandLayout
from tiling.errors import SceneError
from tiling.handles import HandlePool
from tiling.reading import CHUNK_BYTES, Cells, Coverage
from tiling.view import Size

HELD_PIXELS = 2048 * 2048
"""Largest area of the reduced mask that is kept in memory."""

PROBES = 4
"""Places along each axis where the mask of an overview is compared with that of the source."""

PROBE_SIDE = 64
"""Side of such a place, in pixels of the overview."""


class SourceMask:
    """A mask at the resolution of the stored pixels, and its share in cells of any size.

    Args:
        pool: handles to the file that holds the mask.
        bands: those whose masks are joined (a pixel is valid where any is); empty reads the first band of a
            file that is nothing but a mask.
        size: height and width of the stored pixels.
        overviews_of: handles to the scene, whose overviews may have the mask too; None where they
            cannot.
    """

    def __init__(
        self, pool: HandlePool, bands: tuple[int, ...], size: Size, overviews_of: HandlePool | None
    ) -> None:
        self.pool, self.bands, self.size = pool, bands, size
        self._overviews_of = overviews_of
        self._agrees: dict[int, bool] = {}
        self._held: tuple[int, NDArray[np.uint8]] | None = None
        self._building = threading.RLock()

    def at(self, overview: int | None, scale: tuple[float, float], size: Size) -> Coverage | None:
        """Coverage of the cells of a level; None where the level's own masks are as good.

        Args:
            overview: its index in the file, None for the stored pixels.
            scale: stored pixels per pixel of the level.
            size: height and width of the level.
        """
        if self._overviews_of is not None and (overview is None or self._is_in(overview, scale, size)):
            return None
        return partial(self.coverage, scale=scale)

    def coverage(self, cells: Cells, scale: tuple[float, float]) -> NDArray[np.uint8]:
        """The valid part of cells, 0-255; at least 1 with any valid pixel.

        Args:
            cells: pixels of a level.
            scale: stored pixels per pixel of the level.
        """
        if scale == (1.0, 1.0):
            return self._read(cells) * np.uint8(255)
        step = math.ceil(math.sqrt(self.size.height * self.size.width / HELD_PIXELS))
        step = 1 << (step - 1).bit_length()  # overviews halve, so that their edges lie on those of the cells
        if step > 1 and min(scale) >= step:
            return self._shares(cells, (scale[0] / step, scale[1] / step), self._reduced(step))
        source = self.size
        columns = _edges(cells.x0, cells.x1, scale[0], source.width)
        rows = _edges(cells.y0, cells.y1, scale[1], source.height)
        return self._share_of_source(columns, rows)

    def _share_of_source(self, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The valid part of cells between edges in stored pixels, read in bands of rows."""
        shares = np.empty((len(rows) - 1, len(columns) - 1), np.uint8)
        width = int(columns[-1] - columns[0])
        start = 0
        while start < len(shares):
            most = rows[start] + max(1, CHUNK_BYTES // (width * max(1, len(self.bands))))
            stop = max(start + 1, int(np.searchsorted(rows, most, "right")) - 1)
            part = Cells(int(columns[0]), int(rows[start]), int(columns[-1]), int(rows[stop]))
            valid = self._read(part)
            shares[start:stop] = _means(
                valid * np.uint8(255), columns - columns[0], rows[start : stop + 1] - rows[start]
            )
            start = stop
        return shares

    def _shares(self, cells: Cells, scale: tuple[float, float], held: NDArray[np.uint8]) -> NDArray[np.uint8]:
        columns = _edges(cells.x0, cells.x1, scale[0], held.shape[1])
        rows = _edges(cells.y0, cells.y1, scale[1], held.shape[0])
        part = held[rows[0] : rows[-1], columns[0] : columns[-1]]
        return _means(part, columns - columns[0], rows - rows[0])

    def _reduced(self, step: int) -> NDArray[np.uint8]:
        """The whole mask reduced by a step, made once."""
        with self._building:
            if self._held is None or self._held[0] != step:
                columns, rows = (
                    np.minimum(np.arange(0, side + step, step), side)
                    for side in (self.size.width, self.size.height)
                )
                self._held = step, self._share_of_source(np.unique(columns), np.unique(rows))
            return self._held[1]

    def _read(self, cells: Cells) -> NDArray[np.bool_]:
        with self.pool.borrow() as dataset:
            return _read(dataset, self.bands, cells)

    def _is_in(self, overview: int, scale: tuple[float, float], size: Size) -> bool:
        """Whether the mask of an overview is that of the source, by a look at some places of both.

        One that has no invalid pixel at these places says nothing: the mask may be missing from it.
        """
        assert self._overviews_of is not None  # else overviews are never asked
        with self._building:
            if overview not in self._agrees:
                with self._overviews_of.borrow(overview) as dataset:
                    self._agrees[overview] = self._agree(dataset, scale, size)
            return self._agrees[overview]

    def _agree(self, overview: rasterio.DatasetReader, scale: tuple[float, float], size: Size) -> bool:
        seen = False
        for y in _places(size.height):
            for x in _places(size.width):
                cells = Cells(x, y, min(x + PROBE_SIDE, size.width), min(y + PROBE_SIDE, size.height))
                own = _read(overview, self.bands, cells)
                true = self.coverage(cells, scale)
                # An overview takes the nearest pixel, or any: cells that are cut may come out either way.
                if (own & (true == 0)).mean() > 0.02 or (~own & (true == 255)).mean() > 0.02:
                    return False
                seen = seen or not own.all()
        return seen


def mask_of(pool: HandlePool, layout: BandLayout, size: Size) -> SourceMask | None:
    """The mask of a dataset, or of the file that a user names for it; None where it has none.

    Raises:
        SceneError: for a file that cannot be read, or has another size.
    """
    validity = layout.validity
    if validity.file is not None:
        other = HandlePool(str(validity.file))
        with other.borrow() as dataset:
            found = Size(dataset.height, dataset.width)
        if found != size:
            raise SceneError(
                f"mask {validity.file} is {found.width} x {found.height} px and the scene "
                f"{size.width} x {size.height} px; give a mask of the scene's size"
            )
        return SourceMask(other, (), size, None)
    return SourceMask(pool, validity.masks, size, pool) if validity.images else None


def _read(dataset: rasterio.DatasetReader, bands: tuple[int, ...], cells: Cells) -> NDArray[np.bool_]:
    window = RasterioWindow(cells.x0, cells.y0, cells.size.width, cells.size.height)
    if not bands:
        return dataset.read(1, window=window) != 0
    return (dataset.read_masks(list(bands), window=window) > 0).any(axis=0)


def _edges(first: int, last: int, scale: float, available: int) -> NDArray[np.intp]:
    """Where cells begin and end on a finer grid; each holds at least one of its pixels."""
    edges = np.rint(np.arange(first, last + 1) * scale).astype(np.intp)
    edges = np.minimum(edges, available - np.arange(len(edges))[::-1])
    return np.maximum.accumulate(np.maximum(edges, 0))


def _means(
    values: NDArray[np.uint8], columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Means of values between edges, rounded up so that only nothing is 0."""
    lines = np.add.reduceat(values, rows[:-1], axis=0, dtype=np.uint32)
    sums = np.add.reduceat(lines, columns[:-1], axis=1, dtype=np.uint64)
    area = np.outer(np.diff(rows), np.diff(columns))
    return np.ceil(sums / area).astype(np.uint8)


def _places(side: int) -> list[int]:
    return sorted({max(0, int((i + 0.5) / PROBES * side) - PROBE_SIDE // 2) for i in range(PROBES)})
