"""The heads that ship beside nano, and how they are made."""

import json
import shutil

import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.data.plot_prompts import asked
from rscovlm.engines import load_model
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.inputs import number_heads, read_inputs, weights_hash
from rscovlm.reo import shipped
from rscovlm.synth.forest import make_plot, make_tile
from tests.rscovlm.checkpoints import tiny_qwen3_vl

FRESH = 977
"""A seed that was not trained on."""


def test_the_shipped_heads_belong_to_the_shipped_weights():
    """Where this fails, nano's weights have been replaced: run ``make regress-head``."""
    inputs = read_inputs(NANO_FOLDER)
    assert inputs is not None
    assert inputs.weights == weights_hash(NANO_FOLDER)
    assert number_heads(NANO_FOLDER) == {"agb": "agb_mg_per_ha", "canopy_height": "canopy_height_m"}
    assert (NANO_FOLDER / "heads" / "weights.safetensors").stat().st_size < 2e6


def test_the_shipped_head_tells_dense_forest_from_open_land(tmp_path):
    plots = [make_plot(FRESH, make_tile(FRESH, tile), 0) for tile in range(60)]
    plots.sort(key=lambda plot: plot.agbd)
    chosen = [*plots[:6], *plots[-6:]]
    write_agbd(tmp_path / "plots.h5", chosen, lite=True)
    with AgbdFile(tmp_path / "plots.h5") as opened, load_model("nano", device="cpu") as engine:
        talks = [asked(read_inputs(NANO_FOLDER), plot) for plot in opened]
        agb, height = engine.estimate(talks, ["agb", "canopy_height"])
    low, high = agb.mean[:6].mean(), agb.mean[6:].mean()
    assert low < 60
    assert high > 140
    assert height.mean[6:].mean() > 2 * height.mean[:6].mean()
    assert (agb.quantile(0.05) <= agb.quantile(0.95)).all()


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(shipped, "TILES", 40)
    monkeypatch.setattr(shipped, "PLOTS", 10)
    monkeypatch.setattr(shipped, "LIMITS", {"train": 40, "val": 40, "test": 20})
    monkeypatch.setattr("rscovlm.scoring.quantile_steps.LEAST", 10)
    monkeypatch.setattr(shipped, "EPOCHS", 2)
    monkeypatch.setattr(shipped, "VIEWS", ("natural",))


def test_one_command_puts_the_heads_beside_a_checkpoint_and_makes_the_same_again(
    small, monkeypatch, tmp_path, capsys
):
    tiny_qwen3_vl(tmp_path / "model")
    arguments = ["shipped", "--folder", str(tmp_path / "work"), "--output", str(tmp_path / "model")]
    monkeypatch.setattr("sys.argv", arguments)
    shipped.main()
    assert "agb: RMSE" in capsys.readouterr().out
    first = (tmp_path / "model" / "heads" / "weights.safetensors").read_bytes()
    for states in (tmp_path / "work").glob("states-*"):
        states.unlink()
    shipped.main()
    assert (tmp_path / "model" / "heads" / "weights.safetensors").read_bytes() == first
    inputs = read_inputs(tmp_path / "model")
    assert (inputs.views, inputs.gsd_m) == (("natural",), 10.0)
    kept = json.loads((tmp_path / "model" / "rscovlm.json").read_text())["recalibration"]
    assert {name: own["plots"] for name, own in kept.items()} == {"agb": 10, "canopy_height": 10}
    assert not set(kept["agb"]["tiles"]) & set(inputs.tiles)
    shutil.copy(tmp_path / "model" / "config.json", tmp_path / "model" / "z.safetensors")
    with pytest.raises(Exception, match="trained beside other weights"):
        read_inputs(tmp_path / "model")


def test_splits_share_no_tile(small, tmp_path):
    tiny_qwen3_vl(tmp_path / "model")
    train, val, test = shipped.sources(tmp_path / "work", tmp_path / "model")
    tiles = [set(each.places.tile.tolist()) for each in (train, val, test)]
    assert not (tiles[0] & tiles[1] | tiles[0] & tiles[2] | tiles[1] & tiles[2])
    assert np.isfinite(train.places.numbers["agb_mg_per_ha"]).all()
    assert val.scaling == train.scaling
