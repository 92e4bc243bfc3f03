"""``rscovlm bench run``: runs, their folders, and what is refused before a model is loaded."""

import json
import math
import shutil

import pytest
import torch

from rscovlm.bench.runs.looking import BLINDS, MODES
from rscovlm.bench.synthetic import write_benchmark
from rscovlm.cli.bench_run import Blinded, Shown
from rscovlm.models.heads.gsd import LogGsd
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import ONE_SCALE
from tiling.scene import Scene
from zoom_chain.chat import Reply


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    write_benchmark(folder, each=2, scenes=1, size=512)
    return folder


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def lines(folder):
    return (folder / "samples.jsonl").read_text().splitlines()[1:]


def test_all_ways_to_look_can_be_asked_for():
    assert tuple(shown.value for shown in Shown) == MODES
    assert tuple(blinded.value for blinded in Blinded) == BLINDS


def test_a_run_is_logged_scored_and_told(run, scripted, data, tmp_path):
    scripted(lambda conversation: Reply("yes", prompt_tokens=9, completion_tokens=1))
    out = tmp_path / "run"
    done = run("bench", "run", "synth", "--data", data, "--model", MODEL, "--output", out)
    assert done.code == 0
    assert "synth, protocol synth/strict/1" in done.out
    assert "[most frequent answer]" in done.out
    about = manifest(out)["benchmark"]
    assert about["items"] == len(lines(out)) == len((data / "items.jsonl").read_text().splitlines())
    assert list(about["files"]) == ["items.jsonl"]
    assert about["protocols"]["strict"] == "synth/strict/1"
    assert json.loads((out / "scores.json").read_text())["job"] == manifest(out)["hash"]


def test_a_head_of_scale_is_scored_on_the_images_whose_scale_is_known(run, scripted, data, tmp_path):
    engine, out = scripted(lambda conversation: "yes"), tmp_path / "run"
    georeferenced = shutil.copytree(data, tmp_path / "data")
    items = (data / "items.jsonl").read_text().replace("class_0000.png", "scene_0000.tif")
    (georeferenced / "items.jsonl").write_text(items)
    engine.gsd_of = lambda image: LogGsd(torch.tensor([0.0]), torch.tensor([0.1]))
    engine.estimate_gsd = lambda image: engine.gsd_of(image).interval(0)
    done = run("bench", "run", "synth", "--data", georeferenced, "--model", MODEL, "--output", out)
    assert "scale from pixels, 1 image of known scale: off by" in done.err
    scores = json.loads((out / "scale_head.json").read_text())
    with Scene(next(data.rglob("*.tif"))) as scene:
        shown_m = scene.gsd_of(scene.overview(ONE_SCALE.resolution))
    assert scores["images"] == 1
    assert scores["error_decades"] == pytest.approx(abs(math.log10(shown_m)), rel=1e-3)


def test_a_run_that_exists_is_refused_before_a_model_is_loaded(run, scripted, no_model, data, tmp_path):
    out = tmp_path / "run"
    scripted(lambda conversation: "yes")
    command = ("bench", "run", "synth", "--data", data, "--model", MODEL, "--limit", 3, "--output", out)
    assert run(*command).code == 0
    assert len(lines(out)) == 3
    done = run(*command)
    assert (done.code, "--resume" in done.err) == (2, True)
    engine = scripted(lambda conversation: "no")
    assert run(*command, "--resume").code == 0
    assert engine.batches == []
    assert run(*command, "--overwrite").code == 0
    assert json.loads(lines(out)[0])["value"]["text"] == "no"


def test_another_job_in_the_same_folder_is_refused_by_name(run, scripted, data, tmp_path):
    scripted(lambda conversation: "yes")
    command = ("bench", "run", "synth", "--data", data, "--model", MODEL, "--limit", 2, "--output", tmp_path)
    assert run(*command, "--zoom", "off", "--overwrite").code == 0
    done = run(*command, "--zoom", "oracle", "--resume")
    assert done.code == 2
    assert 'zoom was "off", now "oracle"' in done.err


def test_items_that_fail_are_listed_and_the_exit_code_is_1(run, scripted, data, tmp_path):
    def script(conversation):
        failed = "Describe" in conversation.messages[-1].text
        return Reply("", "error", error="too long") if failed else "yes"

    scripted(script)
    out = tmp_path / "run"
    command = ("bench", "run", "synth", "--data", data, "--model", MODEL, "--zoom", "off", "--output", out)
    done = run(*command)
    assert done.code == 1
    assert "caption/0: too long" in done.err
    assert "2 items failed" in done.err
    scripted(lambda conversation: "a ship")
    assert run(*command, "--resume").code == 0


def test_an_audit_makes_a_run_of_each_way_to_look(run, scripted, data, tmp_path):
    scripted(lambda conversation: "yes")
    done = run(
        "bench",
        "run",
        "synth",
        "--data",
        data,
        "--model",
        MODEL,
        "--audit",
        "--limit",
        4,
        "--output",
        tmp_path,
    )
    assert done.code == 0
    names = {path.name.removeprefix("http-scripted-v1-nano-") for path in (tmp_path / "synth").iterdir()}
    assert {"direct", "overview", "chain", "blind-text"} <= names
    assert done.out.count(f"{MODEL}, ") == len(names)


def test_a_file_of_runs(run, scripted, data, tmp_path):
    scripted(lambda conversation: "yes")
    plan = tmp_path / "runs.yaml"
    plan.write_text(
        f"data: {data}\nmodel: {MODEL}\nlimit: 2\nruns:\n"
        "  - {benchmark: synth, zoom: off, label: plain}\n"
        "  - {benchmark: synth, blind: gray, label: grey}\n"
    )
    done = run("bench", "run", plan, "--output", tmp_path / "out")
    assert done.code == 0
    assert {manifest(path)["label"] for path in (tmp_path / "out/synth").iterdir()} == {"plain", "grey"}
