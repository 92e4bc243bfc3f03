"""Layers of a map: the boxes of scenes and the tiles that were looked at, with their attributes and places.

A layer is made of parts, one for each scene, since scenes may lie in different coordinate reference systems
and are closed before the layer is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from tiling.ground import ground_under, lonlat_polygons
from tiling.merging import MergedDetections
from tiling.scene import Scene
from tiling.styles import class_style, tile_style
from tiling.view import Window

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

DETECTIONS, TILES = "detections", "tiles"
"""Names of the layers."""
WGS84 = "EPSG:4326"

TileStatus = Literal["examined", "skipped", "outside", "failed"]


@dataclass(frozen=True)
class TileRecord:
    """The outcome of a tile.

    Attributes:
        index: of the tile in the grid of its pass; ``tile`` of the boxes that it gave.
        window: of the tile in scene pixels.
        status: ``examined``, ``skipped`` (nothing but nodata), ``outside`` (of the area to be examined) or
            ``failed`` (not, or not wholly, examined).
        reason: of a tile that was not examined, in a line.
        gsd_m: metres per pixel of the view that a model got; None where unknown or without a view.
        boxes: of the result that the tile gave.
        visual_tokens: that the view cost.
    """

    index: int
    window: Window
    status: TileStatus
    reason: str | None = None
    gsd_m: float | None = None
    boxes: int = 0
    visual_tokens: int = 0


class Part(NamedTuple):
    """One scene's part of a layer: columns of n values, (n,) polygons or None, and their CRS."""

    columns: dict[str, Any]
    shapes: NDArray[np.object_]
    crs: str


class Layer(NamedTuple):
    """A layer: its name, what it holds of each scene, the column that names its features, and its style."""

    name: str
    parts: Sequence[Part]
    title: str
    style: str


def box_layer(parts: Sequence[Part], classes: Sequence[str]) -> Layer:
    """The layer of the boxes, in the colours of their classes."""
    return Layer(DETECTIONS, parts, "class", class_style(classes))


def tile_layer(parts: Sequence[Part]) -> Layer:
    """The layer of the tiles."""
    return Layer(TILES, parts, "status", tile_style())


def place(scene: Scene, polygons: NDArray[np.float64], columns: dict[str, Any], in_degrees: bool) -> Part:
    """Outlines (n, 4, 2) in scene pixels on the map, in the scene's CRS or in WGS84 degrees.

    Raises:
        NotGeoreferenced: where the scene has no place there.
    """
    if in_degrees:
        return Part(columns, lonlat_polygons(scene, polygons), WGS84)
    shapes = shapely.orient_polygons(shapely.polygons(scene.to_map(polygons)))
    assert scene.crs is not None  # a scene without one has been refused
    return Part(columns, shapes, scene.crs.to_wkt())


def box_columns(
    scene: Scene, found: MergedDetections | Detections, name: str | None = None
) -> dict[str, Any]:
    """The columns that describe each box, ground measures among them where the scene has a CRS.

    Args:
        scene: whose pixels the boxes are in.
        found: the boxes; merged ones keep their tile, number of parts and whether they are still cut.
        name: of the scene in the column ``scene``; None leaves it out.
    """
    detections = found.detections if isinstance(found, MergedDetections) else found
    columns = _of_scene(name, len(detections)) | {"class": detections.names}
    if detections.scores is not None:
        columns["score"] = detections.scores
    ground = ground_under(scene.crs) if scene.crs is not None and scene.georeferenced else None
    if ground is not None:
        columns |= ground.measure(scene.to_map, detections.polygons)
    if isinstance(found, MergedDetections):
        columns |= {"tile": found.tile, "pieces": found.pieces, "cut": found.cut}
        if found.scale is not None and scene.gsd_m is not None:
            columns["gsd_m"] = (found.scale * scene.gsd_m).round(6)
    return columns


def tile_columns(tiles: Sequence[TileRecord], name: str | None = None) -> dict[str, Any]:
    """The columns that describe each tile; ``name`` as in :func:`box_columns`."""
    return _of_scene(name, len(tiles)) | {
        "tile": np.array([tile.index for tile in tiles], dtype=np.int64),
        "status": [tile.status for tile in tiles],
        "reason": [tile.reason for tile in tiles],
        "gsd_m": np.array([np.nan if tile.gsd_m is None else tile.gsd_m for tile in tiles], dtype=np.float64),
        "boxes": np.array([tile.boxes for tile in tiles], dtype=np.int64),
        "visual_tokens": np.array([tile.visual_tokens for tile in tiles], dtype=np.int64),
    }


def tile_outlines(tiles: Sequence[TileRecord]) -> NDArray[np.float64]:
    """The windows of tiles as polygons (n, 4, 2) in scene pixels."""
    return box_quads(np.reshape([tile.window.bounds for tile in tiles], (-1, 4)).astype(np.float64))


def _of_scene(name: str | None, count: int) -> dict[str, Any]:
    return {} if name is None else {"scene": [name] * count}


def rows(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Columns as one dict for each feature, of values that JSON can hold."""
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    for values in zip(*lists):
        # What has no place on the Earth has no measures either: NaN is not JSON.
        yield {
            key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in zip(columns, values)
        }


def frame(layer: Layer, crs: str | None = None) -> GeoDataFrame:
    """A layer as a table in one CRS; None for that of the first scene."""
    import geopandas
    import pandas

    target = crs or layer.parts[0].crs
    shapes = [geopandas.GeoSeries(part.shapes, crs=part.crs).to_crs(target) for part in layer.parts]
    columns = {
        name: _joined([_column(part, name) for part in layer.parts])
        for name in dict.fromkeys(name for part in layer.parts for name in part.columns)
    }
    places = np.concatenate([series.to_numpy() for series in shapes])
    # Words have a type of their own, so that a column without any keeps it.
    typed = {
        name: pandas.array(values, dtype="string") if isinstance(values, list) else values
        for name, values in columns.items()
    }
    return geopandas.GeoDataFrame(typed, geometry=places, crs=target)


def _column(part: Part, name: str) -> Any:
    """A column of a part; what a scene cannot tell, such as sizes on an unknown ground, is not a number."""
    return part.columns.get(name, np.full(len(part.shapes), np.nan))


def _joined(columns: Sequence[Any]) -> Any:
    if all(isinstance(column, list) for column in columns):
        return [value for column in columns for value in column]
    return np.concatenate(columns)
