"""Maps of numbers: a cell for each estimate, written block by block and then as a cloud-optimised GeoTIFF.

Finished blocks lie in a file beside the result, each at its own place, so that memory does not grow with the
map and a run that was killed goes on. The GeoTIFF is made of it in windows; the same blocks give the same
bytes.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as RasterioWindow

from detection_eval.files import atomic_path, naming
from tiling.unwarned import unwarned
from tiling.view import Size

_TILE = 256
_CACHE_BYTES = 64 * 2**20

Values = NDArray[np.float32]


@dataclass(frozen=True)
class MapBand:
    """One band of a map.

    Attributes:
        name: short, as CF names variables: ``agb``, ``agb_lower``.
        unit: as UDUNITS spells it; ``1`` for a share.
        long_name: in words.
    """

    name: str
    unit: str
    long_name: str


@dataclass(frozen=True)
class MapGrid:
    """The cells of a map, in blocks.

    Attributes:
        size: rows and columns of cells.
        block: cells along the side of a block.
        bands: values of a cell.
    """

    size: Size
    block: int
    bands: int

    @property
    def blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return math.ceil(self.size[0] / self.block), math.ceil(self.size[1] / self.block)

    def __len__(self) -> int:
        """Number of blocks."""
        rows, columns = self.blocks
        return rows * columns

    def cells(self, index: int) -> tuple[slice, slice]:
        """Rows and columns of the cells of a block; those of the last ones are fewer."""
        row, column = divmod(index, self.blocks[1])
        return tuple(  # type: ignore[return-value]
            slice(at * self.block, min((at + 1) * self.block, length))
            for at, length in ((row, self.size[0]), (column, self.size[1]))
        )


class BlockStore:
    """Values of blocks in a file, each at its own place; a context manager.

    Args:
        path: of the file; made where there is none.
        grid: of the map.
    """

    def __init__(self, path: Path, grid: MapGrid) -> None:
        self.path, self.grid = path, grid
        self._bytes = 4 * grid.bands * grid.block**2
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def __enter__(self) -> BlockStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, index: int, values: Values) -> int:
        """Put a block (bands, rows, columns) on the disk; its checksum.

        Raises:
            OSError: where it cannot be written.
        """
        rows, columns = values.shape[1:]
        whole = np.full((self.grid.bands, self.grid.block, self.grid.block), np.nan, dtype="<f4")
        whole[:, :rows, :columns] = values
        content = whole.tobytes()
        with naming(self.path):
            os.pwrite(self._file, content, index * self._bytes)
            os.fsync(self._file)
        return zlib.crc32(content)

    def holds(self, index: int, checksum: int) -> bool:
        """Whether a block is whole."""
        content = os.pread(self._file, self._bytes, index * self._bytes)
        return len(content) == self._bytes and zlib.crc32(content) == checksum

    def read(self, index: int) -> Values:
        """A block (bands, rows, columns) that was written."""
        content = os.pread(self._file, self._bytes, index * self._bytes)
        whole = np.frombuffer(content, dtype="<f4").reshape(self.grid.bands, self.grid.block, self.grid.block)
        rows, columns = self.grid.cells(index)
        return whole[:, : rows.stop - rows.start, : columns.stop - columns.start]

    def strips(self) -> Iterator[tuple[int, Values]]:
        """First row and values (bands, rows, columns) of each row of blocks, from the top."""
        down, across = self.grid.blocks
        for row in range(down):
            parts = [self.read(row * across + column) for column in range(across)]
            yield row * self.grid.block, np.concatenate(parts, axis=2)


def write_map(
    path: Path,
    store: BlockStore,
    bands: Sequence[MapBand],
    *,
    transform: Affine | None,
    crs: CRS | None,
    tags: Mapping[str, str],
) -> None:
    """Write a map as a cloud-optimised GeoTIFF: float32, NaN is nodata, with overviews.

    Args:
        path: of the result.
        store: all of whose blocks have been written.
        bands: of its values.
        transform: cells to map coordinates; None without a place.
        crs: of the map coordinates; None where unknown.
        tags: of the file, such as where its numbers come from.

    Raises:
        OSError: where it cannot be written.
    """
    rows, columns = store.grid.size
    profile = {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": len(bands),
        "dtype": "float32",
        "nodata": math.nan,
        "compress": "deflate",
        "predictor": 3,
        "tiled": True,
        "blockxsize": _TILE,
        "blockysize": _TILE,
        "interleave": "band",
        "BIGTIFF": "IF_SAFER",
        "crs": crs,
    }
    if transform is not None:
        profile["transform"] = transform
    with unwarned(), atomic_path(path) as partial, rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES):
        plain = partial.with_name("plain.tif")
        try:
            _write_plain(plain, store, bands, profile, tags)
            copy_raster(
                plain,
                partial,
                driver="COG",
                COMPRESS="DEFLATE",
                PREDICTOR="FLOATING_POINT",
                BLOCKSIZE=_TILE,
                OVERVIEW_RESAMPLING=Resampling.average.name.upper(),
                BIGTIFF="IF_SAFER",
            )
            _check_whole(partial)
        except (CPLE_BaseError, RasterioError) as error:
            raise OSError(f"cannot write {path}: {str(error).replace(str(partial.parent), '...')}") from error
        plain.unlink()


def _write_plain(
    path: Path,
    store: BlockStore,
    bands: Sequence[MapBand],
    profile: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    """Write the strips of a map, with what its bands are."""
    with rasterio.open(path, "w", **profile) as dataset:
        for top, values in store.strips():
            dataset.write(values, window=RasterioWindow(0, top, dataset.width, values.shape[1]))
        dataset.update_tags(Conventions="CF-1.11", **tags)
        for number, band in enumerate(bands, start=1):
            dataset.set_band_description(number, band.name)
            dataset.set_band_unit(number, band.unit)
            dataset.update_tags(number, long_name=band.long_name, units=band.unit)


def _check_whole(path: Path) -> None:
    """Read the end of a map: where a disk is full when it closes a file, GDAL says nothing.

    Raises:
        RasterioError: where it is not there.
    """
    with rasterio.open(path) as dataset:
        dataset.read(window=RasterioWindow(dataset.width - 1, dataset.height - 1, 1, 1))
