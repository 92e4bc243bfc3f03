"""A batch of requests to answers: what is shown for each, and what a failure costs."""

from __future__ import annotations

import pytest

from rscovlm.cli.option_groups import SceneOptions
from rscovlm.lmms.answering import Request, answer_all
from rscovlm.models.families import FAMILIES
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from zoom_chain.chat import Generation, Reply
from zoom_chain.settings import load_zoom_settings

CALL = (
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 0, 250, 250], "label": "x"}}'
    "</tool_call>"
)
SETTINGS = load_zoom_settings("zoom/nano")
GREEDY = Generation(64)


@pytest.fixture
def scene(tmp_path):
    return str(write_raster(tmp_path / "scene.tif", 1024, 1024))


def answered(engine, *requests):
    return answer_all(requests, engine, SETTINGS, SceneOptions())


def echo(conversation):
    return Reply(conversation.messages[-1].text.upper(), "stop", 100, 3)


def test_outcomes_come_in_the_order_of_the_requests_whatever_they_show(scene):
    engine = ScriptedEngine(echo)
    outcomes = answered(
        engine,
        Request("one?", (scene,), GREEDY, True),
        Request("none?", (), GREEDY, True),
        Request("two?", (scene, scene), GREEDY, True),
        Request("other?", (scene,), Generation(8), False),
    )
    assert [outcome.text for outcome in outcomes] == ["ONE?", "NONE?", "TWO?", "OTHER?"]
    assert [outcome.views for outcome in outcomes] == [1, 0, 2, 1]
    assert {outcome.stop_reason for outcome in outcomes} == {"answered"}
    assert {options.max_new_tokens for options in engine.options} == {64, 8}


def test_questions_with_the_same_settings_are_asked_together(scene, tmp_path):
    other = str(write_raster(tmp_path / "other.tif", 512, 512))
    engine = ScriptedEngine(echo)
    answered(engine, *(Request(f"{name}?", (name,), GREEDY, True) for name in (scene, other, scene)))
    assert [len(batch) for batch in engine.batches] == [3]


def test_a_zoom_is_answered_from_the_file_and_its_tokens_are_counted(scene):
    def script(conversation):
        if len(conversation.messages) < 3:
            return Reply(CALL, "stop", 100, 40)
        return Reply("red", "stop", 150, 2)

    (outcome,) = answered(ScriptedEngine(script), Request("colour?", (scene,), GREEDY, True))
    assert (outcome.text, outcome.views) == ("red", 2)
    assert (outcome.prompt_tokens, outcome.reply_tokens) == (250, 42)
    assert outcome.trace.views[1].view.window.bounds == (0, 0, 256, 256)


def test_a_question_that_may_not_zoom_is_not_offered_the_tool(scene):
    engine = ScriptedEngine(echo)
    answered(engine, Request("how many?", (scene,), GREEDY, False))
    assert [message.role for message in engine.batches[0][0].messages] == ["user"]


def test_several_images_are_shown_in_one_turn_each_at_the_size_that_fits_the_model(scene, tmp_path):
    small = str(write_raster(tmp_path / "small.tif", 64, 96))
    engine = ScriptedEngine(echo)
    answered(engine, Request("which?", (scene, small), GREEDY, True))
    (message,) = engine.batches[0][0].messages
    fitted = [FAMILIES["nano"].resolution.fit(*size) for size in ((1024, 1024), (96, 64))]
    assert [image.size for image in message.images] == fitted


class TestFailures:
    def test_a_file_that_cannot_be_read_costs_its_own_request_alone(self, scene, tmp_path):
        broken = tmp_path / "broken.tif"
        broken.write_bytes(b"II*\0 and nothing")
        engine = ScriptedEngine(echo)
        outcomes = answered(
            engine,
            Request("a?", (str(tmp_path / "missing.tif"),), GREEDY, True),
            Request("b?", (scene,), GREEDY, True),
            Request("c?", (scene, str(broken)), GREEDY, True),
        )
        assert [outcome.stop_reason for outcome in outcomes] == ["error", "answered", "error"]
        assert [outcome.text for outcome in outcomes] == ["", "B?", ""]
        assert "missing.tif" in outcomes[0].error
        assert "broken.tif" in outcomes[2].error

    def test_a_request_that_could_not_be_made_is_not_asked(self, scene):
        engine = ScriptedEngine(echo)
        (outcome,) = answered(engine, Request("a?", (scene,), GREEDY, True, error="no picture"))
        assert (outcome.text, outcome.stop_reason, outcome.error) == ("", "error", "no picture")
        assert engine.batches == []

    @pytest.mark.parametrize("images", [0, 1, 2])
    @pytest.mark.parametrize(
        ("reply", "text", "stop_reason", "error"),
        [
            (Reply("half a", "error", error="the server is gone"), "", "error", "the server is gone"),
            (Reply("", "error"), "", "error", "the model failed without saying why"),
            (Reply("one two", "length"), "one two", "cut_off", None),
            (Reply(" "), " ", "no_answer", None),
            (Reply("<think>hm</think>blue"), "blue", "answered", None),
        ],
    )
    def test_how_a_reply_ended_is_told_for_any_number_of_images(
        self, scene, images, reply, text, stop_reason, error
    ):
        engine = ScriptedEngine(lambda conversation: reply)
        (outcome,) = answered(engine, Request("a?", (scene,) * images, GREEDY, False))
        assert (outcome.text.strip(), outcome.stop_reason, outcome.error) == (
            text.strip(),
            stop_reason,
            error,
        )
