"""Mappings of points and their inverses, to the last digits that float64 has."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from tiling.mappings import affine_mapping, apply_affine, mapped


def test_points_of_any_shape_keep_it():
    points = np.arange(24.0).reshape(3, 4, 2)
    moved = mapped(lambda x, y: (y, x + 1), points)
    np.testing.assert_array_equal(moved, points[..., ::-1] + np.array([0, 1]))
    np.testing.assert_array_equal(apply_affine(Affine.translation(2, 3), points), points + np.array([2, 3]))
    assert apply_affine(Affine.scale(2, -1), (5, 7)).tolist() == [10, -7]


def test_small_numbers_round_trip_to_a_billionth_of_a_pixel():
    to_map, from_map = affine_mapping(Affine.rotation(17) @ Affine.shear(5) @ Affine.scale(3, -2))
    points = np.random.default_rng(0).uniform(-1e4, 1e4, (500, 2))
    np.testing.assert_allclose(from_map(to_map(points)), points, rtol=0, atol=1e-9)


@given(origin=st.tuples(*[st.integers(-(10**7), 10**7)] * 2), angle=st.floats(0, 360))
def test_an_origin_far_away_costs_no_more_than_its_own_last_digit(origin, angle):
    to_map, from_map = affine_mapping(Affine.translation(*origin) @ Affine.rotation(angle))
    assert from_map(to_map((3, 4))) == pytest.approx((3, 4), abs=8e-9)  # 1e7 has digits of 1.9e-9
