"""What names and options of ``rscovlm bench run`` come to, before any model is loaded."""

import json

import pytest

from rscovlm.bench.synthetic import write_benchmark
from tests.rscovlm.cli.conftest import MODEL


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    write_benchmark(folder, each=2, scenes=1, size=512)
    return folder


def test_a_dry_run_tells_the_cost_and_loads_nothing(run, no_model, data, tmp_path):
    done = run(
        "bench", "run", "synth", "--data", data, "--zoom", "off", "--dry-run", "--output", tmp_path / "x"
    )
    assert done.code == 0
    assert "requests: " in done.out
    assert 'first request (class/0): "Classify the image into one of' in done.out
    assert not (tmp_path / "x").exists()
    (record,) = json.loads(run("bench", "run", "synth", "--data", data, "--dry-run", "--json").out)
    assert record["visual_tokens"][0] < record["visual_tokens"][1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("synht", "--data", "."), "did you mean synth"),
        (("synth",), "needs --data"),
        (("synth", "--data", "gone"), "is no folder"),
        (("synth", "--data", ".", "--split", "train"), "choose from test"),
        (("synth", "--data", "DATA", "--prompts", "rude"), "no configuration rude"),
        (("synth", "--data", "DATA", "--blind", "text", "--zoom", "chain"), "leave out --zoom chain"),
    ],
)
def test_bad_usage_is_one_clear_line(run, no_model, data, arguments, words):
    done = run("bench", "run", *(data if word == "DATA" else word for word in arguments), "--model", MODEL)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_runs_that_are_alike_are_planned_once_and_each_of_several_has_a_folder(run, no_model, data, tmp_path):
    plan = tmp_path / "runs.yaml"
    plan.write_text(
        f"data: {data}\nlimit: 2\nruns:\n"
        "  - {benchmark: synth, zoom: off}\n"
        "  - {benchmark: synth, blind: gray, zoom: off, label: grey}\n"
        "  - {benchmark: synth, zoom: off}\n"
    )
    done = run("bench", "run", plan, "--dry-run", "--output", "runs")
    heads = [line for line in done.out.splitlines() if line.startswith("synth test: ")]
    assert [head.rpartition(": ")[2] for head in heads] == ["runs/synth/nano-overview", "runs/synth/grey"]
