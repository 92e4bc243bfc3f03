"""AP and recall by size, and average recall: by hand and beside pycocotools."""

from dataclasses import replace

import numpy as np
import pytest

from detection_eval.errors import EvaluationError
from detection_eval.metrics.coco_metrics import coco_metrics
from detection_eval.metrics.evaluation import evaluate
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import FALSE, IGNORED, TRUE, match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT, preset
from detection_eval.metrics.sizes import average_recall, by_size, match_size, of_size
from tests.detection_eval.problems import CLASSES, boxes, random_problem

COCO = replace(preset("rotated-coco"), shape="polygon", max_detections=100, difficult_above=0)


def squares(*sides, x=0):
    """Squares in a row with the given sides."""
    left = x + np.cumsum([0, *sides[:-1]]) + 20.0 * np.arange(len(sides))
    return np.column_stack([left, np.zeros(len(sides)), left + sides, sides])


def test_objects_of_another_size_are_ignored_and_so_are_detections_of_them():
    # a small, a medium and a large object; the small and the large one are found, and a wrong box is large
    objects = squares(20, 50, 100)
    found = np.concatenate([objects[[0, 2]], squares(120, x=900)])
    laid = overlap({"a": GroundTruth(boxes(objects))}, {"a": boxes(found)}, STRICT)
    rows = {row.name: row for row in by_size(laid)}
    assert [rows[name].objects for name in ("small", "medium", "large")] == [1, 1, 1]
    assert rows["small"].apnc_50 == 1  # the wrong box has another size
    assert rows["medium"].apnc_50 == 0
    assert rows["large"].apnc_50 == pytest.approx(1 / 2)  # one right, one wrong
    assert (rows["small"].recall, rows["medium"].recall, rows["large"].recall) == (1, 0, 1)
    assert rows["large"].ap is None


def test_a_wrong_box_counts_by_its_own_size_and_a_right_one_by_its_objects():
    # 30 x 30 = 900 px is small, and its box of 34 x 34 = 1156 px is not: IoU 900 / 1156 = 0.78
    laid = overlap(
        {"a": GroundTruth(boxes(squares(30)))},
        {"a": boxes(np.concatenate([squares(34), squares(34, x=500)]))},
        STRICT,
    )
    low, high = 0.0, 32.0**2
    assert match_size(of_size(laid, low, high), 0.5, low, high).verdict.tolist() == [TRUE, IGNORED]
    low, high = 32.0**2, 96.0**2
    assert match_size(of_size(laid, low, high), 0.5, low, high).verdict.tolist() == [IGNORED, FALSE]


def test_both_ends_of_a_range_belong_to_it():
    laid = overlap({"a": GroundTruth(boxes(squares(32, 96)))}, {}, STRICT)
    assert [row.objects for row in by_size(laid)] == [1, 2, 1]


def test_the_size_is_that_of_the_rotated_polygon_not_of_its_bounds():
    # a bar of 60 x 10 px at 45 degrees: 600 px, within bounds of 49.5 x 49.5 = 2450 px
    from detection_eval.detections import Detections
    from detection_eval.geometry.rotated import boxes_to_quads

    bar = Detections(boxes_to_quads([[100, 100, 60, 10, np.pi / 4]]), [0], ("plane",))
    laid = overlap({"a": GroundTruth(bar)}, {}, STRICT)
    assert [row.objects for row in by_size(laid)] == [1, 0, 0]


def test_ranges_can_be_given():
    laid = overlap({"a": GroundTruth(boxes(squares(5, 9)))}, {}, STRICT)
    rows = by_size(laid, ranges={"tiny": (0, 30), "rest": (30, np.inf)})
    assert [(row.name, row.objects) for row in rows] == [("tiny", 1), ("rest", 1)]


def test_average_recall_by_hand():
    # IoU 10/10 and 7/13 (above 0.5 only): recall 1 at 0.5 and 1/2 at the nine other levels
    objects = boxes([[0, 0, 10, 10], [50, 0, 60, 10]])
    found = boxes([[0, 0, 10, 10], [53, 0, 63, 10]], scores=[0.2, 0.9])
    laid = overlap({"a": GroundTruth(objects)}, {"a": found}, STRICT)
    assert average_recall(laid) == pytest.approx((1 + 9 / 2) / 10)
    # the best-scored one alone: 1/2 at 0.5, then nothing
    assert average_recall(laid, 1) == pytest.approx((1 / 2) / 10)
    assert average_recall(laid, 2) == average_recall(laid)
    assert average_recall(laid, keep=laid.scores < 0.5) == pytest.approx(1 / 2)


def test_the_best_are_taken_of_each_image_and_class():
    names = ("plane", "ship")
    rows = [[0, 0, 10, 10], [50, 0, 60, 10], [90, 0, 99, 9]]
    truth = {i: GroundTruth(boxes(rows, [0, 1, 1], classes=names)) for i in "ab"}
    found = {i: boxes(rows, [0, 1, 1], [0.1, 0.8, 0.9], names) for i in "ab"}
    assert average_recall(overlap(truth, found, STRICT), 1) == pytest.approx((1 + 1 / 2) / 2)


def test_without_scores_there_is_no_best():
    laid = overlap({"a": GroundTruth(boxes(squares(5)))}, {"a": boxes(squares(5))}, STRICT)
    assert average_recall(laid) == 1
    with pytest.raises(EvaluationError, match="without scores no 10 detections are the best"):
        average_recall(laid, 10)
    assert (
        evaluate({"a": GroundTruth(boxes(squares(5)))}, {"a": boxes(squares(5))}).summary()["AR_10"] is None
    )


@pytest.mark.parametrize("seed", range(3))
def test_horizontal_boxes_have_cocoevals_numbers(seed):
    truth, found = random_problem(seed, images=8, upright=True, difficult=False)
    grow = 5.0  # sizes of all three ranges
    truth = {
        i: GroundTruth(t.objects.with_polygons(t.objects.polygons * grow), size=(400, 400))
        for i, t in truth.items()
    }
    found = {i: d.with_polygons(d.polygons * grow) for i, d in found.items()}
    theirs = coco_metrics(truth, found, classes=CLASSES)
    laid = overlap(truth, found, COCO, CLASSES)
    for most in (1, 10, 100):
        assert average_recall(laid, most) == pytest.approx(theirs[f"AR_{most}"], abs=1e-9)
    for row in by_size(laid):
        np.testing.assert_allclose(row.objects > 0, not np.isnan(theirs[f"AP_{row.name}"]))
        if row.objects:
            # an ignored object excuses one detection there and any number here
            assert row.ap == pytest.approx(theirs[f"AP_{row.name}"], abs=0.02)
            assert row.recall == pytest.approx(theirs[f"AR_{row.name}"], abs=1e-9)
    summary = evaluate(truth, found, COCO, classes=CLASSES).summary(shuffles=1)
    assert summary["AR_100"] == pytest.approx(theirs["AR_100"])
    assert summary["AP50:95"] == pytest.approx(theirs["AP"])


def test_match_of_everything_is_the_plain_match():
    laid = overlap(*random_problem(5), STRICT)
    everything = match_size(of_size(laid, 0, np.inf), 0.5, 0, np.inf)
    np.testing.assert_array_equal(everything.verdict, match(laid, 0.5).verdict)
