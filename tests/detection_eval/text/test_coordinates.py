"""Coordinate spaces: where written numbers lie on the image."""

import pytest

from detection_eval.text.coordinates import SPACES


@pytest.mark.parametrize(
    ("name", "written", "pixels"),
    [
        ("pixels", [30, 20], [30, 20]),
        ("0-1000", [500, 250], [100, 25]),
        ("0-100", [50, 25], [100, 25]),
        ("0-1", [0.5, 0.25], [100, 25]),
    ],
)
def test_x_and_y_scale_by_the_sides_of_a_200_by_100_image(name, written, pixels):
    space = SPACES[name]
    assert space.to_pixels([written], 200, 100).tolist() == [pixels]
    assert space.from_pixels([pixels], 200, 100).tolist() == [written]
