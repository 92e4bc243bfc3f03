"""``rscovlm bench scale``: its options reach the experiment, and its results are told and drawn."""

import json

from rscovlm.scale.methods import Budget
from rscovlm.scale.run import Stopped
from tests.rscovlm.scale.test_page import RESULTS


def test_options_are_the_budget_and_results_are_told(run, monkeypatch, tmp_path):
    asked = []

    def experiment(folder, budget, names, say):
        asked.append((folder, budget, names))
        folder.mkdir(exist_ok=True)
        return RESULTS

    monkeypatch.setattr("rscovlm.scale.run.run_experiment", experiment)
    done = run(
        "bench", "scale", "--output", tmp_path / "b", "--steps", 3, "--methods", "lora,text", "--seed", 4
    )
    assert done.code == 0, done.err
    assert asked == [(tmp_path / "b", Budget(steps=3, seed=4), ("lora", "text"))]
    assert done.out.splitlines()[-1] == str(tmp_path / "b" / "index.html")
    assert (tmp_path / "b" / "index.html").is_file()
    done = run("bench", "scale", "--output", tmp_path / "b", "--json")
    assert json.loads(done.out)["test"] == 4


def test_an_unknown_method_is_one_line(run, tmp_path):
    done = run("bench", "scale", "--output", tmp_path / "b", "--methods", "dora")
    assert done.code == 2
    assert "method 'dora' is unknown" in done.err


def test_training_that_is_told_to_stop_says_how_to_go_on(run, monkeypatch, tmp_path):
    def stopped(*_):
        raise Stopped("stopped by SIGTERM after step 3 of lora")

    monkeypatch.setattr("rscovlm.scale.run.run_experiment", stopped)
    done = run("bench", "scale", "--output", tmp_path / "b")
    assert done.code == 130
    assert "after step 3 of lora, which is saved; the same command goes on" in done.err
