"""Classes by polygons: by a column of the first that holds a place, wherever the file's own CRS puts it."""

import geopandas
import numpy as np
import pytest
import shapely

from tests.places import from_origin
from tiling.errors import ThematicMapError
from tiling.scene import Scene
from tiling.thematic_shapes import ThematicShapes, is_vector

UTM = "EPSG:32633"
KNOWN = {"forest", "crops"}


@pytest.fixture
def scene(make_raster):
    """60 x 60 px of 10 m."""
    place = {"crs": UTM, "transform": from_origin(500_000, 5_000_000, 10, 10)}
    with Scene(make_raster(np.zeros((1, 60, 60), np.uint8), **place)) as scene:
        yield scene


def square(x: float, y: float, side: float) -> shapely.Polygon:
    """Of scene pixels, on the map."""
    left, top = 500_000 + 10 * x, 5_000_000 - 10 * y
    return shapely.box(left, top - 10 * side, left + 10 * side, top)


def areas(**columns) -> geopandas.GeoDataFrame:
    """The left upper quarter, the right upper one, and all of the upper half below both."""
    shapes = [square(0, 0, 30), square(30, 0, 30), shapely.box(500_000, 4_999_700, 500_600, 5_000_000)]
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=UTM)


def opened(path, scene, known=KNOWN, column=None, **renamed) -> ThematicShapes:
    return ThematicShapes(str(path), scene, known, column, renamed)


AT = np.array([[10.0, 10.0], [45.0, 10.0], [30.5, 29.5], [10.0, 40.0], [30.0, 10.0]])


@pytest.mark.parametrize("name", ["areas.gpkg", "areas.geojson", "areas.shp"])
@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:3857"])
def test_a_place_has_the_class_of_the_first_polygon_that_holds_it(scene, tmp_path, name, crs):
    frame = areas(kind=["forest", "lake", "crops"], size=[1, 2, 3]).to_crs(crs)
    path = tmp_path / name
    frame.to_file(path)
    found = opened(path, scene).names_at(scene, AT)
    assert found == ["forest", "lake", "lake", "", "forest"]
    assert opened(path, scene).names_at(scene, AT[:0]) == []


def test_codes_are_names_too_and_places_without_one_have_none(scene, tmp_path):
    path = tmp_path / "areas.gpkg"
    areas(code=[20.0, np.nan, 30.0]).to_file(path)
    assert opened(path, scene, {"20"}).names_at(scene, AT)[:2] == ["20", ""]
    found = ThematicShapes(str(path), scene, KNOWN, None, {"20": "forest", "30": "crops"})
    assert found.names_at(scene, AT)[:2] == ["forest", ""]


def test_a_layer_is_named_where_there_are_several(scene, tmp_path):
    path = tmp_path / "areas.gpkg"
    areas(kind=["forest", "lake", "crops"]).to_file(path, layer="covers")
    areas(kind=["tropics"] * 3).to_file(path, layer="biomes")
    assert opened(path, scene).names_at(scene, AT)[0] == "forest"
    assert opened(path, scene, {"tropics"}, "biomes/kind").names_at(scene, AT)[0] == "tropics"


WOODS = areas(kind=["forest"] * 3)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(
    ("frame", "column", "words"),
    [
        (WOODS.assign(other="crops"), None, "columns kind, other of .* hold known names"),
        (
            WOODS.assign(kind="lake"),
            None,
            "holds none of the names crops, forest; its columns are kind: lake",
        ),
        (WOODS, "class", "has no column 'class'; it has kind"),
        (WOODS.set_crs(None, allow_override=True), None, "states no coordinate reference system"),
        (WOODS.set_geometry(WOODS.translate(9e4)), None, "does not overlap"),
        (WOODS.set_geometry(WOODS.centroid), None, "holds no polygons"),
    ],
)
def test_a_file_that_is_no_map_of_the_place_is_one_clear_line(scene, tmp_path, frame, column, words):
    path = tmp_path / "areas.gpkg"
    frame.to_file(path)
    with pytest.raises(ThematicMapError, match=words) as raised:
        opened(path, scene, column=column)
    assert "\n" not in str(raised.value)


def test_another_column_or_content_makes_another_map(scene, tmp_path):
    path = tmp_path / "areas.shp"
    areas(kind=["forest"] * 3, other=["crops"] * 3).to_file(path)
    first = opened(path, scene, column="kind").identity
    assert first == opened(path, scene, column="kind").identity
    assert first != opened(path, scene, column="other").identity
    areas(kind=["forest", "lake", "forest"], other=["crops"] * 3).to_file(path)
    assert first != opened(path, scene, column="kind").identity, "names lie in the table beside the shapes"


def test_files_of_shapes_are_told_from_others(tmp_path):
    (tmp_path / "words.txt").write_text("no shapes")
    areas(kind=["forest"] * 3).to_file(tmp_path / "areas.geojson")
    assert is_vector(str(tmp_path / "areas.geojson"))
    assert not is_vector(str(tmp_path / "words.txt"))
