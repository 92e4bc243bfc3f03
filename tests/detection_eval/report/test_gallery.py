"""Drawings of errors."""

from detection_eval.metrics.anatomy import anatomy
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import STRICT
from detection_eval.report.gallery import gallery
from tests.detection_eval.problems import apart, boxes


def drawn(found, **options):
    laid = overlap({"a": GroundTruth(boxes(apart(2)))}, {"a": found}, STRICT)
    matches = match(laid, 0.5)
    return gallery(laid, matches, anatomy(laid, matches), None, **options)


def test_right_detections_are_not_drawn_and_each_kind_has_its_number():
    assert drawn(boxes(apart(2))) == []
    found = drawn(boxes(apart(6, start=9)), each=3)
    assert [drawing.kind for drawing in found].count("background") == 3
    assert [drawing.kind for drawing in found].count("missed") == 2


def test_pixels_are_asked_for_the_square_that_is_drawn():
    asked = []
    drawn(boxes(apart(1, start=9)), each=1, pixels=lambda image, square: asked.append((image, square)))
    assert {image for image, _ in asked} == {"a"}
    left, top, side = asked[0][1]
    assert left <= 180 <= left + side
    assert top <= 0 <= top + side
