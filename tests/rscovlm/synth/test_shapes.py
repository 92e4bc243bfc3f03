"""Shapes of objects in their own frames, and how they come onto a canvas."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rscovlm.synth.catalogue import COLOURS, OBJECT_CLASSES, SHIP
from rscovlm.synth.shapes import draw, shapes_of

KINDS = [(kind_of, kind) for kind_of in OBJECT_CLASSES for kind in kind_of.kinds]


@pytest.mark.parametrize(("kind_of", "kind"), KINDS, ids=lambda value: getattr(value, "name", value))
def test_a_shape_fills_its_frame_and_begins_with_its_paint(kind_of, kind):
    shapes = shapes_of(kind_of, kind, "yellow")
    points = np.array([point for corners, _ in shapes for point in corners])
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[-1, -1], [1, 1]], atol=1e-9)
    assert shapes[0][1] == COLOURS["yellow"]


@pytest.mark.parametrize("kind_of", OBJECT_CLASSES, ids=lambda kind_of: kind_of.name)
def test_kinds_of_a_class_look_different(kind_of):
    first, second = (shapes_of(kind_of, kind, "red") for kind in kind_of.kinds)
    assert first != second


def test_the_bridge_of_a_ship_is_at_its_stern():
    points, _ = shapes_of(SHIP, "tanker", "red")[-1]
    assert max(x for x, _ in points) < -0.5


def test_a_frame_turns_stretches_and_moves_what_it_draws():
    canvas = Image.new("RGB", (40, 40))
    # A quarter turn: the length of 20 px runs down, the width of 8 px runs left; the centre is (10, 20).
    frame = np.array([[0.0, -4.0, 10.0], [10.0, 0.0, 20.0]])
    square = [((-1, -1), (1, -1), (1, 1), (-1, 1))]
    draw(ImageDraw.Draw(canvas), [(square[0], (9, 8, 7))], frame)
    rows, columns = np.nonzero(np.asarray(canvas)[..., 0])
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (6, 14, 10, 30)
    assert canvas.getpixel((10, 20)) == (9, 8, 7)


def test_corners_are_cut_downwards_on_both_sides_of_an_edge():
    class Recorder:
        def polygon(self, points, fill):
            self.points = points

    pen = Recorder()
    draw(pen, [([(-1, -1), (1, 1)], (0, 0, 0))], np.array([[8.0, 0.0, 0.4], [0.0, 8.0, 20.4]]))
    # 0.4 - 8 = -7.6 is in the pixel from -8 to -7, as 12.4 is in the one from 12 to 13.
    assert pen.points == [(-8.0, 12.0), (8.0, 28.0)]
