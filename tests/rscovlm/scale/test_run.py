"""The experiment: data once, each method once, and what the head predicts goes to the methods after it."""

import json
from types import SimpleNamespace

import pytest

from rscovlm.errors import UsageError
from rscovlm.scale import run
from rscovlm.scale.methods import Budget

SMALL = Budget(train_views=9, calibration_views=3, test_views=6, questions=4, side=32)


@pytest.fixture
def calls(monkeypatch):
    """Training and measuring replaced: what was asked of them, in order."""
    made = []

    def trained(method, budget, folder, place, say):
        made.append(("train", method.name))
        place.mkdir()

    def measured(method, budget, folder, items, predicted):
        made.append(("measure", method.name, len(items), dict(predicted)))
        found = {"accuracy": {"oracle": {"share": 0.5, "right": [1, method.heads is not None] * 2}}}
        return found | ({"predicted": {"v": 0.5}} if method.heads else {})

    monkeypatch.setattr(run, "_train", trained)
    monkeypatch.setattr(run, "_measured", measured)
    return made


def test_methods_are_trained_and_measured_once_and_share_what_the_head_predicts(calls, tmp_path):
    results = run.run_experiment(tmp_path / "bench", SMALL, ["lora", "cs_hlora"])
    assert calls == [
        ("train", "cs_hlora"),
        ("measure", "cs_hlora", 4, {}),
        ("train", "lora"),
        ("measure", "lora", 4, {"v": 0.5}),
    ]
    assert list(results["methods"]) == ["cs_hlora", "lora"]
    assert results["lead"]["lora"]["share"] == 0.5
    assert results["ideal"]["accuracy"]["oracle"]["share"] == 1
    assert json.loads((tmp_path / "bench" / "results.json").read_text()) == results
    assert run.run_experiment(tmp_path / "bench", SMALL, ["lora", "cs_hlora"]) == results
    assert len(calls) == 4
    with pytest.raises(UsageError, match="holds an experiment of another budget"):
        run.run_experiment(tmp_path / "bench", Budget(), ["lora"])


def test_a_run_that_was_told_to_stop_is_neither_exported_nor_measured(monkeypatch, tmp_path):
    ending = SimpleNamespace(step=3, stopped_by="SIGTERM")
    monkeypatch.setattr(run, "run_training", lambda *_, **__: ending)
    monkeypatch.setattr(run, "export_run", lambda *_, **__: pytest.fail("exported"))
    with pytest.raises(run.Stopped, match="stopped by SIGTERM after step 3 of lora"):
        run.run_experiment(tmp_path / "bench", SMALL, ["lora"])


def test_what_cannot_be_run_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="method 'dora' is unknown; choose from cs_hlora, normalised"):
        run.run_experiment(tmp_path / "bench", SMALL, ["dora"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty and holds no experiment"):
        run.run_experiment(tmp_path / "other", SMALL, ["lora"])
