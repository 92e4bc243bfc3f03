"""``rscovlm reo embed`` on files of plots."""

import json

import pytest

from rscovlm.cli import main
from rscovlm.models.inputs import number_heads, read_inputs
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.reo.material import plots_file


@pytest.fixture
def file(tmp_path):
    return plots_file(tmp_path, tiles=24, plots=3)


@pytest.fixture
def base(tmp_path):
    return tiny_qwen3_vl(tmp_path / "base")


def fit(file, base, output, *more):
    return main(["reo", "embed", str(file), "--model", str(base), "--output", str(output), *more])


def test_one_command_makes_a_checkpoint_that_maps_a_scene(file, base, tmp_path, capsys):
    made = tmp_path / "made"
    assert fit(file, base, made, "--views", "natural, swir", "--name", "biomass") == 0
    told = capsys.readouterr().out
    assert told.startswith("biomass: ridge of 128 features, penalty ")
    assert "validation plots RMSE" in told
    assert number_heads(made) == {"biomass": "agb_mg_per_ha"}
    assert read_inputs(made).views == ("natural", "swir")
    assert json.loads((made / "rscovlm.json").read_text())["heads"]["numbers"]["biomass"]["trunk"] == {
        "name": "embed"
    }
    assert not list(tmp_path.glob(".partial*"))


def test_what_a_folder_holds_is_not_replaced_unasked(file, base, tmp_path, capsys):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine.txt").write_text("mine")
    assert fit(file, base, tmp_path / "made") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "made" / "mine.txt").read_text() == "mine"
    assert fit(file, base, base, "--overwrite") == 2
    assert "is what is read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--target", "soil_moisture"], "the plots have agb_mg_per_ha, canopy_height_m, patch_count"),
        (["--views", "thermal"], "view 'thermal' is unknown"),
        (["--model", "http://127.0.0.1:9/v1"], "is run elsewhere"),
        (["--model", "vllm:nano"], "is run elsewhere"),
    ],
)
def test_what_cannot_be_fitted_is_refused_and_nothing_is_left(file, base, tmp_path, capsys, more, told):
    assert fit(file, base, tmp_path / "made", *more) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
