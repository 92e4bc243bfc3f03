"""Sweeps agree with evaluating anew at each threshold, and choices look only at their declared data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.errors import EvaluationError
from detection_eval.metrics.confidence_free import block_ap, given_ap
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap, select
from detection_eval.metrics.presets import PRESETS, STRICT, preset
from detection_eval.metrics.thresholds import (
    ThresholdChoice,
    above,
    best_threshold,
    fixed_threshold,
    given_sweep,
    sweep,
)
from tests.detection_eval.problems import apart, boxes, random_problem

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=12, deadline=None)
@given(seed=seeds, name=st.sampled_from(sorted(PRESETS)), ties=st.sampled_from([None, 10]))
def test_a_sweep_is_an_evaluation_at_each_threshold(seed, name, ties):
    laid = overlap(*random_problem(seed, levels=ties), preset(name))
    curve = sweep(laid, [match(laid, level) for level in (0.5, 0.75)], (0.0, 0.3, 0.7))
    by_order = given_sweep(laid, (0.5, 0.75), (0.0, 0.3, 0.7))
    for column, threshold in enumerate((0.0, 0.3, 0.7)):
        kept = select(laid, above(laid, threshold))
        for row, level in enumerate((0.5, 0.75)):
            counts = count(kept, match(kept, level))
            np.testing.assert_array_equal(curve.counts.true[row, column], counts.true)
            np.testing.assert_array_equal(curve.counts.false[row, column], counts.false)
            np.testing.assert_array_equal(curve.counts.positives[row, column], counts.positives)
            np.testing.assert_array_equal(curve.class_apnc[row, column], block_ap(counts, laid.preset))
            np.testing.assert_array_equal(by_order[row, column], given_ap(kept, level))


def scored_scenes(count_, right_scores, wrong_scores):
    """Scenes of one image each: a found object and a wrong detection, with the scores given."""
    truth, found = {}, {}
    for k in range(count_):
        truth[f"s{k}"] = GroundTruth(boxes(apart(1)))
        found[f"s{k}"] = boxes(
            np.concatenate([apart(1), apart(1, start=3)]), scores=[right_scores[k], wrong_scores[k]]
        )
    return truth, found


def test_the_oracle_takes_the_lowest_of_the_best_thresholds():
    laid = overlap(*scored_scenes(4, [0.9] * 4, [0.42] * 4), STRICT)
    choice = best_threshold(laid, "oracle")
    assert choice.describe() == 0.45  # the first of i / 20 that drops 0.42
    assert block_ap(count(laid, match(laid, 0.5), choice.keep(laid)), STRICT)[0] == 1.0


def test_a_threshold_keeps_only_scores_above_it():
    laid = overlap(*scored_scenes(1, [0.5], [0.25]), STRICT)
    assert above(laid, 0.5).tolist() == [False, False]
    assert above(laid, 0.25).tolist() == [True, False]
    assert fixed_threshold(("plane",), 0.25).keep(laid).tolist() == [True, False]


def test_a_choice_on_other_data_is_carried_over():
    training = overlap(*scored_scenes(3, [0.99] * 3, [0.7] * 3), STRICT)  # over-confident
    choice = best_threshold(training, "train")
    assert choice.describe() == 0.7
    evaluated = overlap(*scored_scenes(3, [0.6] * 3, [0.1] * 3), STRICT)
    assert not choice.keep(evaluated).any()
    assert choice.split == "train"


def test_folds_choose_without_their_own_scenes():
    # in the last scene the wrong detection scores 0.8; a threshold above it can only come from that scene
    right, wrong = [0.9] * 6, [0.2] * 5 + [0.8]
    laid = overlap(*scored_scenes(6, right, wrong), STRICT)
    choice = best_threshold(laid, "kfold", folds=3)
    own = choice.fold_of_scene["s5"]
    assert choice.thresholds[own, 0] == 0.2
    assert all(choice.thresholds[fold, 0] == 0.8 for fold in range(3) if fold != own)
    assert choice.keep(laid).tolist() == [True, False] * 5 + [True, True]
    oracle = best_threshold(laid, "oracle")
    assert oracle.describe() == 0.8


def test_folds_do_not_depend_on_the_order_of_images():
    truth, found = random_problem(3, images=12)
    first = best_threshold(overlap(truth, found, STRICT), "kfold", folds=3, seed=5)
    backwards = dict(reversed(list(truth.items())))
    second = best_threshold(overlap(backwards, found, STRICT), "kfold", folds=3, seed=5)
    assert first.fold_of_scene == second.fold_of_scene
    np.testing.assert_array_equal(first.thresholds, second.thresholds)
    assert len(set(first.fold_of_scene)) == 6  # two images a scene, never in different folds


def test_classes_can_have_their_own_thresholds():
    truth = {"a": GroundTruth(boxes(apart(2), [0, 1], classes=("plane", "ship")))}
    listed = np.concatenate([apart(2), apart(2, start=5)])
    found = {"a": boxes(listed, [0, 1, 0, 1], [0.9, 0.3, 0.6, 0.1], ("plane", "ship"))}
    laid = overlap(truth, found, STRICT)
    choice = best_threshold(laid, "oracle", per_class=True)
    assert choice.describe() == {"plane": 0.6, "ship": 0.1}
    assert choice.keep(laid).tolist() == [True, True, False, False]


def test_the_grids_of_the_papers():
    assert preset("lmmrotate").score_thresholds == (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.7)
    assert preset("rscovlm").score_thresholds == tuple(i / 20 for i in range(20))


def test_lists_without_scores_are_kept_whole():
    truth, found = random_problem(1, scored=False)
    laid = overlap(truth, found, STRICT)
    assert fixed_threshold(laid.classes, 0.9).keep(laid).all()
    assert best_threshold(laid, "oracle").keep(laid).all()


def test_a_sweep_over_some_images_counts_their_objects_alone():
    truth, found = scored_scenes(3, [0.9] * 3, [0.1] * 3)
    truth["s3"] = GroundTruth(boxes(apart(4)))
    laid = overlap(truth, found, STRICT)
    counts = sweep(laid, [match(laid, 0.5)], (0.5,), np.array([True, True, False, False])).counts
    assert (counts.true.item(), counts.false.item(), counts.positives.item()) == (2, 0, 2)


def test_folds_are_equally_large_and_depend_on_the_seed():
    laid = overlap(*scored_scenes(8, [0.9] * 8, [0.1] * 8), STRICT)
    folds = [best_threshold(laid, "kfold", folds=3, seed=seed).fold_of_scene for seed in range(3)]
    for fold_of_scene in folds:
        assert sorted(np.bincount(list(fold_of_scene.values()))) == [2, 3, 3]
    assert folds[0] != folds[1] or folds[0] != folds[2]


def test_the_threshold_of_folds_is_told_by_their_mean():
    folds = ThresholdChoice("kfold", np.array([[0.2, 0.3], [0.4, 0.7]]), ("plane", "ship"), True, {})
    assert folds.describe() == pytest.approx({"plane": 0.3, "ship": 0.5})


def test_wrong_use_is_named():
    laid = overlap(*scored_scenes(2, [0.9] * 2, [0.1] * 2), STRICT)
    with pytest.raises(EvaluationError, match="2 scenes do not make 5 folds; choose 2 to 2"):
        best_threshold(laid, "kfold")
    alone = overlap(*scored_scenes(1, [0.9], [0.1]), STRICT)
    with pytest.raises(EvaluationError, match=r"of one scene.*give a threshold, choose it on other images"):
        best_threshold(alone, "kfold", folds=2)
    with pytest.raises(EvaluationError, match="thresholds were chosen for ship, not plane"):
        fixed_threshold(("ship",), 0.5).keep(laid)
    nested = best_threshold(laid, "kfold", folds=2)
    other = overlap({"z": GroundTruth(boxes(apart(1)))}, {"z": boxes(apart(1), scores=[0.5])}, STRICT)
    with pytest.raises(EvaluationError, match="scene 'z' is in no fold"):
        nested.keep(other)
