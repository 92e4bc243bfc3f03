"""What is the model's own turn, what is thought, and what is the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_chain.answers import before_call, own_turn, spoken_text, thoughts_in, without_thoughts

CALL = '<tool_call>{"name": "image_zoom_in", "arguments": {"bbox": [1, 2, 3, 4]}}</tool_call>'


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Blue.", "Blue."),
        ("red<|im_end|><|endoftext|>", "red"),
        ("<think>Blue?</think>\nGreen.", "Green."),
        ("Blue?</think>Green.", "Green."),
        ("<think>Blue", ""),
        ("It is <answer> blue </answer> I am sure.", "blue"),
        ("<answer>red</answer> No: <answer>blue</answer>", "blue"),
        ("<answer>blue", "blue"),
        ("So \\boxed{red}", "red"),
        ("\\boxed{1} wait \\boxed{\\text{two {2} ships}}", "\\text{two {2} ships}"),
        ("\\boxed{\\text{red}}", "red"),
        ("<think>\\boxed{red}</think><answer>\\boxed{blue}</answer>", "blue"),
        ("\\boxed{red", "\\boxed{red"),
        ("", ""),
    ],
)
def test_the_answer_is_what_is_said_last_inside_its_marks(text, answer):
    assert spoken_text(text) == answer


def test_an_observation_that_the_model_wrote_ends_its_turn():
    assert own_turn(f"{CALL}\n<tool_response>\nA red ship.</tool_response>red") == (f"{CALL}\n", True)
    assert own_turn("Look: <tool_response>red</tool_response>") == ("Look: ", True)
    assert own_turn(f"{CALL} Here is your crop: red", "Here is your crop") == (f"{CALL} ", True)
    assert own_turn("Here is your crop: red", "Here is your crop") == ("Here is your crop: red", False)


def test_the_end_of_the_turn_ends_it():
    assert own_turn("red<|im_end|>\n<|im_start|>user\nand?") == ("red", True)
    assert own_turn("red<|im_end|>") == ("red", False)


def test_thoughts_may_speak_of_observations():
    text = "<think>a <tool_response> will come</think>red"
    assert own_turn(text) == (text, False)


def test_a_call_that_was_not_offered_is_no_answer():
    assert spoken_text(before_call(f"{CALL}\n", "<tool_call>")) == ""
    assert spoken_text(before_call(f"Blue. {CALL}", "<tool_call>")) == "Blue."
    thought = f"<think>{CALL} would help</think>Blue."
    assert before_call(thought, "<tool_call>") == thought


def test_thoughts_are_told_apart_from_words():
    text = "<think>Blue?</think>Green.<think>Sure."
    assert thoughts_in(text) == "Blue?\nSure."
    assert without_thoughts(text) == (" " * 20 + "Green." + " " * 12, True)


@given(
    st.text(
        alphabet=st.sampled_from(list("<>/think answer|im_end{}\\boxed \n")) | st.characters(), max_size=80
    )
)
def test_no_text_raises_and_positions_stay(text):
    spoken_text(text)
    thoughts_in(text)
    own, _ = own_turn(text)
    assert text.startswith(own)
    assert len(without_thoughts(text)[0]) == len(text)
