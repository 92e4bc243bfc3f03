"""``--region`` of ``rscovlm regress``: a name, or a map of regions."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from rscovlm.models.inputs import write_inputs
from rscovlm.models.regions import Regions
from tests.places import from_origin
from tests.rscovlm.regression import INPUTS, REGIONS, Reader, checkpoint, map_checkpoint, plateau, scene
from tests.rscovlm.scripted import write_raster


@pytest.fixture
def engine(monkeypatch):
    """A reader of pixels behind any checkpoint, which keeps the mean of each patch's region."""
    reader = Reader()
    reader.means = []
    estimate = reader.estimate

    def listening(conversations, targets, numbers=None):
        reader.means.extend(each["region_mean/agb_mg_per_ha"] for each in numbers or [])
        return estimate(conversations, targets, numbers)

    reader.estimate = listening
    monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: reader)
    return reader


@pytest.fixture
def model(tmp_path):
    return checkpoint(tmp_path / "model", INPUTS.model_copy(update={"regions": REGIONS}))


def codes(path, values: list[list[int]], **profile):
    """A code for each square of 250 m, which is a patch, from the corner of ``scene``."""
    pixels = np.array([values], np.uint8)
    return write_raster(path, pixels=pixels, gsd_m=250.0, **profile)


def tags(path) -> dict[str, str]:
    with rasterio.open(path) as dataset:
        return dataset.tags()


def test_each_cell_takes_the_region_of_its_middle(run, engine, model, tmp_path):
    """40 is cropland in CGLS-LC100, which the model knows under no such name; the table says crops."""
    land = codes(tmp_path / "land.tif", [[40, 7, 112], [7, 255, 40]], nodata=255)
    names = tmp_path / "names.csv"
    names.write_text("value,name\n40,crops\n7,forest\n112,ice\n")
    values, green = plateau(3, 4)
    path, out = scene(tmp_path / "s.tif", green), tmp_path / "agb.tif"
    stated = ("--region", land, "--region-names", names)
    done = run("regress", path, "--model", model, "--output", out, *stated)
    assert (done.code, done.out) == (0, "")
    crops, forest, every = 6.0, 200.0, 103.0
    assert engine.means == [crops, forest, every, every, forest, every, crops, every, *[every] * 4]
    assert tags(out)["region"] == "crops 2, forest 2, all training plots 8 (no region 7, ice 1)"
    assert tags(out)["region_map"] == "land.tif"
    assert (
        "8 of 12 patches lie in no region (cover) that the model knows (no region 7, ice 1); the mean and "
        "deviation of all training plots count for them; its regions (cover) are crops, forest"
    ) in done.err
    with rasterio.open(out) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)


def test_codes_of_land_cover_are_those_of_the_copernicus_map(run, engine, tmp_path):
    covers = json.loads(REGIONS.model_dump_json().replace('"crops"', '"cropland"'))
    inputs = INPUTS.model_copy(update={"regions": type(REGIONS).model_validate(covers)})
    model = checkpoint(tmp_path / "m", inputs)
    land = codes(tmp_path / "land.tif", [[40]])
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, "--model", model, "--region", land)
    assert (done.code, done.out.splitlines()[0]) == (0, "region cropland")


def test_polygons_in_degrees_are_regions_and_a_column_is_stated_after_a_colon(run, engine, model, tmp_path):
    west = shapely.box(500_000, 4_999_000, 500_500, 5_000_000)
    east = shapely.box(500_500, 4_999_000, 501_000, 5_000_000)
    frame = geopandas.GeoDataFrame(
        {"now": ["forest", "crops"], "then": ["crops", "forest"]}, geometry=[west, east], crs="EPSG:32633"
    )
    areas = tmp_path / "areas.geojson"
    frame.to_crs("EPSG:4326").to_file(areas)
    path, out = scene(tmp_path / "s.tif", plateau(1, 4)[1]), tmp_path / "agb.tif"
    common = ("regress", path, "--model", model, "--output", out)
    unclear = run(*common, "--region", areas)
    assert (unclear.code, unclear.err.count("\n")) == (2, 1)
    assert f"columns now, then of {areas} hold known names; say which one by {areas}:now" in unclear.err
    assert not out.exists()
    done = run(*common, "--region", f"{areas}:then")
    assert (done.code, "lie in no region" in done.err) == (0, False)
    assert engine.means == [6.0, 6.0, 200.0, 200.0]
    assert tags(out)["region"] == "crops 2, forest 2"


@pytest.mark.parametrize(("code", "said"), [(1, "forest"), (9, "all training plots")])
def test_a_patch_prints_its_region(run, engine, model, tmp_path, code, said):
    land = codes(tmp_path / "land.tif", [[code]])
    names = tmp_path / "names.csv"
    names.write_text("value,name\n1,forest\n")
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    common = ("regress", patch, "--model", model, "--region", land, "--region-names", names)
    done = run(*common)
    assert done.out == f"region {said}\nagb 120 Mg ha-1 (90 % interval 103.6 to 136.4)\n"
    told = json.loads(run(*common, "--json").out)
    assert (told["region"], told["region_map"]) == (said, "land.tif")


def test_a_name_that_is_a_region_is_no_file(run, engine, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes(tmp_path / "forest", [[1]])
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    assert run("regress", patch, "--model", model, "--region", "forest").out.startswith("region forest\n")


def test_a_map_is_not_resumed_with_other_regions(run, engine, model, tmp_path):
    engine.lives = 9
    land = codes(tmp_path / "land.tif", [[40, 112]])
    names = tmp_path / "names.csv"
    names.write_text("value,name\n40,crops\n112,forest\n")
    path, out = scene(tmp_path / "s.tif", plateau(20, 40)[1]), tmp_path / "agb.tif"
    stated = ("--region", land, "--region-names", names)
    common = ("regress", path, "--model", model, "--output", out)
    done = run(*common, *stated)
    assert (done.code, "2 of 6 blocks are done" in done.err) == (130, True)
    engine.lives = None
    for other in (("--region", "forest"), (), stated):
        if other == stated:
            names.write_text("value,name\n40,crops\n112,crops\n")
        refused = run(*common, *other, "--resume")
        assert (refused.code, "region was" in refused.err) == (2, True)
    names.write_text("value,name\n40,crops\n112,forest\n")
    codes(tmp_path / "land.tif", [[40, 40]])
    assert "region was" in run(*common, *stated, "--resume").err


def test_a_dense_head_restores_the_cells_of_each_patch_by_its_region(run, tmp_path):
    """Windows that do not overlap: the map is that of each region where it lies, to the bit."""
    model = map_checkpoint(tmp_path / "maps")
    heights = np.array([20.0, 30.0, 40.0, 1.0, 2.0, 3.0])
    regions = Regions.of("cover", np.array(["forest"] * 3 + ["crops"] * 3), {"canopy_height_m": heights}, 3)
    write_inputs(model, INPUTS.model_copy(update={"regions": regions}))
    path = scene(tmp_path / "s.tif", plateau(2, 4)[1])
    land = codes(tmp_path / "land.tif", [[1, 1, 2, 2], [2, 2, 9, 9]])
    names = tmp_path / "names.csv"
    names.write_text("value,name\n1,forest\n2,crops\n")

    def mapped(name, *stated):
        out = tmp_path / f"{name}.tif"
        done = run("regress", path, "--model", model, "--output", out, "--stride", 25, *stated)
        assert done.code == 0
        with rasterio.open(out) as dataset:
            return dataset.read(1), dataset.tags()["region"]

    found, said = mapped("both", "--region", land, "--region-names", names)
    forest, crops = (mapped(name, "--region", name)[0] for name in ("forest", "crops"))
    overall, _ = mapped("overall")
    side = found.shape[0] // 2
    np.testing.assert_array_equal(found[:side, : 2 * side], forest[:side, : 2 * side])
    np.testing.assert_array_equal(found[:side, 2 * side :], crops[:side, 2 * side :])
    np.testing.assert_array_equal(found[side:, : 2 * side], crops[side:, : 2 * side])
    np.testing.assert_array_equal(found[side:, 2 * side :], overall[side:, 2 * side :])
    assert (forest > crops).all()
    assert said == "crops 4, forest 2, all training plots 2 (9 2)"


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (("--region", "absent.tif"), "absent.tif does not exist"),
        (("--region", "absent.gpkg:class"), "absent.gpkg does not exist"),
        (("--region", "words.geojson"), "words.geojson cannot be read"),
        (("--region", "away.tif"), "away.tif does not overlap"),
        (("--region", "unplaced.tif"), "unplaced.tif states no coordinate reference system"),
        (("--region", "areas.gpkg"), "holds none of the names crops, forest; its columns are kind: lake"),
        (("--region", "areas.gpkg:class"), "has no column 'class'; it has kind"),
        (("--region", "away.tif", "--region-names", "absent.csv"), "absent.csv is no table of names"),
        (("--region-names", "names.csv"), "--region-names goes with a file of regions"),
        (("--region", "forest", "--region-names", "names.csv"), "--region-names goes with a file of regions"),
    ],
)
@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_file_that_is_no_map_of_regions_is_one_clear_line(
    run, no_model, model, tmp_path, monkeypatch, stated, words
):
    monkeypatch.chdir(tmp_path)
    write_raster(tmp_path / "unplaced.tif", pixels=np.ones((1, 3, 3), np.uint8), gsd_m=None)
    away = from_origin(700_000, 5_000_000, 250, 250)
    write_raster(tmp_path / "away.tif", pixels=np.ones((1, 3, 3), np.uint8), gsd_m=250.0, transform=away)
    (tmp_path / "words.geojson").write_text("no shapes")
    lake = shapely.box(500_000, 4_999_000, 500_500, 5_000_000)
    geopandas.GeoDataFrame({"kind": ["lake"]}, geometry=[lake], crs="EPSG:32633").to_file("areas.gpkg")
    path = scene(tmp_path / "s.tif", plateau(2, 3)[1])
    done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif", *stated)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err
    assert not list(tmp_path.glob("agb*"))


def test_a_map_of_regions_is_refused_where_none_was_learnt(run, no_model, tmp_path):
    land = codes(tmp_path / "land.tif", [[1]])
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, "--model", checkpoint(tmp_path / "plain"), "--region", land)
    assert (done.code, "did not learn targets by region; leave --region" in done.err) == (2, True)
