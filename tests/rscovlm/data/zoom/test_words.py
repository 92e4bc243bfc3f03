"""Words: plurals, and when two answers are the same."""

import pytest

from rscovlm.data.zoom.words import normalised_question, number_in, plural, same_answer


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("storage tank", "storage tanks"),
        ("bus", "buses"),
        ("baseball diamond", "baseball diamonds"),
        ("ground track field", "ground track fields"),
        ("ferry", "ferries"),
        ("bridge", "bridges"),
        ("bench", "benches"),
    ],
)
def test_plurals(noun, several):
    assert plural(noun) == several
    assert same_answer(noun, several)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Red.", "red", True),
        ("grey", "gray", True),
        ("two", "2", True),
        ("The ship", "ships", True),
        ("a cargo ship", "cargo ship", True),
        ("round", "circular", True),
        ("red", "white", False),
        ("2", "12", False),
        ("", "", False),
        ("the", "a", False),
    ],
)
def test_answers_are_the_same_up_to_spelling(first, second, same):
    assert same_answer(first, second) is same


def test_a_question_is_found_again_whatever_its_punctuation():
    assert normalised_question("What colour is it?") != normalised_question("What shape is it?")
    assert normalised_question("Is it GREY?") == normalised_question("is it gray")


def test_a_number_is_read_where_there_is_exactly_one():
    assert [number_in(text) for text in ("four", "4 ships", "none", "2 or 3", "many")] == [
        4,
        4,
        0,
        None,
        None,
    ]
