"""What replies say as a whole."""

import pytest

from rscovlm.bench.protocols.replies import judged, refuses, undecided


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
