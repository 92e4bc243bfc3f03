"""Pixels of an open dataset: which of them are valid, how they are reduced and resampled.

Resampling happens in two steps, as in Pillow's ``reducing_gap``. The bulk of a reduction is a mean over
whole cells, which can be taken strip by strip, counts each valid pixel once and lets no nodata in; what
remains, a factor between 1 and 2 or an enlargement, is Pillow's bicubic filter, which widens with the
reduction and so does not alias. Qwen's image processors use the same filter. An overview of the file stands
in for the first step where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window as RasterioWindow

from tiling.bands import BandLayout
from tiling.validity import read_validity
from tiling.view import Size

Coverage = Callable[["Cells"], NDArray[np.uint8]]
"""Cells of a dataset to their coverage (height, width)."""

CHUNK_BYTES = 16 * 2**20
"""Bytes of stored pixels that are decoded at a time where a large area is reduced."""


class Cells(NamedTuple):
    """A block of whole pixels, half open: columns ``x0`` to ``x1``, rows ``y0`` to ``y1``."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> Size:
        """Height and width."""
        return Size(self.y1 - self.y0, self.x1 - self.x0)


class Block(NamedTuple):
    """Pixels and how much of each is valid.

    Attributes:
        pixels: (height, width, bands).
        coverage: (height, width) uint8, 255 where wholly valid, 0 where nothing is.
    """

    pixels: NDArray[Any]
    coverage: NDArray[np.uint8]


def read_pixels(
    dataset: rasterio.DatasetReader, layout: BandLayout, cells: Cells, images: Coverage | None = None
) -> Block:
    """Pixels of a dataset as stored, with no resampling; complex numbers as their magnitude, palettes as
    colours.

    Args:
        dataset: the stored pixels or an overview.
        layout: the bands to read.
        cells: in pixels of the dataset.
        images: coverage by masks that are images, where those of this dataset are not to be trusted.

    Raises:
        rasterio.errors.RasterioIOError: where the file is corrupt.
    """
    window = RasterioWindow(cells.x0, cells.y0, cells.size.width, cells.size.height)
    # GDAL fills the array of an image as images are laid out, which saves a transposed copy of each crop.
    pixels = np.empty((*cells.size, len(layout.indexes)), dtype=layout.dtype)
    if layout.mixed:
        for band, index in enumerate(layout.indexes):
            pixels[..., band] = dataset.read(index, window=window, out_dtype=layout.dtype)
    else:
        dataset.read(list(layout.indexes), window=window, out=np.moveaxis(pixels, -1, 0))
    if layout.always_valid:
        coverage = np.full(cells.size, 255, dtype=np.uint8)
    else:
        outside = None if images is None else images(cells)
        coverage = read_validity(dataset, layout.validity, pixels, window, outside)
    if layout.palette is not None:
        pixels, coverage = _coloured(layout.palette, pixels[..., 0], coverage)
    with np.errstate(over="ignore"):
        return Block(np.abs(pixels) if pixels.dtype.kind == "c" else pixels, coverage)


def _coloured(palette: NDArray[np.uint8], values: NDArray[Any], coverage: NDArray[np.uint8]) -> Block:
    """Colours (height, width, 3) of values; what the table does not hold is invalid."""
    known = (values >= 0) & (values < len(palette))
    colours = palette[np.where(known, values, 0).astype(np.intp)]
    return Block(colours[..., :3], coverage * (known & (colours[..., 3] > 0)))


def read_cells(
    dataset: rasterio.DatasetReader,
    layout: BandLayout,
    cells: Cells,
    step: tuple[int, int] = (1, 1),
    images: Coverage | None = None,
    holds: Callable[[Cells], bool] | None = None,
) -> Block:
    """Means over cells of ``step`` = (columns, rows) stored pixels, never holding more than a chunk of them.

    ``cells`` counts in units of the step from the corner of the dataset. The last cell of a row or column
    may be cut by the edge of the dataset; it is the mean of what there is of it. 8-bit pixels stay 8-bit,
    float64 stays float64, others become float32. ``images`` as in ``read_pixels``; ``holds`` is False for
    stored pixels that are known to be invalid, which are not read.

    Raises:
        rasterio.errors.RasterioIOError: where the file is corrupt.
    """
    if step == (1, 1):
        return read_pixels(dataset, layout, cells, images)
    bands = len(layout.bands)
    dtype = np.dtype(np.uint8) if layout.pixel_dtype == np.uint8 else _mean_dtype(layout.pixel_dtype)
    pixels = np.empty((*cells.size, bands), dtype=dtype)
    coverage = np.empty(cells.size, dtype=np.uint8)
    for part in chunks(dataset, layout, cells, step):
        stored = Cells(
            part.x0 * step[0],
            part.y0 * step[1],
            min(part.x1 * step[0], dataset.width),
            min(part.y1 * step[1], dataset.height),
        )
        place = np.s_[part.y0 - cells.y0 : part.y1 - cells.y0, part.x0 - cells.x0 : part.x1 - cells.x0]
        if holds is not None and not holds(stored):
            pixels[place], coverage[place] = 0, 0
            continue
        reduced = reduce_by_mean(read_pixels(dataset, layout, stored, images), step)
        pixels[place] = np.rint(reduced.pixels) if dtype == np.uint8 else reduced.pixels
        coverage[place] = reduced.coverage
    return Block(pixels, coverage)


def chunks(
    dataset: rasterio.DatasetReader, layout: BandLayout, cells: Cells, step: tuple[int, int]
) -> Iterator[Cells]:
    """Cut cells into parts whose stored pixels fit in ``CHUNK_BYTES``.

    Parts follow the stored blocks: full rows for strips, about square runs of tiles for tiles, so that no
    block is decoded more often than the block cache can prevent.
    """
    block_height, block_width = layout.block_size
    pixel_bytes = len(layout.indexes) * layout.dtype.itemsize
    width = cells.size.width
    rows = max(1, block_height // step[1])
    columns = max(1, CHUNK_BYTES // (pixel_bytes * rows * step[1] * step[0]))
    if columns >= width or block_width >= dataset.width:
        columns = width
        rows = max(1, CHUNK_BYTES // (pixel_bytes * width * step[0] * step[1]))
    else:
        columns = max(1, columns * step[0] // block_width * block_width // step[0])
    for y in range(cells.y0, cells.y1, rows):
        for x in range(cells.x0, cells.x1, columns):
            yield Cells(x, y, min(x + columns, cells.x1), min(y + rows, cells.y1))


@np.errstate(over="ignore", invalid="ignore")  # sums beyond the number range; cut below
def reduce_by_mean(block: Block, step: tuple[int, int]) -> Block:
    """Means over cells of ``step`` = (columns, rows) pixels, of the valid pixels only; the last cells may
    be cut.

    The coverage of a cell is the mean of its pixels' coverage, and at least 1 with any valid pixel. Means are
    float32, of float64 pixels float64, and finite: where a sum is beyond the number range, the end of it.
    """
    height, width = block.coverage.shape
    step_x, step_y = step
    columns, rows = math.ceil(width / step_x), math.ceil(height / step_y)
    pad = ((0, rows * step_y - height), (0, columns * step_x - width))
    valid = block.coverage > 0
    everything = bool(block.coverage.min() == 255)
    covered = block.coverage
    pixels = block.pixels if everything else np.where(valid[..., None], block.pixels, 0)
    if any(after for _, after in pad):
        valid, covered = np.pad(valid, pad), np.pad(covered, pad)
        pixels = np.pad(pixels, (*pad, (0, 0)))
        everything = False

    def total(values: NDArray[Any]) -> NDArray[np.floating[Any]]:
        # Rows first: whole lines add up fast, and the sum of columns then has 1/step_y of the work.
        lines = values.reshape(rows, step_y, -1).sum(axis=1, dtype=_mean_dtype(values.dtype))
        return lines.reshape(rows, columns, step_x, -1).sum(axis=2)

    if everything:
        means = np.nan_to_num(total(pixels) / (step_x * step_y), copy=False)
        return Block(means, np.full((rows, columns), 255, dtype=np.uint8))
    count = total(valid)[..., 0]
    inside = np.outer(
        np.minimum(step_y, height - np.arange(rows) * step_y),
        np.minimum(step_x, width - np.arange(columns) * step_x),
    )
    means = np.nan_to_num(total(pixels) / np.maximum(count, 1)[..., None], copy=False)
    return Block(means, np.ceil(total(covered)[..., 0] / inside).astype(np.uint8))


def _mean_dtype(dtype: np.dtype[Any]) -> np.dtype[np.floating[Any]]:
    """The number type of means: values of float64 may be beyond what float32 holds."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


@np.errstate(over="ignore", invalid="ignore")
def resample(block: Block, box: tuple[float, float, float, float], size: Size) -> Block:
    """The part of a block inside ``box``, resampled with a bicubic filter to ``size``.

    Each pixel weighs as much as it is covered, so that what is invalid adds nothing to its neighbours.

    Args:
        block: pixels (height, width, bands) of any real number type, and their coverage.
        box: left, top, right, bottom in pixels of the block, fractional, inside it.
        size: height and width of the result.

    Returns:
        Pixels (*size, bands) and coverage (*size). Where the box holds exactly ``size`` whole pixels these
        are the given ones, untouched; else 8-bit pixels stay 8-bit, and others become float32, not rounded.
    """
    pixels, coverage = block
    height, width = coverage.shape
    x0, y0 = round(box[0]), round(box[1])
    if np.allclose(box, (x0, y0, x0 + size.width, y0 + size.height), rtol=0, atol=1e-6):
        part = np.s_[y0 : y0 + size.height, x0 : x0 + size.width]
        return Block(pixels[part], coverage[part])
    box = (max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3]))

    def filtered(image: NDArray[Any]) -> NDArray[Any]:
        part = Image.fromarray(image).resize((size.width, size.height), Image.Resampling.BICUBIC, box)
        return np.asarray(part)

    bands = pixels.shape[-1]
    eight_bit = pixels.dtype == np.uint8
    if coverage.min() == 255:
        covered = np.full(size, 255, dtype=np.uint8)
        if eight_bit and bands == 3:
            return Block(filtered(pixels), covered)
        shown = np.empty((*size, bands), dtype=np.uint8 if eight_bit else np.float32)
        for band in range(bands):
            shown[..., band] = filtered(np.ascontiguousarray(pixels[..., band], dtype=shown.dtype))
        return Block(shown, covered)
    # Values weighted by coverage, over the sum of the weights: what is not covered adds no black. The filter
    # overshoots, and 8-bit arithmetic would cut the weights there but not the values: hence float.
    weight = coverage.astype(np.float32) / 255
    total = filtered(weight)
    shown = np.zeros((*size, bands), dtype=np.uint8 if eight_bit else np.float32)
    seen = total > 0.25
    for band in range(bands):
        values = np.where(coverage > 0, pixels[..., band], 0) * weight  # NaN times 0 would be NaN
        values = filtered(values.astype(np.float32, copy=False))[seen] / total[seen]
        shown[seen, band] = np.rint(np.clip(values, 0, 255)) if eight_bit else values
    return Block(shown, np.rint(np.clip(total, 0, 1) * 255).astype(np.uint8))
