"""Counting: a whole number is right or off by so many."""

from rscovlm.tasks.count import Counting
from rscovlm.tasks.task import score_reply, total

TASK = Counting()


def test_the_number_counts_whatever_words_stand_around_it():
    assert TASK.parse("There are three planes.") == 3
    assert TASK.parse("<think>maybe 5</think>12") == 12


def test_what_is_no_count_is_none():
    assert [TASK.parse(text) for text in ("", "many", "2 or 3", "-1", "2.5")] == [None] * 5


def test_errors_are_averaged_over_the_replies_that_state_a_count():
    counts = total(score_reply(TASK, said, "4") for said in ("4", "6", "1", "some"))
    # one of four is right; |0|, |2|, |-3| over three; 0 + 2 - 3 over three
    assert TASK.aggregate(counts) == {"accuracy": 1 / 4, "mean_absolute_error": 5 / 3, "bias": -1 / 3}


def test_the_question_is_asked_as_it_is():
    assert TASK.prompt("How many ships?") == (None, "How many ships?")
