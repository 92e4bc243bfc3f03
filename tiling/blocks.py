"""Which blocks of a file are stored at all: a sparse TIFF leaves out those that hold nothing but nodata."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray

from tiling.bands import BandLayout
from tiling.reading import Cells, read_pixels
from tiling.view import Size

MOST_BLOCKS = 4_000_000
"""Blocks beyond which asking GDAL for each of them (2 us) takes longer than it saves."""


@dataclass(frozen=True)
class StoredBlocks:
    """The blocks of a raster that are stored; the others are known to be invalid without reading them.

    Attributes:
        stored: (rows, columns) of blocks.
        block: height and width of a block in px.
    """

    stored: NDArray[np.bool_]
    block: Size

    def any_in(self, cells: Cells) -> bool:
        """Whether a stored block has a part in a block of whole pixels."""
        rows = slice(cells.y0 // self.block.height, math.ceil(cells.y1 / self.block.height))
        columns = slice(cells.x0 // self.block.width, math.ceil(cells.x1 / self.block.width))
        return bool(self.stored[rows, columns].any())


def stored_blocks(dataset: rasterio.DatasetReader, layout: BandLayout) -> StoredBlocks | None:
    """The stored blocks of a sparse TIFF, from its index alone.

    None where the file does not tell, where each block is stored, or where a block that is not may be valid
    all the same: zeros without nodata, or with a mask image of its own.
    """
    block = Size(*layout.block_size)
    rows, columns = math.ceil(dataset.height / block.height), math.ceil(dataset.width / block.width)
    validity = layout.validity
    told_elsewhere = validity.images or validity.file is not None
    if dataset.driver != "GTiff" or told_elsewhere or rows * columns > MOST_BLOCKS:
        return None
    bands = (validity.alpha,) if validity.alpha is not None else layout.indexes
    if dataset.profile.get("interleave") == "pixel":
        bands = bands[:1]

    def is_stored(row: int, column: int) -> bool:
        name = f"BLOCK_OFFSET_{column}_{row}"
        return any(dataset.get_tag_item(name, "TIFF", bidx=band) is not None for band in bands)

    stored = np.array([[is_stored(row, column) for column in range(columns)] for row in range(rows)])
    absent = np.argwhere(~stored)
    if not len(absent):
        return None
    row, column = absent[0].tolist()
    x, y = column * block.width, row * block.height
    first = Cells(x, y, min(x + block.width, dataset.width), min(y + block.height, dataset.height))
    return None if read_pixels(dataset, layout, first).coverage.any() else StoredBlocks(stored, block)
