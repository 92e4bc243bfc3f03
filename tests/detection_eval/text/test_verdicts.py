"""Replies without boxes."""

import pytest

from detection_eval.text.verdicts import verdict


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I cannot find any ships.", "declared_empty"),
        ("I cannot see the image.", "refused"),
        ("blah 12", "unparsable"),
    ],
)
def test_finding_nothing_is_an_answer_and_declining_is_none(text, said):
    assert verdict(text) == said


def test_an_empty_list_says_that_nothing_is_there():
    assert verdict("", empty_list=True) == "declared_empty"
