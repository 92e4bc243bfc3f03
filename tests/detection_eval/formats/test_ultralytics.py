"""OBB labels of Ultralytics: fractions of the image's sides."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.formats import (
    Collection,
    ImageBoxes,
    read,
    write,
)
from detection_eval.geometry.quads import canonical
from tests.detection_eval.formats.material import NAMES


def test_parts_of_a_side_hold_every_pixel_to_the_bit(tmp_path):
    corners = canonical(np.arange(0, 8000, dtype=np.float64).reshape(-1, 4, 2))
    found = Detections(corners, np.zeros(1000, int), NAMES)
    write(tmp_path / "out", Collection({"a": ImageBoxes(found, size=(8191, 7919))}, NAMES), "ultralytics")
    back = read(tmp_path / "out", classes=NAMES, sizes=(8191, 7919))
    assert np.array_equal(back.detections["a"].polygons, corners)
