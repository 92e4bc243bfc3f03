"""Layers put together from scenes: one CRS, all columns, each thing at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from tiling.layers import (
    Part,
    TileRecord,
    box_columns,
    box_layer,
    frame,
    place,
    rows,
    tile_columns,
    tile_layer,
    tile_outlines,
)
from tiling.scene import Scene
from tiling.view import Window

BOX = Detections(box_quads([[100, 100, 140, 120]]), np.array([0]), ("ship",))
TILES = (
    TileRecord(0, Window(0, 0, 200, 200), "examined", None, 0.6, 3, 64),
    TileRecord(1, Window(200, 0, 200, 200), "failed", "server gone", 0.6, 0, 64),
    TileRecord(2, Window(0, 100, 200, 200), "skipped", "no valid pixel"),
)


def scene(path: Path, zone: int, east: float, north: float) -> Scene:
    """0.5 m pixels in a zone of UTM."""
    profile = {"width": 400, "height": 300, "count": 3, "dtype": "uint8"}
    transform = Affine(0.5, 0, east, 0, -0.5, north)
    with rasterio.open(path, "w", driver="GTiff", crs=f"EPSG:{zone}", transform=transform, **profile) as file:
        file.write(np.full((3, 300, 400), 90, np.uint8))
    return Scene(path)


@pytest.fixture
def neighbours(tmp_path: Path) -> tuple[Scene, Scene]:
    """Two scenes that begin at 12 degrees east, 50 degrees north, the border of zones 32 and 33."""
    found = []
    for zone in (32632, 32633):
        east, north = Transformer.from_crs(4326, zone, always_xy=True).transform(12, 50)
        found.append(scene(tmp_path / f"{zone}.tif", zone, east, north))
    return found[0], found[1]


def boxes(one: Scene, name: str | None, in_degrees: bool = False) -> Part:
    return place(one, BOX.polygons, box_columns(one, BOX, name), in_degrees)


def test_scenes_of_two_zones_come_out_in_one_crs_at_their_places(neighbours: tuple[Scene, Scene]) -> None:
    layer = box_layer([boxes(one, Path(one.source).stem) for one in neighbours], BOX.classes)
    for crs, code in ((None, 32632), ("EPSG:32633", 32633), ("EPSG:3035", 3035)):
        table = frame(layer, crs)
        assert table.crs.to_epsg() == code
        assert table["scene"].tolist() == ["32632", "32633"]
        for one, shape in zip(neighbours, table.to_crs(4326).geometry):
            expected = one.to_lonlat(BOX.polygons.mean(axis=1))[0]
            assert (shape.centroid.x, shape.centroid.y) == pytest.approx(tuple(expected), abs=1e-7)
    # Both begin at one point; on the ground the boxes lie within the turn of the grids, 4.6 degrees of 60 m.
    assert table.geometry[0].centroid.distance(table.geometry[1].centroid) < 8


def test_in_degrees_every_scene_is_where_it_is(neighbours: tuple[Scene, Scene]) -> None:
    table = frame(box_layer([boxes(one, None, True) for one in neighbours], BOX.classes))
    assert table.crs.to_epsg() == 4326
    assert "scene" not in table
    assert table.geometry.bounds["minx"].between(12, 12.002).all()


def test_a_column_that_one_scene_lacks_is_empty_there(neighbours: tuple[Scene, Scene]) -> None:
    known, unknown = (boxes(one, "a") for one in neighbours)
    unknown = unknown._replace(columns={name: unknown.columns[name] for name in ("scene", "class")})
    table = frame(box_layer([unknown, known], BOX.classes))
    assert table["area_m2"].isna().tolist() == [True, False]
    assert table["class"].tolist() == ["ship", "ship"]


def test_scenes_without_boxes_leave_the_types_of_columns(neighbours: tuple[Scene, Scene]) -> None:
    one = neighbours[0]
    empty = Detections.empty(("ship",))
    none = place(one, empty.polygons, box_columns(one, empty, "b"), False)
    alone, both = (frame(box_layer(parts, BOX.classes)) for parts in ([none], [none, boxes(one, "a")]))
    assert len(alone) == 0
    assert len(both) == 1
    assert alone.dtypes.astype(str).to_dict() == both.dtypes.astype(str).to_dict()


def test_tiles_are_their_windows_with_status_and_reason(neighbours: tuple[Scene, Scene]) -> None:
    one = neighbours[0]
    part = place(one, tile_outlines(TILES), tile_columns(TILES), False)
    table = frame(tile_layer([part]))
    assert table["status"].tolist() == ["examined", "failed", "skipped"]
    assert table["reason"].isna().tolist() == [True, False, False]
    assert table["boxes"].tolist() == [3, 0, 0]
    assert table["visual_tokens"].tolist() == [64, 64, 0]
    west, north = one.to_map(np.zeros(2))
    # The second window reaches from 200 to 400 px in x: 100 to 200 m; and to 200 px in y: 100 m.
    assert table.geometry[1].bounds == pytest.approx((west + 100, north - 100, west + 200, north))


def test_no_tiles_are_a_layer_all_the_same(neighbours: tuple[Scene, Scene]) -> None:
    part = place(neighbours[0], tile_outlines(()), tile_columns(()), False)
    assert len(frame(tile_layer([part]))) == 0


def test_rows_hold_what_json_has() -> None:
    part = tile_columns(TILES, "a")
    assert list(rows(part))[2] == {
        "scene": "a",
        "tile": 2,
        "status": "skipped",
        "reason": "no valid pixel",
        "gsd_m": None,
        "boxes": 0,
        "visual_tokens": 0,
    }
