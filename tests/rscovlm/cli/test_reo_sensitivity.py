"""``rscovlm reo sensitivity``."""

import json

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.regression import number_checkpoint
from tests.rscovlm.reo.material import plots_file
from zoom_chain.chat import Reply


def test_a_head_is_asked_in_all_wordings(run, tmp_path):
    plots, model = plots_file(tmp_path, tiles=2, plots=1), number_checkpoint(tmp_path / "model")
    out = tmp_path / "s.json"
    done = run(
        "reo", "sensitivity", plots, "--model", model, "--plots", 2, "--output", out, "--device", "cpu"
    )
    assert done.code == 0
    found = json.loads(out.read_text())
    assert (found["plots"], found["answered_by"]) == (2, "agb")
    # A head that reads visual tokens alone moves by no words.
    assert (found["verdict"], found["separation"]) == ("failed", 0.5)
    audited = run("reo", "audit", plots, "--no-sensors", "--sensitivity", out, "--json")
    assert json.loads(audited.out)[-1]["verdict"] == "failed"


def test_a_model_without_heads_answers_in_words(run, scripted, tmp_path):
    scripted(lambda conversation: Reply("about 120 Mg/ha"))
    done = run("reo", "sensitivity", plots_file(tmp_path, tiles=2, plots=1), "--model", MODEL, "--plots", 2)
    assert done.code == 0
    assert done.out.startswith("failed: it gives the same number for every plot")
