"""The wire formats, byte for byte, and that what is rendered is what is parsed."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zoom_chain.calls import ZoomCall, parse_zoom_call
from zoom_chain.chat import ImagePart, Message
from zoom_chain.dialect import NANO, QWEN3_VL, QWEN3_VL_PLAIN, RSCOVLM
from zoom_chain.dialect_files import dialect_names, load_dialect

DIALECTS = {name: load_dialect(name) for name in dialect_names()}
IMAGE = ImagePart(np.full((64, 128, 3), 7, dtype=np.uint8))


def test_rscovlm_system_prompt_is_what_the_published_checkpoints_were_tuned_on():
    digest = hashlib.sha256(RSCOVLM.system_prompt.encode()).hexdigest()
    assert digest == "582d01257e5bfcfbe01427c996d06966d97db93c87a25d3cb433cd46bf8269a4"


def test_rscovlm_conversation_has_the_turns_of_its_training_data():
    asked = RSCOVLM.opening(IMAGE, "What is it?", zoom=True)
    returned = RSCOVLM.crop_turn(asked.say("assistant", RSCOVLM.render_call((3, 4, 50, 60), 128, 64)), IMAGE)
    assert returned.messages == (
        Message("system", (RSCOVLM.system_prompt,)),
        Message("user", (IMAGE, "What is it?\nZoom in to the region of interest and answer the question.")),
        Message(
            "assistant",
            ('<tool_call>\n{"name": "image_zoom_in", "arguments": {"bbox": [3, 4, 50, 60]}}\n</tool_call>',),
        ),
        Message("user", (IMAGE, "Here's the zoomed-in image. You can complete your task now.")),
    )


def test_nano_spends_few_tokens_around_the_call():
    asked = NANO.opening(IMAGE, "What?", zoom=True)
    assert asked.messages == (Message("system", ("You can zoom in.",)), Message("user", (IMAGE, "What?")))
    assert NANO.render_call((32, 16, 64, 48), 128, 64) == (
        '<tool_call>{"name": "image_zoom_in_tool", "arguments": '
        '{"bbox_2d": [250, 250, 500, 750]}}</tool_call>'
    )
    assert NANO.crop_turn(asked, IMAGE).messages[-1] == Message("user", (IMAGE,))


def test_qwen3_system_prompt_is_what_qwen_agent_sends():
    """Made once from Qwen-Agent 31a4d36: ``FN_CALL_TEMPLATE`` around the tool's own ``function``."""
    digest = hashlib.sha256(QWEN3_VL.system_prompt.encode()).hexdigest()
    assert digest == "dbf9dd769ad5867b50f220a687191ecc03b60b074051ddfa1aeb43bbfe836c26"


def test_qwen3_crop_returns_between_response_tags():
    asked = QWEN3_VL.opening(IMAGE, "What?", zoom=True)
    shown = QWEN3_VL.crop_turn(asked, IMAGE).messages[-1]
    assert shown == Message("user", ("<tool_response>\n", IMAGE, "\n</tool_response>"))
    failed = QWEN3_VL.error_turn(asked, "no {such} part").messages[-1]
    assert failed.text == "<tool_response>\nTool Execution Error no {such} part\n</tool_response>"


@pytest.mark.parametrize(
    ("dialect", "index"), [(QWEN3_VL, ', "img_idx": 2'), (QWEN3_VL_PLAIN, "")], ids=["published", "plain"]
)
def test_qwen3_call_names_what_is_looked_for_in_thousandths(dialect, index):
    assert dialect.render_call((0, 0, 64, 32), 128, 64, label="ship", image_index=2) == (
        '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": '
        f'{{"bbox_2d": [0, 0, 500, 500], "label": "ship"{index}}}}}\n</tool_call>'
    )


@pytest.mark.parametrize(("dialect", "required"), [(QWEN3_VL, True), (QWEN3_VL_PLAIN, False)])
def test_qwen3_tool_schema_is_valid_json(dialect, required):
    block = dialect.system_prompt.split("<tools>\n")[1].split("\n</tools>")[0]
    parameters = json.loads(block)["function"]["parameters"]
    assert set(parameters["properties"]) == {"bbox_2d", "label", "img_idx"}
    assert ("img_idx" in parameters["required"]) == required


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_without_zoom_the_question_stands_alone(dialect):
    assert dialect.opening(IMAGE, "What?", zoom=False).messages == (Message("user", (IMAGE, "What?")),)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_crops_and_errors_return_in_user_turns(dialect):
    """Servers reject images in tool turns (vllm-project/vllm#43203)."""
    asked = dialect.opening(IMAGE, "What?", zoom=True)
    for turn in (
        dialect.crop_turn(asked, IMAGE),
        dialect.error_turn(asked, "why"),
        dialect.final_turn(asked),
    ):
        assert turn.messages[:-1] == asked.messages
        assert turn.messages[-1].role == "user"
    assert "why" in dialect.error_turn(asked, "why").messages[-1].text


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@given(
    corners=st.tuples(*[st.floats(-50, 1500)] * 4),
    width=st.integers(28, 4096),
    height=st.integers(28, 4096),
    label=st.text().filter(lambda text: "</think>" not in text),  # ends a thought wherever it stands
)
def test_what_is_rendered_is_parsed_to_the_nearest_coordinate(dialect, corners, width, height, label):
    text = dialect.render_call(corners, width, height, label)
    assume(dialect.space.extent == 1 or "[0, 0, 1, 1]" not in text)  # read as the whole image in fractions
    call = parse_zoom_call(text, dialect, width, height)
    assert isinstance(call, ZoomCall)
    assert call.notes == ()
    assert call.label == (label if dialect.takes_label else "")
    inside = np.clip(corners, 0, [width, height] * 2)
    unit = 1 if dialect.steps is None else np.array([width, height] * 2) / dialect.steps
    assert np.all(np.abs(call.box * np.array([width, height] * 2) - inside) <= 0.5 * unit + 1e-9)
