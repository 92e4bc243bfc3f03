"""Facts of a scene: the header as it is, and as this package takes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tiling.bounds import Bounds, lonlat_bounds, map_bounds
from tiling.georeference import KINDS
from tiling.gsd import Gsd, resolve_gsd
from tiling.handles import HandlePool
from tiling.scene import Scene


@dataclass(frozen=True)
class BandFacts:
    """One band of a file.

    Attributes:
        name, unit, wavelength_nm: as ``Band``.
        dtype: number type as stored.
        nodata: the value that stands for no data, None without one.
        colour: as the file marks it (``red``, ``gray``, ``alpha``, ``undefined``, ...).
    """

    name: str
    dtype: str
    unit: str
    nodata: float | None
    colour: str
    wavelength_nm: float | None


@dataclass(frozen=True)
class Facts:
    """A scene in words and numbers.

    Attributes:
        driver: GDAL's name of the format.
        bands: all bands of the file.
        georeference: what gives pixels their place: ``transform``, ``ground control points``, ``rational
            polynomial coefficients``; None where nothing does.
        gsd: ground sampling distance, and how it was found.
        bounds: left, bottom, right, top in the CRS of the scene; None without georeference.
        lonlat_bounds: west, south, east, north in degrees, west above east across the antimeridian; None
            where there is no way to them.
        validity: what says which pixels are valid, in words.
        tiled: whether blocks are tiles, rather than strips of whole rows.
        compression: name, None where pixels are not compressed.
    """

    driver: str
    bands: tuple[BandFacts, ...]
    georeference: str | None
    gsd: Gsd
    bounds: Bounds | None
    lonlat_bounds: Bounds | None
    validity: str
    tiled: bool
    compression: str | None


def facts_of(scene: Scene) -> Facts:
    """The facts of an open scene; reads the header only.

    Raises:
        SceneError: where the file cannot be opened any more.
    """
    pool = HandlePool(scene.source)
    try:
        with pool.borrow() as dataset:
            bands = tuple(
                BandFacts(band.name, dtype, band.unit, _number(nodata), kind.name, band.wavelength_nm)
                for band, dtype, nodata, kind in zip(
                    scene.all_bands, dataset.dtypes, dataset.nodatavals, dataset.colorinterp
                )
            )
            driver, width = dataset.driver, dataset.width
            tags = dataset.tags(ns="IMAGE_STRUCTURE")
    finally:
        pool.close()
    kind = None if scene.located_by is None else KINDS[scene.located_by]
    return Facts(
        driver,
        bands,
        kind,
        resolve_gsd(scene),
        map_bounds(scene, scene.window),
        lonlat_bounds(scene, scene.window),
        _validity(scene),
        tiled=scene.block_size.width < width,
        compression=tags.get("COMPRESSION"),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _validity(scene: Scene) -> str:
    validity = scene.validity
    said = []
    if validity.file is not None:
        said.append(f"mask {validity.file}")
    if validity.images:
        said.append("mask of the file")
    elif validity.masks:
        said.append(f"nodata {_each_once(scene.nodata_values)}")
    if validity.alpha is not None:
        said.append(f"alpha in band {validity.alpha}")
    if validity.nodata:
        said.append(f"nodata {_each_once(value for value in validity.nodata if value is not None)}")
    # A value that is no number is never valid, whatever else says so.
    if np.issubdtype(scene.dtype, np.inexact) and not any("nan" in each for each in said):
        said.append("NaN")
    return " and ".join(said) or "every pixel"


def _each_once(values: Iterable[float | None]) -> str:
    """Numbers in words; as words, since one NaN is not equal to another."""
    return ", ".join(dict.fromkeys("none" if value is None else f"{value:g}" for value in values))
