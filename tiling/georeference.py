"""Where a scene lies on the Earth: scene pixels, map coordinates, longitude and latitude, metres per pixel.

Three ways of georeferencing share one interface: an affine transform (rotation, shear and south-up
included), ground control points, and rational polynomial coefficients (RPC). Points are arrays (..., 2) of
x, y.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS as ProjCRS
from pyproj import Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.transform import GCPTransformer, RPCTransformer, TransformerBase

from tiling.errors import NotGeoreferenced

Points = NDArray[np.float64]
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Georeference:
    """The mapping between the pixels of a scene and its coordinate reference system (CRS).

    Attributes:
        crs: the CRS of the map coordinates, None where the file states none.
        transform: scene pixels to map coordinates; None for ground control points and RPC.
        to_map: scene pixels (..., 2) as map coordinates (..., 2).
        from_map: its inverse.
    """

    crs: CRS | None
    transform: Affine | None
    to_map: Callable[[ArrayLike], Points]
    from_map: Callable[[ArrayLike], Points]

    @cached_property
    def _lonlat(self) -> Transformer:
        """From the CRS to WGS84; pyproj keeps one PROJ context per thread behind it."""
        return Transformer.from_crs(self._proj_crs, WGS84, always_xy=True)

    @cached_property
    def _geodetic(self) -> tuple[Transformer, Geod]:
        """From the CRS to longitude and latitude on its own ellipsoid, and that ellipsoid.

        Distances need no change of datum, and scenes of other planets have no way to WGS84.
        """
        crs = self._proj_crs
        if crs.geodetic_crs is None:
            raise ProjError(f"{crs.name} is not tied to an ellipsoid")
        geod = crs.get_geod()
        assert geod is not None  # a CRS with a geodetic base has an ellipsoid
        return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True), geod

    @property
    def _proj_crs(self) -> ProjCRS:
        if self.crs is None:
            raise NotGeoreferenced("the scene states no coordinate reference system; give it one first")
        return ProjCRS.from_wkt(self.crs.to_wkt())

    def to_lonlat(self, points: ArrayLike) -> Points:
        """Scene pixels (..., 2) as WGS84 longitude and latitude in degrees.

        Points without a place on the Earth (off the disc of a geostationary image) are infinite.

        Raises:
            NotGeoreferenced: where the CRS is missing or has no relation to WGS84.
        """
        try:
            return _apply(self._lonlat.transform, self.to_map(points))
        except ProjError as error:
            raise NotGeoreferenced(f"no way from {self.crs} to longitude and latitude: {error}") from error

    def gsd_at(self, x: float, y: float) -> tuple[float, float] | None:
        """Ground sampling distance in metres along x and y, at scene pixel (x, y).

        The geodesic between points half a pixel to either side, on the ellipsoid of the CRS: one rule for
        degrees, feet, Mercator metres and rotated grids alike, none of which ``res`` gets right. None
        without a CRS, or off the Earth.
        """
        if self.crs is None:
            return None
        ends = np.array([[x - 0.5, y], [x + 0.5, y], [x, y - 0.5], [x, y + 0.5]])
        try:
            transformer, geod = self._geodetic
            lon, lat = _apply(transformer.transform, self.to_map(ends)).T
        except ProjError:
            return None
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            return None
        _, _, (gsd_x, gsd_y) = geod.inv(lon[::2], lat[::2], lon[1::2], lat[1::2])
        return (float(gsd_x), float(gsd_y)) if gsd_x > 0 and gsd_y > 0 else None


def georeference(dataset: rasterio.DatasetReader, orientation: Affine) -> Georeference | None:
    """The georeference of an open dataset, or None where it has none.

    Args:
        dataset: the open dataset.
        orientation: scene pixels to stored pixels, the identity where an image is stored upright.
    """
    if not dataset.transform.is_identity:
        transform = dataset.transform @ orientation
        return Georeference(dataset.crs, transform, *_affine_mapping(transform))
    points, crs = dataset.gcps
    if points:
        return Georeference(crs, None, *_warped_mapping(GCPTransformer(points), orientation))
    if dataset.rpcs is not None:
        # The mean height of the scene; without an elevation model no other is better founded.
        transformer = RPCTransformer(
            dataset.rpcs, RPC_HEIGHT=dataset.rpcs.height_off, RPC_PIXEL_ERROR_THRESHOLD=1e-6
        )
        return Georeference(CRS.from_epsg(4326), None, *_warped_mapping(transformer, orientation))
    return None


def geometric_mean(pair: tuple[float, float] | None) -> float | None:
    """One figure for an anisotropic pair: the side of the square with the same area."""
    return None if pair is None else math.sqrt(pair[0] * pair[1])


def apply_affine(transform: Affine, points: ArrayLike) -> Points:
    """Points (..., 2) under an affine transform."""
    points = np.asarray(points, dtype=np.float64)
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        (transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f),
        axis=-1,
    )


def _affine_mapping(
    transform: Affine,
) -> tuple[Callable[[ArrayLike], Points], Callable[[ArrayLike], Points]]:
    """An affine transform and its inverse as functions of points.

    The inverse subtracts the origin first: coordinates of some 10 million metres would cost digits in
    ``~transform``.
    """
    linear = ~Affine(transform.a, transform.b, 0, transform.d, transform.e, 0)
    origin = (transform.c, transform.f)
    return (
        lambda points: apply_affine(transform, points),
        lambda points: apply_affine(linear, np.asarray(points, dtype=np.float64) - origin),
    )


def _warped_mapping(
    transformer: TransformerBase, orientation: Affine
) -> tuple[Callable[[ArrayLike], Points], Callable[[ArrayLike], Points]]:
    """A GDAL transformer of ground control points or RPC as functions of points.

    GDAL fits the two directions of a polynomial apart, so that one does not undo the other. Pixel to map is
    taken as the truth here, and its inverse is refined by Newton's method from GDAL's guess.
    """
    lock = threading.Lock()  # the transformer holds one GDAL object
    upright = ~orientation
    half_x, half_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])

    def to_map(points: ArrayLike) -> Points:
        stored = apply_affine(orientation, points)
        with lock:
            return _apply(lambda x, y: transformer.xy(y, x, offset="ul"), stored)

    def guess(points: ArrayLike) -> Points:
        with lock:
            stored = _apply(
                lambda x, y: transformer.rowcol(x, y, op=float)[::-1], np.asarray(points, dtype=np.float64)
            )
        return apply_affine(upright, stored)

    def from_map(points: ArrayLike) -> Points:
        points = np.asarray(points, dtype=np.float64)
        pixels = guess(points)
        for _ in range(3):
            along_x = to_map(pixels + half_x) - to_map(pixels - half_x)
            along_y = to_map(pixels + half_y) - to_map(pixels - half_y)
            miss = points - to_map(pixels)
            area = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
            step = np.stack(
                (
                    miss[..., 0] * along_y[..., 1] - miss[..., 1] * along_y[..., 0],
                    miss[..., 1] * along_x[..., 0] - miss[..., 0] * along_x[..., 1],
                ),
                axis=-1,
            )
            pixels = pixels + step / area[..., None]
        return pixels

    return to_map, from_map


def _apply(function: Callable, points: ArrayLike) -> Points:
    """Points (..., 2) through a function of two flat sequences x, y that returns two."""
    points = np.asarray(points, dtype=np.float64)
    x, y = function(points[..., 0].ravel(), points[..., 1].ravel())
    return np.stack((np.asarray(x, np.float64), np.asarray(y, np.float64)), axis=-1).reshape(points.shape)
