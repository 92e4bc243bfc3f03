"""Ground sampling distances: measured, stated, looked up, or unknown."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from tests.places import unplaced
from tiling.gsd import ANYTHING, Range, gsd_of_view, range_of_scene, resolve_gsd
from tiling.overrides import Overrides
from tiling.scene import Scene
from tiling.view import Size, View, Window


@pytest.fixture
def write(tmp_path):
    """Write a grey file of 100 x 60 px and open it."""
    opened = []

    def made(name="scene.tif", tags=None, gcps=None, overrides=None, **profile):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        driver = {".png": "PNG", ".jp2": "JP2OpenJPEG"}.get(path.suffix, "GTiff")
        settings = {"driver": driver, "width": 100, "height": 60, "count": 1, "dtype": "uint8"}
        with unplaced(), rasterio.open(path, "w", **settings, **profile) as file:
            file.write(np.full((1, 60, 100), 7, np.uint8))
            file.update_tags(**(tags or {}))
            if gcps:
                file.gcps = gcps
        opened.append(Scene(path, **({"overrides": overrides} if overrides else {})))
        return opened[-1]

    yield made
    for scene in opened:
        scene.close()


DEGREES = Affine(1e-4, 0, 10, 0, -1e-4, 60.003)
MERCATOR = Affine(0.597, 0, 1113195, 0, -0.597, 8399738 + 18)


@pytest.mark.parametrize(
    ("crs", "transform", "x_m", "y_m"),
    [
        ("EPSG:32632", Affine(10, 0, 500000, 0, -10, 5000000), 10.004, 10.004),
        ("EPSG:4326", DEGREES, 5.580, 11.141),
        ("EPSG:3857", MERCATOR, 0.2997, 0.2992),
        ("EPSG:2263", Affine(1, 0, 980000, 0, -1, 200000), 0.3048, 0.3048),
        ("EPSG:32632", Affine(0.5, 0, 500000, 0, -0.5, 5000000) @ Affine.rotation(30), 0.5002, 0.5002),
        ("EPSG:32632", Affine(10, 0, 500000, 0, -20, 5000000), 10.004, 20.008),
    ],
    ids=["utm", "degrees at 60 north", "mercator at 60 north", "feet", "rotated", "oblong"],
)
def test_pixels_are_measured_on_the_ellipsoid_whatever_their_unit(write, crs, transform, x_m, y_m):
    found = resolve_gsd(write(crs=crs, transform=transform))
    assert found.source == "transform"
    assert (found.x_m, found.y_m) == (pytest.approx(x_m, rel=2e-3), pytest.approx(y_m, rel=2e-3))
    assert found.metres == pytest.approx(math.sqrt(x_m * y_m), rel=2e-3)
    assert found.interval.low <= found.metres <= found.interval.high <= 1.01 * found.interval.low
    assert len(found.corners) == 4


def test_corners_differ_where_the_scale_does(write):
    found = resolve_gsd(write(crs="EPSG:4326", transform=Affine(0.2, 0, 10, 0, -0.2, 72)))
    top, bottom = found.corners[0], found.corners[2]
    assert top == pytest.approx(
        bottom * math.sqrt(math.cos(math.radians(71.9)) / math.cos(math.radians(60.1))), rel=0.01
    )
    assert found.interval == (pytest.approx(top), pytest.approx(bottom))


def test_dots_per_inch_are_no_ground_sampling_distance(write):
    found = resolve_gsd(
        write(tags={"TIFFTAG_XRESOLUTION": "72", "TIFFTAG_RESOLUTIONUNIT": "2 (pixels/inch)"})
    )
    assert (found.metres, found.source, found.interval) == (None, "unknown", ANYTHING)


def test_ground_control_points_are_measured_with_some_slack(write):
    corners = [(0, 0), (0, 100), (60, 0), (60, 100)]
    points = [GroundControlPoint(r, c, 500000 + 2 * c, 5000000 - 2 * r) for r, c in corners]
    found = resolve_gsd(write(gcps=(points, rasterio.CRS.from_epsg(32632))))
    assert found.source == "gcp"
    assert found.metres == pytest.approx(2, rel=2e-3)
    assert found.interval == (pytest.approx(1.9, rel=5e-3), pytest.approx(2.1, rel=5e-3))


@pytest.mark.parametrize(
    ("name", "value", "metres"),
    [
        ("meanProductGSD", "0.513", 0.513),
        ("IMAGE_1.meanCollectedGSD", "0.5 m", 0.5),
        ("GSD", "1.5e-1", 0.15),
        ("ground_sampling_distance", "3 metres", 3),
        ("GSD", "about one", None),
        ("GSD", "0", None),
        ("GSD", "1e9", None),
        ("PIXELTYPE_GSDX", "3", None),
    ],
)
def test_metadata_may_state_it(write, name, value, metres):
    found = resolve_gsd(write(tags={name: value}))
    assert found.metres == metres
    assert found.source == ("unknown" if metres is None else "tag")


@pytest.mark.parametrize("place", ["images/P0001.txt", "labelTxt/P0001.txt"])
def test_labels_of_dota_may_state_it(write, tmp_path, place):
    labels = tmp_path / place
    labels.parent.mkdir(exist_ok=True)
    labels.write_text("imagesource:GoogleEarth\ngsd:0.146343590398\n1 2 3 4 5 6 7 8 plane 0\n")
    found = resolve_gsd(write("images/P0001.png"))
    assert found.metres == pytest.approx(0.146343590398)
    assert found.detail == "gsd: in P0001.txt"
    labels.write_text("imagesource:GoogleEarth\ngsd:null\n")
    assert resolve_gsd(write("images/P0001.png")).source == "unknown"


@pytest.mark.parametrize(
    ("name", "tags", "interval"),
    [
        ("T32UNF_20240101T102421_B02_10m.tif", {"MISSION": "Sentinel-2A"}, (10, 10)),
        ("S2B_MSIL2A_20240101T102421.tif", {}, (10, 60)),
        ("LC08_L1TP_193024.tif", {}, (15, 30)),
        ("N40W122_20_sl_HH_F02DAR.tif", {}, (25, 25)),
        ("m_3807708_ne_18_1.tif", {}, (0.6, 1.0)),
        ("photo.tif", {"NOTE": "seen by Landsat 8"}, (15, 30)),
        ("images2a_msion.tif", {}, None),
    ],
)
def test_a_sensor_is_known_by_metadata_or_the_name_of_its_files(write, name, tags, interval):
    found = resolve_gsd(write(name, tags=tags))
    assert found.source == ("unknown" if interval is None else "sensor table")
    assert found.interval == (ANYTHING if interval is None else interval)
    if interval is not None:
        assert found.metres == pytest.approx(math.sqrt(interval[0] * interval[1]))


def test_a_data_set_counts_where_nothing_else_does(write):
    assert resolve_gsd(write("a.png"), dataset="rsvqa-hr").metres == 0.15
    assert resolve_gsd(write("a.png"), dataset="RSVQA-LR").source == "dataset default"
    assert resolve_gsd(write("a.png"), dataset="another").source == "unknown"
    placed = write(crs="EPSG:32632", transform=Affine(10, 0, 500000, 0, -10, 5000000))
    assert resolve_gsd(placed, dataset="rsvqa-hr").source == "transform"


def test_an_estimate_counts_last_and_only_if_it_is_narrow(write):
    scene = write("a.png")
    assert resolve_gsd(scene, predicted=Range(0.5, 2.0)).metres == pytest.approx(1)
    assert resolve_gsd(scene, predicted=Range(0.5, 2.0)).source == "predicted"
    assert resolve_gsd(scene, predicted=Range(0.1, 20.0)).source == "unknown"
    assert resolve_gsd(scene, predicted=Range(0.1, 20.0), widest=1000).source == "predicted"


def test_the_users_word_counts_first(write):
    scene = write(
        crs="EPSG:32632",
        transform=Affine(10, 0, 500000, 0, -10, 5000000),
        overrides=Overrides(gsd_m=0.5),
    )
    assert resolve_gsd(scene).source == "stated"
    assert resolve_gsd(scene).interval == (0.5, 0.5)


def test_a_file_that_is_gone_is_no_error(write, tmp_path):
    scene = write("a.png")
    scene.close()
    (tmp_path / "a.png").unlink()
    assert resolve_gsd(scene).source == "unknown"


def test_it_follows_the_view(write):
    scene = write(crs="EPSG:32632", transform=Affine(10, 0, 500000, 0, -10, 5000000))
    gsd = resolve_gsd(scene)
    halved = gsd_of_view(scene, View(Window(0, 0, 100, 60), Size(30, 50)), gsd)
    assert halved.metres == pytest.approx(2 * gsd.metres, rel=1e-3)
    assert halved.source == "transform"
    crop = gsd_of_view(scene, View(Window(20, 20, 20, 20), Size(40, 40)), gsd)
    assert crop.metres == pytest.approx(gsd.metres / 2, rel=1e-3)
    unknown = resolve_gsd(write("a.png"))
    assert gsd_of_view(scene, View(Window(0, 0, 100, 60), Size(30, 50)), unknown).source == "unknown"


def test_a_view_of_a_large_scene_has_the_scale_of_its_own_place(write):
    scene = write(crs="EPSG:4326", transform=Affine(0.2, 0, 10, 0, -0.2, 72))
    gsd = resolve_gsd(scene)
    north = gsd_of_view(scene, View(Window(0, 0, 100, 4), Size(4, 100)), gsd)
    south = gsd_of_view(scene, View(Window(0, 56, 100, 4), Size(4, 100)), gsd)
    assert north.metres < gsd.metres < south.metres
    assert north.interval.low <= north.metres


def test_a_view_scales_each_side_by_its_own_reduction(write):
    scene = write(crs="EPSG:32632", transform=Affine(10, 0, 500000, 0, -20, 5000000))
    found = gsd_of_view(scene, View(Window(0, 0, 80, 40), Size(40, 10)), resolve_gsd(scene))
    # 80 px in 10 along x, 40 px in 40 along y.
    assert (found.x_m, found.y_m) == (pytest.approx(8 * 10.004, rel=1e-3), pytest.approx(20.008, rel=1e-3))
    assert found.metres == pytest.approx(math.sqrt(found.x_m * found.y_m), rel=1e-3)
    assert found.to_json()["xy_m"] == {"x": found.x_m, "y": found.y_m}


def test_what_is_estimated_of_a_view_becomes_that_of_its_scene_and_back(write):
    scene, view = write(), View(Window(0, 0, 100, 60), Size(30, 50))
    found = resolve_gsd(scene, predicted=range_of_scene(Range(1.0, 1.44), view))
    assert (found.source, found.metres) == ("predicted", pytest.approx(0.6))
    assert gsd_of_view(scene, view, found).metres == pytest.approx(1.2)
