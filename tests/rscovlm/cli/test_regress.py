"""``rscovlm regress``."""

import json

import numpy as np
import pytest
import rasterio

from rscovlm.models.inputs import Scaling
from rscovlm.synth.forest import BANDS, POLARISATIONS
from tests.rscovlm.regression import INPUTS, REGIONS, checkpoint, named, plateau, scene, stored
from tests.rscovlm.scripted import write_raster


@pytest.mark.parametrize(
    ("region", "mean", "said", "words"),
    [
        ("forest", 200.0, "forest", None),
        ("ice", 103.0, "all training plots", "region 'ice' is not known, so the mean and deviation of all"),
        (None, 103.0, "all training plots", "no --region is stated"),
    ],
)
def test_units_are_restored_by_the_region_of_the_scene(run, reader, tmp_path, region, mean, said, words):
    engine = reader()
    model = checkpoint(tmp_path / "model", INPUTS.model_copy(update={"regions": REGIONS}))
    stated = [] if region is None else ["--region", region]
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, "--model", model, "--json", *stated)
    assert json.loads(done.out)["region"] == said
    assert {each["region_mean/agb_mg_per_ha"] for each in engine.numbers} == {mean}
    assert (words in done.err) if words else done.err == ""
    assert ("its regions (cover) are crops, forest" in done.err) == bool(words)
    large = scene(tmp_path / "scene.tif", plateau(2, 3)[1])
    assert run("regress", large, "--model", model, "--output", tmp_path / "agb.tif", *stated).code == 0
    with rasterio.open(tmp_path / "agb.tif") as dataset:
        assert dataset.tags()["region"] == said


@pytest.mark.parametrize(
    ("stated", "tags", "season"),
    [
        ("2021-07-01", {}, "summer"),
        ("2021-07-01", {"ACQUISITION_DATE": "2021-01-01"}, "summer"),
        (None, {"ACQUISITION_DATE": "2021-01-01"}, "winter"),
        (None, {}, ""),
    ],
)
def test_a_model_that_learnt_seasons_is_told_that_of_the_scene(run, reader, tmp_path, stated, tags, season):
    engine = reader()
    seasonal = INPUTS.model_copy(update={"prompt": "How much?", "seasonal": "Seen in {season}. How much?"})
    model = checkpoint(tmp_path / "model", seasonal)
    dates = [] if stated is None else ["--dates", stated]
    patch, large = (
        scene(tmp_path / f"{name}.tif", green)
        for name, green in (("patch", np.full((25, 25), 120.0)), ("scene", plateau(2, 3)[1]))
    )
    for path in (patch, large):
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(**tags)
    done = run("regress", patch, "--model", model, "--json", *dates)
    words = f"Seen in {season}. How much?" if season else "How much?"
    assert engine.asked == [words]
    assert json.loads(done.out).get("season", "") == season
    assert ("does not say when it was taken; --dates states it" in done.err) == (not season)
    assert run("regress", large, "--model", model, "--output", tmp_path / "agb.tif", *dates).code == 0
    assert set(engine.asked) == {words}
    with rasterio.open(tmp_path / "agb.tif") as dataset:
        assert dataset.tags().get("season", "") == season


def test_a_region_is_refused_where_none_was_learnt(run, reader, model, tmp_path):
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, "--model", model, "--region", "forest")
    assert done.code == 2
    assert "did not learn targets by region; leave --region forest out" in done.err


def test_heads_of_other_weights_are_refused(run, tmp_path):
    model = checkpoint(tmp_path / "model", INPUTS.model_copy(update={"weights": "0" * 64}))
    (model / "model.safetensors").write_bytes(b"other")
    done = run("regress", scene(tmp_path / "patch.tif", np.full((25, 25), 120.0)), "--model", model)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "trained beside other weights" in done.err


def test_radar_of_another_grid_joins_the_scene(run, reader, tmp_path):
    """The middle says HV: 100 steps of 0.1 dB above -30 dB."""
    radar = INPUTS.model_copy(
        update={
            "views": ("sar",),
            "scaling": Scaling(
                low=dict.fromkeys(("HH", "HV", "mean"), -30.0), high=dict.fromkeys(("HH", "HV", "mean"), -4.5)
            ),
        }
    )
    model = checkpoint(tmp_path / "model", radar)
    reader()
    path = scene(tmp_path / "scene.tif", np.full((25, 25), 120.0))
    amplitude = round(10 ** ((-20 + 83) / 20))
    sar = write_raster(tmp_path / "sar.tif", pixels=np.full((2, 10, 10), amplitude, np.uint16), gsd_m=25.0)
    named(sar, POLARISATIONS)
    done = run("regress", path, "--sar", sar, "--model", model)
    assert done.out.startswith("agb 100 Mg ha-1")
    useless = run("regress", path, "--sar", sar, "--model", checkpoint(tmp_path / "optical"))
    assert useless.code == 2
    assert "sees no band of --sar" in useless.err
    missing = run("regress", path, "--model", model)
    assert missing.code == 2
    assert "no band HH, HV, which" in missing.err
    assert "give radar of the same place by --sar FILE" in missing.err


def test_plots_in_the_scene_change_its_intervals_and_are_named(run, reader, model, tmp_path):
    reader()
    values, green = plateau(9, 14)
    path = scene(tmp_path / "scene.tif", green)
    with rasterio.open(path) as source:
        left, top = source.bounds.left, source.bounds.top
    rows = [(r, c) for r in range(9) for c in range(14)]
    lines = [
        f"{left + 250 * c + 125},{top - 250 * r - 125},{values[r, c] + (r * 14 + c) % 10}" for r, c in rows
    ]
    plots = tmp_path / "plots.csv"
    plots.write_text("\n".join(["x,y,agb", *lines]) + "\n")
    common = ("regress", path, "--model", model, "--output", tmp_path / "m.tif", "--plots", plots)
    done = run(*common)
    assert done.code == 0
    assert "agb: intervals fitted on 126 plots of" in done.err
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.tags()["interval_plots"] == "agb: 126"
    assert "if their unit is another" not in done.err
    fields = [line.split(",") for line in lines]
    plots.write_text("\n".join(["x,y,agb", *(f"{x},{y},{float(agb) / 100}" for x, y, agb in fields)]) + "\n")
    told = run(*common, "--overwrite").err
    assert "0% of which were inside" in told
    assert "warning: agb of these plots is 0." in told
    assert "if their unit is another" in told
    wide = run(*common, "--overwrite", "--interval", 0.99)
    assert wide.code == 2
    assert "--interval 0.99 is wider than the quantiles that head agb states, which hold 0.95" in wide.err
    plots.write_text("x,y,agb\n" + "\n".join(lines[:30]) + "\n")
    few = run(*common, "--overwrite")
    assert few.code == 2
    assert "30 of 30 plots lie on valid pixels of the scene; intervals need 40" in few.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "age"), "no head for 'age'; --target takes: agb"),
        (("--output", "map.gpkg"), "--output map.gpkg has an unknown suffix"),
        (("--resume",), "--quicklook and --resume go with a map"),
        ((), "makes 9 x 6 estimates; give --output FILE.tif"),
        (("--sensor", "sentinel2-l2a@reflectance"), "states PROCESSING_BASELINE 02.14"),
        (("--sensor", "sentinel9"), "no sensor 'sentinel9'"),
        (("--stride", "1m"), "--stride 1m is less than a pixel"),
    ],
)
def test_what_cannot_be_is_said_before_a_model_is_loaded(run, no_model, model, tmp_path, options, words):
    path = scene(tmp_path / "scene.tif", plateau(6, 9)[1])
    done = run("regress", path, "--model", model, *options)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_a_scene_of_colours_is_told_which_sensor_the_model_learnt(run, no_model, tmp_path):
    views = ("swir", "natural")
    shares = dict.fromkeys(("B02", "B03", "B04", "B08", "B12"), 0.0)
    scaling = Scaling(low=shares, high=dict.fromkeys(shares, 0.3))
    model = checkpoint(tmp_path / "m", INPUTS.model_copy(update={"views": views, "scaling": scaling}))
    colours = write_raster(tmp_path / "rgb.tif", pixels=np.full((3, 25, 25), 90, np.uint8), gsd_m=10)
    with rasterio.open(colours, "r+") as dataset:
        dataset.descriptions = ("red", "green", "blue")
    done = run("regress", colours, "--model", model)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "of sensor sentinel2-l2a, but not B08, B12; give a scene of sentinel2-l2a" in done.err
    assert "@00.00" not in done.err


def test_values_that_are_none_of_the_sensors_are_refused(run, no_model, model, tmp_path):
    reflectance = (stored(plateau(2, 2)[1]) / 1e4).astype("f4")
    path = named(
        write_raster(tmp_path / "float.tif", pixels=reflectance, gsd_m=10), BANDS, PROCESSING_BASELINE="02.14"
    )
    done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif")
    assert done.code == 2
    assert "version @reflectance would fit" in done.err
    assert not (tmp_path / "agb.tif").exists()


def test_bands_without_names_are_not_guessed_from_the_sensor_of_the_model(run, reader, model, tmp_path):
    """Only who declares the sensor of a file says in which order its bands are."""
    reader()
    green = np.full((25, 25), 120.0)
    pixels = stored(green)
    plain = named(
        write_raster(tmp_path / "plain.tif", pixels=pixels, gsd_m=10), (), PROCESSING_BASELINE="2.1"
    )
    done = run("regress", plain, "--model", model)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "plain.tif does not name its 12 bands; name them, or declare the sensor" in done.err
    assert run("regress", plain, "--model", model, "--sensor", "sentinel2-l2a@02.14").out.startswith(
        "agb 120 "
    )


def test_a_scene_without_a_place_needs_its_scale_stated(run, reader, model, tmp_path):
    """At 20 m a patch of 250 m is half as many pixels."""
    values, green = plateau(2, 3)
    path = scene(tmp_path / "scene.tif", green, gsd_m=None)
    out = tmp_path / "agb.tif"
    refused = run("regress", path, "--model", model, "--output", out)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "scene.tif has no known ground sampling distance, and the model learnt at 10 m" in refused.err
    assert not out.exists()
    reader()
    assert run("regress", path, "--model", model, "--output", out, "--assume-gsd", 10).code == 0
    with rasterio.open(out) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
    coarse = run("regress", path, "--model", model, "--output", out, "--assume-gsd", 20, "--overwrite")
    assert coarse.code == 0
    with rasterio.open(out) as dataset:
        assert dataset.shape == (4, 6)


def test_a_crs_that_the_file_lacks_is_stated(run, reader, model, tmp_path):
    reader()
    values, green = plateau(2, 3)
    path = scene(tmp_path / "scene.tif", green, crs=None)
    out = tmp_path / "agb.tif"
    lost = run("regress", path, "--model", model, "--output", out)
    assert lost.code == 2
    assert "state one (--assume-crs)" in lost.err
    done = run("regress", path, "--model", model, "--output", out, "--assume-crs", "EPSG:32633")
    assert (done.code, "warning" in done.err) == (0, False)
    with rasterio.open(out) as dataset:
        assert dataset.crs.to_epsg() == 32633
        np.testing.assert_array_equal(dataset.read(1), values)


def test_a_model_without_number_heads_is_named(run, no_model, tmp_path):
    path = scene(tmp_path / "scene.tif", plateau(2, 2)[1])
    model = checkpoint(tmp_path / "model")
    (model / "rscovlm.json").write_text('{"family": "nano"}')
    done = run("regress", path, "--model", model)
    assert done.code == 2
    assert "has no number heads" in done.err


@pytest.fixture
def dated(tmp_path):
    """A model that sees the second of two dates alone."""
    return checkpoint(tmp_path / "dated", INPUTS.model_copy(update={"views": ("natural@2",)}))


def test_each_date_is_a_scene_and_shown_as_the_model_learnt_it(run, reader, dated, tmp_path):
    reader()
    values, green = plateau(3, 4)
    april, july = scene(tmp_path / "april.tif", green * 0 + 77), scene(tmp_path / "july.tif", green)
    out = tmp_path / "agb.tif"
    stated = ["--dates", "2021-04-12,2021-07-01"]
    done = run("regress", april, july, "--model", dated, "--output", out, *stated)
    assert (done.code, done.out) == (0, "")
    with rasterio.open(out) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
        assert dataset.tags()["scenes"] == "april.tif, july.tif"
        assert dataset.tags()["dates"] == "2021-04-12,2021-07-01"


def test_dates_of_another_grid_are_resampled_and_said_to_be(run, reader, dated, tmp_path):
    reader()
    green = np.full((60, 60), 90.0)
    first = scene(tmp_path / "first.tif", green)
    finer = scene(tmp_path / "finer.tif", np.full((120, 120), 90.0), gsd_m=5.0)
    done = run("regress", first, finer, "--model", dated, "--output", tmp_path / "agb.tif")
    assert done.code == 0
    assert "finer.tif lies on another grid than" in done.err
    with rasterio.open(tmp_path / "agb.tif") as dataset:
        assert np.nanmin(dataset.read(1)) == np.nanmax(dataset.read(1)) == 90


@pytest.mark.parametrize(
    ("scenes", "stated", "words"),
    [
        (
            1,
            None,
            "learnt 2 dates of a place, and 1 scene is given; give one of each date, the earliest first",
        ),
        (3, None, "learnt 2 dates of a place, and 3 scenes are given"),
        (2, "2021-07-01,2021-04-12", "has to state 2 dates, one of each scene, the earliest first"),
        (2, "2021-07-01", "has to state 2 dates"),
        (2, "2021-07,2021-08", "write 2021-04-12,2021-07-01"),
    ],
)
def test_missing_dates_and_wrong_ones_are_one_clear_line(run, reader, dated, tmp_path, scenes, stated, words):
    reader()
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    more = [] if stated is None else ["--dates", stated]
    done = run("regress", *[patch] * scenes, "--model", dated, *more)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_second_scene_is_refused_by_a_model_of_one_date(run, reader, model, tmp_path):
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, patch, "--model", model)
    assert done.code == 2
    assert "learnt places at one date, and 2 scenes are given" in done.err


def test_a_date_of_another_place_is_one_clear_line(run, reader, dated, tmp_path):
    reader()
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    away = scene(tmp_path / "away.tif", np.full((25, 25), 120.0))
    with rasterio.open(away, "r+") as dataset:
        dataset.transform = dataset.transform @ dataset.transform.translation(400, 0)
    done = run("regress", patch, away, "--model", dated)
    assert done.code == 2
    assert "away.tif lies apart from" in done.err
