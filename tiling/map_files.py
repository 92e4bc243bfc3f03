"""Layers as files of geographic information systems, with a style that QGIS takes at once.

| format | coordinates | layers | provenance | style |
|---|---|---|---|---|
| ``.geojson``, RFC 7946 | WGS84 longitude and latitude, 7 decimals (1 cm) | one | ``provenance`` | beside |
| ``.gpkg``, OGC GeoPackage | any CRS | several | metadata of the first layer | inside and beside |
| ``.fgb``, FlatGeobuf | any CRS | one | none | beside |
| ``.parquet``, GeoParquet | any CRS | one | none | beside |
| ``.kml``, OGC KML | WGS84 longitude and latitude | one | none | beside |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from detection_eval.files import atomic_path
from tiling.layers import Layer, frame, rows
from tiling.styles import style_path

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

IN_ANY_CRS = (".gpkg", ".fgb", ".parquet")
IN_DEGREES = (".geojson", ".kml")
MAP_FORMATS = (*IN_DEGREES, *IN_ANY_CRS)

Provenance = Mapping[str, Any]


def write_layers(
    destination: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None = None
) -> None:
    """Write layers to a file and their style beside it; both are whole, or neither is there.

    Args:
        destination: with a suffix of ``MAP_FORMATS``. Formats that hold one layer get the first.
        layers: one, or more for GeoPackage, which also holds their styles.
        provenance: as JSON values.
        crs: of a format that has no own; None for that of the first scene.

    Raises:
        OSError: where a file cannot be written.
    """
    write = _WRITERS[destination.suffix.lower()]
    with atomic_path(destination) as temporary, atomic_path(style_path(destination)) as style:
        write(temporary, layers, provenance, crs)
        style.write_text(layers[0].style, encoding="utf-8")


def _write_geojson(path: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None) -> None:
    """RFC 7946: WGS84, counter-clockwise outer rings, cut in two at the antimeridian."""
    described = (
        (geometry, row)
        for part in layers[0].parts
        for geometry, row in zip(shapely.to_geojson(part.shapes), rows(part.columns))
    )
    features = (
        f'{{"type": "Feature", "id": {number}, "geometry": {geometry or "null"}, "properties": {_json(row)}}}'
        for number, (geometry, row) in enumerate(described, start=1)
    )
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection",\n')
        file.write(f'"provenance": {_json(dict(provenance))},\n"features": [\n')
        _write_lines(file.write, features)
        file.write("]}\n")


def _write_geopackage(path: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None) -> None:
    """All layers, the provenance as metadata of the first, and their styles as QGIS stores them."""
    metadata = {key: value if isinstance(value, str) else _json(value) for key, value in provenance.items()}
    for number, layer in enumerate(layers):
        more: dict[str, Any] = {"mode": "a"} if number else {"layer_metadata": metadata}
        _write_layer(path, frame(layer, crs), layer.name, "GPKG", **more)
    _write_styles(path, layers)


def _write_styles(path: Path, layers: Sequence[Layer]) -> None:
    """The table ``layer_styles`` as QGIS makes it: the style that it takes by default for each layer.

    QGIS finds a style by the empty words for catalogue and schema, which a GeoPackage does not have.
    """
    import pandas
    import pyogrio

    geometry = {layer.name: pyogrio.read_info(path, layer=layer.name)["geometry_name"] for layer in layers}
    table = pandas.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": [layer.name for layer in layers],
            "f_geometry_column": [geometry[layer.name] for layer in layers],
            "styleName": [layer.name for layer in layers],
            "styleQML": [layer.style for layer in layers],
            "styleSLD": "",
            "useAsDefault": True,
            "description": "",
            "owner": "",
            "ui": "",
            "update_time": pandas.Timestamp.now("UTC").floor("s"),
        }
    )
    with _told_as_os_error(path):
        pyogrio.write_dataframe(table, path, layer="layer_styles", driver="GPKG", append=True, FID="id")


def _write_flatgeobuf(path: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None) -> None:
    _write_layer(path, frame(layers[0], crs), layers[0].name, "FlatGeobuf")


def _write_geoparquet(path: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None) -> None:
    frame(layers[0], crs).to_parquet(path, index=False)


def _write_kml(path: Path, layers: Sequence[Layer], provenance: Provenance, crs: str | None) -> None:
    """Placemarks in WGS84, named by class or status; what has no place on the Earth is left out."""
    layer = layers[0]
    table = frame(layer)
    table.insert(0, "Name", table[layer.title])
    _write_layer(path, table[table.geometry.notna()], layer.name, "LIBKML", geometry_type="Unknown")


_WRITERS: Mapping[str, Callable[[Path, Sequence[Layer], Provenance, str | None], None]] = {
    ".geojson": _write_geojson,
    ".gpkg": _write_geopackage,
    ".fgb": _write_flatgeobuf,
    ".parquet": _write_geoparquet,
    ".kml": _write_kml,
}


def _write_layer(path: Path, table: GeoDataFrame, name: str, driver: str, **options: Any) -> None:
    """A layer of a file by GDAL.

    Raises:
        OSError: where GDAL cannot write.
    """
    options = {"geometry_type": "Polygon", **options}
    with _told_as_os_error(path):
        table.to_file(path, layer=name, driver=driver, engine="pyogrio", **options)


@contextmanager
def _told_as_os_error(path: Path) -> Iterator[None]:
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError

    try:
        yield
    except (DataSourceError, DataLayerError, FeatureError, FieldError) as error:
        raise OSError(f"cannot write {path.name}: {error}") from error


def _write_lines(write: Callable[[str], object], items: Iterable[str]) -> None:
    """Items of a JSON array, one a line."""
    separator = ""
    for item in items:
        write(separator + item)
        separator = ",\n"
    write("\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
