"""The real lmms-eval runs this engine; needs an environment that has it, and minutes: ``make test-lmms``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from rscovlm.cli import main
from zoom_chain.trace import Trace

PYTHON = os.environ.get("RSCOVLM_LMMS", "")
ROOT = Path(__file__).resolve().parents[3]
TASK = ROOT / "examples" / "lmms_eval"
COUNT = 6

pytestmark = pytest.mark.skipif(
    not PYTHON,
    reason="RSCOVLM_LMMS does not name the python of an environment that has lmms-eval and rscovlm",
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A working directory with the data of the task where its YAML expects them."""
    folder = tmp_path_factory.mktemp("lmms")
    (folder / "build").mkdir()
    data = folder / "build" / "lmms-eval"
    assert main(["synth", "dataset", str(data), "--count", "1", "--size", "2048", "--seed", "3"]) == 0
    lines = (data / "questions.jsonl").read_text().splitlines()[:COUNT]
    (data / "questions.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def harness(work, arguments, *more):
    """A run of the command, in a process that imports the code of this checkout."""
    command = [PYTHON, "-m", "lmms_eval", "--model", "rscovlm", "--model_args", arguments]
    command += ["--include_path", str(TASK), "--device", "cpu", "--batch_size", "4", *more]
    command += ["--verbosity", "DEBUG"]  # otherwise lmms-eval ends with 0 after an error
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(work / "hf")}
    return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)


def ran(work, name, arguments, *more):
    """Results and samples of a run that went well."""
    folder = work / name
    done = harness(
        work, arguments, "--tasks", "synthetic_scenes", "--output_path", str(folder), "--log_samples", *more
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (results,) = folder.rglob("*results.json")
    (samples,) = folder.rglob("*samples*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return (
        json.loads(results.read_text()),
        sorted(lines, key=lambda line: line["doc_id"]),
        done.stdout + done.stderr,
    )


def replies(samples):
    return [sample["filtered_resps"] for sample in samples]


@pytest.fixture(scope="module")
def by_command(work):
    """Answers of ``rscovlm ask`` to the same questions, by zoom."""
    data = work / "build" / "lmms-eval"
    (image,) = (data / "images").iterdir()
    found = {}
    for zoom in ("off", "chain"):
        output = work / f"{zoom}.json"
        questions = ["--questions", str(data / "questions.jsonl"), "--output", str(output)]
        assert main(["ask", str(image), *questions, "--zoom", zoom, "--device", "cpu"]) == 0
        found[zoom] = json.loads(output.read_text())["answers"]
    return found


@pytest.mark.parametrize("zoom", ["off", "chain"])
def test_answers_and_score_are_those_of_the_command(work, by_command, zoom):
    traces = work / f"traces-{zoom}"
    results, samples, _ = ran(work, zoom, f"pretrained=nano,zoom={zoom},traces={traces}")
    expected = by_command[zoom]
    assert replies(samples) == [answer["answer"] for answer in expected]
    right = sum(answer["as_expected"] for answer in expected)
    assert results["results"]["synthetic_scenes"]["accuracy,none"] == pytest.approx(right / COUNT)
    views = [
        len(Trace.from_json((traces / "synthetic_scenes" / f"{index}.json").read_text()).views)
        for index in range(COUNT)
    ]
    assert views == [len(answer["views"]) for answer in expected]
    assert (max(views) > 1) == (zoom == "chain")


def test_a_missing_picture_costs_its_own_answer_and_is_told(work):
    data = work / "build" / "lmms-eval" / "questions.jsonl"
    kept = data.read_text()
    first, *rest = kept.splitlines()
    data.write_text("\n".join([json.dumps({**json.loads(first), "image": "gone.tif"}), *rest]) + "\n")
    try:
        _, samples, told = ran(work, "missing", "pretrained=nano,zoom=off")
    finally:
        data.write_text(kept)
    assert replies(samples)[0] == ""
    assert all(replies(samples)[1:])
    assert "synthetic_scenes/0: " in told
    assert "gone.tif" in told
    assert f"{COUNT} requests ({COUNT - 1} answered, 1 error)" in told


def test_a_run_in_which_every_request_fails_ends_with_the_reason(work):
    arguments = f"pretrained=nano,zoom=off,image_field=image,image_root={work}"
    done = harness(work, arguments, "--tasks", "synthetic_scenes")
    assert done.returncode != 0
    assert f"all {COUNT} requests failed; the first: " in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("pretrained=nano,zom=off", "zom: no such model argument; choose from pretrained, config, zoom"),
        ("pretrained=nano,zoom=yes", "zoom='yes' is unknown; choose off, single, chain"),
        ("pretrained=./nothing", "model './nothing' is neither a folder nor known"),
        ("pretrained=nano,config=no/such", "no/such"),
    ],
)
def test_a_wrong_argument_ends_the_run_with_one_line_of_what_would_be_right(work, arguments, told):
    done = harness(work, arguments, "--tasks", "synthetic_scenes")
    assert done.returncode != 0
    assert told in done.stdout + done.stderr
