"""``rscovlm bench zoom``: all policies on the same questions, in one command."""

import json

import pytest

from rscovlm.bench.synthetic import write_zoom_benchmark
from tests.rscovlm.cli.conftest import MODEL


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoom")
    write_zoom_benchmark(folder, [1024], scenes=1, questions=3)
    return folder


def test_policies_are_run_compared_and_resumed(run, data, tmp_path):
    """With the model that ships."""
    command = ("bench", "zoom", "synth", "--data", data, "--model", "nano", "--output", tmp_path / "out")
    some = ("--policies", "off,tree,blind", "--max-views", 4)
    done = run(*command, *some)
    assert done.code == 0
    assert "Resize audit" in done.out
    record = json.loads((tmp_path / "out" / "zoom.json").read_text())
    assert [each["policy"] for each in record["policies"]] == ["off", "tree", "blind"]
    assert record["policies"][1]["cost"]["ranked"] <= 4
    assert record["facts"]["model"] == "nano"
    assert (tmp_path / "out" / "zoom.html").is_file()
    assert "| policy |" in (tmp_path / "out" / "zoom.md").read_text()
    assert run(*command, *some).code == 2
    again = run(*command, *some, "--resume", "--json")
    assert (again.code, json.loads(again.out)) == (0, record)


def test_a_model_without_probabilities_leaves_out_what_needs_them(run, scripted, data, tmp_path):
    engine = scripted(lambda conversation: "yes")
    engine.scores = "none"
    done = run(
        *("bench", "zoom", "synth", "--data", data, "--model", MODEL, "--output", tmp_path),
        *("--policies", "off,tree", "--overwrite"),
    )
    assert done.code == 0
    assert "left out: zoom policy tree needs probabilities" in done.err
    record = json.loads((tmp_path / "zoom.json").read_text())
    assert [each["policy"] for each in record["policies"]] == ["off"]


def test_an_unknown_policy_is_refused_before_a_model_is_loaded(run, no_model, data):
    done = run("bench", "zoom", "synth", "--data", data, "--model", MODEL, "--policies", "off,forest")
    assert done.code == 2
    assert "--policies 'forest' is unknown; choose from off, single, chain" in done.err


def test_a_dry_run_tells_the_cost_of_each_policy(run, no_model, data, tmp_path):
    command = ("bench", "zoom", "synth", "--data", data, "--model", MODEL, "--output", tmp_path / "o")
    done = run(*command, "--dry-run")
    assert done.code == 0
    assert done.out.count("requests:") == 11
    assert not (tmp_path / "o").exists()
