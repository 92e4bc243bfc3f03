"""The experiment: small, whole, and not done twice."""

import json

import pytest

from rscovlm.errors import UsageError
from rscovlm.scale import run
from rscovlm.scale.methods import Budget
from tests.rscovlm.checkpoints import tiny_qwen3_vl

SMALL = {"steps": 2, "samples": 2, "train_views": 9, "test_views": 6, "questions": 4, "side": 64}


def test_methods_are_trained_and_measured_once(tmp_path, monkeypatch):
    budget = Budget(model=str(tiny_qwen3_vl(tmp_path / "tiny")), **SMALL)
    said = []
    results = run.run_experiment(tmp_path / "bench", budget, ["cs_hlora", "lora"], said.append)
    gated, plain = (results["methods"][name] for name in ("cs_hlora", "lora"))
    assert list(plain["accuracy"]) == ["oracle"]
    assert {"oracle", "predicted", "noisy", "missing", "x0.01", "x100"} <= gated["accuracy"].keys()
    assert gated["head"]["views"] > 0
    assert gated["gap"]["probability"] >= 0
    assert (tmp_path / "bench" / "cs_hlora" / "baked" / "routes.json").is_file()
    monkeypatch.setattr(run, "run_training", lambda *_, **__: pytest.fail("it was trained already"))
    assert run.run_experiment(tmp_path / "bench", budget, ["cs_hlora", "lora"]) == json.loads(
        json.dumps(results)
    )
    with pytest.raises(UsageError, match="holds an experiment of another budget"):
        run.run_experiment(tmp_path / "bench", Budget(**SMALL), ["lora"])


def test_what_cannot_be_run_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="method 'dora' is unknown; choose from cs_hlora, text"):
        run.run_experiment(tmp_path / "bench", Budget(), ["dora"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty and holds no experiment"):
        run.run_experiment(tmp_path / "other", Budget(), ["lora"])
