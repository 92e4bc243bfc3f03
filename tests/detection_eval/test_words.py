"""A number stands with the noun that it counts."""

import re
from pathlib import Path

import pytest

from detection_eval.words import counted, plural

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (2000, "2,000 boxes")]
)
def test_one_is_singular_and_all_others_are_plural(count, words):
    assert counted(count, "box") == words


def test_a_verb_agrees_with_the_number():
    assert [counted(n, "reply is", "replies are") for n in (1, 3)] == ["1 reply is", "3 replies are"]


@pytest.mark.parametrize(
    ("noun", "several"),
    [("visual token", "visual tokens"), ("class", "classes"), ("reply", "replies"), ("aircraft", "aircraft")],
)
def test_the_last_word_of_a_phrase_carries_the_plural(noun, several):
    assert plural(noun) == several


def test_messages_of_commands_leave_plurals_to_the_helper():
    """``f"{len(images):,} images"`` reads ``1 images`` for one."""
    by_hand = re.compile(r"\{[^{}]+:,\} (?:images|items|boxes|tiles|scenes|files|samples|objects|replies)\b")
    files = [
        file
        for folder in ("detection_eval", "tiling", "zoom_chain", "rscovlm/cli", "rscovlm/data")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 100
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        for match in by_hand.finditer(file.read_text())
    ]
    assert not found
