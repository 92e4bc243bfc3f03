"""Precision-recall curves and the confusion of classes, by hand."""

import numpy as np
import pytest

from detection_eval.errors import EvaluationError
from detection_eval.metrics.anatomy import anatomy
from detection_eval.metrics.confusion import one_to_one_confusion
from detection_eval.metrics.counts import count
from detection_eval.metrics.curves import precision_recall
from detection_eval.metrics.evaluation import evaluate
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.metrics.verdicts import box_verdicts, image_sums
from tests.detection_eval.problems import apart, boxes, random_problem

NAMES = ("plane", "ship")


def laid_over(objects, found, difficulty=None):
    return overlap({"a": GroundTruth(objects, difficulty)}, {"a": found}, STRICT)


def test_a_curve_by_hand():
    # right, wrong, right of four objects: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 1/2
    found = boxes(np.concatenate([apart(2), apart(1, start=9)]), scores=[0.9, 0.5, 0.7])
    laid = laid_over(boxes(apart(4)), found)
    curves = precision_recall(laid, match(laid, 0.5))
    assert curves.recall[25] == 0.25
    np.testing.assert_allclose(curves.precision[0][[0, 25, 26, 50, 51, 100]], [1, 1, 2 / 3, 2 / 3, 0, 0])
    np.testing.assert_array_equal(curves.score[0][[0, 25, 26, 50, 51]], [0.9, 0.9, 0.5, 0.5, np.nan])


def test_equal_scores_are_one_point_and_3_of_10_reach_a_recall_of_three_tenths():
    found = boxes(np.concatenate([apart(3), apart(3, start=20)]), scores=[0.5] * 6)
    laid = laid_over(boxes(apart(10)), found)
    precision = precision_recall(laid, match(laid, 0.5)).precision[0]
    assert (precision[:31] == 1 / 2).all()
    assert (precision[31:] == 0).all()


def test_detections_of_ignored_objects_are_on_no_curve_and_absent_classes_have_none():
    objects = boxes(apart(2), [0, 0], classes=NAMES)
    laid = laid_over(objects, boxes(apart(2), [0, 0], [0.9, 0.8], NAMES), [1, 0])
    curves = precision_recall(laid, match(laid, 0.5))
    assert (curves.precision[0] == 1).all()
    assert np.isnan(curves.precision[1]).all()


def test_boxes_without_scores_have_no_curve():
    laid = laid_over(boxes(apart(1)), boxes(apart(1)))
    with pytest.raises(EvaluationError, match="one point and no curve"):
        precision_recall(laid, match(laid, 0.5))


def test_the_mean_of_a_curve_is_the_101_point_ap():
    truth, found = random_problem(3, images=10)
    from dataclasses import replace

    result = evaluate(truth, found, replace(STRICT, interpolation="101-point"))
    curves = precision_recall(result.overlaps, result.matches())
    np.testing.assert_allclose(curves.precision.mean(axis=1), result.class_ap(), atol=1e-12)


# --- confusion ------------------------------------------------------------------------------------


def test_each_object_and_each_detection_is_counted_once():
    # planes: one found twice, one called ship, one missed; and a ship out of nowhere
    objects = boxes(apart(3), [0, 0, 0], classes=NAMES)
    found = boxes(
        apart(3)[[0, 0, 1, 1]].tolist() + apart(1, start=9).tolist(), [0, 0, 1, 1, 1], classes=NAMES
    )
    laid = laid_over(objects, found)
    matrix = one_to_one_confusion(laid, match(laid, 0.5))
    #                       plane ship missed
    assert matrix.tolist() == [[1, 1, 1], [0, 0, 0], [1, 2, 0]]


def test_of_wrong_boxes_on_one_object_the_one_that_overlaps_most_is_its_confusion():
    names = ("plane", "ship", "harbor")
    objects = boxes(apart(1), [0], classes=names)
    found = boxes([[3, 0, 13, 10], [1, 0, 11, 10]], [1, 2], classes=names)  # IoU 7/13 and 9/11
    laid = laid_over(objects, found)
    matrix = one_to_one_confusion(laid, match(laid, 0.5))
    assert matrix[0].tolist() == [0, 0, 1, 0]
    assert matrix[-1].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_rows_sum_to_objects_and_columns_to_detections(seed):
    laid = overlap(*random_problem(seed), STRICT)
    keep = laid.scores > 0.3
    matches = match(laid, 0.5)
    matrix, counts = one_to_one_confusion(laid, matches, keep), count(laid, matches, keep)
    np.testing.assert_array_equal(matrix[:-1].sum(axis=1), counts.positives)
    np.testing.assert_array_equal(matrix[:, :-1].sum(axis=0), counts.true + counts.false)
    np.testing.assert_array_equal(np.diag(matrix)[:-1] >= counts.true, True)


# --- verdicts -------------------------------------------------------------------------------------


def rows_of(columns):
    assert len({len(values) for values in columns.values()}) == 1
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def test_every_box_has_a_verdict_with_the_object_it_is_about():
    objects = boxes(apart(4), [0, 0, 1, 0], classes=NAMES)
    shifted = apart(2)[1] + [6, 0, 6, 0]  # IoU 4/16 with the second plane: its place is wrong
    listed = [apart(1)[0], apart(1)[0], shifted, apart(3)[2], apart(4)[3], apart(1, start=20)[0], apart(1)[0]]
    found = boxes(listed, [0, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.1], NAMES)
    laid = laid_over(objects, found, [0, 0, 0, 1])
    matches, keep = match(laid, 0.5), laid.scores > 0.5
    rows = rows_of(box_verdicts(laid, matches, anatomy(laid, matches, keep), keep))
    said = [(row["verdict"], row["error"], row["object"], row["object_class"]) for row in rows]
    assert said == [
        ("tp", None, 0, "plane"),
        ("fp", "duplicate", 0, "plane"),
        ("fp", "centre", 1, "plane"),
        ("fp", "class", 2, "ship"),
        ("ignored", None, 3, "plane"),
        ("fp", "background", None, None),
        ("below threshold", None, None, None),
        ("fn", "mistaken", None, None),
        ("fn", "mistaken", None, None),
    ]
    assert [row["iou"] for row in rows[:6]] == pytest.approx([1, 1, 0.25, 1, 1, None])
    assert [(row["box"], row["index"], row["class"]) for row in rows[6:]] == [
        ("detection", 6, "plane"),
        ("object", 1, "plane"),
        ("object", 2, "ship"),
    ]
    assert (rows[2]["x1"], rows[2]["y1"], rows[2]["x3"], rows[2]["y3"]) == (26, 0, 36, 10)
    assert (rows[0]["image"], rows[0]["scene"], rows[0]["score"]) == ("a", "a", 0.9)


def test_objects_are_named_by_their_place_in_their_own_image():
    truth = {i: GroundTruth(boxes(apart(2))) for i in "ab"}
    laid = overlap(truth, {"b": boxes(apart(2)[1:])}, STRICT)
    matches = match(laid, 0.5)
    rows = rows_of(box_verdicts(laid, matches, anatomy(laid, matches)))
    assert [(row["image"], row["verdict"], row["index"], row["object"]) for row in rows] == [
        ("b", "tp", 0, 1),
        ("a", "fn", 0, None),
        ("a", "fn", 1, None),
        ("b", "fn", 0, None),
    ]


def test_sums_of_images():
    truth = {
        "s__1": GroundTruth(boxes(apart(3)), [0, 0, 1], size=(100, 50)),
        "t": GroundTruth(boxes(apart(0))),
    }
    found = {"s__1": boxes(np.concatenate([apart(1), apart(2), apart(1, start=9)]))}
    laid = overlap(truth, found, STRICT)
    first, second = rows_of(image_sums(laid, match(laid, 0.5)))
    assert first == {
        **{"image": "s__1", "scene": "s", "width": 100, "height": 50, "objects": 2, "ignored": 1},
        **{"detections": 4, "tp": 2, "fp": 2, "fn": 0},
        **{"precision": 0.5, "recall": 1.0, "f1": 2 / 3},
    }
    assert (second["image"], second["width"], second["precision"], second["f1"]) == ("t", None, None, None)


def test_p_times_r_has_no_jumps_where_apnc_of_11_points_does():
    values = {}
    for count_ in (9, 10):  # recall 0.09 and 0.1 of 100 objects, nothing wrong
        result = evaluate({"a": GroundTruth(boxes(apart(100)))}, {"a": boxes(apart(count_))})
        summary = result.summary(shuffles=1)
        values[count_] = summary["APnc50"], summary["PxR50"], summary["per_class"]["plane"]["PxR50"]
    assert values[9] == pytest.approx((1 / 11, 0.09, 0.09))
    assert values[10] == pytest.approx((2 / 11, 0.10, 0.10))


def test_ignored_objects_are_counted_beside_those_that_count():
    summary = evaluate({"a": GroundTruth(boxes(apart(3)), [0, 1, 0])}, {}).summary(shuffles=1)
    assert (summary["objects"], summary["ignored_objects"]) == (2, 1)
