"""The engines against the real vLLM; needs an environment that has it, and minutes: ``make test-vllm``."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from rscovlm.cli import main
from rscovlm.engines import load_model
from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.synth.catalogue import CLASS_NAMES
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.engines.real_vllm import GREEDY, conversations, replies_in_process, vllm_server

PYTHON = os.environ.get("RSCOVLM_VLLM", "")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="RSCOVLM_VLLM does not name the python of an environment that has vLLM"
)

CHECKPOINTS = {"nano": None, "qwen3-vl-tiny": tiny_qwen3_vl, "qwen2.5-vl-tiny": tiny_qwen25_vl}


@pytest.fixture(scope="module", params=CHECKPOINTS)
def folder(request, tmp_path_factory):
    make = CHECKPOINTS[request.param]
    return NANO_FOLDER if make is None else make(tmp_path_factory.mktemp("served") / request.param)


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    with vllm_server(PYTHON, folder, tmp_path_factory.mktemp("vllm") / "log.txt") as server:
        yield server


@pytest.fixture(scope="module")
def most_pixels(folder):
    """The largest image that the checkpoint's own settings allow, on a server too."""
    return json.loads((folder / "preprocessor_config.json").read_text())["size"]["longest_edge"]


@pytest.fixture(scope="module")
def models(server, folder, most_pixels):
    """Options of the command line that name the same weights in process and behind the server."""
    common = ["--max-pixels", str(most_pixels), "--max-tokens", "96"]
    return (
        ["--model", str(folder), "--device", "cpu", *common],
        ["--model", server.spec, *common],
    )


def by_transformers(folder):
    with load_model(str(folder), device="cpu", dtype="float32") as engine:
        return engine.chat(conversations(engine.family.resolution.factor), GREEDY)


@pytest.fixture(scope="module")
def expected(folder):
    return by_transformers(folder)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    assert main(["synth", "scene", str(path), "--size", "2048", "--seed", "7"]) == 0
    return path


def same(found, expected):
    """Greedy replies of the same weights: the same text, counts, and all but the same probabilities."""
    fields = ("text", "stop_reason", "prompt_tokens", "completion_tokens")
    for one, other in zip(found, expected, strict=True):
        assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]
        shortest = min(len(one.logprobs), len(other.logprobs))  # with the end of the turn, or without
        np.testing.assert_allclose(one.logprobs[:shortest], other.logprobs[:shortest], atol=1e-3)


# The first test, so that no server shares its memory.
def test_vllm_in_a_process_of_its_own_gives_the_replies_of_transformers():
    same(replies_in_process(PYTHON, NANO_FOLDER), by_transformers(NANO_FOLDER))


def test_a_server_gives_the_replies_of_the_same_weights_in_process(server, folder, most_pixels, expected):
    # With the tokenizer at hand, each reply's count of prompt tokens is checked to be exactly ours.
    with load_model(server.spec, tokenizer=str(folder), max_pixels=most_pixels) as engine:
        same(engine.chat(conversations(engine.family.resolution.factor), GREEDY), expected)


def test_without_the_tokenizer_the_probes_find_the_server_honest(server, most_pixels, expected):
    with load_model(server.spec, max_pixels=most_pixels) as engine:
        same(engine.chat(conversations(engine.family.resolution.factor), GREEDY), expected)


def test_a_server_that_would_shrink_larger_images_is_found_out(server, most_pixels):
    with (
        load_model(server.spec, max_pixels=4 * most_pixels) as engine,
        pytest.raises(ModelError, match="the server resizes images"),
    ):
        engine.chat(conversations(engine.family.resolution.factor), GREEDY)


def test_ask_zooms_to_the_same_views_and_answers_alike(models, scene, tmp_path):
    output, found = tmp_path / "answers.json", []
    for options in models:
        questions = ["How many ships are at the harbour?", "Is there any plane at the airport?"]
        code = main(["ask", str(scene), *questions, *options, "--output", str(output)])
        answers = json.loads(output.read_text())["answers"]
        for answer in answers:
            del answer["seconds"]
            # Random weights write broken characters, and vLLM leaves a last one out that is not finished.
            answer["answer"] = answer["answer"].replace("\N{REPLACEMENT CHARACTER}", "")
        found.append((code, answers))
    assert found[0] == found[1]


def test_detect_finds_the_same_objects(models, scene, tmp_path):
    found = []
    for number, options in enumerate(models):
        output = tmp_path / f"{number}.geojson"
        classes = ["--classes", ",".join(CLASS_NAMES), "--tile", "512"]
        code = main(["detect", str(scene), *classes, *options, "--output", str(output)])
        found.append((code, json.loads(output.read_text())["features"]))
    assert found[0] == found[1]
