"""What is known of an image: shapes of objects, attributes, classes and windows."""

import numpy as np
import pytest

from rscovlm.data.annotations import Thing, union
from tests.rscovlm.data.zoom.hand_made import harbour, image, thing
from tiling.view import Window


def turned(degrees: float, length: float = 40, width: float = 10) -> Thing:
    """A rectangle about (100, 50) whose longer side is turned clockwise on the image."""
    angle = np.radians(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return Thing("ship", np.array([100, 50]) + signs @ np.stack([length * along, width * across]))


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 179])
def test_sides_center_and_slope_follow_the_longer_side(degrees):
    ship = turned(degrees)
    assert ship.sides == pytest.approx((40, 10))
    assert ship.area == pytest.approx(400)
    assert ship.center.tolist() == pytest.approx([100, 50])
    assert ship.slope_deg == pytest.approx(degrees, abs=1e-6)


def test_a_slope_does_not_depend_on_the_corner_that_comes_first():
    for shift in range(4):
        assert Thing("ship", np.roll(turned(30).polygon, shift, axis=0)).slope_deg == pytest.approx(30)


def test_a_window_is_the_bounds_and_never_without_area():
    assert turned(90).window.bounds == pytest.approx((95, 30, 105, 70))
    flat = Thing("ship", np.full((4, 2), 7.0)).window
    assert flat.bounds[:2] == (7, 7)
    assert flat.area > 0


def test_a_shape_follows_from_the_class_unless_it_is_stated():
    assert thing("storage tank", 0, 0).known("shape") == "round"
    assert thing("storage tank", 0, 0, shape="square").known("shape") == "square"
    assert thing("storage tank", 0, 0).known("color") is None
    assert thing("ship", 0, 0).known("shape") is None


def test_an_image_lists_its_classes_and_the_values_of_an_attribute():
    scene = harbour()
    assert scene.by_name == {"ship": [0, 1], "storage tank": [2]}
    assert scene.vocabulary("color") == ["red", "white"]
    assert scene.vocabulary("shape") == ["round"], "from the class"
    assert scene.vocabulary("status") == []
    assert image(side=70).window == Window(0, 0, 70, 70)


def test_a_union_is_the_smallest_window_around_all():
    assert union([Window(10, 50, 5, 5), Window(0, 52, 2, 20)]).bounds == (0, 50, 15, 72)
    with pytest.raises(ValueError, match="no windows"):
        union([])
