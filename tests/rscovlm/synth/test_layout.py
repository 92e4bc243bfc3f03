"""Laying out a place in metres about its centre."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import CAR
from rscovlm.synth.layout import Buildings, Layout
from rscovlm.synth.paint import Material


def test_what_is_laid_out_in_metres_stands_in_scene_pixels():
    # A quarter turn at (100, 200) and 0.5 m a pixel: 10 m along are 20 px down.
    layout = Layout(100.0, 200.0, np.pi / 2, 0.5, np.random.default_rng(0))
    np.testing.assert_allclose(layout.to_scene((10.0, 0.0)), (100, 220), atol=1e-9)
    layout.building(0, 4, 20, 10, 6, (1, 2, 3), gabled=True)
    layout.tree(10, 0, 2)
    layout.rectangle(0, 0, 2, 1, (9, 9, 9), Material.SOIL)
    layout.add(CAR, "car", "red", 0, 0, 0.0, fixed=(4.5, 1.8))
    contents = layout.contents()
    np.testing.assert_allclose(contents.buildings.poses[0], (92, 200, 40, 20, np.pi / 2, 6), atol=1e-9)
    np.testing.assert_allclose(contents.trees[0, :3], (100, 220, 4), atol=1e-9)
    assert contents.buildings.gabled.tolist() == [True]
    (car,) = contents.objects
    assert (car.length, car.width) == pytest.approx((9.0, 3.6))
    assert contents.flat.materials.tolist() == [Material.SOIL]


def test_no_buildings_are_none():
    assert len(Buildings.joined([]).poses) == len(Buildings.none().poses) == 0
