"""The engines against the real vLLM; needs an environment that has it, and minutes: ``make test-vllm``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.patterns import reply_pattern
from rscovlm.cli import main
from rscovlm.engines import load_model
from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import NANO_FOLDER, resolve
from rscovlm.synth.catalogue import CLASS_NAMES
from tests.rscovlm.checkpoints import lora_over, tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.engines.real_vllm import BLOCK, PATTERN, ROOT, asked, asked_in_process, vllm_server
from zoom_chain.dialect_files import dialect_names, load_dialect
from zoom_chain.patterns import turn_pattern

PYTHON = os.environ.get("RSCOVLM_VLLM", "")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="RSCOVLM_VLLM does not name the python of an environment that has vLLM"
)

CHECKPOINTS = {"nano": None, "qwen3-vl-tiny": tiny_qwen3_vl, "qwen2.5-vl-tiny": tiny_qwen25_vl}

TUNED = "tuned"
"""Name under which every server has a LoRA adapter over its checkpoint."""


@pytest.fixture(scope="module")
def told(request):
    """Lines that are printed at the end, whether or not tests fail."""
    lines = []
    yield lines.append
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(lines))


@pytest.fixture(scope="module", params=CHECKPOINTS)
def folder(request, tmp_path_factory):
    make = CHECKPOINTS[request.param]
    return NANO_FOLDER if make is None else make(tmp_path_factory.mktemp("served") / request.param)


@pytest.fixture(scope="module")
def adapter(folder, tmp_path_factory):
    """A LoRA adapter in the language model and in the vision tower."""
    return lora_over(folder, tmp_path_factory.mktemp("adapter") / TUNED)


@pytest.fixture(scope="module")
def server(folder, adapter, tmp_path_factory, told):
    log = tmp_path_factory.mktemp("vllm") / "log.txt"
    lora = ("--enable-lora", "--lora-modules", f"{TUNED}={adapter}", "--enable-tower-connector-lora")
    with vllm_server(PYTHON, folder, log, *lora) as server:
        told(f"served {folder.name}: up after {server.start_s:.1f} s")
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


def by_transformers(model):
    with load_model(str(model), device="cpu", dtype="float32") as engine:
        return asked(engine)


def by_server(server, folder, most_pixels, name):
    # With the tokenizer at hand, each reply's count of prompt tokens is checked to be exactly ours.
    model, family = f"{server.url}#{name}", resolve(str(folder)).family.name
    with load_model(model, tokenizer=str(folder), max_pixels=most_pixels, family=family) as engine:
        return asked(engine)


@pytest.fixture(scope="module")
def expected(folder):
    return by_transformers(folder)


@pytest.fixture(scope="module")
def served(server, folder, most_pixels, told):
    found = by_server(server, folder, most_pixels, folder.name)
    tell_caches(told, f"served {folder.name}", found)
    return found


@pytest.fixture(scope="module", params=["nano", "nano with an adapter"])
def in_process(request, tmp_path_factory, told):
    """The replies of vLLM in a process of its own, and those of the same weights by transformers."""
    plain = request.param == "nano"
    model = NANO_FOLDER if plain else lora_over(NANO_FOLDER, tmp_path_factory.mktemp("adapter") / TUNED)
    found = asked_in_process(PYTHON, f"vllm:{model}", one_process=not plain)
    told(f"{request.param} in process: up after {found.start_s:.1f} s")
    tell_caches(told, f"{request.param} in process", found)
    return found, by_transformers(model)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    assert main(["synth", "scene", str(path), "--size", "2048", "--seed", "7"]) == 0
    return path


def tell_caches(told, name, found):
    for number, cache in enumerate(found.caches, 1):
        told(f"{name}: turn {number} of a zoom chain: {cache}")


def readable(text):
    """Words without broken characters, as random weights write them; vLLM leaves unfinished ones out."""
    return text.replace("\N{REPLACEMENT CHARACTER}", "")


def same(found, expected):
    """Greedy replies of the same weights: the same text, counts, and all but the same probabilities."""
    fields = ("stop_reason", "prompt_tokens", "completion_tokens")
    for one, other in zip(found, expected, strict=True):
        assert readable(one.text) == readable(other.text)
        assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]
        shortest = min(len(one.logprobs), len(other.logprobs))  # with the end of the turn, or without
        np.testing.assert_allclose(one.logprobs[:shortest], other.logprobs[:shortest], atol=1e-3)


def same_where_stopped(found, expected):
    """A stop string ends the reply before itself, wherever the engine looks for it."""
    whole = max((reply.text for reply in expected.replies), key=len)
    assert found.stop == expected.stop
    assert found.stopped.text == expected.stopped.text == whole[: whole.index(found.stop)]
    assert found.stopped.stop_reason == "stop"


def same_probabilities(found, expected):
    """The likeliest first tokens hold the choice that begins with the very likeliest, and not the other."""
    assert found.choices == expected.choices
    likeliest, other = found.scored.choices
    # Shorter beginnings of the choice count too, where choices are told from the likeliest tokens alone.
    assert expected.scored.choices[0] - 1e-3 <= likeliest <= 1e-6
    assert other == -np.inf
    assert expected.scored.choices[1] < expected.scored.choices[0]


def held_to_the_pattern(found):
    assert re.fullmatch(PATTERN, found.held.text)
    assert (found.held.stop_reason, found.held.error) == ("stop", None)


def kept_between_turns(found):
    """Of each later turn all whole blocks of the turn before come from vLLM's cache, as its metrics say."""
    assert found.caches[0].queries == found.turns[0].prompt_tokens
    for (before, reply), cache in zip(pairwise(found.turns), found.caches[1:], strict=True):
        assert cache.queries == reply.prompt_tokens
        assert 0 < cache.hits == reply.prompt_tokens - reply.prefilled_tokens
        assert cache.hits >= before.prompt_tokens // BLOCK * BLOCK


PARSER = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for line in json.load(sys.stdin):
    parser.parse_args(line)
"""


def test_vllm_knows_every_argument_of_the_documented_command_lines():
    start = "$ vllm serve "
    lines = [
        shlex.split(line.removeprefix(start), comments=True)
        for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith(start)
    ]
    assert len(lines) >= 7
    parsed = subprocess.run([PYTHON, "-c", PARSER], input=json.dumps(lines), capture_output=True, text=True)
    assert parsed.returncode == 0, parsed.stderr[-2000:]


GRAMMARS = """
import json, sys
import xgrammar
for pattern in json.load(sys.stdin):
    xgrammar.Grammar.from_regex(pattern)
"""


def test_vllm_takes_the_pattern_of_every_contract_and_dialect():
    patterns = [reply_pattern(contract, CLASS_NAMES) for contract in CONTRACTS.values()]
    patterns += [turn_pattern(load_dialect(name), calls=True) for name in dialect_names()]
    taken = subprocess.run(
        [PYTHON, "-c", GRAMMARS], input=json.dumps(patterns), capture_output=True, text=True
    )
    assert taken.returncode == 0, taken.stderr[-2000:]


def answers_as_transformers(found, expected):
    same(found.replies, expected.replies)
    same(found.turns, expected.turns)
    same_where_stopped(found, expected)
    same_probabilities(found, expected)
    held_to_the_pattern(found)


# First those in process, so that no server shares their memory.
def test_vllm_in_a_process_of_its_own_gives_the_replies_of_transformers(in_process):
    answers_as_transformers(*in_process)


def test_in_process_the_turns_of_a_chain_find_the_turns_before_them_in_the_cache(in_process):
    kept_between_turns(in_process[0])


def test_a_server_gives_the_replies_of_the_same_weights_in_process(served, expected):
    answers_as_transformers(served, expected)


def test_on_a_server_the_turns_of_a_chain_find_the_turns_before_them_in_the_cache(served):
    kept_between_turns(served)


def test_a_served_adapter_is_asked_for_by_its_name(server, folder, adapter, most_pixels, expected):
    found = by_server(server, folder, most_pixels, TUNED)
    same(found.replies, by_transformers(adapter).replies)
    assert abs(found.replies[0].logprobs[0] - expected.replies[0].logprobs[0]) > 1e-3


def test_without_the_tokenizer_the_probes_find_the_server_honest(server, folder, most_pixels, expected):
    with load_model(server.spec, max_pixels=most_pixels) as engine:
        same(asked(engine).replies, expected.replies)


def test_a_server_that_would_shrink_larger_images_is_found_out(server, most_pixels):
    with (
        load_model(server.spec, max_pixels=4 * most_pixels) as engine,
        pytest.raises(ModelError, match="the server resizes images"),
    ):
        asked(engine)


def test_ask_zooms_to_the_same_views_and_answers_alike(models, scene, tmp_path):
    found = []
    for number, options in enumerate(models):
        output = tmp_path / f"{number}.json"
        questions = ["How many ships are at the harbour?", "Is there any plane at the airport?"]
        code = main(["ask", str(scene), *questions, *options, "--output", str(output)])
        answers = json.loads(output.read_text())["answers"]
        for answer in answers:
            del answer["seconds"]
            answer["answer"] = readable(answer["answer"])
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


def held_parsing(options, scene, output, *further):
    """What came of the replies about the tiles of a scene, by outcome."""
    classes = ["--classes", "plane,ship", "--tile", "1024"]
    main(["detect", str(scene), *classes, *options, "--output", str(output), "--allow-failed", *further])
    found = json.loads(output.read_text())
    assert {feature["properties"]["class"] for feature in found["features"]} <= {"plane", "ship"}
    return found["provenance"]["parsing"]


def test_detect_structured_writes_nothing_but_the_contract(models, scene, tmp_path, told, folder):
    """Of random weights too, all that can be wrong is where boxes lie, and that a reply was cut off."""
    free = held_parsing(models[1], scene, tmp_path / "free.geojson")
    held = held_parsing(models[1], scene, tmp_path / "held.geojson", "--structured")
    told(f"detect with {folder.name} served: {free}; --structured: {held}")
    assert not {"unparsable", "unknown_labels", "refused"} & set(held)
    assert set(held.get("dropped", ())) <= {"truncated"}
    assert set(held.get("repaired", ())) <= {"inverted box"}


def test_ask_structured_asks_for_no_zoom_that_cannot_be_read(models, scene, tmp_path):
    output, trace = tmp_path / "held.txt", tmp_path / "held.json"
    questions = ["How many ships are at the harbour?", "Is there any plane at the airport?"]
    outputs = ["--output", str(output), "--trace", str(trace)]
    main(["ask", str(scene), *questions, *models[1], "--structured", *outputs])
    turns = [
        (turn, load_dialect(answer["settings"]["dialect"]))
        for answer in json.loads(trace.read_text())
        for turn in answer["turns"]
    ]
    whole = [each for each in turns if each[0]["completion_tokens"] < 96]
    assert all(re.fullmatch(turn_pattern(dialect, calls=True), turn["reply"]) for turn, dialect in whole)
    assert not any("JSON" in str(turn["refusal"]) for turn, _ in whole)
