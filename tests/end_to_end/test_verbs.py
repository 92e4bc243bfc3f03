"""Every verb on real files with a real model: a tiny random checkpoint, whose words mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rscovlm.cli import main
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.synth.catalogue import LAND_COVERS
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from zoom_chain.trace import Trace

needs_nano = pytest.mark.skipif(
    not (NANO_FOLDER / "model.safetensors").is_file(), reason="nano's weights are not in this checkout"
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    assert main(["synth", "scene", str(path), "--size", "1024", "--seed", "5"]) == 0
    return path


@pytest.fixture(scope="module", params=[tiny_qwen3_vl, tiny_qwen25_vl], ids=["qwen3-vl", "qwen2.5-vl"])
def checkpoint(request, tmp_path_factory) -> Path:
    return request.param(tmp_path_factory.mktemp("checkpoint"))


def with_model(checkpoint: Path, most_tokens: int) -> list[str]:
    """Options that keep a random model short: it does not know when to stop."""
    return ["--model", str(checkpoint), "--max-tokens", str(most_tokens), "--max-pixels", "16384"]


def test_ask_shows_the_whole_scene_and_writes_what_it_saw(scene, checkpoint, tmp_path, capsys):
    trace, answers = tmp_path / "trace.json", tmp_path / "answers.json"
    command = ["ask", str(scene), "How many ships?", "What colour?", *with_model(checkpoint, 6)]
    code = main([*command, "--trace", str(trace), "--output", str(answers)])
    # The answers are there, but said to be cut off.
    assert code == 1
    assert "cut off" in capsys.readouterr().err
    first, second = json.loads(answers.read_text())["answers"]
    assert (first["question"], second["question"]) == ("How many ships?", "What colour?")
    assert first["views"][0]["window"] == {"x": 0, "y": 0, "width": 1024, "height": 1024}
    traces = [Trace.from_json(json.dumps(item)) for item in json.loads(trace.read_text())]
    assert all(trace.turns[0].completion_tokens == 6 for trace in traces)
    assert all(trace.turns[0].prompt_tokens > trace.views[0].visual_tokens > 0 for trace in traces)


def test_detect_lists_the_tiles_that_a_random_model_leaves_unread(scene, checkpoint, tmp_path):
    output = tmp_path / "boxes.geojson"
    command = ["detect", str(scene), *with_model(checkpoint, 4), "--output", str(output)]
    code = main([*command, "--tile", "512", "--overlap", "0"])
    assert code == 1
    provenance = json.loads(output.read_text())["provenance"]
    assert provenance["tiles"] == len(provenance["failed_tiles"]) == 4
    assert provenance["unexamined_px"] == 1024 * 1024


def test_classify_takes_nothing_for_a_class_that_is_none(scene, checkpoint, capsys):
    code = main(["classify", str(scene), *with_model(checkpoint, 4), "--classes", "port,city", "--json"])
    assert code == 1
    assert json.loads(capsys.readouterr().out)[0]["label"] is None


def test_an_unknown_device_is_refused_in_one_line(scene, checkpoint, capsys):
    assert main(["ask", str(scene), "any?", "--model", str(checkpoint), "--device", "abacus"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("rscovlm: --device abacus cannot be used")
    assert error.count("\n") == 1


def test_doctor_names_what_is_in_use(capsys):
    assert main(["doctor", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"torch", "transformers", "rasterio"} <= rows.keys()
    assert main(["doctor"]) == 0
    assert "torch" in capsys.readouterr().out


@needs_nano
def test_nano_asks_detects_and_classifies_as_shipped(scene, tmp_path, capsys):
    questions = scene.with_suffix(".questions.jsonl")
    assert main(["ask", str(scene), "--questions", str(questions)]) == 0
    told = capsys.readouterr()
    assert "(expected: " in told.out
    assert "answers as expected" in told.err
    output = tmp_path / "boxes.gpkg"
    main(["detect", str(scene), "--output", str(output)])
    assert output.is_file()
    assert main(["classify", str(scene)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] in LAND_COVERS
