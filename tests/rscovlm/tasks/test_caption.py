"""Captioning: asked for in words, scored by the longest common subsequence of words."""

from rscovlm.tasks.caption import Captioning
from rscovlm.tasks.task import score_reply

TASK = Captioning()


def test_a_subject_takes_the_place_of_the_words():
    assert TASK.prompt() == (None, "Describe the image.")
    assert TASK.prompt("What is there?").user == "What is there?"


def test_the_same_sentence_scores_one_and_another_none():
    assert TASK.aggregate(score_reply(TASK, "Two planes.", "two planes")) == {"rouge_l": 1.0}
    assert TASK.aggregate(score_reply(TASK, "a forest", "two planes")) == {"rouge_l": 0.0}


def test_thoughts_are_no_part_of_a_caption():
    assert TASK.parse("<think>hm</think>Two planes.") == "Two planes."
