"""COCO's metrics on boxes and masks whose overlaps are known."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError
from detection_eval.metrics.coco_metrics import METRICS, coco_metrics
from detection_eval.metrics.ground_truth import CROWD, GroundTruth
from tests.detection_eval.problems import apart, boxes


def test_perfect_boxes_have_ap_1_and_empty_predictions_0():
    truth = {"a": GroundTruth(boxes(apart(3)), size=(100, 20))}
    for kind in ("bbox", "segm"):
        values = coco_metrics(truth, {"a": boxes(apart(3), scores=[0.5, 0.6, 0.7])}, kind)
        assert tuple(values) == METRICS
        assert values["AP"] == values["AP50"] == values["AR_100"] == pytest.approx(1)
        assert np.isnan(values["AP_large"])
    assert coco_metrics(truth, {})["AP50"] == 0
    assert np.isnan(coco_metrics({"a": GroundTruth(boxes([]))}, {"a": boxes(apart(1))})["AP50"])


def test_boxes_overlap_where_masks_do_not():
    # two triangles that fill their common bounds from opposite corners
    low, high = [[0, 0], [40, 0], [0, 40], [0, 40]], [[40, 40], [0, 40], [40, 0], [40, 0]]
    truth = {"a": GroundTruth(Detections([low], [0], ("plane",)), size=(50, 50))}
    found = {"a": Detections([high], [0], ("plane",), [0.9])}
    assert coco_metrics(truth, found)["AP"] == pytest.approx(1)
    assert coco_metrics(truth, found, "segm")["AP"] == 0


def test_crowds_excuse_detections():
    truth = {"a": GroundTruth(boxes(apart(2)), [0, CROWD])}
    found = boxes(apart(2), scores=[0.5, 0.9])
    assert coco_metrics(truth, {"a": found})["AP"] == pytest.approx(1)


def test_masks_need_sizes():
    with pytest.raises(EvaluationError, match="a: masks need the size of the image"):
        coco_metrics({"a": GroundTruth(boxes(apart(1)))}, {}, "segm")


def test_a_crowd_that_is_not_found_costs_no_recall():
    truth = {"a": GroundTruth(boxes(apart(2)), [0, CROWD])}
    assert coco_metrics(truth, {"a": boxes(apart(1), scores=[0.9])})["AP"] == pytest.approx(1)
