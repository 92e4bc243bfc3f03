"""``rscovlm gsd`` as a user runs it."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.places import unplaced


@pytest.fixture
def files(tmp_path):
    settings = {"width": 40, "height": 30, "count": 1, "dtype": "uint8"}
    utm = {"crs": "EPSG:32632", "transform": Affine(10, 0, 5e5, 0, -10, 5e6)}
    for name, more in {"utm.tif": {"driver": "GTiff", **utm}, "plain.png": {"driver": "PNG"}}.items():
        with unplaced(), rasterio.open(tmp_path / name, "w", **settings, **more) as file:
            file.write(np.ones((1, 30, 40), np.uint8))
    return [str(tmp_path / "utm.tif"), str(tmp_path / "plain.png")]


def test_says_how_large_a_pixel_is_and_how_that_is_known(run, files):
    done = run("gsd", *files)
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first.startswith(f"{files[0]}: 10 m (10 x 10 m; transform: pixels measured")
    assert second == f"{files[1]}: of unknown size on the ground"


def test_json_states_source_and_interval(run, files):
    measured, stated = json.loads(run("gsd", *files, "--json", "--dataset", "rsvqa-lr").out)
    assert (measured["source"], stated["source"]) == ("transform", "dataset default")
    assert stated["m"] == 10
    assert stated["interval_m"] == {"low": 10, "high": 10}
    assert len(measured["corners_m"]) == 4
    assert stated["corners_m"] is None


def test_the_users_word_is_taken_and_named(run, files):
    (found,) = json.loads(run("gsd", files[0], "--assume-gsd", "0.5", "--json").out)
    assert (found["m"], found["source"]) == (0.5, "stated")


def test_an_unknown_data_set_is_refused_with_those_that_are_known(run, files):
    done = run("gsd", *files, "--dataset", "imagenet")
    assert done.code == 2
    assert "choose aid" in done.err


def test_a_file_that_cannot_be_read_costs_itself(run, files, tmp_path):
    done = run("gsd", *files, tmp_path / "none.tif")
    assert done.code == 1
    assert len(done.out.splitlines()) == 2
    assert "none.tif" in done.err


def test_files_may_be_a_folder_a_pattern_or_a_list(run, files, tmp_path):
    (tmp_path / "scenes.lst").write_text(files[0] + "\n")
    assert len(run("gsd", tmp_path).out.splitlines()) == 2
    assert len(run("gsd", tmp_path / "*.tif").out.splitlines()) == 1
    assert len(run("gsd", f"@{tmp_path / 'scenes.lst'}").out.splitlines()) == 1
