"""Layers as files: in each format the same, and with a style whose values are the layer's."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely

from tiling.layers import Layer, Part, TileRecord, box_layer, tile_columns, tile_layer
from tiling.map_files import MAP_FORMATS, write_layers
from tiling.styles import class_style, tile_style
from tiling.view import Window

SQUARES = shapely.box([12.0, 12.1], [50, 50], [12.01, 12.11], [50.01, 50.01])
CLASSES = ("ship", "plane")
TILE = TileRecord(0, Window(0, 0, 9, 9), "failed", "server gone", 0.3, 2, 64)


@pytest.fixture
def layers() -> tuple[Layer, Layer]:
    boxes = Part({"class": ["ship", "plane"], "tile": np.array([0, 0])}, SQUARES, "EPSG:4326")
    return box_layer([boxes], CLASSES), tile_layer([Part(tile_columns([TILE]), SQUARES[:1], "EPSG:4326")])


def read(path: Path) -> geopandas.GeoDataFrame:
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, **({"layer": "detections"} if path.suffix == ".gpkg" else {}))


def values_of(style: str) -> set[str]:
    found = ElementTree.fromstring(style).iterfind("renderer-v2/categories/category")
    return {str(category.get("value")) for category in found} - {""}


@pytest.mark.parametrize("suffix", MAP_FORMATS)
def test_every_format_has_the_same_features_and_a_style_of_their_classes_beside_it(
    layers: tuple[Layer, Layer], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    write_layers(path, layers, {"model": "nano"})
    table = read(path).sort_values("class")
    assert table["class"].tolist() == ["plane", "ship"]
    assert table["tile"].astype(int).tolist() == [0, 0]  # KML has words alone
    assert table.geometry.iloc[1].equals(SQUARES[0])
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([f"out{suffix}", "out.qml"])
    style = (tmp_path / "out.qml").read_text(encoding="utf-8")
    assert values_of(style) == set(table["class"]) == set(CLASSES)
    assert style == class_style(CLASSES)


def test_a_geopackage_holds_both_layers_and_the_style_of_each(
    layers: tuple[Layer, Layer], tmp_path: Path
) -> None:
    path = tmp_path / "out.gpkg"
    write_layers(path, layers, {"model": "nano"}, "EPSG:32633")
    assert pyogrio.list_layers(path)[:, 0].tolist() == ["detections", "tiles", "layer_styles"]
    tiles = geopandas.read_file(path, layer="tiles")
    assert tiles.crs.to_epsg() == 32633
    assert tiles.drop(columns="geometry").iloc[0].to_dict() == {
        "tile": 0,
        "status": "failed",
        "reason": "server gone",
        "gsd_m": 0.3,
        "boxes": 2,
        "visual_tokens": 64,
    }
    assert tiles.to_crs(4326).geometry[0].equals_exact(SQUARES[0], 1e-8)
    assert pyogrio.read_info(path, layer="detections")["layer_metadata"]["model"] == "nano"


def test_the_table_of_styles_is_as_qgis_looks_it_up(layers: tuple[Layer, Layer], tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    write_layers(path, layers, {})
    # The condition and the order by which QGIS finds the style of a layer.
    query = (
        "SELECT styleQML FROM layer_styles WHERE f_table_catalog = '' AND f_table_schema = '' "
        "AND f_table_name = ? AND f_geometry_column = ? AND useAsDefault ORDER BY update_time DESC"
    )
    with sqlite3.connect(path) as database:
        geometry = dict(database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns"))
        found = {name: database.execute(query, (name, geometry[name])).fetchall() for name in geometry}
    database.close()
    assert found == {"detections": [(class_style(CLASSES),)], "tiles": [(tile_style(),)]}


def test_where_the_style_cannot_be_written_the_layer_stays_as_it_was(
    layers: tuple[Layer, Layer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.geojson"
    path.write_text("before")

    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="full"):
        write_layers(path, layers, {})
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.geojson"]
