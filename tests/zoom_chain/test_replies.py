"""Raw replies taken apart; those that were collected from the field end as their file states."""

import json
from pathlib import Path

import pytest

from tiling.scene import Scene
from zoom_chain.budget import Budget
from zoom_chain.calls import InvalidCall, ZoomCall
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import DIALECTS, NANO, QWEN3_VL, RSCOVLM
from zoom_chain.replies import read_reply

FIELD = Path(__file__).resolve().parents[3] / "shared" / "data" / "replies" / "zoom_replies.jsonl"
ARGUMENTS = '"bbox_2d": [100, 100, 300, 300], "label": "x"'
GOOD = f'<tool_call>\n{{"name": "image_zoom_in_tool", "arguments": {{{ARGUMENTS}}}}}\n</tool_call>'
BOX = (0.1, 0.1, 0.3, 0.3)


def read(text, dialect=QWEN3_VL, **more):
    return read_reply(Reply(text), dialect, 1000, 1000, **more)


def tagged(body):
    return f"<tool_call>\n{body}\n</tool_call>"


def test_a_plain_answer_is_words_without_thoughts():
    found = read("<think>Red or blue?</think>\nBlue.")
    assert (found.thoughts, found.words, found.answer) == ("Red or blue?", "Blue.", "Blue.")
    assert (found.call, found.finish, found.unfinished, found.notes) == (None, "stop", False, ())


def test_a_call_comes_with_the_words_before_it_and_no_answer():
    found = read(f"I look closer.\n{GOOD}")
    assert (found.words, found.answer, found.call.box, found.notes) == ("I look closer.", "", BOX, ())


def test_the_finish_reason_is_that_of_the_reply():
    assert read_reply(Reply("<think>I", "length"), QWEN3_VL, 9, 9).finish == "length"


def test_a_thought_that_never_ends_is_unfinished_and_no_answer():
    found = read("<think>I see many things and")
    assert (found.unfinished, found.answer, found.words) == (True, "", "")


def test_where_no_tool_was_offered_nothing_is_a_call():
    assert read(GOOD, offered=False).call is None


@pytest.mark.parametrize("open_think", ["", "<think>"])
def test_the_call_before_an_invented_observation_counts_and_the_rest_is_cut(open_think):
    invented = "\n<tool_response>\nA red ship.\n</tool_response></think>\n<answer>red</answer>"
    found = read(f"{open_think}Let me see. {GOOD}{invented}")
    assert found.call.box == BOX
    assert found.answer == ""
    assert "red" not in found.turn
    assert "an observation that the model wrote itself was cut" in found.notes


def test_in_the_lines_of_react_an_invented_observation_is_cut_and_the_final_answer_is_the_answer():
    said = f"Thought: small.\nAction: image_zoom_in_tool\nAction Input: {{{ARGUMENTS}}}\n"
    found = read(f"{said}Observation: A red ship.\nThought: I know.\nFinal Answer: red")
    assert (found.call.box, found.answer, found.turn) == (BOX, "", said)
    assert "an observation that the model wrote itself was cut" in found.notes
    assert read("Thought: I know.\n**Final Answer:** red").answer == "red"
    assert read("Observation: a ship.\nFinal Answer: red").answer == "Observation: a ship.\nFinal Answer: red"


def test_words_of_the_program_are_an_observation_after_a_call_only():
    said = RSCOVLM.crop_text
    call = '<tool_call>{"name": "image_zoom_in", "arguments": {"bbox": [1, 2, 30, 40]}}</tool_call>'
    assert said not in read(f"{call} {said} It is red.", RSCOVLM).turn
    assert said in read(f"{said} It is red.", RSCOVLM).answer


MENDED = {
    "missing brace": tagged(f'{{"name": "image_zoom_in_tool", "arguments": {{{ARGUMENTS}}}'),
    "missing brace at the end": f'<tool_call>{{"name": "image_zoom_in_tool", "arguments": {{{ARGUMENTS}}}',
    "brace too many": tagged(f'{{"name": "image_zoom_in_tool", "arguments": {{{ARGUMENTS}}}}}}}'),
    "single quotes": GOOD.replace('"', "'"),
    "trailing comma": GOOD.replace("300]", "300,]"),
    "unquoted keys": GOOD.replace('"bbox_2d"', "bbox_2d").replace('"name"', "name"),
    "parameters": GOOD.replace('"arguments"', '"parameters"'),
    "function": GOOD.replace('"name"', '"function"'),
    "function object": tagged(
        f'{{"type": "function", "function": {{"name": "image_zoom_in_tool", "arguments": {{{ARGUMENTS}}}}}}}'
    ),
    "beside the name": tagged(f'{{"name": "image_zoom_in_tool", {ARGUMENTS}}}'),
    "no name": tagged(f"{{{ARGUMENTS}}}"),
    "named corners": GOOD.replace("[100, 100, 300, 300]", '{"x1": 100, "y1": 100, "x2": 300, "y2": 300}'),
    "box in a string": GOOD.replace("[100, 100, 300, 300]", '"[100, 100, 300, 300]"'),
    "numbers in a string": GOOD.replace("[100, 100, 300, 300]", '"100, 100, 300, 300"'),
    "tool of another model": GOOD.replace("image_zoom_in_tool", "image_zoom_in"),
    "XML": tagged(
        "<function=image_zoom_in_tool>\n<parameter=bbox_2d>\n[100, 100, 300, 300]\n</parameter>\n"
        "<parameter=label>\nx\n</parameter>\n</function>"
    ),
    "untagged, arguments first": f'{{"arguments": {{{ARGUMENTS}}}, "name": "image_zoom_in_tool"}}',
    "open thought": f"<think>Look.\n{GOOD}",
}


@pytest.mark.parametrize("text", MENDED.values(), ids=MENDED)
def test_what_is_irregular_but_clear_is_mended_and_noted(text):
    call = read(text).call
    assert isinstance(call, ZoomCall), call
    assert call.box == BOX
    assert call.notes


REFUSED = {
    "five numbers": (GOOD.replace("300]", "300, 0.9]"), "not a list of four numbers"),
    "cut in the box": (GOOD[: GOOD.index("300]")], "cut off"),
    "cut in the label": (GOOD[: GOOD.index('x"')], "cut off"),
    "fractions": (GOOD.replace("100, 100, 300, 300", "0.1, 0.1, 0.3, 0.3"), "in fractions of the image"),
    "whole image in fractions": (GOOD.replace("100, 100, 300, 300", "0, 0, 1, 1"), "in fractions"),
    "another tool": (GOOD.replace("image_zoom_in_tool", "web_search"), 'no tool "web_search"'),
    "corners beside": (GOOD.replace(ARGUMENTS, '"x1": 1, "y1": 1, "x2": 3, "y2": 3'), "the box is missing"),
    "python": (tagged('image_zoom_in_tool(bbox_2d=[100,100,300,300], label="x")'), "not valid JSON"),
    "image beyond numbers": (GOOD.replace('"x"', '"x", "img_idx": 1e300'), "not a whole number from 0"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_clear_is_refused_with_what_would_be_right(text, reason):
    call = read(text).call
    assert isinstance(call, InvalidCall), call
    assert reason in call.reason


def test_a_small_box_in_whole_numbers_is_a_box():
    assert read(GOOD.replace("100, 100, 300, 300", "0, 0, 1, 2")).call.box == (0, 0, 0.001, 0.002)


# --- the collection ---------------------------------------------------------------------------------------

needs_field = pytest.mark.skipif(
    not FIELD.is_file(), reason="the collection of replies is not beside the repository"
)
RECORDS = [json.loads(line) for line in FIELD.read_text().splitlines()] if FIELD.is_file() else []


@needs_field
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["name"])
def test_replies_from_the_field_end_as_stated(record, scripted, scene: Scene, small):
    replies = [Reply(**each) if isinstance(each, dict) else Reply(each) for each in record["replies"]]
    model = scripted(what=[*replies, *[Reply("done")] * 9])
    dialect = DIALECTS[record["dialect"]]
    answer = ZoomChain(
        model, dialect, small, Budget(max_zooms=1 if "budget 1" in record["expect"] else 9)
    ).ask(scene, "what?")
    check(record["name"], record["expect"], answer)


def check(name, expect, answer):
    first = answer.trace.turns[0]
    zooms = len(answer.trace.views) - 1
    notes = first.request.notes if first.request else ()
    if expect in ("zoom", "zoom?", "escaped"):
        assert zooms >= 1
    elif expect == "zoom-note":
        assert zooms >= 1
        assert notes
    elif expect == "refuse":
        assert zooms == 0
        assert first.refusal
    elif expect == "cut_off or refuse":
        assert zooms == 0
        assert first.refusal or answer.stop_reason == "cut_off"
    elif expect == "cut_off, answer empty":
        assert (answer.stop_reason, answer.text) == ("cut_off", "")
    elif expect == "empty answer flagged":
        assert (answer.stop_reason, answer.text) == ("no_answer", "")
    elif expect.startswith("answer="):
        assert (zooms, answer.text) == (0, expect.removeprefix("answer=").rstrip("?"))
    elif expect == "answer?":
        assert (zooms, answer.stop_reason) == (0, "answered")
    elif expect == "one zoom, then repeated":
        assert zooms == 1
        assert [turn.refusal and "already shows" in turn.refusal for turn in answer.trace.turns[1:4]] == [
            True
        ] * 3
    elif expect == "zooms then no_more_detail":
        assert zooms >= 3
        assert answer.stop_reason in ("no_more_detail", "repeated_view")
    elif expect.startswith("zoom budget 1"):
        assert zooms == 1
        assert "tool_call" not in answer.text
    else:
        raise AssertionError(f"{name}: {expect!r} is not known")


def test_nano_needs_no_more_words_than_before():
    assert (
        read(
            '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 30, 40]}}</tool_call>',
            NANO,
        ).call.notes
        == ()
    )
