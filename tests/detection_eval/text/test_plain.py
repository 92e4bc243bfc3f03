"""Text of models in plain characters, and without thoughts."""

import pytest

from detection_eval.text.plain import plain_name, plain_text, without_thoughts


def test_signs_and_entities_become_plain_characters():
    assert plain_text("a\u22121 &lt;b").text == "a-1 <b"
    assert plain_name("\uff53\uff48ip") == "ship"


@pytest.mark.parametrize(
    ("text", "answer", "unfinished"),
    [
        ("<think>ship 1</think>ok", "ok", False),
        ("ship 1</think>ok", "ok", False),
        ("<think>ship 1", "", True),
        ("a <answer>ok</answer> b", "ok", False),
        ("ok", "ok", False),
    ],
)
def test_thoughts_are_blanked_out_and_no_position_changes(text, answer, unfinished):
    found, inside = without_thoughts(text)
    assert (found.strip(), inside) == (answer, unfinished)
    assert len(found) == len(text)
