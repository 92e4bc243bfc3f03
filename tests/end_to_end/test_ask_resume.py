"""``rscovlm ask`` killed for real: what a server was paid for is not asked of it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.rscovlm.engines.server import ModelServer
from tests.rscovlm.scripted import write_raster
from zoom_chain.dialect import QWEN3_VL_PLAIN

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 40
IN_FLIGHT = 16


def script(conversation):
    """Two zooms, then the answer: a number that depends on the question alone."""
    said = sum(message.role == "assistant" for message in conversation.messages)
    if said < 2:
        corner = 100 + 300 * said
        return QWEN3_VL_PLAIN.render_call((corner, corner, corner + 250, corner + 250), 1000, 1000)
    question = next(message.text for message in conversation.messages if message.role == "user")
    return f"answer to {question.split()[1]}"


@pytest.fixture
def server():
    with ModelServer() as running:
        running.answer, running.delay_s = script, 0.05
        yield running


@pytest.fixture
def command(tmp_path, server):
    scene = write_raster(tmp_path / "scene.tif", 3000, 3000)
    questions = tmp_path / "questions.txt"
    questions.write_text("".join(f"question {number} ?\n" for number in range(QUESTIONS)))

    def build(folder, *more):
        (tmp_path / folder).mkdir(exist_ok=True)
        answers = tmp_path / folder / "answers.txt"
        model = f"{server.url}#{server.model}"
        return [
            *(sys.executable, "-m", "rscovlm", "ask", scene, "--questions", questions, "--model", model),
            *("--family", "qwen3-vl", "--max-pixels", 65536, "--output", answers, *more),
        ], answers

    return build


def start(command):
    return subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def asked(server):
    """How often each request about an image was received, by all of its words."""
    bodies = [json.dumps(body["messages"], sort_keys=True) for body in server.requests]
    return Counter(body for body in bodies if "question" in body)


def test_after_a_kill_nothing_that_was_recorded_is_asked_again(server, command):
    whole, answers = command("alone")
    assert start(whole).wait(120) == 0
    expected = answers.read_text()
    assert expected.splitlines()[7] == "answer to 7"
    assert sum(asked(server).values()) == 3 * QUESTIONS
    assert list(answers.parent.iterdir()) == [answers]  # the journal went with the end of the work
    server.requests.clear()

    killed, answers = command("killed")
    journal = answers.with_name("answers.txt.journal.jsonl")
    for more in (20, 60):
        process = start([*killed, *(["--resume"] if journal.exists() else [])])
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + more:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    refused = start(killed)
    assert (refused.wait(60), "--resume" in refused.communicate()[1]) == (2, True)
    assert start([*killed, "--resume"]).wait(120) == 0
    assert answers.read_text() == expected
    assert not journal.exists()
    times = asked(server)
    assert len(times) == 3 * QUESTIONS
    # At each kill no more than what was in flight was not recorded yet.
    assert sum(times.values()) <= 3 * QUESTIONS + 2 * IN_FLIGHT


def test_a_failed_request_is_the_only_one_that_is_asked_again(server, command):
    server.delay_s = 0
    run, answers = command("failed")
    fail = {"left": 4}
    plain = server.answer

    def sometimes(conversation):
        if fail["left"] and any("question 3" in message.text for message in conversation.messages):
            fail["left"] -= 1
            return ""  # says nothing: not usable
        return plain(conversation)

    server.answer = sometimes
    assert start(run).wait(120) == 1
    before = sum(asked(server).values())
    fail["left"] = 0
    assert start([*run, "--resume"]).wait(120) == 0
    # "question 3" and "question 30" to "question 39": four of them got no first reply, so three turns each.
    assert sum(asked(server).values()) - before == 4 * 3
    assert answers.read_text().splitlines()[33] == "answer to 33"
