"""AP and APnc: worked examples, closed forms, plain loops, and what no reordering may change."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.geometry.rotated import OC_V0, OC_V1, boxes_to_quads, quads_to_boxes
from detection_eval.metrics.average_precision import (
    average_precision,
    class_average_precision,
    mean_over_classes,
    one_tie,
    one_tie_at_best,
)
from detection_eval.metrics.confidence_free import block_ap, confidence_free_ap, given_ap
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import merge, overlap
from detection_eval.metrics.presets import PRESETS, STRICT, preset
from tests.detection_eval.problems import CLASSES, apart, boxes, permuted, random_problem

seeds = st.integers(0, 2**32 - 1)
INTERPOLATIONS = ("11-point", "area", "101-point")


def protocols(**rows):
    return [replace(STRICT, interpolation=how, **rows) for how in INTERPOLATIONS]


def of_sequence(right, positives, protocol):
    """AP of detections whose verdicts stand in the order of their scores."""
    right = np.array(right, dtype=bool)
    return average_precision(np.cumsum(right), np.cumsum(~right), positives, protocol)


# --- the recall grid ------------------------------------------------------------------------------


def test_3_of_10_reach_the_recall_0_3_in_integers_and_only_0_2_in_the_originals_floats():
    # precision 1, so AP is the share of points reached: 0, .1, .2 and, if exact, .3
    assert of_sequence([True] * 3, 10, STRICT) == pytest.approx(4 / 11)
    for name in ("mmrotate-1.x", "mmrotate-0.x", "devkit-v1.0", "lmmrotate", "rscovlm"):
        assert of_sequence([True] * 3, 10, preset(name)) == pytest.approx(3 / 11)


def test_the_float_grid_is_the_originals_bit_for_bit():
    late = [k for k in range(11) if float(np.arange(0, 1 + 1e-3, 0.1)[k]) > k / 10]
    assert late == [3, 6, 7]
    for found in range(11):
        reached = sum(found / 10 >= point for point in np.arange(0, 1 + 1e-3, 0.1))
        assert of_sequence(
            [True] * found + [False] * (found == 0), 10, preset("devkit-v1.0")
        ) == pytest.approx(reached / 11 if found else 0)


@settings(max_examples=50, deadline=None)
@given(found=st.integers(1, 3000), more=st.integers(0, 3000))
def test_integers_never_lose_a_recall_point(found, more):
    n = found + more
    assert float(one_tie(found, 0, n, STRICT)) == pytest.approx((10 * found // n + 1) / 11)
    assert of_sequence([True] * found, n, STRICT) == pytest.approx((10 * found // n + 1) / 11)


# --- curves ---------------------------------------------------------------------------------------


def test_ap_of_right_wrong_right_with_three_objects():
    # precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3
    sequence = [True, False, True]
    assert of_sequence(sequence, 3, protocols()[0]) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)  # .0-.3, .4-.6
    assert of_sequence(sequence, 3, protocols()[1]) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert of_sequence(sequence, 3, protocols()[2]) == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)


def ap_by_definition(right, positives, how):
    """The largest precision at or beyond each recall, written out."""
    true, points = 0, []
    for k, hit in enumerate(right, start=1):
        true += hit
        points.append((true, true / k))

    def best(needed):
        return max((p for t, p in points if t >= needed), default=0.0)

    if how == "area":
        return sum(best(t) for t in range(1, true + 1)) / positives
    intervals = int(how.partition("-")[0]) - 1
    return sum(best(k * positives / intervals) for k in range(intervals + 1)) / (intervals + 1)


@settings(max_examples=60, deadline=None)
@given(
    right=st.lists(st.booleans(), max_size=40),
    missed=st.integers(0, 20),
    how=st.sampled_from(INTERPOLATIONS),
)
def test_ap_is_what_its_definition_says(right, missed, how):
    positives = sum(right) + missed
    ours = of_sequence(right, positives, replace(STRICT, interpolation=how))
    if positives == 0:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(ap_by_definition(right, positives, how), abs=1e-12)


@pytest.mark.parametrize("protocol", protocols())
def test_every_order_of_a_tie_lies_between_the_block_value_and_the_upper_bound_and_both_are_reached(protocol):
    for right, positives in (([1, 1, 0, 0, 0], 3), ([1, 0, 1, 1], 3), ([1, 1, 1, 0], 7)):
        true, false = sum(right), len(right) - sum(right)
        values = [of_sequence(order, positives, protocol) for order in set(permutations(right))]
        assert min(values) == pytest.approx(float(one_tie(true, false, positives, protocol)), abs=1e-12)
        assert max(values) == pytest.approx(float(one_tie_at_best(true, positives, protocol)), abs=1e-12)


# --- absent classes -------------------------------------------------------------------------------


def test_a_class_without_objects_is_0_in_the_devkit_and_left_out_elsewhere():
    truth = {"a": GroundTruth(boxes([[0, 0, 9, 9]], [0], classes=("plane", "ship")))}
    found = {"a": boxes([[0, 0, 9, 9], [30, 0, 39, 9]], [0, 1], classes=("plane", "ship"))}
    for name, mean in {"devkit-v1.0": 0.5, "mmrotate-1.x": 1.0, "strict": 1.0, "rotated-coco": 1.0}.items():
        laid = overlap(truth, found, preset(name))
        ap = class_average_precision(laid, match(laid, 0.5))
        assert np.isnan(ap[1])
        assert float(mean_over_classes(ap, laid.preset)) == mean


def test_where_no_class_has_objects_strict_says_nan_and_mmrotate_0():
    assert np.isnan(mean_over_classes([np.nan, np.nan], preset("strict")))
    assert mean_over_classes([np.nan, np.nan], preset("mmrotate-1.x")) == 0
    assert np.isnan(mean_over_classes([], preset("strict")))


# --- confidence-free ------------------------------------------------------------------------------


@pytest.mark.parametrize("count_", [17, 20, 100, 1000])
def test_apnc_of_many_tied_boxes_is_the_closed_form(count_):
    # as many objects; every second one is found, and every tenth detection is wrong
    objects, found = apart(count_), apart(count_)[: count_ // 2]
    wrong = apart(max(1, count_ // 20), start=count_ + 5)
    truth, predictions = {"a": GroundTruth(boxes(objects))}, {"a": boxes(np.concatenate([wrong, found]))}
    laid = overlap(truth, predictions, STRICT)
    values = confidence_free_ap(laid, match(laid, 0.5), shuffles=50)
    precision = len(found) / (len(found) + len(wrong))
    expected = precision * (10 * len(found) // count_ + 1) / 11
    assert values.block[0] == pytest.approx(expected, abs=1e-15)
    assert class_average_precision(laid, match(laid, 0.5))[0] == pytest.approx(expected, abs=1e-15)
    assert values.given[0] == pytest.approx(expected, abs=1e-15)  # wrong ones were written first
    assert values.upper[0] == pytest.approx((10 * len(found) // count_ + 1) / 11)
    assert (values.shuffled >= values.block - 1e-12).all()
    assert (values.shuffled <= values.upper + 1e-12).all()


def test_the_order_given_can_raise_apnc_and_the_primary_value_stays():
    objects, wrong = apart(10), apart(10, start=50)
    truth = {"a": GroundTruth(boxes(objects))}
    values = []
    for listed in (np.concatenate([objects, wrong]), np.concatenate([wrong, objects])):
        laid = overlap(truth, {"a": boxes(listed)}, STRICT)
        values.append(confidence_free_ap(laid, match(laid, 0.5), shuffles=0))
    assert values[0].given[0] == 1.0
    assert values[1].given[0] == 0.5
    assert values[0].block[0] == values[1].block[0] == 0.5


def test_scores_that_are_all_1_change_nothing():
    truth, found = {"a": GroundTruth(boxes(apart(4)))}, np.concatenate([apart(2, start=9), apart(3)])
    for name in PRESETS:
        unscored, scored = (
            overlap(truth, {"a": boxes(found, scores=s)}, preset(name)) for s in (None, np.ones(5))
        )
        one, other = (confidence_free_ap(o, match(o, 0.5), shuffles=20) for o in (unscored, scored))
        assert one.mean() == other.mean()
        np.testing.assert_array_equal(
            class_average_precision(unscored, match(unscored, 0.5)),
            class_average_precision(scored, match(scored, 0.5)),
        )


def loops_in_the_order_given(truth, predictions, label, level, protocol):
    """mmrotate's description with all scores 1 and a stable sort: AP of one class."""
    laid = overlap(truth, predictions, protocol)
    claimed, iou = laid.claims
    taken, right = set(), []
    for d in range(len(laid.detections)):
        if laid.detections.labels[d] != label:
            continue
        hit = iou[d] >= level
        if hit and laid.ignored[claimed[d]]:
            continue
        right.append(bool(hit and claimed[d] not in taken))
        taken |= {claimed[d]} if hit else set()
    return of_sequence(right, int(laid.positives[label]), protocol)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, scored=st.booleans())
def test_the_value_of_the_order_given_is_what_loops_give(seed, scored):
    truth, predictions = random_problem(seed, scored=scored)
    protocol = preset("mmrotate-1.x")
    ours = given_ap(overlap(truth, predictions, protocol), 0.5)
    for label in range(len(CLASSES)):
        expected = loops_in_the_order_given(truth, predictions, label, 0.5, protocol)
        np.testing.assert_allclose(ours[label], expected, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    scored=st.booleans(),
    how=st.sampled_from(INTERPOLATIONS),
    matching=st.sampled_from(["voc", "coco"]),
    upright=st.booleans(),
)
def test_strict_values_have_the_same_bits_in_any_order_and_any_shards(seed, scored, how, matching, upright):
    protocol = replace(STRICT, interpolation=how, matching=matching)
    truth, predictions = random_problem(seed, scored=scored, levels=6, upright=upright)
    moved_truth, moved = permuted(truth, predictions, seed + 1)
    cut = np.random.default_rng(seed).integers(0, 3, len(truth))
    shards = [
        overlap({i: truth[i] for i, part in zip(truth, cut) if part == k}, moved, protocol, CLASSES)
        for k in range(3)
    ]
    values = []
    for laid in (overlap(truth, predictions, protocol), overlap(moved_truth, moved, protocol), merge(shards)):
        row = []
        for level in (0.5, 0.75):
            matches = match(laid, level)
            keep = None if laid.scores is None else laid.scores > 0.4
            confidence_free = confidence_free_ap(laid, matches, keep, shuffles=7)
            row += [confidence_free.block, confidence_free.upper, confidence_free.shuffled.ravel()]
            row += [class_average_precision(laid, matches)]
        values.append(np.concatenate(row).tobytes())
    assert values[0] == values[1] == values[2]


@settings(max_examples=15, deadline=None)
@given(seed=seeds, name=st.sampled_from([n for n in PRESETS if preset(n).matching == "voc"]))
def test_under_voc_every_preset_has_an_order_free_primary_value_below_the_given_one(seed, name):
    problem = random_problem(seed, scored=False)
    first, second = (overlap(*p, preset(name)) for p in (problem, permuted(*problem, seed + 1)))
    for level in (0.5, 0.75):
        blocks = [block_ap(count(laid, match(laid, level)), laid.preset) for laid in (first, second)]
        assert blocks[0].tobytes() == blocks[1].tobytes()
        given_ = given_ap(second, level)
        assert (given_ >= blocks[0] - 1e-12)[~np.isnan(given_)].all()


def test_the_angle_convention_of_a_file_changes_no_number():
    truth, predictions = random_problem(4, images=10)
    values = []
    for convention in (OC_V0, OC_V1):
        turned = {
            image: found.with_polygons(boxes_to_quads(quads_to_boxes(found.polygons, convention)))
            for image, found in predictions.items()
        }
        laid = overlap(truth, turned, preset("mmrotate-1.x"))
        values.append(class_average_precision(laid, match(laid, 0.5)))
    np.testing.assert_array_equal(*values)
