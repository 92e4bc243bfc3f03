"""Predictions laid over the ground truth: what counts, what is refused, and how shards become a whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.errors import EvaluationError
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import merge, overlap
from detection_eval.metrics.presets import preset
from tests.detection_eval.problems import CLASSES, boxes, random_problem

seeds = st.integers(0, 2**32 - 1)


def test_a_box_of_a_class_that_is_not_evaluated_is_an_error():
    found = {"a": boxes([[0, 0, 9, 9]], [1], classes=("plane", "ship"))}
    with pytest.raises(EvaluationError, match=r"predictions of a: class 'ship' is not evaluated, only plane"):
        overlap({"a": GroundTruth(boxes([[0, 0, 9, 9]]))}, found, preset("strict"))


def test_scores_on_a_part_of_the_images_are_an_error():
    truth = {image: GroundTruth(boxes([[0, 0, 9, 9]])) for image in "ab"}
    found = {"a": boxes([[0, 0, 9, 9]], scores=[0.5]), "b": boxes([[0, 0, 9, 9]])}
    with pytest.raises(EvaluationError, match="1 of 2 images with boxes have scores"):
        overlap(truth, found, preset("strict"))


def test_images_of_the_ground_truth_are_what_counts():
    truth = {image: GroundTruth(boxes([[0, 0, 9, 9]])) for image in "ab"}
    laid = overlap(truth, {"a": boxes([[0, 0, 9, 9]]), "c": boxes([[0, 0, 9, 9]])}, preset("rscovlm"))
    assert laid.positives.tolist() == [2]  # the lost response costs recall
    assert len(laid.detections) == 1
    assert laid.unanswered == ("b",)
    assert laid.unknown == ("c",)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, protocol=st.sampled_from(["strict", "rotated-coco"]), scored=st.booleans())
def test_shards_merge_into_the_whole(seed, protocol, scored):
    truth, predictions = random_problem(seed, scored=scored)
    whole = overlap(truth, predictions, preset(protocol))
    cut = np.random.default_rng(seed).integers(0, 3, len(truth))
    shards = [
        overlap(
            {i: truth[i] for i, part in zip(truth, cut) if part == k}, predictions, preset(protocol), CLASSES
        )
        for k in range(3)
    ]
    merged = merge(shards)
    assert sorted(merged.images) == sorted(whole.images)
    assert merged.unknown == whole.unknown == ()
    pairs = [
        sorted(zip(np.array(o.images)[o.detections.images[o.pair_detection]], o.pair_iou.tolist()))
        for o in (whole, merged)
    ]
    assert pairs[0] == pairs[1]
    again = merge([whole])
    np.testing.assert_array_equal(match(again, 0.5).verdict, match(whole, 0.5).verdict)


def test_shards_that_do_not_belong_together_are_refused():
    laid = overlap({"a": GroundTruth(boxes([]))}, {}, preset("strict"))
    with pytest.raises(ValueError, match="1 images are in two shards"):
        merge([laid, laid])
    other = overlap({"b": GroundTruth(boxes([]))}, {}, preset("devkit-v1.0"))
    with pytest.raises(ValueError, match="different presets"):
        merge([laid, other])
