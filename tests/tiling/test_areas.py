"""Areas on the map as shapes in scene pixels."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer

from tiling.areas import Area, SceneArea
from tiling.errors import AreaError, NotGeoreferenced, OutsideScene
from tiling.grid import TileGrid
from tiling.scene import Scene

PIXELS = np.full((3, 200, 400), 9, np.uint8)
UTM = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 600_000, 0, -0.5, 6_650_000)}


@pytest.fixture
def scene(make_raster):
    with Scene(make_raster(PIXELS, **UTM)) as opened:
        yield opened


def test_a_box_in_the_scenes_own_crs_is_a_rectangle_of_its_pixels(scene):
    # 50 m east and 25 m south of the corner, at 0.5 m.
    area = Area.from_bbox("600050,6649950,600100,6649975,EPSG:32633").in_scene(scene).shape
    assert area.bounds == pytest.approx((100, 50, 200, 100))
    assert area.area == pytest.approx(100 * 50)


def test_a_box_in_degrees_lies_where_its_corners_do(scene):
    corners = scene.to_lonlat([[100, 150], [300, 50]])
    area = Area.from_bbox(",".join(map(str, corners.ravel()))).in_scene(scene).shape
    # Meridians lean by 1.5 degrees there: the box in degrees is not one of pixels.
    assert area.contains(shapely.Point(200, 100))
    assert area.distance(shapely.Point(100, 150)) < 0.01
    assert area.distance(shapely.Point(300, 50)) < 0.01
    assert area.bounds != pytest.approx((100, 50, 300, 150), abs=0.1)


def test_polygons_of_a_file_in_another_crs_keep_their_hole(scene, tmp_path):
    outer = shapely.box(600_022, 6_649_912, 600_178, 6_649_988)
    hole = shapely.box(600_089, 6_649_939, 600_111, 6_649_961)
    frame = geopandas.GeoDataFrame(geometry=[outer - hole], crs="EPSG:32633").to_crs("EPSG:3857")
    frame.to_file(tmp_path / "area.gpkg")
    area = Area.from_file(tmp_path / "area.gpkg").in_scene(scene).shape
    assert area.area == pytest.approx((156 * 76 - 22 * 22) * 4, rel=1e-3)
    assert not area.contains(shapely.Point(200, 100))
    plan = TileGrid(400, 200, tile=20).valid_tiles(scene, area=SceneArea(area))
    # 16 of 20 columns and 8 of 10 rows of tiles, less the 2 x 2 in the hole.
    assert len(plan.tiles) == 16 * 8 - 4
    assert len(plan.outside) + len(plan.tiles) == 200


def test_a_box_across_the_antimeridian(make_raster):
    place = {"crs": "EPSG:4326", "transform": Affine(0.1, 0, 170, 0, -0.1, 10)}
    with Scene(make_raster(PIXELS, **place)) as scene:
        area = Area.from_bbox("175,-5,-175,5").in_scene(scene).shape
        assert area.bounds == pytest.approx((50, 50, 150, 150))
        # The same place is written on either side of the line.
        assert Area.from_bbox("-179,-5,-175,5").in_scene(scene).shape.bounds == pytest.approx(
            (110, 50, 150, 150)
        )


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d", "1,5,2,4", "1,1,1,2", "1,2,3,4,EPSG:99", "9,1,2,3,EPSG:3857"]
)
def test_what_is_no_box_is_refused(text):
    with pytest.raises(AreaError, match="box"):
        Area.from_bbox(text)


def test_areas_elsewhere_and_scenes_without_a_place_are_refused(scene, make_raster, tmp_path):
    with pytest.raises(OutsideScene, match="does not overlap"):
        Area.from_bbox("-10,10,-9,11").in_scene(scene)
    with Scene(make_raster(PIXELS, "plain.tif")) as plain, pytest.raises(NotGeoreferenced):
        Area.from_bbox("15,59,17,61").in_scene(plain)
    (tmp_path / "line.geojson").write_text(
        json.dumps({"type": "LineString", "coordinates": [[15, 60], [16, 60]]}), encoding="utf-8"
    )
    with pytest.raises(AreaError, match="holds no polygons"):
        Area.from_file(tmp_path / "line.geojson")
    with pytest.raises(FileNotFoundError):
        Area.from_file(tmp_path / "none.gpkg")


def test_long_edges_follow_the_curves_of_the_projection(make_raster):
    # A parallel over 40 degrees of longitude bulges by far more than a pixel in this projection.
    place = {"crs": "EPSG:3035", "transform": Affine(10_000, 0, 2_500_000, 0, -10_000, 5_500_000)}
    with Scene(make_raster(np.full((3, 450, 500), 9, np.uint8), **place)) as scene:
        area = Area.from_bbox("-5,45,35,55").in_scene(scene).shape
        to_map = Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True)
        for lon in (0, 10, 20, 30):
            point = shapely.Point(scene.from_map(to_map.transform(lon, 45)))
            assert area.exterior.distance(point) < 0.1
