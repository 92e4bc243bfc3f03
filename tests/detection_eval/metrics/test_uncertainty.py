"""Resampling of scenes, paired tests and the correction for many of them."""

import numpy as np
import pytest

from detection_eval.metrics.average_precision import class_average_precision, mean_over_classes
from detection_eval.metrics.counts import Counts
from detection_eval.metrics.evaluation import micro_f1
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.metrics.uncertainty import bootstrap, bootstrap_ap, draw_scenes, holm, paired_test
from tests.detection_eval.problems import random_problem


def scenes(found, wrong, objects=10):
    """Counts of one class in scenes that each have so many objects."""
    right = np.asarray(found).reshape(-1, 1)
    return Counts(right, np.asarray(wrong).reshape(-1, 1), np.full_like(right, objects))


def recall(counts):
    return counts.micro.recall[..., 0]


def test_as_many_scenes_are_drawn_as_there_are():
    drawn = draw_scenes(7, 50, 0)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(drawn, draw_scenes(7, 50, 0))


def test_the_interval_of_a_mean_of_scenes_has_its_textbook_width():
    # recall of 400 equal scenes is the mean of independent shares: 1.96 standard errors on either side
    found = np.random.default_rng(0).integers(0, 11, 400)
    interval = bootstrap(scenes(found, found * 0), recall, samples=2000)
    error = (found / 10).std() / np.sqrt(400)
    assert interval.value == pytest.approx(found.mean() / 10)
    assert interval.high - interval.value == pytest.approx(1.96 * error, rel=0.1)
    assert interval.value - interval.low == pytest.approx(1.96 * error, rel=0.1)


def test_patches_of_one_scene_are_drawn_together():
    # the same counts as ten patches of each of 20 scenes: the interval must not shrink
    found = np.random.default_rng(1).integers(0, 11, 20)
    whole = bootstrap(scenes(found * 10, found * 0, 100), recall, samples=2000)
    independent = bootstrap(scenes(np.repeat(found, 10), np.repeat(found, 10) * 0), recall, samples=2000)
    assert whole.value == independent.value
    assert whole.high - whole.low > 2.5 * (independent.high - independent.low)  # about sqrt(10)


def test_a_class_that_few_scenes_hold_leaves_samples_without_a_value():
    by_scene = Counts(*(np.array(rows) for rows in ([[1, 0], [1, 0]], [[0, 0], [0, 0]], [[1, 0], [1, 0]])))
    interval = bootstrap(by_scene, lambda counts: counts.recall, samples=20)
    assert interval.low[0] == interval.high[0] == 1
    assert np.isnan([interval.value[1], interval.low[1], interval.high[1]]).all()


def test_equal_methods_do_not_differ():
    same = scenes([3, 5, 8], [1, 0, 2])
    result = paired_test(same, same, micro_f1, samples=200)
    assert result.interval.value == 0
    assert result.p_value == 1


def test_a_small_difference_in_every_scene_is_sure_and_a_large_one_in_a_single_scene_is_not():
    base = np.full(30, 5)
    steady = paired_test(scenes(base + 1, base * 0), scenes(base, base * 0), recall, samples=999)
    assert steady.p_value == pytest.approx(1 / 1000, abs=2e-3)
    assert steady.interval.low > 0
    lucky = base.copy()
    lucky[0] = 10
    single = paired_test(scenes(lucky, base * 0), scenes(base, base * 0), recall, samples=999)
    assert single.p_value == 1  # either sign is as likely
    assert single.interval.low == 0


def test_the_p_value_of_equally_good_methods_is_uniform():
    rng = np.random.default_rng(3)
    p_values = []
    for trial in range(120):
        one, other = (scenes(rng.integers(0, 11, 15), np.zeros(15, int)) for _ in range(2))
        p_values.append(float(paired_test(one, other, recall, samples=99, seed=trial).p_value))
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)


def test_methods_on_different_objects_are_not_compared():
    with pytest.raises(ValueError, match="different ground truth"):
        paired_test(scenes([1], [0], 10), scenes([1], [0], 9), recall)


def test_holm_steps_down_and_leaves_nan_alone():
    # 0.01 * 3, 0.02 * 2, 0.04 * 1 made monotone
    np.testing.assert_allclose(holm([0.02, 0.01, np.nan, 0.04]), [0.04, 0.03, np.nan, 0.04])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])


def test_the_interval_of_ap_repeats_scenes_as_often_as_they_are_drawn():
    truth, found = random_problem(5, images=8, levels=6)
    laid = overlap(truth, found, STRICT)
    interval = bootstrap_ap(laid, match(laid, 0.5), samples=5, seed=2)
    drawn = draw_scenes(4, 5, 2)
    names = sorted(set(laid.scenes))
    for row in range(5):
        copies = {
            f"{image}/{copy}": image
            for image in truth
            for copy in range(drawn[row, names.index(image.partition("__")[0])])
        }
        again = overlap(
            {new: GroundTruth(truth[old].objects, truth[old].difficulty) for new, old in copies.items()},
            {new: found[old] for new, old in copies.items()},
            STRICT,
            laid.classes,
        )
        expected = mean_over_classes(class_average_precision(again, match(again, 0.5)), STRICT)
        np.testing.assert_allclose(interval.samples[row], expected, atol=1e-12)
