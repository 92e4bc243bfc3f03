"""A map of classes is opened as a raster or as polygons, whichever the file is."""

import json

import numpy as np
import pytest

from tests.places import from_origin
from tiling.errors import EmptyScene, SceneNotFound, SceneUnreadable
from tiling.scene import Scene
from tiling.thematic import open_thematic
from tiling.thematic_raster import ThematicRaster
from tiling.thematic_shapes import ThematicShapes

PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, 10, 10)}


@pytest.fixture
def scene(make_raster):
    with Scene(make_raster(np.zeros((1, 60, 60), np.uint8), **PLACE)) as scene:
        yield scene


def test_the_kind_of_a_file_is_its_own(make_raster, scene, tmp_path):
    codes = make_raster(np.full((1, 60, 60), 7, np.uint8), "codes.tif", **PLACE)
    assert isinstance(open_thematic(str(codes), scene, {"7"}), ThematicRaster)
    square = [[14.9, 44], [15.1, 44], [15.1, 46], [14.9, 46], [14.9, 44]]
    shape = {"type": "Polygon", "coordinates": [square]}
    feature = {"type": "Feature", "properties": {"class": "wood"}, "geometry": shape}
    shapes = tmp_path / "areas.geojson"
    shapes.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    found = open_thematic(str(shapes), scene, {"forest"}, renamed={"wood": "forest"})
    assert isinstance(found, ThematicShapes)
    assert found.names_at(scene, np.array([[30.0, 30.0]])) == ["forest"]


@pytest.mark.parametrize(
    ("content", "kind"), [(None, SceneNotFound), (b"", EmptyScene), (b"words", SceneUnreadable)]
)
def test_what_is_neither_is_one_clear_line(scene, tmp_path, content, kind):
    path = tmp_path / "regions.gpkg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind, match=r"regions\.gpkg (does not exist|is empty|cannot be read)") as raised:
        open_thematic(str(path), scene, {"forest"})
    assert "\n" not in str(raised.value)
