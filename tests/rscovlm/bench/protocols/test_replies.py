"""What replies say as a whole."""

import pytest

from rscovlm.bench.protocols.replies import answer_in, judged, refuses, undecided
from rscovlm.bench.protocols.strict import generic
from tests.rscovlm.bench.rows import row


@pytest.mark.parametrize(
    "text",
    [
        "Unable to decide",
        "It cannot be determined from this image.",
        "I can\u2019t tell.",
        "There is not enough information.",
        "This is unanswerable.",
    ],
)
def test_some_replies_leave_the_question_open(text):
    assert undecided(text)
    said = judged(False, text)
    assert said.status == "refused"
    assert said.counts["abstain/hits"] == 1


@pytest.mark.parametrize("text", ["I'm sorry, I cannot view images.", "Please upload your image."])
def test_some_replies_decline(text):
    assert refuses(text)
    said = judged(False, text)
    assert (said.status, said.counts["abstain/hits"]) == ("refused", 0)


@pytest.mark.parametrize("text", ["yes", "no", "none", "2", "There are no ships.", "a port"])
def test_answers_are_neither(text):
    assert not undecided(text)
    assert judged(False, text).status == "read"


def test_a_reply_that_is_read_or_right_is_no_refusal():
    assert judged(False, "I cannot tell, but B", readable=True).status == "read"
    assert judged(True, "I cannot tell").status == "read"
    assert judged(False, "").status == judged(True, "").status == "unread"
    assert judged(False, "xyz", readable=False).status == "unread"


CALL = '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [2, 2, 9, 9]}}</tool_call>'


def test_a_call_of_a_tool_is_no_answer_and_neither_is_what_follows_it():
    assert answer_in(f"<think>B?</think> red {CALL} blue") == "red"
    assert answer_in(CALL) == answer_in("<tool_call>{cut off") == ""


@pytest.mark.parametrize("kind", ["open", "count", "number", "choice", "classify"])
def test_the_numbers_of_a_call_answer_nothing_under_strict(kind):
    strict = generic("mine")["strict"]
    right, options = ("B", ("1", "2")) if kind == "choice" else ("2", ("1", "2"))
    said = row(f"{CALL} {right}", right, kind, options=options)
    assert (strict.judge(said).score, strict.judge(said).status) == (0, "unread")


def test_a_number_is_right_within_the_tolerance_that_its_item_states():
    strict = generic("mine")["strict"]
    assert strict.judge(row("about 92", "100", "number", extra={"tolerance": 0.1})).score == 1
    assert strict.judge(row("89", "100", "number", extra={"tolerance": 0.1})).score == 0
    assert strict.judge(row("92", "100", "number")).score == 0
