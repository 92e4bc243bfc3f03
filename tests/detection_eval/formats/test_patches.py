"""Patches back to scenes: both meanings of the first number, and what suppression removes."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError, FormatError, SettingError
from detection_eval.formats import Collection, ImageBoxes, merge_patches
from detection_eval.formats.patches import Patch, parse_patch
from detection_eval.geometry.quads import box_quads

NAMES = ("plane", "ship")


def patch(corners, scores=None, labels=None):
    labels = [0] * len(corners) if labels is None else labels
    return ImageBoxes(Detections(box_quads(corners), labels, NAMES, scores))


def merged(images, naming="mmrotate", iou=0.1):
    return merge_patches(Collection(images, NAMES), naming, iou)


def test_the_first_number_is_a_size_or_a_rate():
    assert parse_patch("P0706__1024__824___0", "mmrotate") == Patch("P0706", 824, 0, 1)
    assert parse_patch("P0706__0.5__824___12", "devkit") == Patch("P0706", 824, 12, 0.5)
    assert parse_patch("P0706", "mmrotate") is None
    with pytest.raises(FormatError, match="rate 0; with sizes in the names, the naming is mmrotate"):
        parse_patch("P0__0__1___2", "devkit")
    with pytest.raises(SettingError, match="unknown naming 'coco'"):
        parse_patch("P0__1__1___2", "coco")


def test_boxes_move_to_their_place_in_the_scene():
    images = {"P1__2__100___50": patch([[10, 20, 30, 40]]), "P2": patch([[1, 2, 3, 4]])}
    by_size, by_rate = merged(images).scenes.detections, merged(images, "devkit").scenes.detections
    assert by_size["P1"].polygons.tolist() == box_quads([[110, 70, 130, 90]]).tolist()
    assert by_rate["P1"].polygons.tolist() == box_quads([[55, 35, 65, 45]]).tolist()
    assert by_size["P2"] == by_rate["P2"] == images["P2"].detections


def test_the_better_of_two_boxes_at_a_seam_stays_whatever_their_order():
    left, right = patch([[80, 0, 100, 10]], [0.4]), patch([[0, 0, 20, 10]], [0.9])
    for images in (
        {"P__1__0___0": left, "P__1__80___0": right},
        {"P__1__80___0": right, "P__1__0___0": left},
    ):
        result = merged(images)
        assert result.scenes.detections["P"].scores.tolist() == [0.9]
        assert (result.patches, result.boxes, result.suppressed, result.by_order) == (2, 2, 1, 0)
    assert len(merged(images, iou=None).scenes.detections["P"]) == 2


def test_suppression_is_by_class_and_only_above_the_overlap():
    # 20 x 10 boxes 10 apart share 100 of 300 px: IoU 1/3
    rows = [[0, 0, 20, 10], [10, 0, 30, 10], [10, 0, 30, 10]]
    images = {"P__1__0___0": patch(rows, [0.9, 0.8, 0.7], [0, 0, 1])}
    assert merged(images, iou=0.1).scenes.detections["P"].scores.tolist() == [0.9, 0.7]
    assert len(merged(images, iou=0.34).scenes.detections["P"]) == 3


def test_a_chain_shows_how_much_hangs_on_the_order_of_equal_scores():
    # three boxes in a row, each overlapping the next: from either end two stay, so nothing hangs on the order
    chain = [[0, 0, 20, 10], [10, 0, 30, 10], [20, 0, 40, 10]]
    assert merged({"P__1__0___0": patch(chain)}).by_order == 0
    # of two boxes the first in order stays: one way this, the other way that
    result = merged({"P__1__0___0": patch(chain[:2])})
    assert (result.suppressed, result.by_order) == (1, 2)
    assert "1 of 2 boxes suppressed, 2 by nothing but the order of equal scores" in result.line


def test_agrees_with_suppression_box_by_box():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 60, (40, 2))
    rows = np.column_stack([low, low + rng.uniform(5, 20, (40, 2))])
    scores = rng.random(40)
    kept: list[int] = []
    for box in np.argsort(-scores):
        others = rows[kept].reshape(-1, 4)
        low, high = np.maximum(rows[box, :2], others[:, :2]), np.minimum(rows[box, 2:], others[:, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (rows[box, 2:] - rows[box, :2]).prod()
        if (shared / (areas - shared) <= 0.1).all():
            kept.append(int(box))
    found = merged({"P__1__0___0": patch(rows, scores)}).scenes.detections["P"]
    assert found.scores.tolist() == scores[sorted(kept)].tolist()


def test_scores_are_given_to_all_patches_of_a_scene_or_to_none():
    images = {"P__1__0___0": patch([[0, 0, 1, 1]]), "P__1__9___0": patch([[0, 0, 1, 1]], [0.5])}
    with pytest.raises(EvaluationError, match="P: only some patches have scores"):
        merged(images)
