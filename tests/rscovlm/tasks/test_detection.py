"""The task of finding objects: what a reply counts for."""

from __future__ import annotations

from rscovlm.tasks.detection import Detection
from rscovlm.tasks.task import score_reply
from tests.rscovlm.tasks.replies import QUAD, SIZE, listed

DETECTION = Detection(QUAD)


def test_detections_pair_one_to_one_and_only_with_their_class():
    truth = listed(((10, 10, 50, 50), "plane"), ((100, 10, 140, 50), "ship"))
    reply = listed(((10, 10, 50, 50), "plane"), ((12, 10, 52, 50), "plane"), ((100, 10, 140, 50), "plane"))
    # Three found, two true, one of them right.
    assert DETECTION.aggregate(score_reply(DETECTION, reply, truth, SIZE)) == {
        "f1@0.5": 2 / 5,
        "precision@0.5": 1 / 3,
        "recall@0.5": 1 / 2,
    }


def test_nothing_found_where_nothing_is_is_perfect():
    nothing = score_reply(DETECTION, "There are none.", "There are none.", SIZE)
    assert DETECTION.aggregate(nothing) == {"f1@0.5": 1.0}
    missed = score_reply(DETECTION, "There are none.", listed(((10, 10, 50, 50), "plane")), SIZE)
    assert DETECTION.aggregate(missed) == {"f1@0.5": 0.0, "recall@0.5": 0.0}
