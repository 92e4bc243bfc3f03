"""What is said and refused about scenes before a model is loaded."""

from __future__ import annotations

import pytest

from rscovlm.cli.options import read_window
from rscovlm.errors import UsageError
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import find_squares, paint
from tests.rscovlm.scripted import write_raster
from tiling.view import Window

COMMAND = ("detect", "--model", MODEL)


def test_a_window_is_left_top_width_and_height():
    assert read_window("10, 20,30,40") == Window(10, 20, 30, 40)
    assert read_window(None) is None
    for wrong in ("1,2,3", "a,b,c,d", "0,0,0,10", "0,0,-5,10", "nan,0,1,1"):
        with pytest.raises(UsageError, match="--window"):
            read_window(wrong)


@pytest.mark.usefixtures("no_model")
def test_a_dry_run_sums_up_all_scenes(run, tmp_path):
    for name in ("a", "b"):
        paint(tmp_path / f"{name}.tif")
    write_raster(tmp_path / "c.tif", 128, 128)
    done = run(*COMMAND, tmp_path, "--dry-run", "--output", tmp_path / "all.json")
    assert done.code == 0
    # 25 tiles of 64 tokens each for the painted scenes, one of 16 for the small one.
    assert "a: 25 tiles of 128 x 128 px" in done.err
    assert "3 scenes in all: 51 tiles, 3,216 visual tokens" in done.err
    assert done.out.count("user: find the ") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif", "c.tif"]


@pytest.mark.usefixtures("no_model")
def test_the_crs_of_a_common_layer_is_said_where_scenes_differ_in_it(run, tmp_path):
    first = paint(tmp_path / "a.tif", gsd_m=1.2)
    same = paint(tmp_path / "b.tif", gsd_m=1.2)
    other = paint(tmp_path / "c.tif", gsd_m=1.2, crs="EPSG:32634")
    said = f"the layer is in EPSG:32633, the CRS of {first}; --crs chooses another"
    layer = ("--dry-run", "--output", tmp_path / "all.gpkg")
    assert said in run(*COMMAND, first, same, other, *layer).err
    assert said not in run(*COMMAND, first, same, *layer).err
    assert said not in run(*COMMAND, first, other, *layer, "--crs", "EPSG:3035").err
    assert said not in run(*COMMAND, first, other, "--dry-run", "--output", tmp_path / "all.geojson").err
    assert said not in run(*COMMAND, first, other, "--dry-run", "--output", tmp_path / "{name}.gpkg").err


@pytest.mark.usefixtures("no_model")
def test_a_scene_that_is_left_out_has_no_say_in_the_crs_and_ends_a_dry_run_with_1(run, tmp_path):
    # Too coarse by far, in another zone, and the first of all.
    coarse = paint(tmp_path / "a.tif", gsd_m=50, crs="EPSG:32640")
    fine = paint(tmp_path / "b.tif", gsd_m=1.2)
    done = run(*COMMAND, coarse, fine, "--dry-run", "--output", tmp_path / "all.gpkg")
    assert done.code == 1
    assert "the layer is in" not in done.err
    assert "1 scene in all: 25 tiles" in done.err
    assert done.err.splitlines()[-1] == "rscovlm: 1 of 2 scenes cannot be examined"
    allowed = run(*COMMAND, coarse, fine, "--dry-run", "--allow-failed")
    assert allowed.code == 0


def test_scenes_outside_the_area_are_passed_over_and_said(run, scripted, tmp_path):
    scripted(find_squares)
    inside = paint(tmp_path / "a.tif", gsd_m=1.2)
    away = write_raster(tmp_path / "b.tif", 256, 256, crs="EPSG:32650")
    # The painted scene reaches 537.6 m east and south of (500000, 5000000) in zone 33.
    box = ("--bbox", "500000,4999400,500600,5000000,EPSG:32633")
    done = run(*COMMAND, inside, away, *box)
    assert done.code == 0, done.err
    assert "1 scene outside the area" in done.err
    alone = run(*COMMAND, away, *box)
    assert (alone.code, alone.out) == (2, "")
    assert "does not overlap" in alone.err


def test_progress_says_which_of_the_scenes_is_looked_at(run, scripted, tmp_path, monkeypatch):
    monkeypatch.setattr("rscovlm.progress._PLAIN_SECONDS", 0)
    scripted(find_squares)
    scenes = [paint(tmp_path / f"{name}.tif", gsd_m=1.2) for name in "ab"]
    said = run(*COMMAND, *scenes).err
    assert "\nscene 2 of 2: detecting: 16 of 25 tiles" in said


@pytest.mark.usefixtures("no_model")
def test_what_is_wrong_for_every_scene_is_told_once(run, tmp_path):
    for name in ("a", "b"):
        paint(tmp_path / f"{name}.tif", gsd_m=1.2)
    for wrong in (
        ("--classes", "unicorn"),
        ("--output", tmp_path / "out.shp"),
        ("--output", tmp_path / "out.gpkg", "--crs", "EPSG:99"),
    ):
        done = run(*COMMAND, tmp_path, "--nodata", "none", *wrong)
        assert done.code == 2
        assert len(done.err.splitlines()) == 1, done.err
