"""What an image shows of the boxes at its edge."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.geometry.clipping import visible_quads
from detection_eval.geometry.quads import area, canonical
from detection_eval.geometry.rotated import boxes_to_quads

ACROSS = np.array([[80.0, 10], [110, 10], [110, 30], [80, 30]])


def test_a_box_inside_keeps_its_corners_in_canonical_order():
    oblique = np.array([[60.0, 30], [40, 50], [20, 30], [40, 10]])
    quads, rows = visible_quads(oblique, 100, 100)
    assert quads.tolist() == canonical(oblique).tolist()
    assert rows.tolist() == [0]


def test_of_two_neighbouring_images_only_the_one_with_the_centre_lists_a_box():
    left, _ = visible_quads(ACROSS, 100, 100)
    right, rows = visible_quads(ACROSS - (100, 0), 100, 100)
    assert left.tolist() == [[[80, 10], [100, 10], [100, 30], [80, 30]]]
    assert right.shape == (0, 4, 2)
    assert rows.tolist() == []


def test_what_is_left_thinner_than_half_a_pixel_is_not_seen():
    line = np.array([[10.0, 0], [40, 0], [40, 0.001], [10, 0.001]])
    assert len(visible_quads(line - (20, 0), 100, 100)[0]) == 0


def test_rows_name_the_boxes_given():
    outside = ACROSS + np.array([200, 0])
    assert visible_quads([outside, ACROSS, outside, ACROSS], 100, 100)[1].tolist() == [1, 3]


@given(
    st.tuples(st.floats(0, 100), st.floats(0, 60), st.floats(2, 80), st.floats(2, 80), st.floats(-3.2, 3.2))
)
def test_what_is_seen_lies_inside_the_image_and_is_no_larger_than_the_box(box):
    quad = boxes_to_quads([box])
    seen, _ = visible_quads(quad, 100, 60)
    assert (seen >= 0).all()
    assert (seen <= (100, 60)).all()
    assert (area(seen) <= area(quad)[: len(seen)] * (1 + 1e-9)).all()
