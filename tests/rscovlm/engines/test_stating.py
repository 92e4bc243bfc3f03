"""The scale in words, from a recipe to what a server is sent, in ``ask`` and ``detect``."""

import pytest

from rscovlm.cli import main
from rscovlm.engines import load_model
from rscovlm.engines.stating import StatingEngine
from rscovlm.models.checkpoints import resolve
from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.engines.server import ModelServer, read_messages
from tests.rscovlm.painted import paint
from zoom_chain.requests import in_flight

NAME = "qwen3-vl-test"


@pytest.fixture
def server():
    with ModelServer(model=NAME) as server:
        server.answer = lambda conversation: "[]"
        yield server


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "told.yaml").write_text("state_gsd: true\n")
    return tmp_path / "told.yaml"


def asked_about(server, *command):
    """The text of the last request of a command about a painted scene, whose file tells no scale."""
    assert main([str(each) for each in command]) == 0
    return read_messages(server.requests[-1]["messages"]).messages[-1].text


@pytest.mark.parametrize(("stated", "words"), [(["--assume-gsd", "0.3"], "0.3 m"), ([], "unknown")])
def test_ask_says_the_scale_that_is_assumed(server, recipe, tmp_path, stated, words):
    paint(tmp_path / "scene.tif")
    command = ["ask", tmp_path / "scene.tif", "How many?", "--model", f"{server.url}#{NAME}", "--zoom", "off"]
    text = asked_about(server, *command, "--config", recipe, *stated)
    assert text == f"One pixel is {words} on the ground.\nHow many?"
    assert asked_about(server, *command, *stated) == "How many?"


def test_detect_says_the_scale_at_which_a_tile_is_shown(server, recipe, tmp_path):
    paint(tmp_path / "scene.tif")
    to = ["--output", tmp_path / "found.json", "--classes", "ship", "--tile", "64", "--overlap", "0"]
    command = ["detect", tmp_path / "scene.tif", "--model", f"{server.url}#{NAME}", "--config", recipe, *to]
    assert asked_about(server, *command, "--assume-gsd", "0.3").startswith(
        "One pixel is 0.3 m on the ground.\n"
    )


def test_the_engine_is_the_other_one_but_for_what_it_is_told(server):
    plain = resolve(f"{server.url}#{NAME}")
    told = resolve(f"{server.url}#{NAME}")
    object.__setattr__(told, "family", Recipe(state_gsd=True).family(told.family))
    with load_model(plain) as one, load_model(told) as other:
        assert isinstance(other, StatingEngine)
        assert not isinstance(one, StatingEngine)
        assert other.name == f"{one.name}, told scales in words"  # as traces have it
        assert (other.scores, in_flight(other)) == (one.scores, in_flight(one))
    assert plain.identity != told.identity  # replies of one are none of the other, in journals
