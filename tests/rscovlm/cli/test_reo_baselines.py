"""``rscovlm reo baselines`` on files of plots."""

import json

import pytest

from rscovlm.cli import main
from rscovlm.data.agbd import AgbdFile
from tests.rscovlm.regression import number_checkpoint
from tests.rscovlm.reo.material import plots_file

ROWS = ["constant", "land cover"] + [
    f"{kind} on bands, {seen}"
    for seen in ("RGB", "optical", "optical and radar")
    for kind in ("ridge", "boosted trees")
]


@pytest.fixture
def file(tmp_path):
    return plots_file(tmp_path, tiles=24, plots=4)


def test_one_command_scores_what_a_model_has_to_beat_the_simplest_first(file, tmp_path, capsys):
    assert main(["reo", "baselines", str(file), "--json", "--output", str(tmp_path / "out.html")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["scores"]) == ROWS
    assert sum(found["plots"].values()) == 96
    assert found["unit"] == "Mg ha-1"
    flat = found["scores"]["constant"]["rmse"]
    assert flat["low"] < flat["value"] < flat["high"]
    assert "boosted trees on bands, RGB" in (tmp_path / "out.html").read_text()


def test_heads_of_a_model_stand_below_on_the_same_plots(file, tmp_path, capsys):
    model = number_checkpoint(tmp_path / "model")
    capsys.readouterr()  # what writing a checkpoint says
    assert main(["reo", "baselines", str(file.parent), "--json", "--model", str(model)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["scores"]) == [*ROWS, f"{model}, agb"]


def test_a_model_that_has_seen_the_test_plots_is_refused(file, tmp_path, capsys):
    model = number_checkpoint(tmp_path / "model")
    known = json.loads((model / "rscovlm.json").read_text())
    with AgbdFile(file) as opened:
        known["inputs"]["tiles"] = sorted({plot.tile for plot in opened})
    (model / "rscovlm.json").write_text(json.dumps(known))
    assert main(["reo", "baselines", str(file), "--model", str(model)]) == 2
    assert "has seen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--target", "moisture"], "the plots have agb_mg_per_ha, canopy_height_m, patch_count"),
        (["--output", "out.docx"], "choose .html or .md or .json"),
    ],
)
def test_what_cannot_be_scored_is_refused(file, capsys, more, told):
    assert main(["reo", "baselines", str(file), *more]) == 2
    assert told in capsys.readouterr().err
