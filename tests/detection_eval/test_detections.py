"""Detections: canonical order of vertices, lengths that agree, selection."""

import numpy as np
import pytest

from detection_eval.detections import Detections

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)  # clockwise on the image, topmost-left first
CLASSES = ("plane", "ship")


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("backwards", [False, True])
def test_vertices_are_kept_in_canonical_order_however_they_are_given(first, backwards):
    given = np.roll(SQUARE[::-1] if backwards else SQUARE, first, axis=0)
    assert Detections(given[None], [0], CLASSES).polygons[0].tolist() == SQUARE.tolist()


def test_a_change_of_frame_that_mirrors_is_clockwise_again():
    mirrored = Detections(SQUARE[None], [1], CLASSES).with_polygons(SQUARE[None] * [-1, 1])
    assert mirrored.polygons[0].tolist() == [[-4, 0], [0, 0], [0, 4], [-4, 4]]
    assert mirrored.names == ["ship"]


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], None, "1 polygons but 2 labels"),
        ([2], None, "label 2 is outside the 2 classes"),
        ([-1], None, "outside the 2 classes"),
        ([0], [0.5, 0.6], "1 polygons but 2 scores"),
    ],
)
def test_columns_that_do_not_agree_are_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        Detections(SQUARE[None], labels, CLASSES, scores)


def test_selection_takes_masks_and_indices_and_keeps_missing_scores_missing():
    boxes = Detections(np.stack([SQUARE, SQUARE + 9]), [0, 1], CLASSES)
    assert boxes.select([False, True]) == boxes.select([1])
    assert boxes.select([1, 0]).names == ["ship", "plane"]
    assert boxes.select([]) == Detections.empty(CLASSES)
    assert boxes.select([0]).scores is None
    scored = Detections(boxes.polygons, boxes.labels, CLASSES, [0.25, 0.5])
    assert scored.select([1]).scores.tolist() == [0.5]
    assert scored != boxes
