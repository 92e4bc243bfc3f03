"""Random orders of tied detections against all orders of small cases, matched anew by a plain loop."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detection_eval.metrics.average_precision import one_tie, one_tie_at_best
from detection_eval.metrics.confidence_free import ConfidenceFreeAP, confidence_free_ap, given_ap
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.orders import most_true, shuffled_ap
from detection_eval.metrics.overlaps import overlap, select
from detection_eval.metrics.presets import STRICT
from tests.detection_eval.dense import iou_matrix
from tests.detection_eval.problems import apart, boxes, random_problem

INTERPOLATIONS = ("11-point", "area", "101-point")
COCO = replace(STRICT, matching="coco")
LEVEL = 0.5


def case(objects, found, difficulty=None, protocol=STRICT, classes=("plane",)):
    return overlap({"a": GroundTruth(boxes(objects), difficulty)}, {"a": boxes(found)}, protocol, classes)


def verdicts_in_order(iou, ignored, order, matching):
    """Right or wrong, in order and without those on ignored objects: the rule as a loop."""
    taken, right = set(), []
    for d in order:
        reached = [g for g in range(len(ignored)) if iou[d, g] >= LEVEL]
        if matching == "voc":
            wishes = [max(reached, key=lambda g: iou[d, g])] if reached else []
        else:
            wishes = [g for g in reached if ignored[g] or g not in taken]
            wishes = sorted(wishes, key=lambda g: (ignored[g], -iou[d, g]))[:1]
        if wishes and ignored[wishes[0]]:
            continue
        right.append(bool(wishes) and wishes[0] not in taken)
        taken.update(wishes)
    return right


def ap_of(right, positives, how):
    """The largest precision at or beyond each recall, written out."""
    points = [(sum(right[:k]), sum(right[:k]) / k) for k in range(1, len(right) + 1)]

    def best(needed):
        return max((p for t, p in points if t >= needed), default=0.0)

    if how == "area":
        return sum(best(t) for t in range(1, positives + 1)) / positives
    intervals = int(how.partition("-")[0]) - 1
    return sum(best(k * positives / intervals) for k in range(intervals + 1)) / (intervals + 1)


def all_orders(objects, found, difficulty, protocol):
    """AP under every order of the detections."""
    iou = iou_matrix(boxes(found).polygons, boxes(objects).polygons)
    ignored = [grade > 0 for grade in difficulty or [0] * len(objects)]
    positives = len(objects) - sum(ignored)
    return np.array(
        [
            ap_of(
                verdicts_in_order(iou, ignored, order, protocol.matching), positives, protocol.interpolation
            )
            for order in permutations(range(len(found)))
        ]
    )


# Boxes 10 px wide; a shift of 1, 2, 3 px gives IoU 9/11, 8/12, 7/13.
A, B, C = [0, 0, 10, 10], [3, 0, 13, 10], [100, 0, 110, 10]
NEAR_A, BETWEEN, NEAR_B, NOWHERE = [-1, 0, 9, 10], [1, 0, 11, 10], [4, 0, 14, 10], [50, 0, 60, 10]
CASES = {
    "an object hit three times": ([A, C], [A, NEAR_A, A, NOWHERE], None),
    "two objects hit twice and a wrong one": ([A, C, NOWHERE], [A, NEAR_A, C, C, [70, 0, 80, 10]], None),
    "a second choice": ([A, B], [BETWEEN, NEAR_A, NOWHERE], None),
    "a chain of second choices": ([A, B, C], [BETWEEN, NEAR_A, NEAR_B, NOWHERE, C], None),
    "an ignored second choice": ([A, B], [BETWEEN, NEAR_A, NOWHERE], [0, 1]),
    "a box of an ignored object among others": ([A, C], [C, A, NOWHERE], [0, 1]),
    "only ignored objects are hit": ([A, C], [C, C, NOWHERE], [0, 1]),
}


@pytest.mark.parametrize("how", INTERPOLATIONS)
@pytest.mark.parametrize("matching", ["voc", "coco"])
@pytest.mark.parametrize("name", CASES)
def test_random_orders_are_all_orders_matched_anew(name, matching, how):
    objects, found, difficulty = CASES[name]
    protocol = replace(STRICT, matching=matching, interpolation=how)
    exact = all_orders(objects, found, difficulty, protocol)
    drawn = shuffled_ap(case(objects, found, difficulty, protocol), LEVEL, shuffles=3000, seed=1)[:, 0]
    assert set(np.round(drawn, 9)) == set(np.round(exact, 9))  # none is missing and none is made up
    standard_error = exact.std() / np.sqrt(len(drawn))
    assert drawn.mean() == pytest.approx(exact.mean(), abs=4 * standard_error + 1e-9)


def test_shuffling_fixed_verdicts_would_understate_what_duplicates_do():
    # A is hit twice, so its right box is the first of two: it comes early more often than one of three
    drawn = shuffled_ap(case([A], [A, A, NOWHERE]), LEVEL, shuffles=20000, seed=0)[:, 0]
    # first place 2/3 (precision 1), second 1/3 (1/2); as one of three fixed places it would be (1+1/2+1/3)/3
    assert drawn.mean() == pytest.approx(2 / 3 + 1 / 3 * 1 / 2, abs=0.01)


@pytest.mark.parametrize("how", INTERPOLATIONS)
@pytest.mark.parametrize("name", CASES)
def test_under_voc_the_bounds_hold_and_the_upper_one_is_reached(name, how):
    objects, found, difficulty = CASES[name]
    protocol = replace(STRICT, interpolation=how)
    exact = all_orders(objects, found, difficulty, protocol)
    laid = case(objects, found, difficulty, protocol)
    values = confidence_free_ap(laid, match(laid, LEVEL), shuffles=0)
    assert values.block[0] <= exact.min() + 1e-12
    assert values.upper[0] == pytest.approx(exact.max())


def test_the_lower_bound_is_reached_without_duplicates_and_not_with_them():
    alone = case([A, C], [A, NOWHERE])
    assert confidence_free_ap(alone, match(alone, LEVEL), shuffles=0).block[0] == pytest.approx(
        all_orders([A, C], [A, NOWHERE], None, STRICT).min()
    )
    # one of two objects, hit twice: P 1/2, R 1/2, block 1/2 * 6/11; but the first box is right in any order
    twice = case([A, C], [A, A])
    assert confidence_free_ap(twice, match(twice, LEVEL), shuffles=0).block[0] == pytest.approx(3 / 11)
    assert all_orders([A, C], [A, A], None, STRICT).min() == pytest.approx(6 / 11)


@pytest.mark.parametrize("name", CASES)
def test_under_coco_only_the_upper_bound_holds(name):
    objects, found, difficulty = CASES[name]
    exact = all_orders(objects, found, difficulty, COCO)
    laid = case(objects, found, difficulty, COCO)
    assert confidence_free_ap(laid, match(laid, LEVEL), shuffles=0).upper[0] >= exact.max() - 1e-12


def test_under_coco_the_number_of_right_boxes_depends_on_the_order_and_the_upper_bound_knows():
    # BETWEEN first takes A, its favourite, and leaves NEAR_A nothing; the other way round both are right
    objects, found = [A, B], [[1, 0, 11, 10], NEAR_A]
    laid = case(objects, found, protocol=COCO)
    assert count(laid, match(laid, LEVEL)).true[0] in (1, 2)
    assert most_true(laid, LEVEL)[0] == 2
    drawn = shuffled_ap(laid, LEVEL, shuffles=200, seed=0)[:, 0]
    assert set(np.round(drawn, 9)) == set(np.round([1.0, 6 / 11], 9))
    assert not np.array_equal(drawn, shuffled_ap(laid, LEVEL, shuffles=200, seed=1)[:, 0])


def test_no_order_has_more_right_boxes_than_objects_or_than_boxes():
    assert most_true(case([A, C], [A, A, A], protocol=COCO), LEVEL).tolist() == [1]
    assert most_true(case([A, B], [BETWEEN], protocol=COCO), LEVEL).tolist() == [1]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), matching=st.sampled_from(["voc", "coco"]))
def test_a_threshold_keeps_a_part_and_the_rest_is_as_if_never_there(seed, matching):
    laid = overlap(*random_problem(seed), replace(STRICT, matching=matching))
    assume(laid.scores is not None)  # nothing was detected
    keep = laid.scores > 0.5
    values = [
        shuffled_ap(laid, LEVEL, keep, shuffles=5, seed=3),
        shuffled_ap(select(laid, keep), LEVEL, shuffles=5, seed=3),
    ]
    np.testing.assert_array_equal(*values)
    np.testing.assert_array_equal(most_true(laid, LEVEL, keep), most_true(select(laid, keep), LEVEL))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), how=st.sampled_from(INTERPOLATIONS))
def test_every_random_order_and_the_given_one_lie_within_the_bounds_of_voc(seed, how):
    protocol = replace(STRICT, interpolation=how)
    laid = overlap(*random_problem(seed, scored=False), protocol)
    counts = count(laid, match(laid, LEVEL))
    low = one_tie(counts.true, counts.false, counts.positives, protocol)
    high = one_tie_at_best(counts.true, counts.positives, protocol)
    for values in (*shuffled_ap(laid, LEVEL, shuffles=20, seed=0), given_ap(laid, LEVEL)):
        there = ~np.isnan(values)
        assert (values >= low - 1e-12)[there].all()
        assert (values <= high + 1e-12)[there].all()


def test_classes_and_seeds_draw_their_own_orders():
    rows = np.concatenate([apart(4), apart(4, start=20)])
    objects = boxes(np.tile(apart(8), (2, 1)), np.repeat([0, 1], 8), classes=("plane", "ship"))
    found = boxes(np.tile(rows, (2, 1)), np.repeat([0, 1], 8), classes=("plane", "ship"))
    laid = overlap({"a": GroundTruth(objects)}, {"a": found}, STRICT)
    drawn = shuffled_ap(laid, LEVEL, shuffles=50, seed=0)
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])  # equal counts, but not the same orders
    np.testing.assert_array_equal(drawn, shuffled_ap(laid, LEVEL, shuffles=50, seed=0))
    assert not np.array_equal(drawn, shuffled_ap(laid, LEVEL, shuffles=50, seed=1))


def test_mean_names_the_spread_of_the_means_over_classes():
    laid = case([A], [A, NOWHERE])  # precision 1 or 1/2 with equal chance
    spread = confidence_free_ap(laid, match(laid, LEVEL), shuffles=1000).mean()
    assert spread["shuffle_mean"] == pytest.approx(0.75, abs=0.05)
    assert spread["shuffle_sd"] == pytest.approx(0.25, abs=0.01)
    hundred_and_one = ConfidenceFreeAP(0.5, *[np.array([0.3])] * 3, np.arange(101.0)[:, None] / 100, STRICT)
    assert hundred_and_one.mean()["shuffle_p5"] == pytest.approx(0.05)
    assert hundred_and_one.mean()["shuffle_p95"] == pytest.approx(0.95)
