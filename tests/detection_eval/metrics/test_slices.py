"""Slices of objects and detections by example."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import TRUE, match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.metrics.slices import slices
from tests.detection_eval.problems import CLASSES, apart, boxes, random_problem

seeds = st.integers(0, 2**32 - 1)


def rows(laid, by):
    return {row.name: row for row in slices(laid, match(laid, 0.5)) if row.by == by}


def test_recall_by_the_size_of_objects_and_precision_by_the_size_of_detections():
    objects = boxes([[0, 0, 10, 10], [50, 0, 60, 10], [0, 50, 40, 90]])
    found = boxes([[0, 0, 10, 10], [0, 50, 40, 90], [200, 0, 240, 40]])
    sizes = rows(overlap({"a": GroundTruth(objects)}, {"a": found}, STRICT), "size")
    assert (sizes["< 16 px"].recall, sizes["< 16 px"].precision) == (1 / 2, 1)
    assert (sizes["32-96 px"].recall, sizes["32-96 px"].precision) == (1, 1 / 2)
    assert set(sizes) == {"< 16 px", "32-96 px"}


def test_slices_by_shape_direction_crowd_position_and_edge():
    drawn = [[50, 50, 40, 10, np.radians(-40)], [100, 100, 20, 18, np.radians(10)], [3, 150, 40, 10, 0]]
    objects = Detections(boxes_to_quads(drawn), [0, 0, 0], ("plane",))
    truth = {"a": GroundTruth(objects, size=(200, 200)), "b": GroundTruth(Detections.empty(("plane",)))}
    wrong = boxes(apart(12))
    laid = overlap(truth, {"a": objects.select([0, 2]), "b": wrong}, STRICT)
    aspect, angle, density = (rows(laid, by) for by in ("aspect", "angle", "density"))
    assert aspect["3-6"].recall == 1
    assert aspect["< 1.5"].recall == 0
    assert angle["-60 to -30 deg"].objects == angle["-60 to -30 deg"].found == 1
    assert density["1-5"].precision == 1
    assert density["none"].precision == 0
    position = rows(laid, "position")
    assert (position["first 10"].detections, position["11-50"].detections) == (2 + 10, 2)
    assert np.isnan(position["first 10"].recall)
    edge = rows(laid, "edge")
    assert (edge["cut by the edge"].objects, edge["cut by the edge"].recall) == (1, 1)
    assert (edge["inside"].objects, edge["inside"].recall) == (2, 1 / 2)
    assert edge["inside"].detections == 1  # of the other image the size is not known


def test_a_box_that_ends_where_its_image_does_is_cut_by_the_edge():
    objects = boxes([[190, 50, 200, 60], [50, 190, 60, 200], [189, 50, 199, 60]])
    edge = rows(overlap({"a": GroundTruth(objects, size=(200, 200))}, {}, STRICT), "edge")
    assert (edge["cut by the edge"].objects, edge["inside"].objects) == (2, 1)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_the_parts_of_a_property_make_the_whole(seed):
    laid = overlap(*random_problem(seed), STRICT)
    verdict = match(laid, 0.5).verdict
    for by in ("size", "aspect", "angle", "density", "edge"):
        parts = rows(laid, by).values()
        assert sum(row.objects for row in parts) == laid.positives.sum()
        assert sum(row.found for row in parts) == sum(row.right for row in parts) == (verdict == TRUE).sum()
    assert len(laid.classes) == len(CLASSES)
