"""Small rasters made where they are needed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning

MakeRaster = Callable[..., Path]


@pytest.fixture
def make_raster(tmp_path: Path) -> MakeRaster:
    """Write an array (bands, height, width) to a file of ``tmp_path``; keywords go to rasterio."""

    def make(
        pixels: np.ndarray,
        name: str = "scene.tif",
        *,
        overviews: tuple[int, ...] = (),
        colorinterp: tuple[ColorInterp, ...] | None = None,
        mask: np.ndarray | None = None,
        tags: dict[str, str] | None = None,
        **profile: object,
    ) -> Path:
        path = tmp_path / name
        bands, height, width = pixels.shape
        shape = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **{"driver": "GTiff", **shape, **profile}) as dataset:
                dataset.write(pixels)
                dataset.update_tags(**(tags or {}))
                if colorinterp:
                    dataset.colorinterp = colorinterp
                if mask is not None:
                    dataset.write_mask(mask)
            if overviews:
                with rasterio.open(path, "r+") as dataset:
                    dataset.build_overviews(overviews, Resampling.average)
        return path

    return make
