"""Thematic polygons: the class of a place by a column of the polygon that holds it.

Of each group of places the polygons about it are read, by the file's own index where it has one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiling.class_names import class_name, column_of, identity_of
from tiling.errors import ThematicMapError
from tiling.scene import Scene
from tiling.stack import map_places
from tiling.thematic_raster import Points, border

_ROWS = 50_000
"""Rows of a table that are looked through at a time."""


class _Column(NamedTuple):
    """A column of a layer."""

    layer: str
    name: str


def is_vector(source: str) -> bool:
    """Whether GDAL knows a source as a vector file."""
    import pyogrio
    from pyogrio.errors import DataSourceError

    try:
        return len(pyogrio.list_layers(source)) > 0
    except (DataSourceError, ValueError):
        return False


class ThematicShapes:
    """Classes of places by polygons; of several that hold a place the first in the file counts.

    Arguments as of ``tiling.thematic.open_thematic``; a column of one of several layers is ``layer/column``.
    """

    def __init__(
        self,
        source: str,
        scene: Scene,
        known: Collection[str],
        column: str | None,
        renamed: Mapping[str, str],
    ) -> None:
        self.source, self._renamed = source, renamed
        with _explained(source):
            columns = _columns(source)
            values = {title: self._values(own) for title, own in columns.items()}
        chosen = column_of(source, values, known, column)
        self._column = columns[chosen]
        self._crs = _crs(source, self._column.layer)
        path = Path(source)
        files = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix.lower() == ".shp" else [path]
        self.identity = identity_of(files, {"column": chosen, "renamed": renamed})
        if not len(self._read(map_places(scene, border(scene), self._crs), most=1)[0]):
            raise ThematicMapError(f"{source} does not overlap {scene.source}; give a map of its place")

    def names_at(self, scene: Scene, points: Points) -> list[str]:
        """The class of the polygon that holds each place; see ``ThematicMap``."""
        found = [""] * len(points)
        there = map_places(scene, points, self._crs)
        shapes, names = self._read(there)
        known = np.flatnonzero(np.isfinite(there).all(axis=-1))
        places, holding = shapely.STRtree(shapes).query(shapely.points(there[known]), predicate="intersects")
        for place, shape in sorted(zip(known[places], holding, strict=True), reverse=True):
            found[place] = names[shape]
        return found

    def close(self) -> None:
        """Nothing: files are closed after each read."""

    def _read(self, places: Points, most: int | None = None) -> tuple[Any, list[str]]:
        """Polygons about places and the names of their classes, in the order of the file."""
        import pyogrio

        known = places[np.isfinite(places).all(axis=-1)]
        if not len(known):
            return np.array([]), []
        about = (*known.min(axis=0), *known.max(axis=0))
        layer, name = self._column
        with _explained(self.source):
            frame = pyogrio.read_dataframe(
                self.source, layer=layer, columns=[name], bbox=about, max_features=most
            )
        return np.asarray(frame.geometry.array), [self._named(value) for value in frame[name]]

    def _values(self, column: _Column) -> set[str]:
        """All names in a column, read in parts."""
        import pyogrio

        found: set[str] = set()
        start = 0
        while True:
            part = pyogrio.read_dataframe(
                self.source,
                layer=column.layer,
                columns=[column.name],
                read_geometry=False,
                skip_features=start,
                max_features=_ROWS,
            )
            found |= {self._named(value) for value in part[column.name].unique()}
            if len(part) < _ROWS:
                return found
            start += _ROWS

    def _named(self, value: Any) -> str:
        name = class_name(value)
        return self._renamed.get(name, name)


def _columns(source: str) -> dict[str, _Column]:
    """Columns of text or numbers of the layers of polygons, by what a user calls them.

    Raises:
        ThematicMapError: where no layer holds polygons.
    """
    import pyogrio

    layers = [name for name, kind in pyogrio.list_layers(source) if kind and _holds_areas(kind)]
    if not layers:
        raise ThematicMapError(f"{source} holds no polygons; a map of classes is made of them")
    found = {}
    for layer in layers:
        info = pyogrio.read_info(source, layer=layer)
        for name, kind in zip(info["fields"], info["dtypes"], strict=True):
            if np.dtype(kind).kind in "Oiuf":
                found[name if len(layers) == 1 else f"{layer}/{name}"] = _Column(layer, str(name))
    return found


def _holds_areas(kind: str) -> bool:
    return any(word in kind for word in ("Polygon", "Surface", "Unknown", "Collection"))


def _crs(source: str, layer: str) -> CRS:
    import pyogrio

    stated = pyogrio.read_info(source, layer=layer)["crs"]
    try:
        if stated:
            return CRS.from_user_input(stated)
    except CRSError:
        pass
    raise ThematicMapError(f"{source} states no coordinate reference system, so its place is unknown")


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Errors of the vector library as ours."""
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    try:
        yield
    except (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError) as error:
        raise ThematicMapError(f"{source} cannot be read as a vector file: {error}") from error
