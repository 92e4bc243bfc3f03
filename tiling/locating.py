"""Where a file lies: the georeference that it states, by whichever of the three ways makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS as ProjCRS
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import GCPTransformer, RPCTransformer

from tiling.georeference import KINDS, Georeference, Kind, plane_unit_m
from tiling.mappings import affine_mapping, apply_affine, warped_mapping
from tiling.overrides import AS_STORED, Overrides

UNUSABLE = (CPLE_BaseError, RasterioError, ArithmeticError, LookupError, TypeError, ValueError)
"""Exceptions of GDAL and rasterio over a georeference that makes no sense."""


class Located(NamedTuple):
    """Georeference of a scene, as far as it is known.

    Attributes:
        georeference: None where pixels have no map coordinates.
        crs: of the map coordinates; a file may state one although its pixels have none.
        warnings: what the file states and cannot be used, one line each.
    """

    georeference: Georeference | None
    crs: CRS | None
    warnings: tuple[str, ...]


def locate(dataset: rasterio.DatasetReader, orientation: Affine, stated: Overrides = AS_STORED) -> Located:
    """Where an open dataset lies: by its transform, else its ground control points, else its RPC.

    Bad georeference costs no more than itself: the next kind is tried, and a warning says why.

    Args:
        dataset: the open dataset.
        orientation: scene pixels to stored pixels, the identity where an image is stored upright.
        stated: a CRS that goes before the file's own.
    """
    warnings: list[str] = []
    own = _stated_crs(lambda: dataset.crs, warnings)
    given = stated.read_crs()
    ways: dict[Kind, Callable[..., Georeference | None]]
    ways = {"transform": _by_transform, "gcp": _by_points, "rpc": _by_rpc}
    for kind, of in ways.items():
        try:
            found = of(dataset, orientation, own, warnings)
        except UNUSABLE as error:
            warnings.append(f"the {KINDS[kind]} cannot be used: {_reason(error)}")
            continue
        if found is None:
            continue
        latitude = _latitude_of_centre(found, given or found.crs, dataset)
        if abs(latitude) > 90:
            warnings.append(f"the {KINDS[kind]} cannot be used: its centre has the latitude {latitude:.6g}")
            continue
        if found.crs is None and given is None:
            warnings.append(
                "it has map coordinates and no usable coordinate reference system; state one (--assume-crs)"
            )
        if given is not None and found.crs is not None and given != found.crs:
            warnings.append(f"its coordinate reference system {crs_name(found.crs)} is taken as {stated.crs}")
        crs = given or found.crs
        if crs is not None and stated.gsd_m is None and not _is_measured(crs):
            warnings.append(
                f"its coordinate reference system {crs_name(crs)} is tied to no ellipsoid and has no unit of "
                "length: its ground sampling distance is unknown (--assume-gsd)"
            )
        return Located(replace(found, crs=crs), crs, tuple(warnings))
    crs = given or own
    if crs is not None and not warnings:
        warnings.append(
            f"it states the coordinate reference system {crs_name(crs)} and no place in it (no transform, "
            "ground control points or RPC): its ground sampling distance is unknown (--assume-gsd)"
        )
    return Located(None, crs, tuple(warnings))


def _is_measured(crs: CRS) -> bool:
    """Whether a CRS says how long its units are on the ground."""
    known = ProjCRS.from_wkt(crs.to_wkt())
    return known.geodetic_crs is not None or plane_unit_m(known) is not None


def _latitude_of_centre(found: Georeference, crs: CRS | None, dataset: rasterio.DatasetReader) -> float:
    """Degrees as the map coordinates state them; 0 where these are no degrees."""
    if crs is None or not crs.is_geographic:
        return 0.0
    return float(found.to_map((dataset.width / 2, dataset.height / 2))[1])


def _by_transform(
    dataset: rasterio.DatasetReader, orientation: Affine, crs: CRS | None, warnings: list[str]
) -> Georeference | None:
    stored = dataset.transform
    if stored.is_identity:
        return None
    values = np.array(stored[:6])
    area = stored.a * stored.e - stored.b * stored.d
    # Below the last digit of the coordinates a pixel has no extent: zeros, or numbers that were never set.
    least = np.finfo(np.float64).eps * max(abs(stored.c), abs(stored.f), 1e-9)
    if not np.isfinite(values).all() or not abs(area) > least**2:
        shown = ", ".join(f"{value:.6g}" for value in values)
        raise ValueError(f"({shown}) gives its pixels no extent")
    transform = stored @ orientation
    return Georeference(crs, transform, *affine_mapping(transform))


def _by_points(
    dataset: rasterio.DatasetReader, orientation: Affine, crs: CRS | None, warnings: list[str]
) -> Georeference | None:
    points, _ = dataset.gcps
    if not points:
        return None
    found = Georeference(
        _stated_crs(lambda: dataset.gcps[1], warnings),
        None,
        *warped_mapping(GCPTransformer(points), orientation),
        "gcp",
    )
    return _require_inverse(found, dataset, orientation)


def _by_rpc(
    dataset: rasterio.DatasetReader, orientation: Affine, crs: CRS | None, warnings: list[str]
) -> Georeference | None:
    coefficients = dataset.rpcs
    if coefficients is None:
        return None
    # The mean height of the scene; without an elevation model no other is better founded.
    transformer = RPCTransformer(
        coefficients, RPC_HEIGHT=coefficients.height_off, RPC_PIXEL_ERROR_THRESHOLD=1e-6
    )
    found = Georeference(CRS.from_epsg(4326), None, *warped_mapping(transformer, orientation), "rpc")
    return _require_inverse(found, dataset, orientation)


def _require_inverse(
    found: Georeference, dataset: rasterio.DatasetReader, orientation: Affine
) -> Georeference:
    """Make sure that pixels have places, and places pixels, about the centre of a scene.

    Raises:
        ValueError: where they have not.
    """
    centre = apply_affine(~orientation, (dataset.width / 2, dataset.height / 2))
    there = found.to_map(centre)
    back = found.from_map(there)
    if not np.isfinite(there).all() or not np.allclose(back, centre, atol=0.5):
        raise ValueError("its centre has no one place on the map")
    return found


def _stated_crs(read: Callable[[], CRS | None], warnings: list[str]) -> CRS | None:
    """A CRS that PROJ understands; None, with a warning, for one that it does not."""
    try:
        crs = read()
        if crs is None or not crs.wkt:
            return None
        known = ProjCRS.from_wkt(crs.to_wkt())
        if known.is_geocentric:
            raise ValueError(f"{crs_name(crs)} has no plane of a map")
    except (*UNUSABLE, ProjError) as error:
        warnings.append(f"its coordinate reference system cannot be used: {_reason(error)}")
        return None
    return crs


def _reason(error: Exception) -> str:
    """The message of an error, without the numbers that GDAL's errors have before it."""
    text = getattr(error, "errmsg", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]


@lru_cache(maxsize=64)
def crs_name(crs: CRS) -> str:
    """Authority and code where PROJ knows the CRS (``EPSG:32631``, ``ESRI:54009``), else its WKT."""
    try:
        authority = crs.to_authority(confidence_threshold=90) or ProjCRS.from_wkt(crs.to_wkt()).to_authority(
            min_confidence=90
        )
    except (*UNUSABLE, ProjError):
        authority = None
    return ":".join(authority) if authority else crs.to_wkt()
