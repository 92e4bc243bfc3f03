"""The part of a scene to be examined, stated on the map: a box of coordinates or polygons of a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from tiling.errors import AreaError, OutsideScene
from tiling.view import Window

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from tiling.scene import Scene

WGS84 = "EPSG:4326"

_PIECES = 64
"""Straight pieces along the longer side of an area, so that its edges follow the curves of a projection."""


@dataclass(frozen=True)
class SceneArea:
    """A part of a scene that is no window.

    Attributes:
        shape: polygons in scene pixels.
    """

    shape: BaseGeometry

    @property
    def window(self) -> Window:
        """The smallest window around it."""
        return Window.from_bounds(*self.shape.bounds)

    @property
    def wkt(self) -> str:
        """The shape as text."""
        return str(self.shape.wkt)

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n, 2) lie in it, (n,)."""
        return np.asarray(shapely.intersects_xy(self.shape, points), dtype=bool)

    def touches(self, windows: Sequence[Window]) -> NDArray[np.bool_]:
        """Which windows have a part in it, (n,)."""
        shapes = shapely.box(*np.reshape([window.bounds for window in windows], (-1, 4)).T)
        return np.asarray(shapely.area(shapely.intersection(shapes, self.shape)) > 0, dtype=bool)


@dataclass(frozen=True)
class Area:
    """Polygons on the map.

    Attributes:
        shape: a polygon or several, x (longitude, easting) before y.
        crs: of its coordinates.
        name: what a user knows it by.
    """

    shape: BaseGeometry
    crs: CRS
    name: str

    @classmethod
    def from_bbox(cls, text: str) -> Area:
        """From ``west,south,east,north`` in degrees, or with ``,EPSG:n`` in the units of another CRS.

        West above east goes across the antimeridian.

        Raises:
            AreaError: for what is no box.
        """
        *numbers, crs = text.split(",") if text.count(",") == 4 else [*text.split(","), WGS84]
        try:
            west, south, east, north = bounds = [float(number) for number in numbers]
            there = CRS.from_user_input(crs.strip())
        except (ValueError, CRSError):
            bounds = [math.nan]
        if not all(map(math.isfinite, bounds)) or south >= north or west == east:
            raise AreaError(
                f"box {text!r} is not understood; give west,south,east,north in degrees, or with a "
                "coordinate reference system behind them, such as 500000,4649000,501000,4650000,EPSG:32633"
            )
        if west < east:
            return cls(shapely.box(west, south, east, north), there, text)
        if not there.is_geographic:
            raise AreaError(f"box {text!r} has its west above its east; exchange them")
        return cls(shapely.box(west, south, east + 360, north), there, text)

    @classmethod
    def from_file(cls, path: str | Path) -> Area:
        """All polygons of a file that GDAL's vector drivers read (GeoJSON, GeoPackage, Shapefile, ...).

        Raises:
            FileNotFoundError: where there is none.
            AreaError: for a file without polygons, or without a coordinate reference system.
        """
        import geopandas
        from pyogrio.errors import DataSourceError

        if not Path(path).exists():
            raise FileNotFoundError(f"{path} does not exist")
        try:
            frame = geopandas.read_file(path, engine="pyogrio")
        except (DataSourceError, ValueError) as error:
            raise AreaError(f"{path} cannot be read as a vector file: {error}") from error
        shapes = frame.geometry if isinstance(frame, geopandas.GeoDataFrame) else []
        polygons = [
            part
            for shape in shapes
            if shape is not None
            for part in shapely.get_parts(shapely.make_valid(shape))
            if part.geom_type in ("Polygon", "MultiPolygon") and part.area > 0
        ]
        if not polygons:
            raise AreaError(f"{path} holds no polygons; draw the area as one or more of them")
        if frame.crs is None:
            raise AreaError(f"{path} states no coordinate reference system, so its place is unknown")
        return cls(shapely.union_all(polygons), CRS.from_user_input(frame.crs), str(path))

    def in_scene(self, scene: Scene) -> SceneArea:
        """The area in scene pixels, cut to the scene.

        Raises:
            NotGeoreferenced: where the scene has no place on the map.
            AreaError: where no transformation leads from here to the scene's CRS.
            OutsideScene: where it does not overlap the scene.
        """
        scene.to_lonlat(scene.window.center)  # says what is missing where the scene has no place
        assert scene.crs is not None
        there = CRS.from_wkt(scene.crs.to_wkt())
        west, south, east, north = self.shape.bounds
        fine = shapely.segmentize(self.shape, max(east - west, north - south) / _PIECES)
        try:
            to_scene = Transformer.from_crs(self.crs, there, always_xy=True)
        except ProjError as error:
            raise AreaError(f"area {self.name} has no way to {scene.crs_name}: {error}") from error
        whole = shapely.box(*scene.window.bounds)
        parts = []
        for turn in (-360.0, 0.0, 360.0) if there.is_geographic else (0.0,):

            def place(points: np.ndarray, turn: float = turn) -> np.ndarray:
                x, y = to_scene.transform(*points.T)
                return scene.from_map(np.stack([np.add(x, turn), y], axis=-1))

            moved = shapely.transform(fine, place)
            if np.isfinite(shapely.get_coordinates(moved)).all():
                parts.append(shapely.intersection(shapely.make_valid(moved), whole))
        inside = shapely.union_all(parts)
        if not parts or inside.area == 0:
            raise OutsideScene(
                f"area {self.name} does not overlap {scene.source}; is it in {self.crs.to_string()[:60]}?"
            )
        return SceneArea(inside)
