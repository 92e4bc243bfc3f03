"""Georeference of a scene: scene pixels, map coordinates, longitude and latitude, metres per pixel.

Three ways of georeferencing share one interface: an affine transform (rotation, shear and south-up
included), ground control points, and rational polynomial coefficients (RPC). Points are arrays (..., 2) of
x, y.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS as ProjCRS
from pyproj import Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import GCPTransformer, RPCTransformer, TransformerBase

from tiling.errors import NotGeoreferenced
from tiling.overrides import AS_STORED, Overrides

Points = NDArray[np.float64]
Kind = Literal["transform", "gcp", "rpc"]
"""Affine transform, ground control points, rational polynomial coefficients."""
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Georeference:
    """The mapping between the pixels of a scene and its coordinate reference system (CRS).

    Attributes:
        crs: the CRS of the map coordinates, None where the file states none.
        transform: scene pixels to map coordinates; None for ground control points and RPC.
        to_map: scene pixels (..., 2) as map coordinates (..., 2).
        from_map: its inverse.
        kind: of the georeference.
    """

    crs: CRS | None
    transform: Affine | None
    to_map: Callable[[ArrayLike], Points]
    from_map: Callable[[ArrayLike], Points]
    kind: Kind = "transform"

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
            NotGeoreferenced: the CRS is missing or has no relation to WGS84.
        """
        try:
            return _apply(self._lonlat.transform, self.to_map(points))
        except ProjError as error:
            raise NotGeoreferenced(f"no way from {self.crs} to longitude and latitude: {error}") from error

    def from_lonlat(self, points: ArrayLike) -> Points:
        """WGS84 longitudes and latitudes (..., 2) in degrees as scene pixels; the inverse of ``to_lonlat``.

        Raises:
            NotGeoreferenced: the CRS is missing or has no relation to WGS84.
        """
        try:
            there = Transformer.from_crs(WGS84, self._proj_crs, always_xy=True)
            return self.from_map(_apply(there.transform, np.asarray(points, dtype=np.float64)))
        except ProjError as error:
            raise NotGeoreferenced(f"no way from longitude and latitude to {self.crs}: {error}") from error

    def gsd_at(self, x: float, y: float) -> tuple[float, float] | None:
        """Ground sampling distance in metres along x and y, at scene pixel (x, y).

        The geodesic between points half a pixel to either side, on the ellipsoid of the CRS: one rule for
        degrees, feet, Mercator metres and rotated grids alike, none of which ``res`` gets right. None
        without a CRS, or off the Earth.
        """
        _, (gsd_x, gsd_y) = self._steps_at((x, y))
        return (float(gsd_x), float(gsd_y)) if gsd_x > 0 and gsd_y > 0 else None

    def pixel_side_m(self, x: float, y: float) -> float | None:
        """Square root of the area on the ground of the pixel at scene pixel (x, y), in metres.

        Of pixels whose sides are not at right angles on the ground (a sheared transform, the sinusoidal
        projection) it is less than the geometric mean of the sides.
        """
        (east_x, north_x), (east_y, north_y) = self.axes_at((x, y))
        area = abs(east_x * north_y - east_y * north_x)
        return math.sqrt(area) if area > 0 else None

    def axes_at(self, points: ArrayLike) -> Points:
        """The way on the ground that one pixel along x and one along y make, at scene pixels (..., 2).

        Returns:
            (..., 2, 2): a row for x and one for y, each of metres east and metres north; NaN without a CRS,
            or off the Earth.
        """
        azimuth, metres = self._steps_at(points)
        angle = np.radians(azimuth)
        return np.stack([metres * np.sin(angle), metres * np.cos(angle)], axis=-1)

    def _steps_at(self, points: ArrayLike) -> tuple[Points, Points]:
        """Azimuth (degrees) and length (metres) of a pixel along x and along y, (..., 2); NaN if unknown."""
        points = np.asarray(points, dtype=np.float64)
        unknown = np.full(points.shape, np.nan)
        if self.crs is None:
            return unknown, unknown
        half = np.array([[0.5, 0.0], [0.0, 0.5]])
        ends = np.stack([points[..., None, :] - half, points[..., None, :] + half])
        try:
            transformer, geod = self._geodetic
            lonlat = _apply(transformer.transform, self.to_map(ends))
        except ProjError:
            return unknown, unknown
        lonlat = np.where(np.isfinite(lonlat), lonlat, np.nan)
        (from_lon, to_lon), (from_lat, to_lat) = lonlat[..., 0], lonlat[..., 1]
        azimuth, _, metres = geod.inv(from_lon, from_lat, to_lon, to_lat)
        return np.asarray(azimuth), np.asarray(metres)


KINDS: dict[Kind, str] = {
    "transform": "transform",
    "gcp": "ground control points",
    "rpc": "rational polynomial coefficients",
}
"""Kinds of georeference in words."""


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


UNUSABLE = (CPLE_BaseError, RasterioError, ArithmeticError, LookupError, TypeError, ValueError)
"""Exceptions of GDAL and rasterio over a georeference that makes no sense."""


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
        return Located(replace(found, crs=crs), crs, tuple(warnings))
    crs = given or own
    if crs is not None and not warnings:
        warnings.append(
            f"it states the coordinate reference system {crs_name(crs)} and no place in it (no transform, "
            "ground control points or RPC): its ground sampling distance is unknown (--assume-gsd)"
        )
    return Located(None, crs, tuple(warnings))


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
        *_warped_mapping(GCPTransformer(points), orientation),
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
    found = Georeference(CRS.from_epsg(4326), None, *_warped_mapping(transformer, orientation), "rpc")
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


def apply_affine(transform: Affine, points: ArrayLike) -> Points:
    """Points (..., 2) under an affine transform."""
    points = np.asarray(points, dtype=np.float64)
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        (transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f),
        axis=-1,
    )


def affine_mapping(
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
        with lock, rasterio.Env():  # within which GDAL's errors are logged, not printed
            return _apply(lambda x, y: transformer.xy(y, x, offset="ul"), stored)

    def guess(points: ArrayLike) -> Points:
        with lock, rasterio.Env():
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
            with np.errstate(divide="ignore", invalid="ignore"):  # off the map, or points in one line
                pixels = pixels + step / area[..., None]
        return pixels

    return to_map, from_map


def _apply(function: Callable[[Points, Points], Sequence[ArrayLike]], points: ArrayLike) -> Points:
    """Points (..., 2) through a function of two flat sequences x, y that returns two."""
    points = np.asarray(points, dtype=np.float64)
    x, y = function(points[..., 0].ravel(), points[..., 1].ravel())
    return np.stack((np.asarray(x, np.float64), np.asarray(y, np.float64)), axis=-1).reshape(points.shape)
