"""Questions that are answered in words, by a number, or by the letter of an option."""

import pytest

from rscovlm.tasks.questions import (
    ChoiceQuestion,
    ChoiceWords,
    NumericQuestion,
    OpenQuestion,
    is_right,
    question_with_answer,
)
from rscovlm.tasks.task import Prompt
from tests.rscovlm.tasks.replies import right


@pytest.mark.parametrize(
    ("reply", "expected", "is_the_answer"),
    [
        ("Red.", "red", True),
        ("The harbour", "harbour", True),
        ("3.5 m", "3.5 m", True),
        ("35 m", "3.5 m", False),
        ("yes", "no", False),
        ("Yes, two of them.", "yes", True),
        ("There are no ships", "no", True),
        ("No. Yes, one.", "no", False),
        ("none", "no", False),
        ("yesterday", "yes", False),
        ("yes", "yes, two", False),
        ("", "no", False),
        ("<think>It may be blue.</think> red", "red", True),
    ],
)
def test_an_open_question_is_answered_by_the_same_answer(reply, expected, is_the_answer):
    assert right(OpenQuestion(), reply, expected) is is_the_answer


def test_a_numeric_question_is_answered_by_the_number_in_any_words():
    replies = ("3", "three", "There are 3 planes.", "4", "3 or 4", "none", "")
    assert [right(NumericQuestion(), reply, "3") for reply in replies] == [True] * 3 + [False] * 4
    assert right(NumericQuestion(), "There are none.", "0")
    assert right(NumericQuestion(), "-1.5", "minus 1.5")


def test_a_tolerance_is_a_share_of_the_true_number():
    within_tenth = NumericQuestion(tolerance=0.1)
    assert [right(within_tenth, reply, "200") for reply in ("180", "220", "221")] == [True, True, False]


def test_a_choice_is_answered_by_its_letter_or_by_the_option_itself():
    task = ChoiceQuestion(("red", "white"))
    assert task.prompt("Which colour?") == Prompt(
        None, "Which colour?\nA. red\nB. white\nAnswer with the option's letter."
    )
    bracketed = ChoiceQuestion(
        ("red", "white"), ChoiceWords("{question} {options} One of {letters}.", "({letter}) {option}")
    )
    assert bracketed.prompt("Which?").user == "Which? (A) red\n(B) white One of A, B."
    replies = ("B", "(b)", "B. white", "It is white.", "A", "red or white", "")
    assert [right(task, reply, "B") for reply in replies] == [True] * 4 + [False] * 3


PUBLISHED = (
    "Which colour? The choices are listed below: \n(A) red\n(B) white\nSelect the best answer to the above "
    "multiple-choice question based on the image. Respond with only the letter (A, B, C, D, or E) of the "
    "correct option.\nThe best answer is:"
)


@pytest.mark.parametrize("options", [("red", "white"), ("(A) red", "(B) white")])
def test_a_choice_in_published_words_is_theirs_to_the_byte_and_keeps_letters_that_options_have(options):
    task = ChoiceQuestion(options, "mme-realworld")
    assert task.prompt("Which colour?").user == PUBLISHED
    assert [task.parse(reply) for reply in ("B", "(B) white", "white", "blue")] == ["B", "B", "B", None]


def test_options_are_lettered_unless_all_of_them_are():
    assert (
        ChoiceQuestion(("A. Smith", "Jones")).prompt("Who?").user.startswith("Who?\nA. A. Smith\nB. Jones\n")
    )
    assert ChoiceQuestion(("(A) 1", "(E) none")).prompt("?").user.startswith("?\n(A) 1\n(E) none\n")


def test_an_expected_option_may_be_stated_by_its_letter_or_its_words():
    options = ("red", "white")
    assert is_right("B", "white", options)
    assert is_right("white", "B", options)
    assert not is_right("A", "white", options)


def test_an_answer_known_to_be_right_says_what_kind_of_question_it_is():
    kinds = {"A": ChoiceQuestion, "3": NumericQuestion, "two": NumericQuestion, "none": NumericQuestion}
    assert {answer: type(question_with_answer(answer)) for answer in kinds} == kinds
    for words in ("red", "3 planes", "50%", "a", "yes", ""):
        assert question_with_answer(words) == OpenQuestion()
    assert is_right("There are 3 planes", "3")
    assert not is_right("3 ships", "3 planes")
    assert not is_right("", "A")
