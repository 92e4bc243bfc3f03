"""``rscovlm bench run`` with the real ``nano``, in process and behind a server."""

from __future__ import annotations

import json

import pytest

from rscovlm.bench.synthetic import write_benchmark
from rscovlm.cli import main
from rscovlm.engines import load_model
from tests.rscovlm.engines.served import EngineServer

KINDS = {"classify", "choice", "number", "ground", "detect", "caption", "open", "count"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of a run in process and of one by HTTP, of every kind of item."""
    folder = tmp_path_factory.mktemp("bench")
    write_benchmark(folder / "data", each=3, scenes=1, size=2048)
    common = [
        "bench",
        "run",
        "synth",
        "--data",
        str(folder / "data"),
        "--zoom",
        "chain",
        "--max-tokens",
        "64",
    ]
    with load_model("nano", device="cpu") as engine, EngineServer(engine) as server:
        spoken = {"in-process": ["nano", "--device", "cpu"], "served": [f"{server.url}#nano"]}
        for name, model in spoken.items():
            output = ["--output", str(folder / name)]
            assert main([*common, "--model", *model, *output]) == 0
        assert server.requests
    return folder / "in-process", folder / "served"


def rows(folder):
    lines = (folder / "samples.jsonl").read_text().splitlines()[1:]
    return {line["key"]: line["value"] for line in map(json.loads, lines)}


@pytest.mark.slow
def test_the_same_model_has_the_same_scores_in_process_and_served(runs):
    here, there = (json.loads((folder / "scores.json").read_text()) for folder in runs)
    assert there["metrics"] == here["metrics"]
    assert there["groups"] == here["groups"]
    assert there["verdicts"] == here["verdicts"]
    assert here["metrics"]["micro"] > 0.3  # it is no agreement of nothing


@pytest.mark.slow
def test_every_reply_is_the_same_to_the_letter(runs):
    here, there = map(rows, runs)
    assert {row["item"]["kind"] for row in here.values()} == KINDS
    assert {key: row["text"] for key, row in there.items()} == {key: row["text"] for key, row in here.items()}
    for name in ("views", "visual_tokens", "reply_tokens", "stop_reason"):
        assert {key: row[name] for key, row in there.items()} == {key: row[name] for key, row in here.items()}
