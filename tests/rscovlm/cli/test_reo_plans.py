"""``rscovlm reo stack``, ``calibrate`` and ``teach`` on files of plots."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from rscovlm.cli import main
from rscovlm.data.agbd import AgbdFile
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import write_heads
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.synth.forest import make_plot, make_tile
from tests.rscovlm.regression import number_checkpoint
from tests.rscovlm.reo.material import plots_file


@pytest.fixture
def file(tmp_path):
    return plots_file(tmp_path, tiles=4, plots=3)


@pytest.fixture
def model(tmp_path):
    folder = number_checkpoint(tmp_path / "model")
    torch.manual_seed(3)
    means = {"low": 40.0, "high": 200.0}
    made = {
        name: NumberHead(64, "agb_mg_per_ha", output={"name": "gaussian"}, mean=mean, deviation=30.0)
        for name, mean in means.items()
    }
    write_heads(folder, nn.ModuleDict(made))
    known = json.loads((folder / "rscovlm.json").read_text())
    low = dict.fromkeys([f"B{band:02d}" for band in range(1, 13)] + ["B8A", "mean"], 0.0)
    scaling = {"low": {**low, "HH": -30, "HV": -30}, "high": dict.fromkeys([*low, "HH", "HV"], 0.5)}
    known["inputs"]["scaling"] = scaling
    (folder / "rscovlm.json").write_text(json.dumps(known))
    return folder


def test_weights_are_fitted_and_the_ensemble_is_one_more_head(file, model, capsys):
    assert main(["reo", "stack", str(file), "--model", str(model), "--split", "all", "--name", "both"]) == 0
    weights = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert sum(map(float, weights.values())) == pytest.approx(1, abs=2e-3)
    kept = json.loads((model / "rscovlm.json").read_text())["heads"]["ensembles"]["both"]
    assert kept["members"] == ["low", "high"]
    with AgbdFile(file) as opened:
        truth = np.mean([plot.numbers["agbd"] for plot in opened])
    assert kept["weights"][0] * 40 + kept["weights"][1] * 200 == pytest.approx(truth, abs=40)


def test_one_head_makes_no_ensemble(file, model, capsys):
    arguments = ["reo", "stack", str(file), "--model", str(model), "--split", "all", "--head", "low"]
    assert main(arguments) == 2
    assert "has 1 number head (low of agb_mg_per_ha); an ensemble needs two" in capsys.readouterr().err


def test_an_ensemble_is_of_heads_of_one_number(file, model, capsys):
    known = json.loads((model / "rscovlm.json").read_text())
    known["heads"]["numbers"]["tall"] = known["heads"]["numbers"]["low"] | {"target": "canopy_height_m"}
    (model / "rscovlm.json").write_text(json.dumps(known))
    asked = ["reo", "stack", str(file), "--model", str(model), "--split", "all"]
    assert main([*asked, "--head", "low", "--head", "high", "--head", "tall"]) == 2
    told = capsys.readouterr().err
    assert "low, high of agb_mg_per_ha; tall of canopy_height_m; an ensemble is of one number" in told
    assert main([*asked, "--head", "low", "--head", "wide"]) == 2
    assert "--head wide: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["stack", "calibrate"])
def test_the_model_that_ships_is_not_changed(file, capsys, command):
    before = (NANO_FOLDER / "rscovlm.json").read_bytes()
    assert main(["reo", command, str(file), "--model", "nano"]) == 2
    assert "nano ships with the program and stays as it is; copy " in capsys.readouterr().err
    assert (NANO_FOLDER / "rscovlm.json").read_bytes() == before


def test_a_folder_of_parquet_is_fitted_on_as_its_plots_in_hdf5_are(file, model, tmp_path, capsys):
    folder = tmp_path / "raw"
    folder.mkdir()
    made = [make_plot(4, make_tile(4, tile), index) for tile in range(4) for index in range(3)]
    for part in range(2):
        write_agbd_raw(folder / f"{part}.parquet", made[6 * part : 6 * part + 6])
    told = []
    for plots in (file, folder):
        assert main(["reo", "stack", str(plots), "--model", str(model), "--split", "all"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert main(["reo", "teach", str(folder), "--output", str(tmp_path / "t.csv"), "--split", "all"]) == 0
    assert "agb_taught of 12 plots" in capsys.readouterr().out


def test_trees_teach_plots_of_tiles_that_they_have_not_seen(file, tmp_path, capsys):
    assert main(["reo", "teach", str(file), "--output", str(tmp_path / "t.csv"), "--split", "all"]) == 0
    assert "agb_taught of 12 plots" in capsys.readouterr().out
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "key,agb_taught"
    assert len(lines) == 13
    assert main(["reo", "teach", str(file), "--output", str(tmp_path / "t.csv")]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_one_tile_has_no_other_to_learn_from(tmp_path, capsys):
    file = plots_file(tmp_path, tiles=1, plots=3)
    assert main(["reo", "teach", str(file), "--output", str(tmp_path / "t.csv"), "--split", "all"]) == 2
    assert "trees that have not seen a plot's tile need two or more" in capsys.readouterr().err


def test_intervals_are_fitted_in_the_units_of_each_region(tmp_path, model, capsys):
    """A head that says 40 alone says 400 where its regions lie about 400, which is too much for the plots."""
    from rscovlm.models.regions import Regions

    file = plots_file(tmp_path, tiles=10, plots=5)
    high = Regions.of("cover", np.array(["x"] * 3), {"agb_mg_per_ha": np.array([370.0, 400, 430])}, least=3)
    known = json.loads((model / "rscovlm.json").read_text())
    known["inputs"]["regions"] = high.model_dump(mode="json")
    (model / "rscovlm.json").write_text(json.dumps(known))
    command = ["reo", "calibrate", str(file), "--model", str(model), "--split", "all", "--head", "low"]
    assert main(command) == 0
    assert "50 of 50 plots lie in no region (cover) that the model knows" in capsys.readouterr().err
    kept = json.loads((model / "rscovlm.json").read_text())["recalibration"]
    assert kept["low"]["steps"][0][0] < 0, "lower ends go down, where those of a head that says 40 go up"


def test_intervals_are_fitted_and_kept_beside_the_head(tmp_path, model, capsys):
    file = plots_file(tmp_path, tiles=10, plots=5)
    command = ["reo", "calibrate", str(file), "--model", str(model), "--split", "all", "--head", "low"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.startswith("low: fitted on 50 plots of 10 tiles, ")
    kept = json.loads((model / "rscovlm.json").read_text())["recalibration"]
    assert list(kept) == ["low"]
    assert kept["low"]["plots"] == 50
    assert len(kept["low"]["tiles"]) == 10
    assert kept["low"]["steps"][0][-1] > 0, "the head says 40 of plots of up to 500"
    scored = ["bench", "run", "agbd", "--data", str(tmp_path), "--model", str(model), "--limit", "2"]
    out = tmp_path / "run"
    assert main([*scored, "--output", str(out)]) == 2
    assert "the recalibration of low has seen the tiles" in capsys.readouterr().err
    assert not out.exists()
    assert main([*scored, "--output", str(out), "--seen-tiles"]) == 0
    told = capsys.readouterr()
    for text in (told.out, told.err, (out / "manifest.json").read_text(), (out / "scores.json").read_text()):
        assert "the recalibration of low has seen the tiles" in text
