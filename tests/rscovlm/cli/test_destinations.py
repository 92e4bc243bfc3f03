"""Where results go: one file for all scenes or one each, a layer of tiles, styles, and what is refused."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import TRUTH, find_squares, paint
from tests.rscovlm.scripted import write_raster
from zoom_chain.chat import Reply

COUNT = len(TRUTH)
COMMAND = ("detect", "--model", MODEL)


@pytest.fixture
def folder(tmp_path):
    """Where results go, apart from the scenes."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def two(tmp_path, scripted):
    """The same pixels in two zones, and a model that finds the squares in them."""
    scripted(find_squares)
    (tmp_path / "in").mkdir()
    return [
        paint(tmp_path / "in" / "a.tif", gsd_m=1.2),
        paint(tmp_path / "in" / "b.tif", gsd_m=1.2, crs="EPSG:32634"),
    ]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def truth_of(path):
    with rasterio.open(path) as dataset:
        boxes = [shapely.Polygon([dataset.transform @ tuple(point) for point in box]) for box in TRUTH]
        return geopandas.GeoSeries(boxes, crs=dataset.crs)


@pytest.mark.parametrize(("crs", "code"), [((), 32633), (("--crs", "EPSG:3035"), 3035)])
def test_one_layer_holds_the_objects_of_every_scene_at_their_places(run, two, folder, crs, code):
    done = run(*COMMAND, *two, "--output", folder / "all.gpkg", *crs)
    assert done.code == 0, done.err
    assert names(folder) == ["all.gpkg", "all.qml"]
    layer = geopandas.read_file(folder / "all.gpkg", layer="detections")
    assert layer.crs.to_epsg() == code
    for path in two:
        own = layer[layer["scene"] == path.stem]
        truth = truth_of(path)
        centres = own.to_crs(truth.crs).geometry.centroid
        assert len(own) == COUNT
        assert max(centres.distance(shape.centroid).min() for shape in truth) < 0.2


def test_a_scene_that_is_left_out_does_not_choose_the_crs(run, two, folder, tmp_path):
    coarse = paint(tmp_path / "in" / "0.tif", gsd_m=50, crs="EPSG:32640")
    assert run(*COMMAND, coarse, *two, "--output", folder / "all.gpkg", "--allow-failed").code == 0
    layer = geopandas.read_file(folder / "all.gpkg", layer="detections")
    assert layer.crs.to_epsg() == 32633
    assert set(layer["scene"]) == {"a", "b"}


def test_a_geopackage_has_the_tiles_as_its_second_layer(run, two, folder):
    assert run(*COMMAND, *two, "--output", folder / "all.gpkg").code == 0
    boxes, tiles = (geopandas.read_file(folder / "all.gpkg", layer=name) for name in ("detections", "tiles"))
    assert tiles.groupby("scene").size().to_dict() == {"a": 25, "b": 25}
    assert set(tiles["status"]) == {"examined"}
    # Boxes name the tile that they are from.
    counted = boxes.groupby(["scene", "tile"]).size().to_dict()
    given = {(row.scene, row.tile): row.boxes for row in tiles.itertuples() if row.boxes}
    assert counted == given
    # Tile 0 of a: 128 px of 1.2 m from the corner of the scene.
    assert tiles.geometry[0].bounds == pytest.approx((500_000, 5_000_000 - 153.6, 500_153.6, 5_000_000))


def test_a_pattern_gives_a_file_for_each_scene_in_its_own_crs(run, two, folder):
    done = run(
        *COMMAND,
        *two,
        *("--output", folder / "{name}.gpkg", "--overlay", folder / "{name}.png"),
        *("--tiles", folder / "{name}_tiles.fgb"),
    )
    assert done.code == 0, done.err
    suffixes = (".gpkg", ".png", ".qml", "_tiles.fgb", "_tiles.qml")
    assert names(folder) == sorted(f"{name}{suffix}" for name in "ab" for suffix in suffixes)
    codes = [geopandas.read_file(folder / f"{name}.gpkg", layer="detections").crs.to_epsg() for name in "ab"]
    assert codes == [32633, 32634]


def test_a_pattern_serves_a_single_scene_too(run, two, folder):
    assert run(*COMMAND, two[0], "--output", folder / "{name}.geojson").code == 0
    assert names(folder) == ["a.geojson", "a.qml"]
    found = json.loads((folder / "a.geojson").read_text())
    assert len(found["features"]) == COUNT
    assert "scene" not in found["features"][0]["properties"]


def test_scenes_of_one_name_have_files_of_their_own(run, two, folder, tmp_path):
    (tmp_path / "other").mkdir()
    again = paint(tmp_path / "other" / "a.tif", gsd_m=1.2)
    assert run(*COMMAND, two[0], again, "--output", folder / "{name}.json").code == 0
    assert names(folder) == ["in_a.json", "other_a.json"]
    assert run(*COMMAND, two[0], again, "--output", folder / "all.json").code == 0
    images = json.loads((folder / "all.json").read_text())["images"]
    assert [image["file_name"] for image in images] == ["in_a.tif", "other_a.tif"]


def test_tiles_that_failed_were_skipped_or_lie_outside_are_in_the_layer(run, scripted, folder, tmp_path):
    pixels = np.full((3, 256, 512), 50, dtype=np.uint8)
    pixels[:, :, 256:] = 0
    scene = write_raster(tmp_path / "half.tif", pixels=pixels, gsd_m=1.2, nodata=0)
    # All but the tile in the upper left corner, and a metre around it.
    west, north, side = 500_000.0, 5_000_000.0, 128 * 1.2
    whole = shapely.box(west, north - 2 * side, west + 4 * side, north)
    corner = shapely.box(west, north - side, west + side, north)
    area = tmp_path / "area.gpkg"
    geopandas.GeoSeries([whole.difference(corner.buffer(1))], crs=32633).to_frame("geometry").to_file(area)
    calls = iter(range(9))
    scripted(lambda _: Reply("", "error", error="gone") if next(calls) == 0 else "There are none.")
    tiles = folder / "tiles.geojson"
    done = run(*COMMAND, scene, "--overlap", 0, "--area", area, "--tiles", tiles)
    assert done.code == 1
    rows = [feature["properties"] for feature in json.loads(tiles.read_text())["features"]]
    assert [(row["tile"], row["status"], row["reason"]) for row in rows] == [
        (0, "outside", "outside the area"),
        (1, "failed", "gone"),
        (2, "skipped", "no valid pixel"),
        (3, "skipped", "no valid pixel"),
        (4, "examined", None),
        (5, "examined", None),
        (6, "skipped", "no valid pixel"),
        (7, "skipped", "no valid pixel"),
    ]
    style = ElementTree.parse(folder / "tiles.qml").getroot()
    values = {category.get("value") for category in style.iterfind("renderer-v2/categories/category")}
    assert {row["status"] for row in rows} <= values


def test_a_style_of_our_own_is_replaced_and_one_of_the_users_is_kept(run, two, folder):
    assert run(*COMMAND, two[0], "--output", folder / "a.gpkg").code == 0
    assert run(*COMMAND, two[0], "--output", folder / "a.geojson").code == 0
    (folder / "a.qml").write_text("<qgis>mine</qgis>")
    done = run(*COMMAND, two[0], "--output", folder / "a.fgb")
    assert done.code == 2
    assert "the style of --output" in done.err
    assert "a.qml exists; add --overwrite" in done.err
    assert (folder / "a.qml").read_text() == "<qgis>mine</qgis>"
    assert names(folder) == ["a.geojson", "a.gpkg", "a.qml"]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--overlay", "o.png"), "give one for each: {name}.png"),
        (("--output", "o.txt"), "give a file for each: {name}.txt"),
        (("--output", "o"), "for a map layer of each scene give o/{name}.gpkg"),
        (("--crs", "EPSG:3035"), "--crs is that of the --output"),
        (("--tiles", "o.json"), "o.json is no map layer"),
        (("--output", "o.gpkg", "--tiles", "o.fgb"), "are both"),
        (("--output", "{name}.gpkg", "--tiles", "{name}.gpkg"), "are both"),
        (("--output", "missing/{name}.gpkg"), "does not exist"),
        (("--overlay", "{name}.tif"), "is what is read"),
    ],
)
def test_what_cannot_be_written_for_several_scenes_is_refused(run, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "b.tif"):
        paint(tmp_path / name, gsd_m=1.2)
    done = run(*COMMAND, "a.tif", "b.tif", *options)
    assert (done.code, done.out) == (2, "")
    assert words in done.err.splitlines()[-1]
    assert names(tmp_path) == ["a.tif", "b.tif"]


@pytest.mark.parametrize("existing", ["b.gpkg", "b.qml", "b.png"])
def test_an_output_of_any_scene_that_exists_is_kept_unless_told(run, two, folder, existing):
    (folder / existing).write_text("kept")
    command = (*COMMAND, *two, "--output", folder / "{name}.gpkg", "--overlay", folder / "{name}.png")
    done = run(*command)
    assert done.code == 2
    assert f"of b {folder / existing} exists; add --overwrite" in done.err
    assert names(folder) == [existing]
    assert run(*command, "--overwrite").code == 0
    assert (folder / existing).read_bytes() != b"kept"


def test_a_list_of_scenes_is_an_input(run, two, folder):
    scenes = folder / "list.txt"
    scenes.write_text("\n".join(map(str, two)))
    done = run(*COMMAND, f"@{scenes}", "--output", scenes, "--overwrite", "--score", 1)
    assert done.code == 2
    assert run(*COMMAND, f"@{scenes}", "--output", folder / "all.fgb").code == 0
    assert set(geopandas.read_file(folder / "all.fgb")["scene"]) == {"a", "b"}


def test_dota_task1_holds_the_boxes_of_all_scenes(run, two, folder):
    assert run(*COMMAND, *two, "--output", folder, "--score", 1).code == 0
    lines = (folder / "Task1_ship.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["a"] * COUNT + ["b"] * COUNT
