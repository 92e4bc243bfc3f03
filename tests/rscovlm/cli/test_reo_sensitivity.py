"""``rscovlm reo sensitivity``."""

import json

import torch

from rscovlm.models.heads.distribution import Mixture
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.regression import INPUTS, REGIONS, Reader, checkpoint, number_checkpoint
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


def test_a_head_that_restores_units_by_region_is_told_the_region_of_each_plot(run, monkeypatch, tmp_path):
    """And what the model says first stands before each number."""
    inputs = INPUTS.model_copy(update={"regions": REGIONS, "knowledge": "What is the land cover?"})

    class Standing(Reader):
        def chat(self, conversations, options):
            return [Reply(f" cover {place}") for place in range(len(conversations))]

        def estimate(self, conversations, targets, numbers=None):
            self.said = {each.messages[1].text for each in conversations}
            means = torch.tensor([each["region_mean/agb_mg_per_ha"] for each in numbers])
            return [Mixture.gaussian(means, torch.ones(len(means)))]

    engine = Standing()
    monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: engine)
    plots, model = plots_file(tmp_path, tiles=2, plots=1), checkpoint(tmp_path / "model", inputs)
    done = run("reo", "sensitivity", plots, "--model", model, "--plots", 2, "--json")
    assert done.code == 0, done.err
    assert "2 of 2 plots lie in no region (cover) that the model knows" in done.err
    assert {each["mean"] for each in json.loads(done.out)["wordings"]} == {103.0}
    assert engine.said == {"cover 1"}, "prompts of one batch are of one length"


def test_a_model_without_heads_answers_in_words(run, scripted, tmp_path):
    scripted(lambda conversation: Reply("about 120 Mg/ha"))
    done = run("reo", "sensitivity", plots_file(tmp_path, tiles=2, plots=1), "--model", MODEL, "--plots", 2)
    assert done.code == 0
    assert done.out.startswith("failed: it gives the same number for every plot")
