"""Boxes on the ground: their geodesic size, and their outlines in longitude and latitude.

Sizes are geodesic on the ellipsoid of the scene's own CRS, which is right for degrees, feet and Mercator
metres alike, and on other planets too. Straight edges in scene pixels are curves on the ellipsoid, so each
edge is followed through three steps: for an object of 100 km the area is right to 0.1 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import antimeridian
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Transformer
from rasterio.crs import CRS as RasterioCRS

from detection_eval.geometry.quads import area, min_area_rectangles
from tiling.georeference import plane_unit_m
from tiling.scene import Scene

_STEPS = 3
"""Steps along an edge. Less than half the globe each, so that even a box around the Earth is followed."""

_STEPS_CURVED = 16
"""Steps along an edge that is not straight in degrees, such as beside a pole."""

_STRAIGHT = 0.01
"""Most that the middle of an edge may lie beside the line between its corners, as a part of the box."""

_DECIMALS = 7
"""Decimals of a degree in GeoJSON: 1 cm, as RFC 7946 section 11.2 finds reasonable and more."""


@dataclass(frozen=True)
class Ground:
    """The ellipsoid under a CRS, and the way to it.

    Attributes:
        to_geodetic: map coordinates to longitude and latitude on that ellipsoid.
        geod: the ellipsoid.
    """

    to_geodetic: Transformer
    geod: Geod

    @classmethod
    def of(cls, crs: RasterioCRS) -> Ground | None:
        """The ground under a CRS, None where it is not tied to an ellipsoid."""
        projected = CRS.from_wkt(crs.to_wkt())
        geod = projected.get_geod()
        if projected.geodetic_crs is None or geod is None:
            return None
        return cls(Transformer.from_crs(projected, projected.geodetic_crs, always_xy=True), geod)

    def measure(
        self, to_map: Callable[[ArrayLike], NDArray[np.float64]], polygons: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Position and size on the ground of boxes (n, 4, 2) in scene pixels.

        Returns:
            Columns (n,): ``lon`` and ``lat`` of the centre in degrees, ``area_m2``, ``length_m`` and
            ``width_m`` (means of opposite edges, the longer first) and ``azimuth_deg``, the direction of the
            longer edges clockwise from north, 0-180. NaN off the Earth.
        """
        ring = self._lonlat(to_map(_outline(polygons)))
        corners = ring[:, ::_STEPS]
        following = np.roll(corners, -1, axis=1)
        azimuth, _, edges = self.geod.inv(*_components(corners), *_components(following))
        sides = (edges[:, :2] + edges[:, 2:]) / 2
        longer = (sides[:, 1] > sides[:, 0]).astype(int)
        lon, lat = _components(self._lonlat(to_map(polygons.mean(axis=1))))
        return {
            "lon": lon.round(_DECIMALS),
            "lat": lat.round(_DECIMALS),
            "area_m2": np.array([self._area(outline) for outline in ring]).round(3),
            "length_m": sides.max(axis=1).round(3),
            "width_m": sides.min(axis=1).round(3),
            "azimuth_deg": (azimuth[np.arange(len(longer)), longer] % 180).round(2) % 180,
        }

    def _lonlat(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = self.to_geodetic.transform(points[..., 0], points[..., 1])
        found = np.stack([lon, lat], axis=-1)
        return np.where(np.isfinite(found), found, np.nan)

    def _area(self, ring: NDArray[np.float64]) -> float:
        return abs(self.geod.polygon_area_perimeter(ring[:, 0], ring[:, 1])[0])


@dataclass(frozen=True)
class Plane:
    """The plane of a grid that is tied to no ellipsoid, such as a building site's own.

    Attributes:
        unit_m: metres of one unit of its coordinates.
    """

    unit_m: float

    def measure(
        self, to_map: Callable[[ArrayLike], NDArray[np.float64]], polygons: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Size of boxes (n, 4, 2) in scene pixels: the columns of :meth:`Ground.measure` but the place.

        ``azimuth_deg`` is clockwise from the second axis of the grid.
        """
        corners = to_map(polygons) * self.unit_m
        edges = np.roll(corners, -1, axis=1) - corners
        lengths = np.hypot(*_components(edges))
        sides = (lengths[:, :2] + lengths[:, 2:]) / 2
        longer = (sides[:, 1] > sides[:, 0]).astype(int)
        azimuth = np.degrees(np.arctan2(*_components(edges)))
        return {
            "area_m2": area(corners).round(3),
            "length_m": sides.max(axis=1).round(3),
            "width_m": sides.min(axis=1).round(3),
            "azimuth_deg": (azimuth[np.arange(len(longer)), longer] % 180).round(2) % 180,
        }


def ground_under(crs: RasterioCRS) -> Ground | Plane | None:
    """What boxes are measured on under a CRS; None for a grid whose unit is no length."""
    unit_m = plane_unit_m(CRS.from_wkt(crs.to_wkt()))
    return Ground.of(crs) if unit_m is None else Plane(unit_m)


def lonlat_polygons(scene: Scene, polygons: NDArray[np.float64]) -> NDArray[np.object_]:
    """Boxes (n, 4, 2) in scene pixels as WGS84 polygons after RFC 7946, (n,) shapely geometries.

    Outer rings run counter-clockwise. A box across the antimeridian becomes a MultiPolygon of its parts on
    either side (section 3.1.9); one around a pole is closed along the pole. None for a box off the Earth.
    """
    outlines = scene.to_lonlat(_outline(polygons))
    result = np.full(len(outlines), None, dtype=object)
    located = np.isfinite(outlines).all(axis=(1, 2))
    outlines = outlines[located]
    shapes = shapely.polygons(outlines[:, ::_STEPS].round(_DECIMALS))
    for index in np.flatnonzero(~_is_straight(outlines)):
        ring = scene.to_lonlat(_outline(polygons[located][index, None], _STEPS_CURVED)[0])
        shapes[index] = _split(ring[np.isfinite(ring).all(axis=1)])
    result[located] = shapely.orient_polygons(shapes, exterior_cw=False)
    return result


def _is_straight(outlines: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether corners suffice, (n,): one side of the antimeridian, and edges straight in degrees."""
    lon = np.unwrap(outlines[..., 0], period=360, axis=1)
    aside = (np.abs(lon) <= 180).all(axis=1) & (np.abs(lon[:, -1] - lon[:, 0]) <= 180)
    bend = np.abs(outlines - _outline(outlines[:, ::_STEPS])).max(axis=(1, 2))
    return aside & (bend <= _STRAIGHT * np.ptp(outlines, axis=1).max(axis=1))


_SKEWED = 1e-3
"""Share by which a rectangle around a box exceeds it where the box is no rectangle itself."""


def ground_rectangles(scene: Scene, polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rectangle on the ground around each box (n, 4, 2), in scene pixels like them.

    What a model writes are four free corners; lengths, widths and directions mean something of a rectangle
    only. A box that is one already, but for a thousandth of its area, is left as it is. Where the ground is
    unknown, pixels are taken as square.
    """
    centres = polygons.mean(axis=1)
    axes = scene.axes_at(centres)
    axes = np.where(np.isfinite(axes).all(axis=(1, 2), keepdims=True), axes, np.eye(2))
    axes = np.where(np.linalg.det(axes)[:, None, None] == 0, np.eye(2), axes)
    metres = (polygons - centres[:, None]) @ axes
    rectangles = min_area_rectangles(metres)
    skewed = area(rectangles) > area(metres) * (1 + _SKEWED)
    return np.where(skewed[:, None, None], rectangles @ np.linalg.inv(axes) + centres[:, None], polygons)


def _outline(polygons: NDArray[np.float64], steps: int = _STEPS) -> NDArray[np.float64]:
    """Corners and the points between them, (n, 4 * steps, 2), every ``steps``-th of them a corner."""
    following = np.roll(polygons, -1, axis=1)
    along = np.linspace(0, 1, steps, endpoint=False)[:, None]
    points = polygons[:, :, None] * (1 - along) + following[:, :, None] * along
    return points.reshape(len(polygons), 4 * steps, 2)


def _split(ring: NDArray[np.float64]) -> shapely.Polygon | shapely.MultiPolygon:
    """Cut a ring (n, 2) in degrees at the antimeridian, and close one around a pole along the pole."""
    lon, lat = np.unwrap(ring[:, 0], period=360), ring[:, 1]
    turn = lon[-1] - lon[0]
    # The inside lies to the left of the ring: around the north pole, longitudes grow.
    if abs(turn) > 180:
        leftward = (turn > 0) == (lat.mean() > 0)
    else:
        leftward = bool(shapely.is_ccw(shapely.linearrings(lon, lat)))
    ordered = shapely.Polygon(ring if leftward else ring[::-1])
    found = antimeridian.fix_polygon(ordered, fix_winding=False, great_circle=False)
    return shapely.transform(shapely.simplify(found, 10.0**-_DECIMALS), lambda xy: xy.round(_DECIMALS))


def _components(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return points[..., 0], points[..., 1]
