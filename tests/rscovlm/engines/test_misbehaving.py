"""A server that misbehaves as real ones were reported to, in each of its modes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from rscovlm.engines import connection
from rscovlm.engines.http import HttpEngine
from rscovlm.errors import ModelError
from rscovlm.models.families import FAMILIES
from rscovlm.models.serving import Serving
from tiling.resolution import Resolution
from zoom_chain.answers import spoken_text
from zoom_chain.calls import ZoomCall, parse_zoom_call
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply
from zoom_chain.dialect import QWEN3_VL

TOOL = Path(__file__).resolve().parents[4] / "shared" / "tools" / "misbehaving-server"
pytestmark = pytest.mark.skipif(not TOOL.is_file(), reason="the server is not beside the repository")

FAMILY = replace(FAMILIES["qwen3-vl"], resolution=Resolution(32, 4 * 32**2, 256 * 32**2))
OPTIONS = Generation(max_new_tokens=64)
FAST = Serving(timeout_s=2.0, attempts=2)


@contextmanager
def serving():
    """The address of a server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(TOOL), str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server():
    with serving() as url:
        yield url


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 0.1)
    for name in connection.KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def picture(rows: int = 8, columns: int = 8) -> ImagePart:
    return ImagePart(np.zeros((rows * 32, columns * 32, 3), dtype=np.uint8))


def question() -> Conversation:
    return QWEN3_VL.opening(picture(16, 16), "How many ships?", zoom=True)


def ask(
    server: str, mode: str, serving: Serving = FAST, count: int = 1, name: str | None = None
) -> list[Reply]:
    with HttpEngine(f"{server}/{mode}/v1", name, FAMILY, serving=serving, first_wait_s=0.01) as engine:
        return [engine.chat([question()], OPTIONS)[0] for _ in range(count)]


def chain(server: str, mode: str) -> list[Reply]:
    """Both turns of a zoom: the second one shows a crop."""
    with HttpEngine(f"{server}/{mode}/v1", None, FAMILY, serving=FAST, first_wait_s=0.01) as engine:
        asked = question()
        first = engine.chat([asked], OPTIONS)[0]
        shown = QWEN3_VL.crop_turn(asked.say("assistant", first.text), picture(16, 16))
        return [first, engine.chat([shown], OPTIONS)[0]]


@dataclass(frozen=True)
class Ends:
    """How a request ends: with words, or with an error that concerns it alone."""

    text: str | None = None
    error: str | None = None
    reason: str = "stop"

    def check(self, reply: Reply) -> None:
        if self.error is None:
            assert reply.error is None
            assert re.search(self.text or "", reply.text)
            assert reply.stop_reason == self.reason
        else:
            assert re.search(self.error, reply.error or ""), reply
            assert "\n" not in (reply.error or "")


WHOLE = Ends(text="^answer$")
ONE = {
    # --- whole replies, some of them after another attempt
    **dict.fromkeys(["ok", "r429", "s500once", "reset", "e520", "contentlist", "finishnull", "gzip"], WHOLE),
    **dict.fromkeys(["logprobs", "usagefloat", "cachedbig", "detailslist"], WHOLE),
    "unicode": Ends(text="^飞机"),
    "long": Ends(text="^x+$"),
    "length": Ends(text="^answer", reason="length"),
    # --- failures of the request alone
    "r429long": Ends(error=r"HTTP 429: Rate limit; try again in 20m \(after 2 attempts\)"),
    "r429always": Ends(error="HTTP 429: You exceeded your current quota$"),
    "s503loop": Ends(error=r"HTTP 503: no healthy upstream \(after 2 attempts\)"),
    "dripforever": Ends(error="no whole reply within 2 s; --timeout"),
    "hang": Ends(error="no whole reply within 2 s; --timeout"),
    "shortbody": Ends(error="peer closed connection"),
    "badjson": Ends(error='not JSON: \'{"choices": \\['),
    "html200": Ends(error="a web page instead of a reply, as of a gateway: HTTP 200: Gateway login"),
    "nan": Ends(error="no usage: prompt_tokens is nan"),
    "emptychoices": Ends(error="without a choice"),
    "refusal": Ends(error="the model declined: I'm sorry"),
    "nousage": Ends(error="no usage: the reply does not state its token counts"),
    "nousagekey": Ends(error="no usage"),
    "e400len": Ends(error="HTTP 400: This model's maximum context length is 4096 tokens"),
    "e404": Ends(error="HTTP 404: The model `qwen3-vl` does not exist"),
    "e422": Ends(error=r"HTTP 422: Extra inputs are not permitted \(body.seed\)"),
    "e413": Ends(error="HTTP 413: 413 Request Entity Too Large"),
    "e402": Ends(error="HTTP 402: Insufficient credits"),
    "sse": Ends(error="the server streams its reply though it was not asked to"),
}


@pytest.mark.parametrize(("mode", "ends"), ONE.items(), ids=ONE)
def test_a_request_ends_with_a_whole_reply_or_one_clear_line(server, mode, ends):
    ends.check(ask(server, mode)[0])


REFUSED = {
    "auth": "HTTP 401: Incorrect API key provided; set the key in RSCOVLM_API_KEY",
    "nomodels": "HTTP 404: Not Found; the address usually ends in /v1",
    "models_html": "is not an OpenAI-compatible list of models",
    "models_500": "no model server answers at .*HTTP 503: loading model",
    "redirect": "redirects to /ok/v1/models; give that address",
    "twomodels": "needs a model name; it serves a, b",
    "cap100": "the server resizes images",
    "min64": "the server resizes images",
    "wrongcount": "counts 77 prompt tokens where",
}


@pytest.mark.parametrize(("mode", "says"), REFUSED.items(), ids=REFUSED)
def test_what_concerns_every_request_ends_the_run_in_one_line(server, mode, says):
    with pytest.raises(ModelError, match=says) as error:
        ask(server, mode)
    assert "\n" not in str(error.value)


def test_a_key_opens_a_server(server, monkeypatch):
    monkeypatch.setenv("RSCOVLM_API_KEY", "sesame\n")
    assert ask(server, "auth")[0].text == "answer"


def test_a_server_that_is_still_loading_is_waited_for(server):
    assert ask(server, "models_503_then", replace(FAST, attempts=4))[0].text == "answer"


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("ollama", "qwen3-vl:8b"),
        ("openrouter", "qwen/qwen3-vl-8b-instruct"),
        ("llamacpp", "/m/Qwen3-VL.gguf"),
    ],
)
def test_the_lists_of_other_servers_are_read(server, mode, name):
    with HttpEngine(f"{server}/{mode}/v1", None, FAMILY) as engine:
        assert engine.model == name


def test_a_slow_reply_is_whole_where_time_allows_and_else_bounded_as_a_whole(server):
    assert ask(server, "drip", replace(FAST, timeout_s=30))[0].text == "answer"
    began = time.monotonic()
    assert "no whole reply within 1 s" in (ask(server, "drip", replace(FAST, timeout_s=1))[0].error or "")
    assert time.monotonic() - began < 5  # every piece of the reply comes in time, the whole does not


def test_a_request_that_hangs_costs_itself_alone(server):
    with HttpEngine(f"{server}/hangone/v1", None, FAMILY, serving=FAST, first_wait_s=0.01) as engine:
        engine.chat([question()], OPTIONS)
        replies = engine.chat([question()] * 6, OPTIONS)
    assert [reply.text for reply in replies].count("answer") == 5
    assert len([reply for reply in replies if reply.error]) == 1


def test_what_a_server_answered_before_it_died_is_there():
    with (
        serving() as url,
        HttpEngine(f"{url}/die/v1", None, FAMILY, serving=FAST, first_wait_s=0.01) as engine,
    ):
        replies = [engine.chat([question()], OPTIONS)[0] for _ in range(5)]
    # Two of the six requests that it lives for are probes.
    assert [reply.text for reply in replies] == ["answer"] * 3 + [""] * 2
    assert all("(after 2 attempts)" in (reply.error or "") for reply in replies[3:])


@pytest.mark.parametrize(
    ("mode", "error"),
    [("e403some", "moderation"), ("somefail500", "EngineCore died"), ("somefail", "bad image")],
)
def test_a_failure_belongs_to_its_request(server, mode, error):
    with HttpEngine(f"{server}/{mode}/v1", None, FAMILY, serving=FAST, first_wait_s=0.01) as engine:
        asked = [Conversation().say("user", picture(), f"{mode} {number}?") for number in range(24)]
        replies = engine.chat(asked[:1], OPTIONS) + engine.chat(asked[1:], OPTIONS)
    failed = [reply for reply in replies if reply.error]
    assert 0 < len(failed) < 24
    assert all(error in (reply.error or "") for reply in failed)
    assert [reply.text for reply in replies].count("answer") == 24 - len(failed)


def test_a_limit_on_images_is_told_when_the_second_is_shown(server):
    first, second = chain(server, "e400img")
    assert first.error is None
    assert "At most 1 image(s) may be provided" in (second.error or "")


@pytest.mark.parametrize("mode", ["toolcalls", "reasoning", "reasoningonly", "vllmtoolstop"])
def test_calls_outside_of_the_text_are_calls(server, mode):
    call = parse_zoom_call(ask(server, mode)[0].text, QWEN3_VL, 256, 256)
    assert isinstance(call, ZoomCall)
    assert call.box == (0.1, 0.1, 0.3, 0.3)


def test_reasoning_that_never_ends_is_no_answer(server):
    reply = chain(server, "reasoning")[1]
    assert (reply.stop_reason, spoken_text(reply.text)) == ("length", "")


@pytest.mark.parametrize("mode", ["sysprompt", "serverdefault"])
def test_tokens_that_a_server_adds_to_each_prompt_are_not_taken_for_resizing(server, mode):
    assert [reply.error for reply in chain(server, mode)] == [None, None]
