"""Patterns of turns: what a dialect writes matches, what it cannot read does not."""

import re

import pytest

from zoom_chain.calls import ZoomCall, parse_zoom_call
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.dialect_files import dialect_names, load_dialect
from zoom_chain.patterns import call_pattern, turn_pattern


@pytest.mark.parametrize("name", dialect_names())
def test_every_call_that_a_dialect_writes_matches_its_pattern(name):
    dialect = load_dialect(name)
    for index, box in enumerate([(0, 0, 800, 400), (80, 100, 400, 200), (1, 2, 3, 4)]):
        text = dialect.render_call(box, 800, 400, "the red ship, left", index)
        assert re.fullmatch(call_pattern(dialect), text), text
        assert re.fullmatch(turn_pattern(dialect, calls=True), f"<think>Let me see.</think>\n{text}")
        assert not re.fullmatch(turn_pattern(dialect, calls=False), text)
        assert isinstance(parse_zoom_call(text, dialect, 800, 400), ZoomCall)


@pytest.mark.parametrize(
    "text",
    ["Two ships.", "", "<think>two</think><answer>2</answer>", "飞机 ✈"],
)
def test_words_match_with_the_tool_and_without(text):
    assert re.fullmatch(turn_pattern(QWEN3_VL, calls=True), text)
    assert re.fullmatch(turn_pattern(QWEN3_VL, calls=False), text)


@pytest.mark.parametrize(
    "broken",
    [
        lambda call: call[:-5],
        lambda call: call + "\nA red ship.",
        lambda call: call.replace("image_zoom_in_tool", "web_search"),
        lambda call: call.replace("[", "[1, "),
        lambda call: call.replace('"', "'"),
        lambda call: call + call,
    ],
)
def test_calls_that_would_be_refused_or_mended_do_not_match(broken):
    call = NANO.render_call((80, 100, 400, 200), 800, 400)
    assert re.fullmatch(turn_pattern(NANO, calls=True), call)
    assert not re.fullmatch(turn_pattern(NANO, calls=True), broken(call))
