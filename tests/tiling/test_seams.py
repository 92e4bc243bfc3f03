"""Pairs of boxes of different tiles that may be one object."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from tiling.grid import TileGrid
from tiling.seams import MergeRules, distance_to_core, reading_order


def test_the_distance_to_a_core_is_zero_inside_and_euclidean_outside():
    core = np.array([[0.0, 0, 10, 10]] * 3)
    assert distance_to_core(np.array([[5.0, 5], [13, 14], [-2, 5]]), core).tolist() == [0, 5, 2]


def test_boxes_are_read_by_tile_then_from_the_top_then_from_the_left():
    boxes = box_quads([[5, 9, 6, 10], [7, 1, 8, 2], [3, 1, 4, 2], [0, 0, 1, 1]])
    found = Detections(boxes, [0, 0, 0, 0], ("ship",))
    assert reading_order(np.array([0, 0, 0, 1]), found).tolist() == [2, 1, 0, 3]


def test_a_box_is_cut_within_half_a_per_cent_of_the_tile_and_at_least_two_pixels():
    for tile, tolerance in ((1000, 5.0), (200, 2.0)):
        grid = TileGrid(2000, 2000, tile, 50)
        assert MergeRules().edge_tolerance(grid) == tolerance
    assert MergeRules(edge_px=7.0).edge_tolerance(grid) == 7.0
