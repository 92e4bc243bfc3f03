"""A Sentinel-2 scene of a forest whose biomass is known at every pixel, of any size, strip by strip.

The physics are those of ``rscovlm.synth.forest``; forests of all ages stand among grass, fields and lakes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rscovlm.synth.forest import BANDS, Tile, canopy_reflectance

Floats = NDArray[np.float64]

EXTENT_PX = 10_980
"""Largest side: that of a tile of Sentinel-2."""
_STRIP = 256
_KINDS = 10  # random fields of a scene
_TILE = Tile("30UWB000", 10.0, 20.0, 1.0, 1.0, 0.0, 112, 0.8)


def _field(seed: int, scale: int, rows: slice, columns: int) -> Floats:
    """Smooth noise, mean 0 and deviation about 1, the same wherever a strip begins."""
    nodes = np.random.default_rng([seed, scale]).normal(size=(EXTENT_PX // scale + 3,) * 2)

    def parts(at: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        low = (at // scale).astype(int)
        share = at / scale - low
        return low, share * share * (3 - 2 * share)

    (top, down), (left, right) = parts(np.arange(rows.start, rows.stop)), parts(np.arange(columns))
    lines = nodes[top] * (1 - down)[:, None] + nodes[top + 1] * down[:, None]
    smooth: Floats = (lines[:, left] * (1 - right) + lines[:, left + 1] * right) * 1.5
    return smooth


def biomass_of(rows: slice, columns: int, seed: int = 0) -> tuple[Floats, NDArray[np.uint8]]:
    """True biomass in Mg/ha, and land cover by its CGLS-LC100 code, (rows, columns) of a scene.

    Args:
        rows: of the scene.
        columns: how many, from the first.
        seed: of the scene.
    """

    def field(kind: int, scale: int) -> Floats:
        return _field(_KINDS * seed + kind, scale, rows, columns)

    age = 1 / (1 + np.exp(-1.5 * (field(1, 900) + 0.5 * field(2, 150))))
    stand = 15 + age * 385 * np.exp(0.12 * field(3, 12))
    forest = field(4, 400) + 0.4 * field(5, 60) > -0.5
    lake = field(6, 700) > 1.7
    biomass = np.where(forest & ~lake, np.clip(stand, 0, 500), 4.0)
    grass = field(7, 200) > 0
    cover = np.where(forest, _TILE.forest, np.where(grass, 30, 40))
    return np.where(lake, 0.0, biomass), np.where(lake, 80, cover).astype(np.uint8)


def write_forest(
    path: Path,
    side: int,
    truth: Path | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Write a scene of 12 bands at 10 m, with a corner of nodata as the edge of a swath leaves it.

    Args:
        path: GeoTIFF; numbers as processing baseline 05.09 stores them.
        side: in pixels, ``EXTENT_PX`` at most.
        truth: GeoTIFF of the biomass in Mg/ha on the same grid; None for none.
        seed: equal seeds make equal scenes.
        progress: rows that are written, of all.
    """
    place = {"width": side, "height": side, "crs": "EPSG:32630"}
    place |= {"transform": Affine(10, 0, 500_000, 0, -10, 5_600_000), "driver": "GTiff"}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band", "BIGTIFF": "IF_SAFER"}
    with ExitStack() as opened:
        scene = opened.enter_context(
            rasterio.open(path, "w", count=len(BANDS), dtype="uint16", nodata=0, **place, **tiles)
        )
        scene.descriptions = BANDS
        scene.update_tags(PROCESSING_BASELINE="05.09")
        known = None
        if truth is not None:
            more = {"count": 1, "dtype": "float32", "compress": "deflate", "predictor": 3}
            known = opened.enter_context(rasterio.open(truth, "w", **more, **place, **tiles))
            known.descriptions, known.units = ("agb",), ("Mg ha-1",)
        for top in range(0, side, _STRIP):
            rows = slice(top, min(top + _STRIP, side))
            window = Window(0, top, side, rows.stop - top)
            biomass, cover = biomass_of(rows, side, seed)
            light = 1 + 0.04 * _field(_KINDS * seed + 8, 300, rows, side)
            noise = np.random.default_rng([_KINDS * seed + 9, top])
            seen = canopy_reflectance(noise, _TILE, biomass, cover, light)
            stored = np.clip(np.rint(seen * 10_000 + 1000), 1, 65535).astype(np.uint16)
            across = np.arange(side)[None] + np.arange(rows.start, rows.stop)[:, None]
            stored[across < side // 5] = 0
            scene.write(np.moveaxis(stored, -1, 0), window=window)
            if known is not None:
                known.write(biomass.astype(np.float32), 1, window=window)
            progress(rows.stop, side)
