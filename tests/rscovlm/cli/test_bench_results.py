"""``rscovlm bench score``, ``compare`` and ``report``: logs judged without a model."""

import json

import pytest

from rscovlm.bench.synthetic import write_benchmark
from tests.rscovlm.cli.conftest import MODEL


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    write_benchmark(folder, each=2, scenes=1, size=1024)
    return folder


@pytest.fixture
def runs(run, scripted, data, tmp_path):
    """Two runs of the same items: one that always chooses the right letter, one that says nothing."""
    items = [json.loads(line) for line in (data / "items.jsonl").read_text().splitlines()]
    letters = {each["subject"]: each["truth"]["answers"][0] for each in items if each["kind"] == "choice"}

    def right(conversation):
        return letters.get(conversation.messages[-1].text.partition("\n")[0], "")

    for name, script in (("yes", right), ("none", lambda conversation: "")):
        scripted(script)
        out = tmp_path / name
        run("bench", "run", "synth", "--data", data, "--model", MODEL, "--zoom", "off", "--output", out)
        (out / "scores.json").unlink()
    return tmp_path


def test_a_log_is_judged_again_under_any_protocol_without_a_model(run, runs, no_model):
    done = run("bench", "score", runs / "yes", runs / "none")
    assert done.code == 0
    strict = json.loads((runs / "none/scores.json").read_text())
    assert (strict["protocol"], strict["micro"]["value"]) == ("synth/strict/1", 0)
    assert run("bench", "score", runs / "none", "--protocol", "answered").code == 0
    answered = json.loads((runs / "none/scores.json").read_text())
    assert (answered["protocol"], answered["n"]) == ("synth/answered/1", 0)
    assert "(yes)" in done.out  # two runs of one label are told apart by their folders
    assert "(none)" in done.out


def test_scores_as_json(run, runs):
    records = json.loads(run("bench", "score", runs, "--json").out)
    assert [record["label"] for record in records][-2:] == ["most frequent answer", "random answer"]
    assert all(record["groups"] for record in records)
    jobs = [json.loads((runs / name / "manifest.json").read_text())["hash"] for name in ("yes", "none")]
    assert [record["job"] for record in records] == [*jobs, "", ""]


def test_an_interrupted_log_is_judged_as_far_as_it_goes_and_the_exit_code_is_1(run, runs):
    log = runs / "yes/samples.jsonl"
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:5]))
    done = run("bench", "score", runs / "yes")
    assert done.code == 1
    assert "holds 4 of" in done.err
    assert "items were never asked" in done.out


def test_an_unknown_protocol_is_answered_with_those_there_are(run, runs):
    done = run("bench", "score", runs, "--protocol", "official")
    assert done.code == 2
    assert "strict (synth/strict/1)" in done.err


def test_two_runs_are_compared_item_by_item(run, runs):
    done = run("bench", "compare", runs / "yes", runs / "none", "--flips", 1)
    assert done.code == 0
    assert "the second on 0" in done.out
    assert "choice/0: 1 -> 0" in done.out
    found = json.loads(run("bench", "compare", runs / "yes", runs / "none", "--json").out)
    assert found["wins"] == len(found["flips"]) > 0
    assert found["difference"]["low"] <= found["difference"]["value"] <= found["difference"]["high"]


def test_a_report_is_written_in_every_form(run, runs, tmp_path):
    paths = {name: tmp_path / f"report.{name}" for name in ("html", "csv", "md", "tex")}
    options = ("--output", "--csv", "--markdown", "--latex")
    command = ["bench", "report", runs / "yes", runs / "none"]
    for option, path in zip(options, paths.values()):
        command += [option, path]
    done = run(*command)
    assert done.code == 0
    assert done.out.split() == [str(path) for path in paths.values()]
    assert "all categories" in paths["html"].read_text()
    assert "[random answer]" in paths["csv"].read_text()
    assert "## synth, by category" in paths["md"].read_text()
    assert "\\toprule" in paths["tex"].read_text()
    assert run(*command).code == 2  # nothing is replaced unasked
    assert run(*command, "--overwrite").code == 0


def test_without_a_file_the_tables_go_to_the_terminal(run, runs):
    done = run("bench", "report", runs / "yes")
    assert "synth, by category" in done.out
    assert "metrics of synth/strict/1" in done.out


def test_what_is_no_run_is_refused(run, tmp_path):
    done = run("bench", "score", tmp_path)
    assert done.code == 2
    assert "neither is nor holds a run folder" in done.err
    assert run("bench", "report", tmp_path, "--output", tmp_path / "page.pdf").code == 2
