"""Calls in Python's form and in the lines of ReAct: read where they stand alone, never in prose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_chain.call_styles import arguments_of, styled_call
from zoom_chain.calls import InvalidCall, ZoomCall, parse_zoom_call
from zoom_chain.dialect import DIALECTS, QWEN3_VL

BOX = (0.1, 0.1, 0.3, 0.3)
LIST = "[100, 100, 300, 300]"


def parse(text, dialect=QWEN3_VL):
    return parse_zoom_call(text, dialect, 1000, 1000)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        (f'image_zoom_in_tool(bbox_2d={LIST}, label="ship")', "Python"),
        (f"zoom(bbox={LIST}, label='ship')", "Python"),
        (f"I look closer.\n```python\nzoom({LIST}, 'ship')\n```", "Python"),
        (f'tools.image_zoom_in_tool({{"bbox_2d": {LIST}, "label": "ship"}})', "Python"),
        (f'Action: image_zoom_in_tool(bbox_2d={LIST}, label="ship")', "ReAct"),
        (
            f'Thought: small.\nAction: zoom_in\nAction Input: {{"bbox_2d": {LIST}, "label": "ship"}}',
            "ReAct",
        ),
        (
            f'**Action:** `zoom`\n\n**Action Input:**\n```json\n{{"bbox_2d": {LIST}, "label": "ship"}}\n```',
            "ReAct",
        ),
        (f'action: zoom_in\naction input: ({LIST}, "ship")', "ReAct"),
    ],
)
def test_a_call_that_stands_alone_is_read_and_its_form_noted(text, style):
    call = parse(text)
    assert isinstance(call, ZoomCall), call
    assert (call.box, call.label) == (BOX, "ship")
    assert f"written as in {style}" in call.notes[0]


@pytest.mark.parametrize(
    "text",
    ["zoom(100, 100, 300, 300)", "Action: crop [100, 100, 300, 300]"]
    + [f"Action: zoom\nAction Input: {box}" for box in (LIST, "100, 100, 300, 300", "`(100,100),(300,300)`")],
)
def test_a_box_alone_may_be_all_that_is_given(text):
    assert parse(text).box == BOX


@pytest.mark.parametrize(
    "text",
    [
        f"I used zoom(bbox={LIST}) and saw a ship.",
        f"zoom(bbox={LIST}) shows a ship.",
        "crop(3)",
        "Crop (3)",
        "zoom(it)",
        "Action: zoom in on the ship.",
        "Action: landing",
        "print(4)",
    ],
)
def test_prose_and_other_functions_are_answers(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image_zoom_in_tool(bbox_2d=[100, 1", "cut off"),
        ("image_zoom_in_tool()", '"arguments" is not a JSON object'),
        ("image_zoom_in_tool(bbox_2d=[1, 2, 3])", "not a list of four numbers"),
        ("Action: search\nAction Input: ships", 'no tool "search"'),
        ('Action: zoom\nAction Input: {"bbox_2d": [100, 1', "cut off"),
        ("Action: zoom\nAction Input: the ship", "not a list of four numbers"),
    ],
)
def test_what_cannot_be_carried_out_is_told_what_is_wrong(text, reason):
    found = parse(text)
    assert isinstance(found, InvalidCall), found
    assert reason in found.reason


def test_the_call_ends_where_its_lines_end():
    text = "Go.\nAction: zoom\nAction Input: 1, 2, 3, 4\nObservation: red"
    call = styled_call(text)
    assert (text[: call.start], text[call.stop :]) == ("Go.\n", "\nObservation: red")


def test_arguments_by_name_or_by_place():
    assert arguments_of([[1, 2, 3, 4], "ship"], "box") == {"box": [1, 2, 3, 4], "label": "ship"}
    assert arguments_of([1, 2, 3, 4], "box") == {"box": [1, 2, 3, 4]}
    assert arguments_of([7, {"bbox": 1}], "box") == {"bbox": 1}
    assert arguments_of({"bbox": 1}, "box") == {"bbox": 1}
    assert arguments_of("1, 2", "box") == {"box": "1, 2"}
    assert arguments_of([3], "box") is None


@given(
    st.lists(
        st.sampled_from(
            ["Action:", "Action Input:", "zoom", "(", ")", "[", "{", "\n", " ", "1", ",", "=", "`"]
        ),
        max_size=25,
    ).map("".join)
)
def test_no_text_raises(text):
    for dialect in DIALECTS.values():
        parse(text, dialect)
        parse(f"Action: zoom\nAction Input: {text}", dialect)
