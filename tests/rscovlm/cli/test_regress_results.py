"""What ``rscovlm regress`` prints and writes."""

import json

import numpy as np
import pytest
import rasterio
from PIL import Image

from rscovlm.synth.forest import BANDS
from tests.rscovlm.regression import checkpoint, named, plateau, scene, stored
from tests.rscovlm.scripted import write_raster


def test_a_patch_prints_its_number_and_interval(run, reader, model, tmp_path):
    reader()
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    done = run("regress", patch, "--model", model)
    assert (done.code, done.out) == (0, "agb 120 Mg ha-1 (90 % interval 103.6 to 136.4)\n")
    told = json.loads(run("regress", patch, "--model", model, "--json", "--interval", 0.5).out)
    assert told["mean"] == 120
    assert told["upper"] == pytest.approx(120 + 6.745, abs=1e-2)
    assert told["coverage"] == 1


def test_a_scene_becomes_a_map_and_a_picture(run, reader, model, tmp_path):
    reader()
    values, green = plateau(9, 14)
    path = scene(tmp_path / "scene.tif", green)
    done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif")
    assert (done.code, done.out) == (0, "")
    with rasterio.open(tmp_path / "agb.tif") as dataset, rasterio.open(path) as source:
        np.testing.assert_array_equal(dataset.read(1), values)
        assert dataset.bounds == source.bounds
        assert dataset.crs == source.crs
        assert dataset.descriptions[0] == "agb"
        assert dataset.units[0] == "Mg ha-1"
    assert Image.open(tmp_path / "agb.png").size[0] > 200
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == ["agb.png", "agb.tif", "model", "scene.tif"]


def test_several_targets_are_bands_of_one_map(run, reader, tmp_path):
    engine = reader()
    engine.heads["height"] = engine.heads["agb"]
    model = checkpoint(tmp_path / "model")
    known = json.loads((model / "rscovlm.json").read_text())
    known["heads"]["numbers"]["height"] = {"target": "canopy_height_m"}
    (model / "rscovlm.json").write_text(json.dumps(known))
    values, green = plateau(3, 4)
    path = scene(tmp_path / "scene.tif", green)
    done = run("regress", path, "--model", model, "--target", "height,agb", "--output", tmp_path / "m.tif")
    assert done.code == 0
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.descriptions[::4] == ("height", "agb", "coverage")
        np.testing.assert_array_equal(dataset.read(5), values)
        np.testing.assert_array_equal(dataset.read(9), 1)
    assert sum(engine.batches) == 12, "both heads read one forward pass"
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    assert [line.split()[0] for line in run("regress", patch, "--model", model).out.splitlines()] == [
        "agb",
        "height",
    ]


def test_a_map_that_was_interrupted_is_finished_the_same(run, reader, model, tmp_path):
    _, green = plateau(20, 40)
    path = scene(tmp_path / "scene.tif", green)
    reader()
    assert run("regress", path, "--model", model, "--output", tmp_path / "whole.tif").code == 0
    reader(lives=9)
    done = run("regress", path, "--model", model, "--output", tmp_path / "part.tif")
    assert done.code == 130
    assert "go on with --resume" in done.err
    assert not (tmp_path / "part.tif").exists()
    reader()
    assert run("regress", path, "--model", model, "--output", tmp_path / "part.tif").code == 2
    changed = run(
        "regress", path, "--model", model, "--output", tmp_path / "part.tif", "--resume", "--interval", 0.8
    )
    assert changed.code == 2
    assert "interval was 0.9, now 0.8" in changed.err
    assert run("regress", path, "--model", model, "--output", tmp_path / "part.tif", "--resume").code == 0
    assert (tmp_path / "part.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_a_patch_of_nodata_has_no_number(run, reader, model, tmp_path):
    reader()
    green = np.full((25, 25), 120.0)
    green[12, 12] = 0
    done = run("regress", scene(tmp_path / "patch.tif", green), "--model", model)
    assert done.code == 2
    assert "its middle is not" in done.err


def test_cells_without_an_estimate_are_counted_and_a_map_of_none_is_warned_of(run, reader, model, tmp_path):
    reader()
    _, green = plateau(2, 3)
    part = stored(green)
    part[:, :25] = 0
    for pixels, told in ((part, ", 3 of them without an estimate"), (part * 0, ", 6 of them without")):
        path = write_raster(tmp_path / "scene.tif", pixels=pixels, gsd_m=10)
        named(path, BANDS, PROCESSING_BASELINE="02.14")
        done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif", "--overwrite")
        assert done.code == 0
        assert told in done.err
        assert ("warning: no cell has an estimate" in done.err) == (told[2] == "6")


@pytest.mark.parametrize(
    ("stride", "told"), [("25.5", "25.5 px as the model sees them; cells are 26 px"), ("250m", "")]
)
def test_cells_of_another_size_than_asked_for_are_told(run, reader, model, tmp_path, stride, told):
    reader()
    path = scene(tmp_path / "scene.tif", plateau(3, 3)[1])
    done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif", "--stride", stride)
    assert done.code == 0
    assert ("as the model sees them" in done.err) == bool(told)
    assert told in done.err


def test_a_stride_in_metres_is_that_of_the_ground_in_a_coarser_scene_too(run, reader, model, tmp_path):
    """250 m are 12.5 px of 20 m, and 25 px as the model sees them."""
    reader()
    path = scene(tmp_path / "scene.tif", np.full((50, 50), 120.0), gsd_m=20.0)
    done = run("regress", path, "--model", model, "--output", tmp_path / "agb.tif", "--stride", "250m")
    assert done.code == 0
    with rasterio.open(tmp_path / "agb.tif") as dataset:
        assert dataset.shape == (4, 4)
        assert dataset.res == pytest.approx((250, 250), rel=1e-3)
