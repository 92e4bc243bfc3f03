"""Objects: the box that follows from a pose."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import CAR, TANK
from rscovlm.synth.objects import SceneObject, corners, frames, make_object


def test_a_box_has_the_sides_and_heading_of_its_object():
    # A quarter turn: the length of 20 runs down from 20 - 10 to 20 + 10, the width of 8 from 6 to 14.
    item = SceneObject(CAR, "car", "red", 10.0, 20.0, 20.0, 8.0, np.pi / 2)
    np.testing.assert_allclose(item.polygon, [(14, 10), (14, 30), (6, 30), (6, 10)], atol=1e-9)
    np.testing.assert_allclose(item.frame @ [1, 0, 1], (10, 30), atol=1e-9)
    np.testing.assert_array_equal(corners([item, item])[1], item.polygon)
    assert frames([]).shape == (0, 2, 3)


def test_a_random_object_has_a_size_of_its_kind():
    rng = np.random.default_rng(0)
    cars = [make_object(rng, CAR, 0, 0, 0.5, kind="car") for _ in range(100)]
    lengths = np.array([item.length * 0.5 for item in cars])
    assert 3.9 <= lengths.min() < 4.1
    assert 4.7 < lengths.max() <= 4.9
    assert all(2.35 <= item.length / item.width <= 2.6 for item in cars)
    assert make_object(rng, CAR, 0, 0, 0.5, longest_m=2.0).length == pytest.approx(4)


def test_what_is_round_has_no_heading():
    assert make_object(np.random.default_rng(0), TANK, 0, 0, 1.0, angle_rad=1.0).angle_rad == 0.0
