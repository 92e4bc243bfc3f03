"""APnc: one value whatever the order of boxes."""

import pytest

from detection_eval.metrics.confidence_free import block_ap, confidence_free_ap, given_ap, without_scores
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from tests.detection_eval.problems import apart, boxes


def laid(found):
    return overlap({"a": GroundTruth(boxes(apart(4)))}, {"a": found}, STRICT)


def test_the_block_value_does_not_change_with_the_order_and_lies_within_what_orders_give():
    right_first = laid(boxes([*apart(2), *apart(2, start=9)]))
    wrong_first = laid(boxes([*apart(2, start=9), *apart(2)]))
    results = [confidence_free_ap(each, match(each, 0.5), shuffles=50) for each in (right_first, wrong_first)]
    assert results[0].block.tolist() == results[1].block.tolist()
    assert results[0].given[0] > results[1].given[0]
    assert all(r.block[0] <= r.shuffled.max() <= r.upper[0] + 1e-12 for r in results)
    assert results[0].given[0] == pytest.approx(results[0].upper[0])


def test_scores_are_forgotten():
    scored = laid(boxes(apart(2), scores=[0.9, 0.1]))
    assert without_scores(scored).scores is None
    assert given_ap(without_scores(scored), 0.5).tolist() == given_ap(laid(boxes(apart(2))), 0.5).tolist()


def test_perfect_detections_have_1_and_none_have_0():
    for found, value in ((boxes(apart(4)), 1.0), (boxes(apart(0).reshape(0, 4)), 0.0)):
        each = laid(found)
        assert block_ap(count(each, match(each, 0.5)), STRICT).tolist() == [pytest.approx(value)]
