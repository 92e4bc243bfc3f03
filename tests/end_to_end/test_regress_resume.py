"""``rscovlm regress`` by a real engine, killed by the system and resumed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from safetensors.torch import load_file, save_file

from rscovlm.cli import main
from rscovlm.models.heads import WEIGHTS
from rscovlm.models.inputs import write_inputs
from tests.rscovlm.regression import INPUTS, REGIONS, map_checkpoint, number_checkpoint, plateau, scene
from tests.rscovlm.scripted import write_raster


def kill_once(command: list[str], journal: Path, lines: int) -> None:
    """Run a command until its journal has more lines than that, and end it then and there."""
    with subprocess.Popen([sys.executable, "-m", "rscovlm", *command]) as process:
        while process.poll() is None and not (
            journal.is_file() and journal.read_bytes().count(b"\n") > lines
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)


def test_a_map_that_was_killed_is_finished_to_the_same_bytes(tmp_path):
    model = number_checkpoint(tmp_path / "model")
    path = scene(tmp_path / "s2.tif", plateau(40, 40, side=10)[1])
    common = ["regress", str(path), "--model", str(model), "--stride", "8", "--device", "cpu"]
    part, journal = tmp_path / "part.tif", tmp_path / "part.tif.journal.jsonl"
    kill_once([*common, "--output", str(part)], journal, lines=3)
    assert not part.exists()
    done = journal.read_bytes().count(b"\n") - 1
    assert 0 < done < 16
    assert main([*common, "--output", str(part), "--resume"]) == 0
    assert main([*common, "--output", str(tmp_path / "whole.tif")]) == 0
    assert part.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    with rasterio.open(part) as dataset:
        mean, lower, upper, deviation, coverage = dataset.read()
    assert mean.shape == (50, 50)
    inside = coverage >= 0.5
    assert np.isfinite(mean[inside]).all()
    assert (lower < mean)[inside].all()
    assert (mean < upper)[inside].all()
    np.testing.assert_allclose((upper - lower)[inside], 2 * 1.6449 * deviation[inside], rtol=1e-3)


def test_a_stitched_map_that_was_killed_is_finished_to_the_same_bytes(tmp_path):
    """Of a dense head: 4 x 4 cells of each patch, patches that overlap by one cell."""
    model = map_checkpoint(tmp_path / "model")
    path = scene(tmp_path / "s2.tif", plateau(60, 50, side=10)[1])
    common = ["regress", str(path), "--model", str(model), "--device", "cpu", "--batch-size", "16"]
    part, journal = tmp_path / "part.tif", tmp_path / "part.tif.journal.jsonl"
    kill_once([*common, "--output", str(part)], journal, lines=1)
    assert not part.exists()
    assert main([*common, "--output", str(part), "--resume"]) == 0
    assert main([*common, "--output", str(tmp_path / "whole.tif")]) == 0
    assert part.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    with rasterio.open(part) as dataset, rasterio.open(path) as source:
        mean, lower, upper, deviation, coverage = dataset.read()
        assert dataset.descriptions[0] == "height"
        assert dataset.transform.a == 6.25 * source.transform.a
        assert dataset.bounds.left == source.bounds.left
    assert mean.shape == (96, 80)
    assert np.isfinite(mean).all()
    assert (lower <= mean + 1e-3).all()
    assert (mean <= upper + 1e-3).all()
    assert (coverage == 1).all()
    assert np.abs(np.diff(mean, axis=0)).max() < 6 * deviation.max(), "no seam stands out"


def test_a_map_by_regions_that_was_killed_is_finished_to_the_same_bytes(tmp_path):
    """A head that says 0 deviations everywhere: the map is the mean of each cell's region."""
    model = number_checkpoint(tmp_path / "model")
    write_inputs(model, INPUTS.model_copy(update={"regions": REGIONS}))
    weights = load_file(model / WEIGHTS)
    save_file({name: 0 * each for name, each in weights.items()}, model / WEIGHTS)
    path = scene(tmp_path / "s2.tif", plateau(40, 40, side=10)[1])
    codes = np.where(np.arange(8) < 4, 1, 2)[None].repeat(8, axis=0)
    land = write_raster(tmp_path / "land.tif", pixels=codes[None].astype(np.uint8), gsd_m=500.0)
    names = tmp_path / "names.csv"
    names.write_text("value,name\n1,forest\n2,crops\n")
    common = ["regress", str(path), "--model", str(model), "--stride", "16", "--device", "cpu"]
    common += ["--region", str(land), "--region-names", str(names)]
    part, journal = tmp_path / "part.tif", tmp_path / "part.tif.journal.jsonl"
    kill_once([*common, "--output", str(part)], journal, lines=3)
    assert not part.exists()
    assert main([*common, "--output", str(part), "--resume"]) == 0
    assert main([*common, "--output", str(tmp_path / "whole.tif")]) == 0
    assert part.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    with rasterio.open(part) as dataset:
        mean, coverage = dataset.read([1, 5])
        said = dataset.tags()["region"]
    inside = coverage >= 0.5
    west = np.arange(25) * 16 + 7.5 < 200
    assert set(mean[:, west][inside[:, west]]) == {200.0}
    assert set(mean[:, ~west][inside[:, ~west]]) == {6.0}
    assert said == f"forest {inside[:, west].sum()}, crops {inside[:, ~west].sum()}"
