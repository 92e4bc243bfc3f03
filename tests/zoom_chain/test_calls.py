"""Tool calls in replies: read by grammar, mended in the open, never evaluated, never raising."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiling.view import Size
from zoom_chain.answers import spoken_text
from zoom_chain.calls import InvalidCall, ZoomCall, parse_zoom_call
from zoom_chain.dialect import DIALECTS, NANO, QWEN3_VL, RSCOVLM

WIDTH, HEIGHT = 800, 400


def call_text(box, name="image_zoom_in", key="bbox", **more):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': {key: box, **more}})}\n</tool_call>"


def parse(text, dialect=RSCOVLM):
    return parse_zoom_call(text, dialect, WIDTH, HEIGHT)


GOOD = call_text([80, 100, 400, 200])
BOX = (0.1, 0.25, 0.5, 0.5)


def test_a_plain_answer_is_no_call():
    assert parse("Two ships.") is None
    assert parse('[{"bbox_2d": [1, 2, 3, 4], "label": "ship"}]') is None
    assert parse('I used "image_zoom_in" to look closer: {"bbox": [1, 2, 3, 4]}.') is None


def test_a_clean_call_needs_no_notes():
    assert parse(GOOD) == ZoomCall(BOX)


def test_text_before_the_call_is_kept():
    assert parse(f"I look at the pier.\n{GOOD}") == ZoomCall(BOX, before="I look at the pier.\n")


def test_thousandths_are_fractions_of_each_side():
    text = call_text([100, 250, 500, 500], "image_zoom_in_tool", "bbox_2d", label="ship", img_idx=1)
    assert parse(text, QWEN3_VL) == ZoomCall(BOX, label="ship", image_index=1)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"```json\n{GOOD[12:-13]}\n```", "not inside <tool_call> tags"),
        (GOOD.replace("\n", "\n```json\n", 1).replace("\n</", "\n```\n</"), "inside a code fence"),
        (GOOD.removesuffix("\n</tool_call>"), "lacks its </tool_call>"),
        (GOOD + GOOD, "2 calls in one reply"),
        (f"<tool_call>oops</tool_call>{GOOD}", "another call was unreadable"),
        (f"<tool_call>[{GOOD[12:-13]}]</tool_call>", "inside a list"),
        (call_text("[80, 100, 400, 200]"), "inside a string"),
        (call_text([[80, 100, 400, 200]]), "nested in a list"),
        (call_text([[80, 100, 400, 200], [1, 2, 3, 4]]), "only the first of several boxes"),
        (call_text([[80, 100], [400, 200]]), "two corners"),
        ('{"tool": "image_zoom_in", "args": {"bbox": [80, 100, 400, 200]}}', "not inside <tool_call> tags"),
        (call_text([80, 100, 400, 200], key="bbox_2d"), 'as "bbox_2d" instead of "bbox"'),
        (
            call_text([80, 100, 400, 200]).replace(
                '{"bbox": [80, 100, 400, 200]}', '"{\\"bbox\\": [80, 100, 400, 200]}"'
            ),
            "JSON inside a string",
        ),
    ],
)
def test_irregular_calls_are_read_and_reported(text, note):
    call = parse(text)
    assert isinstance(call, ZoomCall), call
    assert call.box == BOX
    assert any(note in found for found in call.notes), call.notes


@pytest.mark.parametrize("box", [["80", "100.0", " 400 ", "2e2"], [80.0, 100.0, 400.0, 200.0]])
def test_numbers_may_be_strings_or_have_fractions(box):
    assert parse(call_text(box)).box == BOX


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD[:40], "cut off"),
        ("<tool_call>", "cut off"),
        ("Let me look closer. <tool_ca", "cut off"),
        ('<tool_call>{"name": "image_zoom_in", "arguments": {"bbox": [1, 2', "cut off"),
        ("<tool_call>{'name': 'image_zoom_in'}</tool_call>", '"arguments" is not a JSON object'),
        ('<tool_call>__import__("os").abort()</tool_call>', "not valid JSON"),
        ("<tool_call>7</tool_call>", "not a JSON object"),
        ("<tool_call>[]</tool_call>", "not a JSON object"),
        (call_text([1, 2, 3, 4], name="image_rotate"), 'no tool "image_rotate"'),
        ('<tool_call>{"name": "image_zoom_in"}</tool_call>', '"arguments" is not a JSON object'),
        (call_text([1, 2, 3, 4], key="region"), "the box is missing"),
        (call_text([1, 2, 3]), "not a list of four numbers"),
        (call_text(None), "not a list of four numbers"),
        (call_text({"x1": 1}), "not a list of four numbers"),
        (call_text([1, 2, 3, "x"]), '"x" in the box is not a coordinate'),
        (call_text([1, 2, 3, True]), "true in the box is not a coordinate"),
        (call_text([1, 2, 3, float("nan")]), "NaN in the box is not a coordinate"),
        (call_text([1, 2, 3, float("inf")]), "Infinity in the box is not a coordinate"),
        (call_text([1, 2, 3, 10**400]), "in the box is not a coordinate"),
        (call_text([[[1, 2, 3, 4]]]), "not a list of four numbers"),
    ],
)
def test_unreadable_calls_say_what_is_wrong(text, reason):
    found = parse(text)
    assert isinstance(found, InvalidCall), found
    assert reason in found.reason


def test_of_several_calls_the_first_that_can_be_read_counts():
    later = call_text([8, 4, 40, 20])
    assert parse(GOOD + later).box == BOX
    assert parse(f"<tool_call>oops</tool_call>{GOOD}{later}").box == BOX
    assert parse(GOOD + later).before == ""


def test_of_several_calls_that_cannot_be_read_the_first_is_explained():
    found = parse(call_text([1, 2, 3]) + call_text(None))
    assert "[1, 2, 3] is not a list of four numbers" in found.reason


def test_a_reason_tells_the_model_what_would_be_right():
    assert (
        'give "bbox": [x1, y1, x2, y2] with x from 0 to 800 and y from 0 to 400'
        in parse(call_text([])).reason
    )
    python = parse("<tool_call>image_zoom_in(bbox=[1, 2, 3, 4])</tool_call>")
    assert python.reason.endswith('give {"name": "image_zoom_in", "arguments": {"bbox": [x1, y1, x2, y2]}}')
    nano = parse(call_text([], "image_zoom_in_tool", "bbox_2d"), NANO)
    assert "x and y from 0 to 1000" in nano.reason


@pytest.mark.parametrize("index", [-1, 0.5, "first", [0]])
def test_an_image_index_is_a_whole_number(index):
    found = parse(call_text([1, 2, 3, 4], "image_zoom_in_tool", "bbox_2d", img_idx=index), QWEN3_VL)
    assert isinstance(found, InvalidCall)
    assert "img_idx" in found.reason


@pytest.mark.parametrize(
    "box", ["[10%, 25%, 50%, 50%]", '["80px", "100px", "400px", "200px"]', "[80px, 100px, 400px, 200px]"]
)
def test_a_box_with_its_unit_is_read_in_every_dialect(box):
    for dialect in DIALECTS.values():
        name, key = dialect.tool_name, dialect.box_key
        call = parse(f'<tool_call>{{"name": "{name}", "arguments": {{"{key}": {box}}}}}</tool_call>', dialect)
        assert call.box == pytest.approx(BOX), call


def test_pixels_are_those_of_the_image_that_a_call_names():
    text = call_text(["80px", "100px", "400px", "200px"], "image_zoom_in_tool", "bbox_2d", img_idx=1)
    sizes = (Size(HEIGHT, WIDTH), Size(200, 400))
    assert parse_zoom_call(text, QWEN3_VL, WIDTH, HEIGHT, sizes).box == pytest.approx((0.2, 0.5, 1, 1))


def test_calls_inside_thoughts_are_thoughts():
    assert parse(f"<think>{GOOD}</think>Blue.") is None
    assert parse(f"<think>Should I?</think>{GOOD}").box == BOX
    assert spoken_text("<think>Should I?</think>\nBlue. ") == "Blue."


def test_thoughts_end_where_the_last_of_them_ends():
    assert spoken_text("<think>Blue?</think>\nOr green?</think>\nBlue.") == "Blue."


def test_letters_of_the_tags_are_never_stripped_from_what_they_enclose():
    """``lstrip('</tool_call>')`` strips the set of letters: 'call_lot' would lose most of itself."""
    text = call_text([1, 2, 3, 4], "image_zoom_in_tool", "bbox_2d", label="call_lot </tool_call> tool")
    call = parse(f"oat cello{text}", QWEN3_VL)
    assert call.label == "call_lot </tool_call> tool"
    assert call.before == "oat cello"


@given(
    st.text(alphabet=st.sampled_from(list('<>/tool_call{}[]":,bx12.-eN \n`')) | st.characters(), max_size=80)
)
@example("<tool_call>" + "[" * 100_000)
@example('<tool_call>{"name": "image_zoom_in", "arguments": {"bbox": [1, 2, 3, ' + "9" * 5000 + "]}}")
@example('<tool_call>{"name": "image_zoom_in", "arguments": {"bbox": "' + "[" * 100_000 + '"}}</tool_call>')
@example("<tool_call>" * 50)
def test_no_text_raises(text):
    for dialect in DIALECTS.values():
        for candidate in (text, f"<tool_call>{text}</tool_call>", GOOD[:30] + text):
            parse_zoom_call(candidate, dialect, WIDTH, HEIGHT)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(box=JSON_VALUES, index=JSON_VALUES, label=JSON_VALUES)
def test_whatever_the_arguments_hold_a_call_has_finite_numbers_or_a_reason(box, index, label):
    text = call_text(box, "image_zoom_in_tool", "bbox_2d", img_idx=index, label=label)
    found = parse(text, QWEN3_VL)
    if isinstance(found, ZoomCall):
        assert all(abs(value) < float("inf") for value in found.box)
        assert isinstance(found.label, str)
    else:
        assert found.reason
