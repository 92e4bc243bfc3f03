"""Detections as files: what each format holds, where it lies on the Earth, and that no half file is left."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite
from detection_eval.files import atomic_path
from tests.places import from_origin
from tiling.errors import NotGeoreferenced, OutputError
from tiling.grid import TileGrid
from tiling.ground import lonlat_polygons
from tiling.layers import TileRecord
from tiling.merging import MergedDetections, merge_tiles
from tiling.output import (
    check_output,
    check_tile_output,
    scene_result,
    write_detections,
    write_results,
    write_tiles,
)
from tiling.scene import Scene
from tiling.view import Window

CLASSES = ("ship", "small vehicle")
PROVENANCE = {
    "model": "nano",
    "prompt": "sha256:00ff",
    "version": "0.1.0",
    "tiles": {"done": 4, "failed": []},
}
BOXES = np.array(
    [
        [(100, 100), (140, 100), (140, 120), (100, 120)],  # 40 x 20 px
        [(300, 200), (306, 208), (298, 214), (292, 206)],  # 10 x 10 px, turned: edges (6, 8) and (-8, 6)
    ],
    float,
)


def raster(path: Path, crs: str | None, transform: Affine, width: int = 400, height: int = 300) -> Path:
    shape = {"width": width, "height": height, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as file:
        file.write(np.full((3, height, width), 90, np.uint8))
    return path


@pytest.fixture
def utm(tmp_path: Path) -> Scene:
    """0.5 m pixels on the central meridian of zone 32 (9 degrees east), at 5,000,000 m north."""
    return Scene(raster(tmp_path / "utm scene.tif", "EPSG:32632", from_origin(500_000, 5_000_000, 0.5, 0.5)))


@pytest.fixture
def plain(tmp_path: Path) -> Scene:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        return Scene(raster(tmp_path / "plain.tif", None, Affine.identity()))


def detections(scores: list[float] | None = None) -> Detections:
    return Detections(BOXES, np.array([0, 1]), CLASSES, None if scores is None else np.array(scores))


def merged(scene: Scene) -> MergedDetections:
    # Two by two tiles of 200 x 200 px; the first box lies in the first of them, the second in the last.
    grid = TileGrid(scene.width, scene.height, tile=200)
    return merge_tiles([(grid[0], detections().select([0])), (grid[3], detections().select([1]))], grid)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_layer(path: Path, layer: str = "detections") -> geopandas.GeoDataFrame:
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, **({"layer": layer} if path.suffix == ".gpkg" else {}))


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# GeoJSON


def test_geojson_holds_places_sizes_tiles_and_provenance(utm: Scene, tmp_path: Path) -> None:
    path = tmp_path / "out.geojson"
    write_detections(path, utm, merged(utm), PROVENANCE)
    collection = read_json(path)
    assert collection["type"] == "FeatureCollection"
    assert collection["provenance"] == PROVENANCE
    assert "crs" not in collection  # RFC 7946 section 4 removed it
    ship, vehicle = collection["features"]
    # 40 x 20 px of 0.5 m: 20 m x 10 m on the map. The scale of UTM is 0.9996 at its central meridian, so
    # that lengths on the ground are 20 / 0.9996 = 20.008 m and 10.004 m, and the area 200.16 m2.
    assert ship["properties"] == {
        "class": "ship",
        "lon": pytest.approx(9.00076, abs=1e-4),
        "lat": pytest.approx(45.1530, abs=1e-4),
        "area_m2": pytest.approx(200.16, abs=0.01),
        "length_m": pytest.approx(20.008, abs=0.001),
        "width_m": pytest.approx(10.004, abs=0.001),
        "azimuth_deg": pytest.approx(90, abs=0.01),
        "tile": 0,
        "pieces": 1,
        "cut": False,
    }
    assert vehicle["properties"]["class"] == "small vehicle"
    assert vehicle["properties"]["tile"] == 3
    assert vehicle["properties"]["area_m2"] == pytest.approx(25.02, abs=0.01)


def test_azimuth_is_the_direction_of_the_long_side_clockwise_from_north(utm: Scene, tmp_path: Path) -> None:
    # From (100, 100) the long side runs 30 px to the right and 40 px up: atan2(30, 40) = 36.87 degrees.
    corner, along, across = np.array([100, 100]), np.array([30, -40]), np.array([8, 6])
    box = np.array([[corner, corner + along, corner + along + across, corner + across]], float)
    write_detections(tmp_path / "a.geojson", utm, Detections(box, np.array([0]), CLASSES))
    (feature,) = read_json(tmp_path / "a.geojson")["features"]
    assert feature["properties"]["azimuth_deg"] == pytest.approx(36.87, abs=0.02)
    assert feature["properties"]["length_m"] == pytest.approx(25 / 0.9996, abs=0.001)


def test_geojson_rings_are_closed_counter_clockwise_and_rounded_to_1_cm(utm: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "a.geojson", utm, detections())
    for feature, pixels in zip(read_json(tmp_path / "a.geojson")["features"], BOXES):
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
        assert shapely.LinearRing(ring).is_ccw
        assert all(value == round(value, 7) for point in ring for value in point)
        expected = utm.to_lonlat(pixels)
        assert {tuple(p) for p in ring} == {tuple(p) for p in expected.round(7).tolist()}


def test_scores_are_written_only_where_there_are_some(utm: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "a.geojson", utm, detections())
    write_detections(tmp_path / "b.geojson", utm, detections([0.25, 0.75]))
    without, given = (read_json(tmp_path / name)["features"] for name in ("a.geojson", "b.geojson"))
    assert all("score" not in feature["properties"] for feature in without)
    assert [feature["properties"]["score"] for feature in given] == [0.25, 0.75]


def test_no_detections_make_a_valid_empty_file_of_each_format(utm: Scene, tmp_path: Path) -> None:
    nothing = Detections.empty(CLASSES)
    for name in ("a.geojson", "a.json", "a.gpkg", "a.txt", "task1"):
        write_detections(tmp_path / name, utm, nothing, PROVENANCE)
    assert read_json(tmp_path / "a.geojson")["features"] == []
    assert read_json(tmp_path / "a.json")["annotations"] == []
    assert len(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="detections")) == 0
    assert (tmp_path / "a.txt").read_text().splitlines() == ["imagesource:utm scene.tif", "gsd:0.5002"]
    assert (tmp_path / "task1" / "Task1_ship.txt").read_text() == ""


# Around the antimeridian and the poles


def test_a_box_across_the_antimeridian_is_split(tmp_path: Path) -> None:
    # 0.1 degree pixels from 170 E eastwards: x = 90 is 179 E, x = 120 is 178 W.
    scene = Scene(raster(tmp_path / "date.tif", "EPSG:4326", from_origin(170, 10, 0.1, 0.1)))
    box = np.array([[(90, 50), (120, 50), (120, 60), (90, 60)]], float)
    (shape,) = lonlat_polygons(scene, box)
    assert shape.geom_type == "MultiPolygon"
    assert sorted(part.bounds for part in shape.geoms) == [(-180, 4, -178, 5), (179, 4, 180, 5)]
    assert all(part.exterior.is_ccw for part in shape.geoms)


def test_a_box_that_ends_on_the_antimeridian_is_not_split(tmp_path: Path) -> None:
    scene = Scene(raster(tmp_path / "date.tif", "EPSG:4326", from_origin(170, 10, 0.1, 0.1)))
    box = np.array([[(90, 50), (100, 50), (100, 60), (90, 60)]], float)
    (shape,) = lonlat_polygons(scene, box)
    assert (shape.geom_type, shape.bounds) == ("Polygon", (179, 4, 180, 5))


def test_a_box_of_more_than_half_the_globe_goes_the_long_way(tmp_path: Path) -> None:
    scene = Scene(raster(tmp_path / "world.tif", "EPSG:4326", from_origin(-180, 90, 1, 1), 360, 180))
    (shape,) = lonlat_polygons(scene, np.array([[(10, 20), (350, 20), (350, 160), (10, 160)]], float))
    assert shape.geom_type == "Polygon"
    assert shape.bounds == (-170, -70, 170, 70)


def test_a_box_around_the_pole_reaches_the_pole(tmp_path: Path) -> None:
    # Antarctic polar stereographic, the pole at pixel (200, 150), 1 km pixels.
    scene = Scene(raster(tmp_path / "pole.tif", "EPSG:3031", from_origin(-200_000, 150_000, 1000, 1000)))
    (shape,) = lonlat_polygons(scene, np.array([[(190, 140), (210, 140), (210, 160), (190, 160)]], float))
    west, south, east, north = shape.bounds
    assert (west, south, east) == (-180, -90, 180)
    assert -90 < north < -89.8
    assert shape.is_valid


@pytest.mark.parametrize("turn", [0.3, 1.2, 2.0, 2.8])
def test_a_box_beside_the_pole_holds_what_it_holds_on_the_image(tmp_path: Path, turn: float) -> None:
    # The pole at pixel (200, 150); a box of 120 x 40 px whose long edge passes it at 6 px.
    scene = Scene(raster(tmp_path / "pole.tif", "EPSG:3413", from_origin(-200_000, 150_000, 1000, 1000)))
    corners = np.array([(-60, 6), (60, 6), (60, 46), (-60, 46)], float)
    axes = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    (shape,) = lonlat_polygons(scene, ((200, 150) + corners @ axes)[None])
    across, along = np.meshgrid(np.linspace(-75, 75, 31), np.linspace(-14, 66, 17))
    inside = (np.abs(across) < 60) & (along > 6) & (along < 46)
    clear = (np.abs(np.abs(across) - 60) > 1) & (np.abs(along - 6) > 1) & (np.abs(along - 46) > 1)
    points = scene.to_lonlat((200, 150) + np.stack([across, along], axis=-1)[clear] @ axes)
    assert shape.is_valid
    assert shapely.contains_xy(shape, points).tolist() == inside[clear].tolist()


def test_detections_across_the_antimeridian_of_a_real_scene(rasters: Path, tmp_path: Path) -> None:
    with Scene(rasters / "rio-tiler" / "cog_dateline.tif") as scene:
        middle = np.array([scene.width / 2, scene.height / 2])
        half = np.array([(-600, -200), (600, -200), (600, 200), (-600, 200)])
        write_detections(
            tmp_path / "a.geojson", scene, Detections((middle + half)[None], np.array([0]), CLASSES)
        )
    (feature,) = read_json(tmp_path / "a.geojson")["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.is_valid
    assert {(-180.0 in part.bounds, 180.0 in part.bounds) for part in shape.geoms} == {
        (True, False),
        (False, True),
    }
    # 1200 x 400 px of 100 m, within the distortion of UTM.
    assert feature["properties"]["area_m2"] == pytest.approx(1200 * 400 * 1e4, rel=0.005)


def test_area_in_degrees_agrees_with_the_closed_form_on_the_ellipsoid(tmp_path: Path) -> None:
    # At the equator 0.01 x 0.01 degree is 1113.195 m x 1105.743 m (WGS84).
    scene = Scene(raster(tmp_path / "degrees.tif", "EPSG:4326", from_origin(0, 0.005, 0.0001, 0.0001)))
    box = np.array([[(0, 0), (100, 0), (100, 100), (0, 100)]], float)
    write_detections(tmp_path / "a.geojson", scene, Detections(box, np.array([0]), CLASSES))
    (feature,) = read_json(tmp_path / "a.geojson")["features"]
    assert feature["properties"]["area_m2"] == pytest.approx(1113.195 * 1105.743, rel=1e-5)
    assert feature["properties"]["length_m"] == pytest.approx(1113.195, abs=0.01)


def test_boxes_off_the_earth_have_no_geometry_and_no_measures(rasters: Path, tmp_path: Path) -> None:
    with Scene(rasters / "rasterio" / "goes.tif") as scene:
        corner = np.array([[(0, 0), (20, 0), (20, 20), (0, 20)]], float)  # off the disc
        write_detections(tmp_path / "a.geojson", scene, Detections(corner, np.array([0]), CLASSES))
    (feature,) = read_json(tmp_path / "a.geojson")["features"]
    assert feature["geometry"] is None
    assert feature["properties"]["area_m2"] is None


# GeoPackage


def test_geopackage_is_in_the_scenes_crs_with_provenance_as_metadata(utm: Scene, tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    write_detections(path, utm, merged(utm), PROVENANCE)
    frame = read_layer(path)
    assert frame.crs.to_epsg() == 32632
    # (100, 100) px is 50 m east and south of the origin.
    assert frame.geometry[0].bounds == (500_050, 4_999_940, 500_070, 4_999_950)
    assert frame["class"].tolist() == ["ship", "small vehicle"]
    assert frame["tile"].tolist() == [0, 3]
    info = pyogrio.read_info(path, layer="detections")
    assert info["layer_metadata"]["model"] == "nano"
    assert json.loads(info["layer_metadata"]["tiles"]) == {"done": 4, "failed": []}


@pytest.mark.parametrize(
    ("name", "crs", "read"),
    [
        ("out.fgb", 32632, geopandas.read_file),
        ("out.parquet", 32632, geopandas.read_parquet),
        ("out.kml", 4326, geopandas.read_file),
    ],
)
def test_the_other_map_layers_hold_the_same_boxes(
    utm: Scene, tmp_path: Path, name: str, crs: int, read
) -> None:
    write_detections(tmp_path / name, utm, merged(utm), PROVENANCE)
    frame = read(tmp_path / name)
    assert frame.crs.to_epsg() == crs
    there = frame.to_crs(32632).sort_values("class")  # FlatGeobuf orders by place
    assert there["class"].tolist() == ["ship", "small vehicle"]
    assert there.geometry.iloc[0].bounds == pytest.approx((500_050, 4_999_940, 500_070, 4_999_950), abs=0.02)
    assert float(there["area_m2"].iloc[0]) == pytest.approx(200, rel=0.01)
    write_detections(tmp_path / name, utm, Detections.empty(("ship",)))
    assert len(read(tmp_path / name)) == 0


@pytest.mark.parametrize("name", ["out.gpkg", "out.fgb", "out.parquet"])
def test_a_layer_may_be_in_another_crs_than_the_scene(utm: Scene, tmp_path: Path, name: str) -> None:
    write_detections(tmp_path / name, utm, merged(utm), crs="EPSG:3035")
    frame = read_layer(tmp_path / name)
    assert frame.crs.to_epsg() == 3035
    ship = frame[frame["class"] == "ship"].to_crs(32632)
    assert ship.geometry.iloc[0].bounds == pytest.approx((500_050, 4_999_940, 500_070, 4_999_950), abs=0.01)


def test_a_crs_that_is_not_the_formats_to_choose_is_refused(utm: Scene, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="coordinate system of its own"):
        check_output(tmp_path / "out.geojson", utm, crs="EPSG:3035")
    with pytest.raises(OutputError, match="no coordinate reference system 'EPSG:99'"):
        check_output(tmp_path / "out.gpkg", utm, crs="EPSG:99")


def test_geopackage_of_a_scene_with_ground_control_points(rasters: Path, tmp_path: Path) -> None:
    with Scene(rasters / "rasterio" / "RGB.byte.gcp.vrt") as scene:
        write_detections(tmp_path / "out.gpkg", scene, detections())
        expected = shapely.polygons(scene.to_map(BOXES))
    frame = read_layer(tmp_path / "out.gpkg")
    assert shapely.equals_exact(
        shapely.normalize(frame.geometry.to_numpy()), shapely.normalize(expected), tolerance=1e-9
    ).all()


# COCO


def test_coco_is_read_by_pycocotools(utm: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    write_detections(tmp_path / "out.json", utm, merged(utm), PROVENANCE)
    coco = COCO(str(tmp_path / "out.json"))
    assert coco.dataset["info"] == PROVENANCE
    assert coco.loadImgs(1) == [{"id": 1, "file_name": "utm scene.tif", "width": 400, "height": 300}]
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["ship", "small vehicle"]
    ship, vehicle = coco.loadAnns(coco.getAnnIds())
    assert ship["segmentation"] == [[100, 100, 140, 100, 140, 120, 100, 120]]
    assert (ship["bbox"], ship["area"], ship["iscrowd"]) == ([100, 100, 40, 20], 800, 0)
    assert vehicle["category_id"] == 2
    # The turned square: bounds 292-306 and 200-214, sides of 10 px.
    assert (vehicle["bbox"], vehicle["area"]) == ([292, 200, 14, 14], 100)
    assert vehicle["area_m2"] == pytest.approx(25.02, abs=0.01)
    assert vehicle["tile"] == 3
    assert coco.annToMask(ship).sum() == 800


def test_coco_of_a_scene_without_a_place_has_pixels_only(plain: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "out.json", plain, detections())
    ship, _ = read_json(tmp_path / "out.json")["annotations"]
    assert set(ship) == {"id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd"}


# DOTA


def test_dota_labels_have_header_corners_class_and_difficulty(utm: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "out.txt", utm, detections())
    assert (tmp_path / "out.txt").read_text().splitlines() == [
        "imagesource:utm scene.tif",
        "gsd:0.5002",  # 0.5 m on the map at scale 0.9996
        "100 100 140 100 140 120 100 120 ship 0",
        "300 200 306 208 298 214 292 206 small-vehicle 0",
    ]


def test_dota_labels_of_a_scene_without_gsd_say_null(plain: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "out.txt", plain, detections())
    assert (tmp_path / "out.txt").read_text().splitlines()[1] == "gsd:null"


def test_dota_task1_is_a_file_for_each_class_with_scores(utm: Scene, tmp_path: Path) -> None:
    write_detections(tmp_path / "task1", utm, detections([0.25, 0.75]), PROVENANCE)
    assert sorted(p.name for p in (tmp_path / "task1").iterdir()) == [
        "Task1_ship.txt",
        "Task1_small-vehicle.txt",
        "provenance.json",
    ]
    assert (
        tmp_path / "task1" / "Task1_ship.txt"
    ).read_text() == "utm_scene 0.25 100 100 140 100 140 120 100 120\n"
    assert read_json(tmp_path / "task1" / "provenance.json") == {**PROVENANCE, "scores": "model"}


def test_dota_task1_invents_no_score(utm: Scene, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="Task1 demands scores and the model states none"):
        check_output(tmp_path / "task1", utm, scored=False)
    with pytest.raises(CannotWrite, match="Task1 demands scores"):
        write_detections(tmp_path / "task1", utm, detections())
    assert not (tmp_path / "task1").exists()


def test_dota_task1_with_a_constant_score_says_that_its_scores_mean_nothing(
    utm: Scene, tmp_path: Path
) -> None:
    write_detections(tmp_path / "task1", utm, detections(), constant_score=1)
    assert (tmp_path / "task1" / "Task1_ship.txt").read_text().split()[1] == "1"
    stated = read_json(tmp_path / "task1" / "provenance.json")["scores"]
    assert stated == "constant 1: the model states no confidence"


def test_class_names_cannot_leave_the_dota_folder(utm: Scene, tmp_path: Path) -> None:
    wild = Detections(BOXES, np.array([0, 1]), ("../ship", "a/b\\c d"))
    write_detections(tmp_path / "task1", utm, wild, constant_score=1)
    files = sorted(p.name for p in (tmp_path / "task1").glob("Task1*"))
    assert files == ["Task1_..-ship.txt", "Task1_a-b-c-d.txt"]


# Several scenes, and their tiles


@pytest.fixture
def other(tmp_path: Path) -> Scene:
    """The neighbouring zone: 0.5 m pixels on the central meridian of zone 33 (15 degrees east)."""
    return Scene(raster(tmp_path / "other.tif", "EPSG:32633", from_origin(500_000, 5_000_000, 0.5, 0.5)))


def tile(status: str = "failed") -> TileRecord:
    return TileRecord(0, Window(0, 0, 200, 200), status, "server gone", 0.5, 1, 64)


@pytest.mark.parametrize("name", ["all.gpkg", "all.fgb", "all.parquet", "all.geojson", "all.kml"])
def test_boxes_of_scenes_in_different_zones_are_one_layer(
    utm: Scene, other: Scene, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    results = [
        scene_result(path, utm, merged(utm), [tile()], name="a"),
        scene_result(path, other, detections(), [tile()], name="b"),
    ]
    write_results(path, results, PROVENANCE)
    table = read_layer(path).to_crs(4326)
    for key, scene in (("a", utm), ("b", other)):
        [ship] = table[(table["scene"] == key) & (table["class"] == "ship")].geometry
        expected = scene.to_lonlat(BOXES[0].mean(axis=0))
        assert (ship.centroid.x, ship.centroid.y) == pytest.approx(tuple(expected), abs=2e-7)
    if name == "all.gpkg":
        assert read_layer(path).crs.to_epsg() == 32632  # that of the first
        tiles = read_layer(path, "tiles").to_crs(32633)
        assert tiles["scene"].tolist() == ["a", "b"]
        assert tiles.geometry[1].bounds == pytest.approx((500_000, 4_999_900, 500_100, 5_000_000), abs=0.01)


def test_formats_in_pixels_hold_several_scenes_or_say_that_they_do_not(
    utm: Scene, plain: Scene, tmp_path: Path
) -> None:
    def results(name: str) -> list:
        return [
            scene_result(tmp_path / name, utm, merged(utm)),
            scene_result(tmp_path / name, plain, detections(), file_name="second.tif"),
        ]

    write_results(tmp_path / "all.json", results("all.json"), PROVENANCE)
    coco = read_json(tmp_path / "all.json")
    assert [image["file_name"] for image in coco["images"]] == ["utm scene.tif", "second.tif"]
    assert [row["image_id"] for row in coco["annotations"]] == [1, 1, 2, 2]
    assert ["area_m2" in row for row in coco["annotations"]] == [True, True, False, False]
    write_results(tmp_path / "task1", results("task1"), constant_score=1)
    lines = (tmp_path / "task1" / "Task1_ship.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["utm_scene", "second"]
    with pytest.raises(CannotWrite, match="DOTA labels are of one image"):
        write_results(tmp_path / "all.txt", results("all.txt"))


@pytest.mark.parametrize("name", ["t.gpkg", "t.fgb", "t.parquet", "t.geojson", "t.kml"])
def test_tiles_are_a_file_of_their_own_where_wanted(utm: Scene, tmp_path: Path, name: str) -> None:
    path = check_tile_output(tmp_path / name, utm)
    write_tiles(path, [scene_result(path, utm, detections(), [tile()])], PROVENANCE)
    table = read_layer(path, "tiles")
    assert table["status"].tolist() == ["failed"]
    assert table.to_crs(32632).geometry[0].bounds == pytest.approx(
        (500_000, 4_999_900, 500_100, 5_000_000), abs=0.02
    )
    assert "failed" in path.with_suffix(".qml").read_text()


def test_tiles_need_a_map(utm: Scene, plain: Scene, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"t\.json is no map layer; give tiles as \.geojson"):
        check_tile_output(tmp_path / "t.json", utm)
    with pytest.raises(NotGeoreferenced):
        check_tile_output(tmp_path / "t.gpkg", plain)
    # A CRS is for formats that leave it open; the others keep theirs.
    check_tile_output(tmp_path / "t.geojson", utm, crs="EPSG:3035")


def test_a_scene_that_has_no_way_to_the_crs_of_the_layer_is_refused(utm: Scene, tmp_path: Path) -> None:
    mars = raster(tmp_path / "mars.tif", "IAU_2015:49910", from_origin(0, 100, 1, 1))
    with Scene(mars) as scene, pytest.raises(NotGeoreferenced, match="no way from"):
        check_output(tmp_path / "out.gpkg", scene, crs="EPSG:32632")


# What is refused, and what a failure leaves


@pytest.mark.parametrize("name", ["out.geojson", "out.gpkg", "OUT.GPKG", "out.fgb", "out.parquet", "out.kml"])
def test_map_formats_are_refused_without_a_crs_naming_the_others(
    plain: Scene, tmp_path: Path, name: str
) -> None:
    with pytest.raises(NotGeoreferenced, match=r"no coordinate reference system.*\.json \(COCO\), \.txt"):
        write_detections(tmp_path / name, plain, detections())
    assert [p.name for p in tmp_path.iterdir()] == ["plain.tif"]


def test_another_planet_has_no_geojson_but_a_geopackage_with_its_own_areas(tmp_path: Path) -> None:
    # Equidistant cylindrical Mars, 1 m pixels at the equator: 40 x 20 px are 800 m2.
    mars = raster(tmp_path / "mars.tif", "IAU_2015:49910", from_origin(0, 100, 1, 1))
    with Scene(mars) as scene:
        with pytest.raises(NotGeoreferenced, match="no way from"):
            check_output(tmp_path / "out.geojson", scene)
        write_detections(tmp_path / "out.gpkg", scene, detections())
    assert read_layer(tmp_path / "out.gpkg")["area_m2"][0] == pytest.approx(800, rel=0.01)


def test_an_unknown_suffix_is_refused_naming_the_known_ones(utm: Scene, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"unknown suffix \.shp; choose \.geojson, \.gpkg"):
        check_output(tmp_path / "out.shp", utm)


def test_a_missing_folder_is_refused(utm: Scene, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none of output out\.json does not exist"):
        check_output(tmp_path / "none" / "out.json", utm)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file, so it cannot hold"):
        check_output(tmp_path / "file" / "out.json", utm)
    with pytest.raises(NotADirectoryError, match="choose another folder"):
        check_output(tmp_path / "file", utm)


@contextmanager
def disk_full_after(count: int) -> Iterator[None]:
    """The operating system refuses to let any file grow beyond some bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["out.geojson", "out.gpkg", "out.json", "out.txt"])
def test_a_full_disk_is_an_os_error_and_leaves_what_was_there(utm: Scene, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("before")
    many = Detections(np.repeat(BOXES, 200, axis=0), np.zeros(400, int), CLASSES)
    with disk_full_after(4096), pytest.raises(OSError):
        write_detections(path, utm, many)
    assert path.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["utm scene.tif", name])


def test_a_full_disk_leaves_no_dota_folder(utm: Scene, tmp_path: Path) -> None:
    many = Detections(np.repeat(BOXES, 200, axis=0), np.zeros(400, int), CLASSES)
    with disk_full_after(4096), pytest.raises(OSError):
        write_detections(tmp_path / "task1", utm, many, constant_score=1)
    assert [p.name for p in tmp_path.iterdir()] == ["utm scene.tif"]


def test_an_existing_file_is_replaced_and_nothing_else_appears(utm: Scene, tmp_path: Path) -> None:
    for _ in range(2):
        write_detections(tmp_path / "out.gpkg", utm, detections())
        write_detections(tmp_path / "task1", utm, detections(), constant_score=1)
    assert len(pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="detections")) == 2
    assert names(tmp_path) == ["out.gpkg", "out.qml", "task1", "utm scene.tif"]


def test_an_interrupted_write_leaves_no_destination(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atomic_path(tmp_path / "out.json") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
