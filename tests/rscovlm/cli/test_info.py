"""``rscovlm info``, and the options with which every command reads scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import write_raster

PIXELS = np.random.default_rng(0).integers(1, 4000, (4, 200, 300), dtype=np.uint16)
NAMES = ("Blue", "Green", "Red", "NIR")


@pytest.fixture
def planet(tmp_path):
    """Four named bands without colours, 3 m in UTM, a collar of 0 declared as nodata."""
    pixels = PIXELS.copy()
    pixels[:, :50] = 0
    place = {"crs": "EPSG:32631", "transform": Affine(3, 0, 480000, 0, -3, 4600000), "nodata": 0}
    path = write_raster(tmp_path / "planet.tif", pixels=pixels, photometric="minisblack", **place)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = NAMES
        dataset.build_overviews([2, 4])
    return path


def test_says_what_a_scene_is_and_what_a_model_sees(run, planet, no_model):
    done = run("info", planet, "--json")
    assert (done.code, done.err) == (0, "")
    (found,) = json.loads(done.out)
    assert found["size"] == {"width": 300, "height": 200}
    assert [band["name"] for band in found["bands"]] == list(NAMES)
    assert {(band["dtype"], band["nodata"]) for band in found["bands"]} == {("uint16", 0.0)}
    assert found["shown_bands"] == [3, 2, 1]
    assert (found["crs"], found["georeference"]) == ("EPSG:32631", "transform")
    assert found["gsd"]["m"] == pytest.approx(3, rel=1e-3)
    assert found["gsd"]["source"] == "transform"
    assert "EPSG:32631" in found["gsd"]["detail"]
    assert found["bounds"] == {"left": 480000, "bottom": 4599400, "right": 480900, "top": 4600000}
    assert found["lonlat_bounds"]["west"] == pytest.approx(2.76, abs=0.01)
    assert (found["valid_by"], found["valid_fraction"]) == ("nodata 0", pytest.approx(0.75, abs=0.01))
    assert found["overviews"] == [2, 4]
    assert found["block"] == {"width": 300, "height": pytest.approx(10, abs=10), "tiled": False}
    seen = found["seen"]
    width, height = seen["size"]["width"], seen["size"]["height"]
    assert width / height == pytest.approx(1.5, rel=0.15)
    assert seen["gsd_m"] == pytest.approx(3 * np.sqrt(300 * 200 / (width * height)), rel=1e-3)
    assert seen["visual_tokens"] > 0
    assert [warning.startswith("bands 3, 2, 1 (Red, Green, Blue)") for warning in found["warnings"]] == [True]


def test_the_table_has_the_same_in_words(run, planet):
    lines = run("info", planet).out.splitlines()
    assert lines[0] == str(planet)
    table = dict(line.strip().split(maxsplit=1) for line in lines[1:])
    assert table["size"] == "300 x 200 px"
    assert table["CRS"] == "EPSG:32631"
    assert table["valid"].startswith("75.")
    assert "visual tokens" in table["seen"]
    assert any("Red: uint16, undefined, nodata 0.0, shown as red" in line for line in lines)


def test_model_and_options_change_what_is_said(run, planet):
    def told(*options: str):
        return json.loads(run("info", planet, "--json", *options).out)[0]

    wide = told("--model", "http://x/v1#qwen2.5-vl-3b")
    assert wide["seen"]["size"]["width"] >= 300 - 28
    assert told("--bands", "nir,red,green")["shown_bands"] == [4, 3, 2]
    assert told("--nodata", "none")["valid_fraction"] == 1
    assert told("--assume-gsd", "10")["gsd"]["m"] == 10
    assert told("--assume-crs", "EPSG:32632")["crs"] == "EPSG:32632"


def test_a_file_that_cannot_be_read_leaves_the_others(run, planet, tmp_path):
    done = run("info", tmp_path / "gone.tif", planet, "--json")
    assert done.code == 1
    assert [record["file"] for record in json.loads(done.out)] == [str(planet)]
    assert "gone.tif does not exist" in done.err
    assert run("info", tmp_path / "gone.tif").code == 2


def test_files_are_named_by_patterns_folders_and_lists_too(run, planet, tmp_path):
    copies = [tmp_path / "some" / f"{name}.tif" for name in "ab"]
    copies[0].parent.mkdir()
    for copy in copies:
        copy.write_bytes(Path(planet).read_bytes())
    (tmp_path / "list.txt").write_text(f"{copies[1]}\n")
    for given, expected in (
        (copies[0].parent / "*.tif", copies),
        (copies[0].parent, copies),
        (f"@{tmp_path / 'list.txt'}", copies[1:]),
    ):
        found = json.loads(run("info", given, "--json").out)
        assert [facts["file"] for facts in found] == [str(path) for path in expected]


@pytest.mark.parametrize(
    ("dtype", "declared", "said"),
    [
        (np.float32, None, "NaN"),
        (np.float32, -1, "nodata -1 and NaN"),
        (np.float32, np.nan, "nodata nan"),
        (np.uint8, None, "every pixel"),
    ],
)
def test_a_value_that_is_no_number_is_never_valid_and_said_to_be_what_counts(
    run, tmp_path, dtype, declared, said
):
    pixels = np.full((1, 10, 10), 7, dtype)
    if dtype is np.float32:
        pixels[:, 0] = np.nan
    path = write_raster(tmp_path / "s.tif", pixels=pixels, nodata=declared)
    (found,) = json.loads(run("info", path, "--json").out)
    assert (found["valid_by"], found["valid_fraction"]) == (said, 1.0 if dtype is np.uint8 else 0.9)


def test_a_scene_of_nodata_is_described_all_the_same(run, tmp_path):
    path = write_raster(tmp_path / "empty.tif", pixels=np.zeros((3, 32, 32), np.uint8), nodata=0)
    done = run("info", path)
    assert done.code == 0
    assert "no pixel is valid" in done.out


@pytest.mark.parametrize("command", [("ask", "any?"), ("classify",), ("detect", "--classes", "plane")])
def test_every_command_says_warnings_once_and_takes_the_same_options(run, scripted, planet, command):
    scripted(lambda conversation: "water")
    verb, *rest = command
    done = run(verb, planet, *rest, "--model", MODEL)
    assert done.err.count("rscovlm: warning:") == 1
    assert "Red, Green, Blue" in done.err
    done = run(
        verb, planet, *rest, "--model", MODEL, "--bands", "3,2,1", "--nodata", "none", "--assume-gsd", 9
    )
    assert done.err.count("rscovlm: warning:") == 1
    assert "taken as 9 m" in done.err


def test_a_sensor_says_what_the_bands_mean_and_refuses_what_they_are_not(run, tmp_path):
    values = np.random.default_rng(0).integers(200, 4000, (12, 64, 64)).astype(np.uint16)
    path = write_raster(tmp_path / "s2.tif", pixels=values)
    told = run("info", path, "--json", "--sensor", "sentinel2-l2a@02.14")
    sensor = json.loads(told.out)[0]["sensor"]
    assert (sensor["version"], sensor["version_by"], sensor["bands_by"]) == ("00.00", "stated", "order")
    assert sensor["bands"]["B8A"] == 9
    assert "reflectance = stored * 0.0001" in run("info", path, "--sensor", "sentinel2-l2a@02.14").out
    done = run("info", path, "--sensor", "sentinel2-l2a@reflectance")
    assert (done.code, done.out) == (2, "")
    assert "version @00.00 would fit" in done.err
    assert run("info", path, "--sensor", "sentinel9").code == 2


def test_a_nodata_value_is_told_once_even_where_it_equals_nothing(run, tmp_path):
    pixels = np.full((3, 64, 64), np.nan, np.float32)
    pixels[:, 32:] = 1
    path = write_raster(tmp_path / "nan.tif", pixels=pixels, nodata=np.nan)
    assert "  valid      50.0%, by nodata nan\n" in run("info", path).out
