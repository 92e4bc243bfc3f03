"""Classes by the codes of a raster: read as stored, named by the file, wherever its grid lies."""

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiling.thematic_raster
from tests.places import from_origin
from tiling.errors import NotGeoreferenced, ThematicMapError
from tiling.scene import Scene
from tiling.thematic_raster import ThematicRaster

UTM = "EPSG:32633"
PLACE = {"crs": UTM, "transform": from_origin(500_000, 5_000_000, 10, 10)}
COARSE = {"crs": UTM, "transform": from_origin(500_000, 5_000_000, 100, 100)}
CODES = np.array([[[1, 1, 2], [20, 2, 2], [0, 20, 1]]], np.uint8)
"""100 m each, on 30 x 30 px of 10 m."""
KNOWN = {"forest", "crops"}

TABLE = """<PAMDataset><PAMRasterBand band="1">{categories}<GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<FieldDefn index="2"><Name>Biome</Name><Type>2</Type><Usage>0</Usage></FieldDefn>
<Row index="0"><F>1</F><F>{first}</F><F>{biome}</F></Row>
<Row index="1"><F>20</F><F>crops</F><F>steppe</F></Row>
</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""
CATEGORIES = "<CategoryNames><Category/><Category>forest</Category><Category>lake</Category></CategoryNames>"


@pytest.fixture
def scene(make_raster):
    with Scene(make_raster(np.zeros((1, 30, 30), np.uint8), **PLACE)) as scene:
        yield scene


def centres(size: int = 3, side: float = 10.0) -> np.ndarray:
    """(9, 2) the middles of the coarse pixels, row by row."""
    x, y = np.meshgrid(*[(np.arange(size) + 0.5) * side] * 2)
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def opened(path, scene, known=KNOWN, column=None, **renamed) -> ThematicRaster:
    return ThematicRaster(str(path), scene, known, column, renamed)


def test_codes_are_names_where_nothing_else_says_so(make_raster, scene):
    path = make_raster(CODES.astype(np.float32), "codes.tif", nodata=0, **COARSE)
    found = opened(path, scene, {"20"}).names_at(scene, centres())
    assert found == ["1", "1", "2", "20", "2", "2", "", "20", "1"]


def test_a_table_names_codes_and_others_stand_for_themselves(make_raster, scene):
    path = make_raster(CODES, "codes.tif", nodata=0, **COARSE)
    found = ThematicRaster(str(path), scene, KNOWN, None, {"1": "forest", "20": "crops"})
    assert found.names_at(scene, centres()) == [
        *("forest", "forest", "2"),
        *("crops", "2", "2"),
        *("", "crops", "forest"),
    ]


def test_colours_of_a_palette_do_not_stand_for_its_codes(make_raster, scene):
    path = make_raster(CODES, "codes.tif", **COARSE)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (0, 0, 0, 0), 1: (9, 9, 9, 255), 20: (200, 0, 0, 255)})
    assert opened(path, scene).names_at(scene, centres())[:4] == ["1", "1", "2", "20"]


def write_table(path, categories="", first="forest", biome="tropics"):
    text = TABLE.format(categories=categories, first=first, biome=biome)
    path.with_name(f"{path.name}.aux.xml").write_text(text)


def test_names_come_from_the_categories_or_the_table_of_the_file(make_raster, scene):
    path = make_raster(CODES, "codes.tif", **COARSE)
    write_table(path)
    assert opened(path, scene).names_at(scene, centres())[:4] == ["forest", "forest", "2", "crops"]
    assert opened(path, scene, {"steppe"}).names_at(scene, centres())[:4] == ["tropics"] * 2 + ["2", "steppe"]
    write_table(path, CATEGORIES, first="wood")
    assert opened(path, scene, {"lake"}).names_at(scene, centres())[:4] == ["forest"] * 2 + ["lake", "20"]
    assert opened(path, scene, {"20"}).names_at(scene, centres())[:4] == ["1", "1", "2", "20"]
    assert opened(path, scene, {"20"}, "codes").names_at(scene, centres())[3] == "20"
    assert opened(path, scene, {"steppe"}, "Biome").names_at(scene, centres())[3] == "steppe"


@pytest.mark.parametrize(
    ("known", "column", "words"),
    [
        ({"forest"}, None, "columns category names, Class of .* hold known names; say which one by"),
        ({"ice"}, None, "holds none of the names ice; its columns are category names: forest, lake; Class"),
        ({"forest"}, "Height", "has no column 'Height'; it has category names, Class, Biome"),
    ],
)
def test_names_that_cannot_be_told_are_one_clear_line(make_raster, scene, known, column, words):
    path = make_raster(CODES, "codes.tif", **COARSE)
    write_table(path, CATEGORIES)
    with pytest.raises(ThematicMapError, match=words):
        opened(path, scene, known, column)


def test_places_outside_have_no_class(make_raster, scene):
    """The map covers the left upper 2 x 2 of the scene's 3 x 3."""
    path = make_raster(CODES[:, :2, :2], "codes.tif", **COARSE)
    found = opened(path, scene).names_at(scene, centres())
    assert found == ["1", "1", "", "20", "2", "", "", "", ""]
    assert opened(path, scene).names_at(scene, np.array([[-1.0, 5.0], [1e30, 1e30]])) == ["", ""]


def test_another_crs_has_the_same_classes(make_raster, scene):
    """Degrees: class 1 west of the middle of the scene, 2 east of it."""
    (west, north), (east, south) = scene.to_lonlat([(0, 0), (30, 30)])
    across, down = (east - west) / 40, (north - south) / 40
    corner = from_origin(west - 10 * across, north + 10 * down, across, down)
    codes = np.where(np.arange(60) < 30, 1, 2)[None, None].repeat(60, axis=1).astype(np.int16)
    path = make_raster(codes, "degrees.tif", crs="EPSG:4326", transform=corner)
    at = [(x, y) for y in (3.0, 15.0, 27.0) for x in (3.0, 14.0, 16.0, 27.0)]
    assert opened(path, scene, {"1"}).names_at(scene, np.array(at)) == ["1", "1", "2", "2"] * 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.integers(1, 400), st.lists(st.tuples(st.floats(0, 29.9), st.floats(0, 29.9)), max_size=40))
def test_places_that_are_read_in_parts_have_the_same_classes(make_raster, scene, most, points):
    rng = np.random.default_rng(5)
    fine = rng.integers(0, 9, (1, 60, 60)).astype(np.uint8)
    place = {"crs": UTM, "transform": from_origin(500_000, 5_000_000, 5, 5)}
    found = opened(make_raster(fine, "fine.tif", **place), scene, {"1"})
    at = np.array(points).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiling.thematic_raster, "MOST_READ", most)
        names = found.names_at(scene, at)
    assert names == [str(fine[0, int(y * 2), int(x * 2)]) for x, y in at]


@pytest.mark.parametrize(
    ("pixels", "place", "words"),
    [
        (CODES, {}, "states no coordinate reference system, so its place is unknown"),
        (CODES, {"transform": COARSE["transform"]}, "states no coordinate reference system"),
        (CODES.repeat(3, axis=0), COARSE, "has 3 bands; a map of classes has one"),
        (CODES, {"crs": UTM, "transform": from_origin(700_000, 5_000_000, 9, 9)}, "does not overlap"),
    ],
)
def test_a_raster_that_is_no_map_of_the_place_is_one_clear_line(make_raster, scene, pixels, place, words):
    with pytest.raises(ThematicMapError, match=words):
        opened(make_raster(pixels, "codes.tif", **place), scene)


def test_a_scene_without_a_place_has_no_classes(make_raster):
    path = make_raster(CODES, "codes.tif", **COARSE)
    plain = make_raster(np.zeros((1, 30, 30), np.uint8), "plain.tif")
    with Scene(plain) as scene, pytest.raises(NotGeoreferenced, match="has no georeference"):
        opened(path, scene)
    unknown = make_raster(np.zeros((1, 30, 30), np.uint8), "crsless.tif", transform=PLACE["transform"])
    with Scene(unknown) as scene, pytest.raises(NotGeoreferenced, match="states no coordinate reference"):
        opened(path, scene)


def test_a_table_that_changes_makes_another_map(make_raster, scene):
    path = make_raster(CODES, "codes.tif", **COARSE)
    write_table(path)
    first = opened(path, scene).identity
    assert first == opened(path, scene).identity
    write_table(path, first="Forest")
    assert first != opened(path, scene).identity
