"""Which detection is right about which object, against plain loops, pycocotools and worked examples."""

import io
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import iou as coco_iou

from detection_eval.detections import Detections
from detection_eval.errors import SettingError
from detection_eval.geometry.quads import bounds
from detection_eval.metrics.average_precision import class_average_precision
from detection_eval.metrics.ground_truth import CROWD, GroundTruth
from detection_eval.metrics.matching import FALSE, IGNORED, LEVELS, TRUE, match, match_by_overlap
from detection_eval.metrics.overlaps import overlap, select
from detection_eval.metrics.presets import PRESETS, preset
from tests.detection_eval.problems import CLASSES, boxes, permuted, random_problem

seeds = st.integers(0, 2**32 - 1)


def verdicts(truth, predictions, protocol, level=0.5):
    laid = overlap(truth, predictions, preset(protocol))
    return match(laid, level).verdict.tolist()


def one_image(objects, detections, difficulty=None):
    return {"a": GroundTruth(objects, difficulty)}, {"a": detections}


# --- worked examples ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "expected"), [("mmrotate-1.x", TRUE), ("strict", TRUE), ("devkit-v1.0", FALSE)]
)
def test_an_overlap_of_exactly_one_half_matches_unless_more_is_demanded(protocol, expected):
    # 3 x 1 boxes that are 1 apart share 2 of 4
    truth, predictions = one_image(boxes([[0, 0, 3, 1]]), boxes([[1, 0, 4, 1]]))
    assert verdicts(truth, predictions, protocol) == [expected]


def test_the_second_choice_counts_under_coco_and_not_under_voc():
    # objects [0, 10] and [4, 14] of height 1; both detections overlap the first most
    objects = boxes([[0, 0, 10, 1], [4, 0, 14, 1]])
    found = boxes([[1, 0, 11, 1], [1.5, 0, 11.5, 1]], scores=[0.9, 0.8])  # IoU .82/.54 and .74/.60
    assert verdicts(*one_image(objects, found), "mmrotate-1.x") == [TRUE, FALSE]
    assert verdicts(*one_image(objects, found), "rotated-coco") == [TRUE, TRUE]


def test_the_best_score_wins_the_object():
    found = boxes([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]], scores=[0.2, 0.9, 0.5])
    assert verdicts(*one_image(boxes([[0, 0, 10, 10]]), found), "strict") == [FALSE, TRUE, FALSE]


def test_detections_of_an_ignored_object_are_neither_right_nor_wrong():
    objects, found = boxes([[0, 0, 10, 10], [20, 0, 30, 10]]), boxes([[0, 0, 10, 10], [20, 0, 30, 10]])
    difficult = one_image(objects, found, [0, 1])
    assert verdicts(*difficult, "strict") == [TRUE, IGNORED]
    assert verdicts(*difficult, "devkit-v1.0") == [TRUE, IGNORED]
    assert verdicts(*difficult, "devkit-v1.5") == [TRUE, TRUE]
    assert verdicts(*difficult, "mmrotate-1.x") == [TRUE, TRUE]  # only above 100
    crowd = one_image(objects, found, [0, CROWD])
    assert verdicts(*crowd, "mmrotate-1.x") == [TRUE, IGNORED]
    assert verdicts(*crowd, "mmrotate-0.x") == [TRUE, FALSE]  # dropped
    assert verdicts(*crowd, "rotated-coco") == [TRUE, IGNORED]


def test_mmrotate_1_forgets_ignored_objects_of_images_that_have_no_others():
    objects = found = boxes([[0, 0, 10, 10]])
    for name in PRESETS:
        expected = {"mmrotate-0.x": FALSE, "devkit-v1.5": TRUE, "ultralytics-probiou": TRUE}.get(
            name, FALSE if preset(name).loses_ignored else IGNORED
        )
        assert verdicts(*one_image(objects, found, [CROWD]), name) == [expected]
    assert {name for name in PRESETS if preset(name).loses_ignored} == {
        "mmrotate-1.x",
        "lmmrotate",
        "rscovlm",
    }


def test_mmrotate_0_drops_objects_thinner_than_2_px():
    objects = found = boxes([[0, 0, 10, 1.5], [20, 0, 30, 2]])
    assert verdicts(*one_image(objects, found), "mmrotate-0.x") == [FALSE, TRUE]
    assert verdicts(*one_image(objects, found), "mmrotate-1.x") == [TRUE, TRUE]


def test_the_shape_decides_how_a_trapezoid_overlaps():
    trapezoid = Detections([[[0, 0], [10, 0], [6, 4], [4, 4]]], [0], ("plane",))  # 24 of a 10 x 4 rectangle
    found = boxes([[0, 0, 10, 4]])
    assert verdicts(*one_image(trapezoid, found), "mmrotate-1.x", 0.9) == [TRUE]
    assert verdicts(*one_image(trapezoid, found), "strict", 0.6) == [TRUE]
    assert verdicts(*one_image(trapezoid, found), "strict", 0.65) == [FALSE]


def test_classes_are_matched_by_name_whatever_their_order():
    truth = {"a": GroundTruth(boxes([[0, 0, 9, 9], [20, 0, 29, 9]], [0, 1], classes=("plane", "ship")))}
    found = {"a": boxes([[20, 0, 29, 9], [0, 0, 9, 9]], [0, 1], classes=("ship", "plane"))}
    assert verdicts(truth, found, "strict") == [TRUE, TRUE]


def test_levels_below_the_lowest_are_refused():
    laid = overlap(*one_image(boxes([]), boxes([])), preset("strict"))
    with pytest.raises(ValueError, match=r"IoU level 0.05 is outside \[0.1, 1\]"):
        match(laid, 0.05)


# --- oracles --------------------------------------------------------------------------------------


def iou_by_geos(first, second):
    a, b = shapely.Polygon(first), shapely.Polygon(second)
    common = a.intersection(b).area
    return common / (a.area + b.area - common)


def voc_by_loops(laid, level):
    """The description of VOC matching, one detection at a time."""
    verdict = np.full(len(laid.detections), FALSE)
    taken = set()
    for d in sorted(range(len(verdict)), key=lambda d: -laid.scores[d]):
        same = [
            o
            for o in range(len(laid.objects))
            if laid.objects.images[o] == laid.detections.images[d]
            and laid.objects.labels[o] == laid.detections.labels[d]
        ]
        overlaps = [iou_by_geos(laid.detections.polygons[d], laid.objects.polygons[o]) for o in same]
        if not overlaps or max(overlaps) < level:
            continue
        best = same[int(np.argmax(overlaps))]
        if laid.ignored[best]:
            verdict[d] = IGNORED
        elif best not in taken:
            verdict[d] = TRUE
            taken.add(best)
    return verdict


@settings(max_examples=12, deadline=None)
@given(seed=seeds, level=st.sampled_from([0.1, 0.5, 0.75]))
def test_voc_matching_is_what_plain_loops_over_geos_give(seed, level):
    laid = overlap(*random_problem(seed, images=4), preset("strict"))
    np.testing.assert_array_equal(match(laid, level).verdict, voc_by_loops(laid, level))


class PlainIoU(COCOeval):
    """COCOeval with ordinary IoU for crowds too, as mmrotate's rotated metric has it."""

    def computeIoU(self, image, category):
        truth, found = self._gts[image, category], self._dts[image, category]
        if not truth or not found:
            return []
        found = [found[i] for i in np.argsort([-d["score"] for d in found], kind="mergesort")]
        found = found[: self.params.maxDets[-1]]
        return coco_iou([d["bbox"] for d in found], [g["bbox"] for g in truth], [0] * len(truth))


def ap_by_pycocotools(truth, predictions, most):
    """AP (levels, classes); NaN where pycocotools says -1."""
    images = {name: number for number, name in enumerate(truth, start=1)}
    sources = COCO()
    sources.dataset = {
        "images": [{"id": number} for number in images.values()],
        "categories": [{"id": label} for label in range(len(CLASSES))],
        "annotations": [],
    }
    results = []
    for name, number in images.items():
        pairs = ((truth[name].objects, sources.dataset["annotations"]), (predictions[name], results))
        for listed, rows in pairs:
            for row, box in enumerate(bounds(listed.polygons).reshape(-1, 4).tolist()):
                width, height = box[2] - box[0], box[3] - box[1]
                entry = {"id": len(rows) + 1, "image_id": number, "category_id": int(listed.labels[row])}
                entry |= {"bbox": [box[0], box[1], width, height], "area": width * height, "iscrowd": 0}
                if listed is predictions[name]:
                    entry["score"] = float(listed.scores[row])
                else:
                    entry["iscrowd"] = int(truth[name].difficulty[row] > 100)
                rows.append(entry)
    if not results:
        return None
    with redirect_stdout(io.StringIO()):
        sources.createIndex()
        judge = PlainIoU(sources, sources.loadRes(results), "bbox")
        judge.params.iouThrs, judge.params.maxDets = np.array(LEVELS), [most]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    ap = judge.eval["precision"][:, :, :, 0, 0].mean(axis=1)
    return np.where(ap < 0, np.nan, ap)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, ties=st.sampled_from([None, 5]), most=st.sampled_from([3, 1000]))
def test_coco_matching_and_ap_are_those_of_pycocotools(seed, ties, most):
    truth, predictions = random_problem(seed, levels=ties, upright=True)
    expected = ap_by_pycocotools(truth, predictions, most)
    if expected is None:
        return
    laid = overlap(truth, predictions, replace(preset("rotated-coco"), max_detections=most))
    ours = np.array([class_average_precision(laid, match(laid, level)) for level in LEVELS])
    np.testing.assert_allclose(ours, expected, atol=1e-9)


# --- properties -----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=seeds, protocol=st.sampled_from(sorted(PRESETS)), threshold=st.sampled_from([0.2, 0.5, 0.8]))
def test_a_score_threshold_never_changes_the_verdict_on_what_it_keeps(seed, protocol, threshold):
    laid = overlap(*random_problem(seed, levels=8), preset(protocol))
    keep = laid.scores > threshold
    for level in (0.5, 0.7):
        np.testing.assert_array_equal(
            match(select(laid, keep), level).verdict, match(laid, level).verdict[keep]
        )


@settings(max_examples=15, deadline=None)
@given(seed=seeds, protocol=st.sampled_from(sorted(PRESETS)))
def test_no_object_is_found_twice_and_no_pair_is_below_the_level(seed, protocol):
    laid = overlap(*random_problem(seed), preset(protocol))
    iou = {(d, o): v for d, o, v in zip(laid.pair_detection, laid.pair_object, laid.pair_iou)}
    found = match(laid, 0.5)
    winners = found.matched[found.verdict == TRUE]
    assert len(set(winners.tolist())) == len(winners)
    assert not laid.ignored[winners].any()
    for detection in np.flatnonzero(found.verdict != FALSE):
        assert iou[detection, found.matched[detection]] >= 0.5


@settings(max_examples=15, deadline=None)
@given(seed=seeds, upright=st.booleans(), matching=st.sampled_from(["voc", "coco"]))
def test_counts_under_strict_do_not_depend_on_the_order_of_images_and_boxes(seed, upright, matching):
    # whole coordinates make many overlaps equal
    protocol = replace(preset("strict"), matching=matching)
    problem = random_problem(seed, scored=False, upright=upright)
    first, second = (overlap(*p, protocol) for p in (problem, permuted(*problem, seed + 1)))
    for level in (0.5, 0.75):
        one, other = match(first, level), match(second, level)
        for verdict in (TRUE, FALSE, IGNORED):
            labels = [
                np.sort(o.detections.labels[m.verdict == verdict]) for o, m in ((first, one), (second, other))
            ]
            np.testing.assert_array_equal(*labels)


def test_an_unknown_preset_is_named_with_the_known_ones():
    with pytest.raises(SettingError, match=r"unknown preset 'mmrotate'; choose strict, mmrotate-1\.x"):
        preset("mmrotate")


# --- without scores -------------------------------------------------------------------------------


def test_by_overlap_the_best_pair_goes_first_whatever_the_scores():
    # The second detection lies on the object; the first, of a better score, is one px off.
    found = boxes([[1, 0, 11, 10], [0, 0, 10, 10]], scores=[0.9, 0.1])
    laid = overlap(*one_image(boxes([[0, 0, 10, 10]]), found), preset("strict"))
    assert match_by_overlap(laid, 0.5).verdict.tolist() == [FALSE, TRUE]
    # With a second object beside, each has its own: IoU 1 first, and what is left then is 9/11.
    laid = overlap(*one_image(boxes([[0, 0, 10, 10], [2, 0, 12, 10]]), found), preset("strict"))
    assert match_by_overlap(laid, 0.5).matched.tolist() == [1, 0]


def test_by_overlap_an_ignored_object_takes_what_no_other_has():
    objects = boxes([[0, 0, 10, 10], [1, 0, 11, 10]])
    found = boxes([[1, 0, 11, 10], [1, 0, 11, 10], [50, 0, 60, 10]])
    laid = overlap(*one_image(objects, found, np.array([0, 1])), preset("strict"))
    assert match_by_overlap(laid, 0.5).verdict.tolist() == [TRUE, IGNORED, FALSE]


@settings(max_examples=30, deadline=None)
@given(seed=seeds, level=st.sampled_from(LEVELS))
def test_by_overlap_pairs_are_one_to_one_of_one_class_and_independent_of_order(seed, level):
    truth, predictions = random_problem(seed)
    laid = overlap(truth, predictions, preset("strict"))
    matches = match_by_overlap(laid, level)
    right = np.flatnonzero(matches.verdict == TRUE)
    assert len(set(matches.matched[right])) == len(right)
    assert (laid.detections.labels[right] == laid.objects.labels[matches.matched[right]]).all()
    # No two that are left over overlap enough.
    free = (matches.matched[laid.pair_detection] < 0) & ~np.isin(laid.pair_object, matches.matched[right])
    assert not (free & (laid.pair_iou >= level)).any()
    moved = match_by_overlap(overlap(*permuted(truth, predictions, seed), preset("strict")), level)
    assert sorted(moved.verdict.tolist()) == sorted(matches.verdict.tolist())


def test_by_overlap_levels_are_checked():
    laid = overlap(*one_image(boxes([[0, 0, 3, 1]]), boxes([[1, 0, 4, 1]])), preset("strict"))
    assert match_by_overlap(laid, 0.5).verdict.tolist() == [TRUE]
    with pytest.raises(ValueError, match="outside"):
        match_by_overlap(laid, 0.05)
