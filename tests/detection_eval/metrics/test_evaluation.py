"""The whole evaluation of a method, and of two beside each other."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.metrics.evaluation import compare, evaluate, summarize_comparison
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import LEVELS
from detection_eval.metrics.presets import PRESETS
from detection_eval.metrics.thresholds import best_threshold
from tests.detection_eval.problems import CLASSES, apart, boxes, permuted, random_problem

seeds = st.integers(0, 2**32 - 1)


def perfect(truth):
    return {image: value.objects for image, value in truth.items()}


@pytest.mark.parametrize("protocol", sorted(PRESETS))
def test_the_ground_truth_itself_is_perfect_under_every_protocol(protocol):
    truth, _ = random_problem(2, images=12, difficult=False)
    result = evaluate(truth, perfect(truth), protocol)
    assert result.apnc(LEVELS) == pytest.approx(1)
    summary = result.summary(shuffles=3)
    assert summary["APnc50"] == summary["f1_50"] == summary["APnc50_parity"] == pytest.approx(1)
    assert summary["AP50"] is None


@pytest.mark.parametrize("protocol", sorted(PRESETS))
def test_any_set_of_empty_things_is_evaluated(protocol):
    some, nothing = boxes(apart(2)), Detections.empty(("plane",))
    for truth, found in (
        ({}, {}),
        ({"a": GroundTruth(nothing)}, {}),
        ({"a": GroundTruth(nothing)}, {"a": some}),
    ):
        summary = evaluate(truth, found, protocol).summary(shuffles=2, samples=3)
        assert summary["APnc50"] in (None, 0)
    summary = evaluate({"a": GroundTruth(some)}, {}, protocol).summary(shuffles=2, samples=3)
    assert (summary["APnc50"], summary["recall_50"], summary["unanswered"]) == (0, 0, 1)


def test_a_lost_response_costs_recall():
    truth = {image: GroundTruth(boxes(apart(1))) for image in "abcd"}
    found = perfect(truth)
    del found["d"]
    result = evaluate(truth, found)
    assert result.counts().micro.recall[0] == 3 / 4
    assert result.summary()["unanswered"] == 1


def test_predictions_for_other_images_are_listed_and_count_for_nothing():
    truth = {"a": GroundTruth(boxes(apart(1)))}
    result = evaluate(truth, {"a": boxes(apart(1)), "b": boxes(apart(9))})
    assert result.summary()["unknown_images"] == ["b"]
    assert result.apnc() == 1


def test_the_summary_is_json_and_holds_what_reports_print():
    truth, found = random_problem(7, images=8)
    summary = evaluate(truth, found, threshold="oracle").summary(shuffles=5, samples=20)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert {
        "threshold",
        "APnc50",
        "APnc75",
        "APnc50:95",
        "APnc50_parity",
        "AP50",
        "per_class",
        "f1_50",
        "ci",
    } <= set(summary)
    assert set(summary["per_class"]) == set(CLASSES)
    for name in ("APnc50", "APnc75", "f1_50", "AP50"):
        low, high = summary["ci"][name]
        assert low <= high
    means = np.mean([summary["per_class"][name]["APnc50:95"] for name in CLASSES])
    assert summary["APnc50:95"] == pytest.approx(means)
    assert summary["APnc50"] <= summary["APnc50_parity"] <= summary["APnc50_upper"]


def test_the_oracle_has_no_gap_to_itself_and_folds_have_one():
    truth, found = random_problem(11, images=16)
    oracle, folds = (evaluate(truth, found, threshold=split) for split in ("oracle", "kfold"))
    assert oracle.oracle_gap() == 0
    assert folds.oracle_gap() is not None
    assert evaluate(truth, found).oracle_gap() is None
    assert oracle.apnc() == pytest.approx(oracle.curve().apnc[0].max())


def test_a_threshold_from_other_data_is_used_and_named():
    truth, found = random_problem(12)
    other = evaluate(*random_problem(13))
    choice = best_threshold(other.overlaps, "val")
    summary = evaluate(truth, found, threshold=choice).summary(shuffles=1)
    assert summary["threshold_split"] == "val"
    assert summary["threshold"] == choice.describe()
    fixed = evaluate(truth, found, threshold=0.35).summary(shuffles=1)
    assert (fixed["threshold"], fixed["threshold_split"]) == (0.35, "fixed")


def test_lists_without_scores_have_no_threshold_to_choose():
    truth, found = random_problem(15, scored=False)
    summary = evaluate(truth, found, threshold="kfold").summary(shuffles=1)
    assert summary["threshold"] is summary["oracle_gap"] is summary["AP50"] is None
    assert summary["APnc50"] == evaluate(truth, found).apnc()


def test_the_curve_holds_the_values_of_each_threshold():
    truth, found = random_problem(16)
    curve = evaluate(truth, found).curve((0.2, 0.6))
    for column, threshold in enumerate((0.2, 0.6)):
        result = evaluate(truth, found, threshold=threshold)
        assert curve.apnc[0, column] == result.apnc()
        assert curve.f1[0, column] == result.counts().micro.f1[0]


def test_ordinary_ap_uses_all_scores_and_no_threshold():
    truth, found = random_problem(14)
    assert evaluate(truth, found, threshold=0.8).ap() == evaluate(truth, found).ap()
    assert evaluate(truth, found, threshold=0.8).apnc() != evaluate(truth, found).apnc()


@settings(max_examples=8, deadline=None)
@given(seed=seeds, scored=st.booleans())
def test_the_strict_summary_is_the_same_in_any_order(seed, scored):
    truth, found = random_problem(seed, scored=scored, levels=7)
    values = []
    for problem in ((truth, found), permuted(truth, found, seed + 1)):
        summary = evaluate(*problem, threshold=0.3).summary(shuffles=5, samples=10)
        del summary["APnc50_parity"]
        for row in summary["per_class"].values():
            del row["APnc50_parity"]
        values.append(json.dumps(summary))
    assert values[0] == values[1]


def test_a_better_method_is_better_with_an_interval_and_corrected_p_values():
    truth, found = random_problem(21, images=40, difficult=False)
    good, poor = evaluate(truth, perfect(truth)), evaluate(truth, found)
    result = compare(good, poor, samples=199)
    assert result["APnc"].interval.low > 0
    assert result["APnc"].p_value == 1 / 200
    assert (result["per_class"].p_value >= 1 / 200).all()
    summary = summarize_comparison(good, poor, samples=50)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["APnc"]["difference"] == pytest.approx(good.apnc() - poor.apnc())
    backwards = summarize_comparison(poor, good, samples=50)
    assert backwards["APnc"]["difference"] == -summary["APnc"]["difference"]


def test_methods_under_different_protocols_are_not_compared():
    truth, found = random_problem(3)
    with pytest.raises(ValueError, match="compare like with like"):
        compare(evaluate(truth, found), evaluate(truth, found, "devkit-v1.0"))
