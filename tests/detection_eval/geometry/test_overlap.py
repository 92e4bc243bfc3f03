"""Intersection over union: analytic values, published failures of other kernels, and GEOS as the oracle."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.geometry.overlap import (
    candidate_pairs,
    intersection_area,
    overlapping_pairs,
    pair_iou,
)
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads
from tests.detection_eval.dense import iou_matrix


def random_boxes(seed, count, spread=60.0):
    rng = np.random.default_rng(seed)
    return boxes_to_quads(
        np.column_stack(
            [
                rng.uniform(0, spread, (count, 2)),
                np.exp(rng.uniform(np.log(0.5), np.log(80), (count, 2))),
                rng.uniform(-4, 4, count),
            ]
        )
    )


def random_convex_quads(seed, count):
    """Four points on a stretched circle are in convex position."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, (count, 4)), axis=1)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return circle * rng.uniform(1, 40, (count, 1, 2)) + rng.uniform(0, 50, (count, 1, 2))


def geos_iou(first, second):
    a, b = shapely.polygons(first), shapely.polygons(second)
    common = shapely.area(shapely.intersection(a, b))
    return common / (shapely.area(a) + shapely.area(b) - common)


def iou_of(first, second):
    return float(pair_iou(np.array([first]), np.array([second]))[0])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shapes=st.sampled_from([random_boxes, random_convex_quads]))
def test_iou_of_convex_quadrilaterals_agrees_with_geos_to_1e_9(seed, shapes):
    first, second = shapes(seed, 50), shapes(seed + 1, 50)
    np.testing.assert_allclose(pair_iou(first, second), geos_iou(first, second), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_iou_does_not_change_where_the_scene_is_large(seed):
    first, second = random_boxes(seed, 50), random_boxes(seed + 1, 50)
    far = np.array([80_000.0, 120_000.0])
    np.testing.assert_allclose(pair_iou(first + far, second + far), pair_iou(first, second), atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_near_identical_boxes_overlap_almost_wholly(seed):
    # a float32 kernel puts some 4 % of such pairs below 0.5
    rng = np.random.default_rng(seed)
    boxes = np.column_stack(
        [rng.uniform(0, 1000, (200, 2)), rng.uniform(8, 200, (200, 2)), rng.uniform(-1.5, 1.5, 200)]
    )
    moved = boxes + rng.uniform(-1e-4, 1e-4, boxes.shape) * [1, 1, 1, 1, 1e-3]
    assert pair_iou(boxes_to_quads(boxes), boxes_to_quads(moved)).min() > 0.999


def test_iou_is_symmetric_and_one_with_itself():
    first, second = random_boxes(3, 300), random_boxes(4, 300)
    np.testing.assert_allclose(pair_iou(first, second), pair_iou(second, first), atol=1e-12)
    np.testing.assert_allclose(pair_iou(first, first), 1.0, atol=1e-12)


def test_an_equal_square_turned_by_45_degrees_leaves_an_octagon():
    # octagon 2 (sqrt 2 - 1) = 0.8284 of 2 - 0.8284 = 1.1716, which is 1 / sqrt 2
    square, turned = boxes_to_quads([[0, 0, 1, 1, 0], [0, 0, 1, 1, np.pi / 4]])
    assert intersection_area(square, turned)[0] == pytest.approx(2 * (np.sqrt(2) - 1), abs=1e-12)
    assert iou_of(square, turned) == pytest.approx(1 / np.sqrt(2), abs=1e-12)


def test_two_boxes_of_3_by_1_that_are_1_apart_overlap_by_exactly_one_half():
    first, second = box_quads([[0, 0, 3, 1], [1, 0, 4, 1]])  # 2 of 4
    assert iou_of(first, second) == 0.5


def test_touching_boxes_and_boxes_without_area_do_not_overlap():
    left, right, line, point = box_quads([[0, 0, 2, 2], [2, 0, 4, 2], [0, 1, 2, 1], [1, 1, 1, 1]])
    assert iou_of(left, right) == 0
    assert iou_of(left, line) == iou_of(line, left) == 0
    assert iou_of(point, point) == iou_of(line, line) == 0


# Pairs that float32 kernels got wrong: detectron2 issues 2154 and 2167.
# Boxes as cx, cy, w, h, degrees counter-clockwise.
DETECTRON2_2154 = (
    [296.6620178222656, 458.73883056640625, 23.515729904174805, 47.677001953125, 0.08795166015625],
    [296.66201, 458.73882000000003, 23.51573, 47.67702, 0.087951],
)
DETECTRON2_2167 = (
    [2563.74462890625, 1436.79016113281, 2174.70336914062, 214.09500122070312, 115.11834716796875],
    [2563.74462890625, 1436.79028320312, 2174.70288085937, 214.09495544433594, 115.11835479736328],
)


@pytest.mark.parametrize("pair", [DETECTRON2_2154, DETECTRON2_2167])
def test_pairs_that_a_float32_kernel_put_at_0_6_overlap_almost_wholly(pair):
    boxes = np.array(pair) * [1, 1, 1, 1, -np.pi / 180]
    assert iou_of(*boxes_to_quads(boxes)) > 0.999


def test_a_box_of_almost_no_width_gives_an_overlap_between_0_and_1():
    # mmcv issue 2952: -12128368 for a box 8e-7 px wide
    thin, box = boxes_to_quads([[30.0, 20.0, 8e-7, 40.0, 0.3], [31.0, 21.0, 12.0, 30.0, 0.3]])
    assert 0 <= iou_of(thin, box) < 1e-6


def test_a_trapezoid_is_not_taken_for_its_bounding_rectangle():
    trapezoid = [[0.0, 0.0], [4.0, 0.0], [3.0, 2.0], [1.0, 2.0]]  # area 6
    corner = box_quads([[0, 1, 1.5, 2]])[0]  # area 1.5; sloping side x = y / 2 leaves 0.75 of it
    assert iou_of(trapezoid, corner) == pytest.approx(0.75 / (6 + 1.5 - 0.75), abs=1e-12)


def test_the_lobes_of_a_bow_tie_cancel():
    bow_tie = [[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]]
    square = box_quads([[0, 0, 2, 2]])[0]
    assert iou_of(bow_tie, square) == 0


def test_a_dented_quadrilateral_is_measured_exactly():
    dart = np.array([[0.0, 0.0], [4.0, 2.0], [0.0, 4.0], [1.0, 2.0]])  # 8 - 2 = 6
    box = box_quads([[0, 1, 2, 3]])[0]
    assert iou_of(dart, box) == pytest.approx(float(geos_iou(dart, box)), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40), m=st.integers(0, 40))
def test_the_join_finds_exactly_the_pairs_whose_bounds_touch(seed, n, m):
    rng = np.random.default_rng(seed)
    whole = np.sort(rng.integers(0, 12, (n + m, 2, 2)), axis=1).reshape(-1, 4)  # integers: touching is common
    quads = box_quads(whole)
    a, b = whole[:n, None], whole[None, n:]
    meet = (a[..., :2] <= b[..., 2:]).all(axis=2) & (b[..., :2] <= a[..., 2:]).all(axis=2)
    i, j = candidate_pairs(quads[:n], quads[n:])
    assert list(zip(i, j)) == list(zip(*np.nonzero(meet)))


def test_the_sparse_and_the_dense_form_agree():
    first, second = canonical(random_boxes(1, 80, 400)), canonical(random_boxes(2, 90, 400))
    dense = iou_matrix(first, second)
    i, j, iou = overlapping_pairs(first, second)
    assert len(i) == np.count_nonzero(dense)
    np.testing.assert_array_equal(dense[i, j], iou)
    every = pair_iou(np.repeat(first, 90, axis=0), np.tile(second, (80, 1, 1))).reshape(80, 90)
    np.testing.assert_allclose(dense, every, atol=1e-15)


def test_only_boxes_of_one_group_meet_and_low_overlaps_can_be_left_out():
    first, second = canonical(random_boxes(5, 120, 200)), canonical(random_boxes(6, 130, 200))
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 3, 120), rng.integers(0, 3, 130)
    i, j, iou = overlapping_pairs(first, second, groups, at_least=0.1)
    dense = iou_matrix(first, second) * (groups[0][:, None] == groups[1])
    assert list(zip(i, j)) == list(zip(*np.nonzero(dense >= 0.1)))
    np.testing.assert_array_equal(iou, dense[i, j])


def test_the_iou_of_a_pair_has_the_same_bits_in_any_company():
    first, second = random_boxes(8, 150, 30), random_boxes(9, 150, 30)
    together = pair_iou(first, second)
    alone = np.array([iou_of(a, b) for a, b in zip(first, second)])
    np.testing.assert_array_equal(together, alone)


def test_upright_boxes_of_whole_pixels_overlap_exactly():
    a = box_quads([[17, 23, 47, 33]])[0]  # 30 x 10
    assert iou_of(a, box_quads([[27, 23, 57, 33]])[0]) == 0.5  # 20 of 40
    assert iou_of(a, box_quads([[17, 23, 57, 33]])[0]) == 0.75  # 30 of 40


def test_a_dent_is_no_part_of_what_two_concave_quads_share():
    # a triangle of 10 x 10 / 2 = 50 with a dent of 10 x 3 / 2 = 15, wholly inside another concave quad
    dented = np.array([[[20, -10], [25, -7], [30, -10], [25, 0]]], float)
    around = np.array([[[-20, -20], [40, -20], [40, 40], [5, 0]]], float)
    assert intersection_area(around, dented)[0] == pytest.approx(35)
    assert intersection_area(dented, around)[0] == pytest.approx(35)
