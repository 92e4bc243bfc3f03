"""Replies that were paid for: kept at once, told apart by all they depend on, asked for once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.errors import JournalError
from rscovlm.journal import Journal
from rscovlm.tasks.ask import ask
from rscovlm.tasks.replies import JournalledModel, is_usable, reply_facts, request_key
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.scene import Scene
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply, Sampling

GREEDY = Generation()
SAMPLED = Generation(sampling=Sampling(temperature=1.0))


def shown(value: int, words: str = "what?") -> Conversation:
    return Conversation().say("user", ImagePart(np.full((4, 4, 3), value, np.uint8)), words)


def test_a_request_is_known_by_words_pixels_and_options():
    keys = [
        request_key(shown(1), GREEDY, 0),
        request_key(shown(2), GREEDY, 0),
        request_key(shown(1, "who?"), GREEDY, 0),
        request_key(shown(1).say("assistant", "a"), GREEDY, 0),
        request_key(Conversation().say("system", "what?"), GREEDY, 0),
        request_key(Conversation().say("user", "what?"), GREEDY, 0),
        request_key(Conversation().say("user", "what", "?"), GREEDY, 0),
        request_key(shown(1), replace(GREEDY, max_new_tokens=7), 0),
        request_key(shown(1), SAMPLED, 0),
        request_key(shown(1), SAMPLED, 1),
    ]
    assert len(set(keys)) == len(keys)
    # The likeliest token does not depend on a seed.
    assert request_key(shown(1), GREEDY, 0) == request_key(shown(1), replace(GREEDY, seed=5), 5)


@pytest.mark.parametrize(
    ("reply", "usable"),
    [
        (Reply("yes"), True),
        (Reply("and so on", "length"), True),
        (Reply("half", "error"), False),
        (Reply("", "error", error="gone"), False),
        (Reply(" \n"), False),
    ],
)
def test_only_usable_replies_are_kept_and_the_others_asked_for_again(tmp_path, reply, usable):
    assert is_usable(reply) is usable
    engine = ScriptedEngine(lambda conversation: reply)
    for _ in range(2):
        with Journal(tmp_path / "j", {}, resume=True) as journal:
            assert JournalledModel(engine, journal).chat([shown(1)], GREEDY) == [reply]
    assert len(engine.batches) == (1 if usable else 2)


def test_a_reply_is_the_same_after_the_journal(tmp_path):
    choices = np.array([-0.1, -np.inf])  # the second is not among the likeliest
    said = Reply("yes", "length", 50, 3, 40, np.array([-0.1, -0.25, -3.0]), choices=choices)
    with Journal(tmp_path / "j", {}) as journal:
        JournalledModel(ScriptedEngine(lambda conversation: said), journal).chat([shown(1)], GREEDY)
    with Journal(tmp_path / "j", {}, resume=True) as journal:
        (kept,) = JournalledModel(ScriptedEngine(lambda conversation: "other"), journal).chat(
            [shown(1)], GREEDY
        )
    assert replace(kept, logprobs=None, choices=None) == replace(said, logprobs=None, choices=None)
    np.testing.assert_array_equal(kept.choices, choices)
    np.testing.assert_array_equal(kept.logprobs, said.logprobs)


def test_another_record_is_refused(tmp_path):
    with Journal(tmp_path / "j", {}) as journal:
        journal.append({request_key(shown(1), GREEDY, 0): [7]})
        with pytest.raises(JournalError, match=r"not a reply: \[7\]"):
            JournalledModel(ScriptedEngine(lambda conversation: ""), journal).chat([shown(1)], GREEDY)


def test_of_a_sampled_batch_each_row_keeps_its_seed(tmp_path):
    """The second of two equal requests has another seed, and another reply."""
    counter = iter("abcdef")
    engine = ScriptedEngine(lambda conversation: next(counter))
    with Journal(tmp_path / "j", {}) as journal:
        model = JournalledModel(engine, journal)
        assert [reply.text for reply in model.chat([shown(1), shown(1)], SAMPLED)] == ["a", "b"]
        # A third row: the batch is asked as before, and what is known stays.
        assert [reply.text for reply in model.chat([shown(1)] * 3, SAMPLED)] == ["a", "b", "e"]
        # Without sampling the two are one request.
        assert [reply.text for reply in model.chat([shown(1), shown(1)], GREEDY)] == ["f", "f"]


def test_a_file_of_questions_may_grow_and_failed_ones_are_asked_again(tmp_path):
    failing = {"bad?"}

    def script(conversation):
        words = conversation.messages[-1].text
        return Reply("", "error", error="busy") if words in failing else words.upper()

    engine = ScriptedEngine(script)
    with Scene(write_raster(tmp_path / "scene.tif")) as scene:
        with Journal(tmp_path / "j", reply_facts("m", "cpu", "float32")) as journal:
            ask(scene, ["one?", "bad?"], engine, journal=journal)
        failing.clear()
        with Journal(tmp_path / "j", reply_facts("m", "cpu", "float32"), resume=True) as journal:
            answers = ask(scene, ["new?", "bad?", "one?"], engine, journal=journal)
    assert [answer.text for answer in answers] == ["NEW?", "BAD?", "ONE?"]
    asked = [[each.messages[-1].text for each in batch] for batch in engine.batches]
    assert asked == [["one?", "bad?"], ["new?", "bad?"]]


def test_another_device_or_precision_is_another_run(tmp_path):
    with Journal(tmp_path / "j", reply_facts("m", "cuda", "bfloat16")) as journal:
        journal.append({"k": {}})
    with pytest.raises(JournalError, match='device was "cuda", now "cpu"; dtype was "bfloat16", now'):
        Journal(tmp_path / "j", reply_facts("m", "cpu", "float32"), resume=True)
