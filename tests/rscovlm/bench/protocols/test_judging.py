"""A judge model for what VRSBench's rule leaves open."""

import pytest

from rscovlm.bench.protocols.judging import (
    TOGETHER,
    Judgement,
    ask_judge,
    judged,
    left_open,
    prompt_of,
    read_verdict,
    to_json,
)
from rscovlm.errors import JournalError
from tests.rscovlm.bench.rows import row, summed
from tests.rscovlm.scripted import ScriptedEngine
from zoom_chain.chat import Reply


def asked(key, reply, gold="harbor", **fields):
    return row(reply, gold, key=key, subject="What is at the coast?", groups={"type": "scene type"}, **fields)


ROWS = [
    asked("same", "a port"),
    asked("other", "a beach"),
    asked("held", "the harbor"),  # contained: nobody is asked
    asked("yes", "no", "yes"),  # exact: nobody is asked
    asked("lost", "", error="timed out"),
]


def judge(conversation):
    return "Yes." if "Reply: a port" in conversation.messages[0].text else "No."


def test_only_what_the_rule_leaves_open_is_asked_about():
    assert [each.item.key for each in left_open(ROWS)] == ["same", "other"]


def test_verdicts_count_and_prompts_are_kept():
    (batch,) = ask_judge(ScriptedEngine(judge), left_open(ROWS))
    assert batch["same"] == Judgement(prompt_of(ROWS[0]), "Yes.", True)
    assert "Question: What is at the coast?\nRight answer: harbor\nReply: a port\n" in batch["same"].prompt
    protocol = judged(batch)
    assert protocol.id == "vrsbench-vqa/judged/1"
    metrics = summed(protocol, ROWS).metrics
    assert metrics["micro"] == pytest.approx(2 / 4)  # "same" and "held"; "lost" is left out
    assert metrics["unjudged"] == 0


def test_requests_that_fail_and_replies_that_say_neither_stay_open():
    def script(conversation):
        broken = "Reply: a port" in conversation.messages[0].text
        return Reply("", "error", error="no route") if broken else "Perhaps."

    (batch,) = ask_judge(ScriptedEngine(script), left_open(ROWS))
    assert {key: each.right for key, each in batch.items()} == {"other": None}
    assert summed(judged(batch), ROWS).metrics["unjudged"] == 2 / 4


def test_many_replies_are_judged_in_batches():
    engine = ScriptedEngine(judge)
    rows = [asked(str(number), "a port") for number in range(TOGETHER + 1)]
    assert [len(batch) for batch in ask_judge(engine, rows)] == [TOGETHER, 1]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("yes", True),
        ("Yes, they mean the same.", True),
        ("1", True),
        ("No.", False),
        ("0", False),
        ("<think>yes?</think>No", False),
        ("Perhaps", None),
        ("", None),
    ],
)
def test_what_a_judge_says(text, right):
    assert read_verdict(text) is right


def test_judgements_survive_json():
    judgement = Judgement("p", "Yes.", True)
    assert Judgement.from_json(to_json({"1": judgement})["1"]) == judgement
    with pytest.raises(JournalError, match="not a judgement: 3"):
        Judgement.from_json(3)
