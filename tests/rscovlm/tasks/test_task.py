"""Counts of single replies, their sums over shards, and the rates that follow."""

import pickle

from rscovlm.tasks.detection import Detection
from rscovlm.tasks.questions import NumericQuestion, OpenQuestion
from rscovlm.tasks.task import Tally, hit, rates, score_reply, total
from tests.rscovlm.tasks.replies import QUAD, SIZE, listed


def test_tallies_of_shards_add_up_to_the_tally_of_the_whole():
    number, words = NumericQuestion(), OpenQuestion()
    replies = [("a", number, "3", "3"), ("a", words, "red", "blue"), ("b", words, "red", "red")]
    replies += [("b", Detection(QUAD), "There are none.", listed(((10, 10, 50, 50), "plane")))]
    whole, first, second = Tally(), Tally(), Tally()
    for index, (group, task, reply, truth) in enumerate(replies):
        counts = score_reply(task, reply, truth, SIZE)
        whole.add(group, task, counts)
        (first, second)[index % 2].add(group, task, counts)
    # One of two answers about a, all about b; the boxes of b are counted beside its answers.
    expected = {"a/accuracy": 0.5, "b/accuracy": 1.0, "b/f1@0.5": 0.0, "b/recall@0.5": 0.0}
    assert whole.metrics() == expected
    joined = Tally()
    joined.merge(pickle.loads(pickle.dumps(second)))
    joined.merge(first)
    assert joined.metrics() == expected
    assert joined.counts("a") == whole.counts("a") == {"accuracy/hits": 1, "accuracy/of": 2}
    assert joined.counts("c") == {}


def test_a_rate_of_nothing_is_left_out():
    assert rates({"accuracy/hits": 0.0, "accuracy/of": 0.0}, "accuracy", "recall") == {}
    assert total([]) == {}


def test_counts_add_up_name_by_name_and_a_rate_is_hits_of_all():
    counts = total([hit("accuracy", True), hit("accuracy", False), hit("zoom_hit", True)])
    assert counts == {"accuracy/hits": 1, "accuracy/of": 2, "zoom_hit/hits": 1, "zoom_hit/of": 1}
    assert rates(counts, "accuracy") == {"accuracy": 0.5}, "others are passed over"
