"""Asking about a scene from Python."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rscovlm.tasks.ask import ask
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.scene import Scene
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.keeping import TOGETHER
from zoom_chain.policies import OFF
from zoom_chain.settings import load_zoom_settings

ZOOM = (
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 0, 250, 250], "label": "x"}}'
    "</tool_call>"
)


@pytest.fixture
def scene(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as opened:
        yield opened


def last_text(conversation: Conversation) -> str:
    return conversation.messages[-1].text


def test_answers_come_in_the_order_of_the_questions(scene):
    engine = ScriptedEngine(lambda conversation: last_text(conversation).upper())
    answers = ask(scene, ["one?", "two?"], engine)
    assert [answer.text for answer in answers] == ["ONE?", "TWO?"]
    assert [answer.trace.question for answer in answers] == ["one?", "two?"]


def test_a_zoom_shows_the_source_at_four_times_the_resolution(scene):
    def script(conversation):
        return ZOOM if len(conversation.messages) < 3 else "red"

    [answer] = ask(scene, ["colour?"], ScriptedEngine(script))
    assert answer.text == "red"
    # A quarter of 1024 px on each side, both shown at 128 x 128 px.
    overview, crop = (record.view for record in answer.trace.views)
    assert overview.window.bounds == (0, 0, 1024, 1024)
    assert crop.window.bounds == (0, 0, 256, 256)
    assert crop.magnification_over(overview) == 4


def test_settings_and_options_reach_the_model(scene):
    engine = ScriptedEngine(lambda conversation: "yes")
    off = replace(load_zoom_settings("zoom/nano"), policy=OFF)
    options = Generation(max_new_tokens=7, seed=3)
    ask(scene, ["any?"], engine, settings=off, options=options)
    assert engine.options == [options]
    # Without the tool there is no system turn that tells of it.
    assert [message.role for message in engine.batches[0][0].messages] == ["user"]


def test_many_questions_advance_in_bounded_groups_with_progress(scene):
    engine = ScriptedEngine(lambda conversation: "yes")
    seen = []
    count = TOGETHER + 1
    ask(scene, ["any?"] * count, engine, progress=lambda done, total: seen.append((done, total)))
    assert [len(batch) for batch in engine.batches] == [TOGETHER, 1]
    assert seen == [(TOGETHER, count), (count, count)]


def test_one_failing_question_leaves_the_others_their_answers(scene):
    def script(conversation):
        failed = Reply("", "error", error="too long")
        return failed if last_text(conversation) == "bad?" else "yes"

    good, bad = ask(scene, ["good?", "bad?"], ScriptedEngine(script))
    assert (good.text, good.stop_reason) == ("yes", "answered")
    assert (bad.text, bad.stop_reason, bad.trace.error) == ("", "error", "too long")
