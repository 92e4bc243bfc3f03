"""Georeference of a scene: scene pixels, map coordinates, longitude and latitude, metres per pixel.

Three ways of georeferencing share one interface: an affine transform (rotation, shear and south-up
included), ground control points, and rational polynomial coefficients (RPC). ``locating`` finds the one of a
file. Points are arrays (..., 2) of x, y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike
from pyproj import CRS as ProjCRS
from pyproj import Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from tiling.errors import NotGeoreferenced
from tiling.mappings import PointMap, Points, mapped

Kind = Literal["transform", "gcp", "rpc"]
"""Affine transform, ground control points, rational polynomial coefficients."""
KINDS: dict[Kind, str] = {
    "transform": "transform",
    "gcp": "ground control points",
    "rpc": "rational polynomial coefficients",
}
"""The same in words."""
WGS84 = "EPSG:4326"


def plane_unit_m(crs: ProjCRS) -> float | None:
    """Metres of one unit of a plane grid that is tied to no ellipsoid: a site's own, an engineering CRS.

    None for a CRS on an ellipsoid, and for a grid whose unit is no length that PROJ knows.
    """
    if crs.geodetic_crs is not None or not crs.axis_info:
        return None
    unit = crs.axis_info[0]
    no_length = unit.unit_name.lower() in ("", "unknown", "degree", "radian", "grad")
    return None if no_length else float(unit.unit_conversion_factor)


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
    to_map: PointMap
    from_map: PointMap
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
            return mapped(self._lonlat.transform, self.to_map(points))
        except ProjError as error:
            raise NotGeoreferenced(f"no way from {self.crs} to longitude and latitude: {error}") from error

    def from_lonlat(self, points: ArrayLike) -> Points:
        """WGS84 longitudes and latitudes (..., 2) in degrees as scene pixels; the inverse of ``to_lonlat``.

        Raises:
            NotGeoreferenced: the CRS is missing or has no relation to WGS84.
        """
        try:
            there = Transformer.from_crs(WGS84, self._proj_crs, always_xy=True)
            return self.from_map(mapped(there.transform, np.asarray(points, dtype=np.float64)))
        except ProjError as error:
            raise NotGeoreferenced(f"no way from longitude and latitude to {self.crs}: {error}") from error

    def gsd_at(self, x: float, y: float) -> tuple[float, float] | None:
        """Ground sampling distance in metres along x and y, at scene pixel (x, y).

        The geodesic between points half a pixel to either side, on the ellipsoid of the CRS: one rule for
        degrees, feet, Mercator metres and rotated grids alike, none of which ``res`` gets right. In a plane
        grid that is tied to no ellipsoid it is the straight line. None without a CRS, or off the Earth.
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
        unit_m = plane_unit_m(self._proj_crs)
        if unit_m is not None:
            begin, end = self.to_map(ends)
            steps = np.where(np.isfinite(end - begin), (end - begin) * unit_m, np.nan)
            east, north = steps[..., 0], steps[..., 1]
            return np.degrees(np.arctan2(east, north)), np.hypot(east, north)
        try:
            transformer, geod = self._geodetic
            lonlat = mapped(transformer.transform, self.to_map(ends))
        except ProjError:
            return unknown, unknown
        lonlat = np.where(np.isfinite(lonlat), lonlat, np.nan)
        (from_lon, to_lon), (from_lat, to_lat) = lonlat[..., 0], lonlat[..., 1]
        azimuth, _, metres = geod.inv(from_lon, from_lat, to_lon, to_lat)
        return np.asarray(azimuth), np.asarray(metres)
