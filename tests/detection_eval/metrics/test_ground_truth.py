"""Boxes of a data set in one table."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError
from detection_eval.metrics.ground_truth import GroundTruth, class_list, scene_of, tabulate, tabulate_scores
from tests.detection_eval.problems import apart, boxes


def test_the_table_numbers_labels_by_name_and_keeps_image_and_place():
    first = boxes(apart(2), labels=[0, 1], classes=("ship", "plane"))
    table = tabulate([first, boxes(apart(1))], ("plane", "ship"), ("a", "b"))
    assert table.labels.tolist() == [1, 0, 0]
    assert table.images.tolist() == [0, 0, 1]
    assert table.positions.tolist() == [0, 1, 0]
    assert table.select([2]).images.tolist() == [1]


def test_a_class_that_does_not_count_is_refused_by_name_and_image():
    with pytest.raises(EvaluationError, match="P1: class 'plane' is not evaluated, only ship"):
        tabulate([boxes(apart(1))], ("ship",), ("P1",))


def test_scores_are_for_all_images_or_none():
    scored, unscored = boxes(apart(2), scores=[0.5, 0.25]), boxes(apart(1))
    assert tabulate_scores([scored, Detections.empty()]).tolist() == [0.5, 0.25]
    assert tabulate_scores([unscored]) is None
    with pytest.raises(EvaluationError, match="1 of 2 images with boxes have scores"):
        tabulate_scores([scored, unscored])
    with pytest.raises(EvaluationError, match="1 score is not finite"):
        tabulate_scores([boxes(apart(1), scores=[np.nan])])


def test_patches_belong_to_the_scene_before_the_double_underscore():
    truth = GroundTruth(boxes(apart(1)))
    assert scene_of("P0001__1__0___824", truth) == "P0001"
    assert scene_of("P0001__1__0___824", GroundTruth(truth.objects, scene="harbour")) == "harbour"


def test_one_class_list_keeps_its_order_and_several_are_sorted():
    ships, planes = (GroundTruth(Detections.empty(names)) for names in (("ship", "car"), ("plane",)))
    assert class_list({"a": ships}) == ("ship", "car")
    assert class_list({"a": ships, "b": planes}) == ("car", "plane", "ship")
