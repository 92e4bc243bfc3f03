"""Shapes of objects in their own frames."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import COLOURS, OBJECT_CLASSES
from rscovlm.synth.shapes import box, circle, shapes_of, tinted

KINDS = [(kind_of, kind) for kind_of in OBJECT_CLASSES for kind in kind_of.kinds]


@pytest.mark.parametrize(("kind_of", "kind"), KINDS, ids=lambda value: getattr(value, "name", value))
def test_a_shape_fills_its_frame(kind_of, kind):
    points = np.concatenate([shape.points for shape in shapes_of(kind_of.name, kind, "white")])
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[-1, -1], [1, 1]], atol=0.06)
    assert np.abs(points).max() <= 1 + 1e-9


@pytest.mark.parametrize("kind_of", OBJECT_CLASSES, ids=lambda kind_of: kind_of.name)
def test_kinds_of_a_class_look_different(kind_of):
    outlines = [
        tuple(shape.points.round(3).tobytes() for shape in shapes_of(kind_of.name, kind, "blue"))
        for kind in kind_of.kinds
    ]
    assert len(set(outlines)) == len(outlines)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("plane", "airliner"), ("ship", "tanker"), ("small vehicle", "car"), ("bridge", "road bridge")],
)
def test_paint_is_seen(name, kind):
    red, blue = (shapes_of(name, kind, colour) for colour in ("red", "blue"))
    assert COLOURS["red"] in [shape.colour for shape in red]
    assert [shape.points.tolist() for shape in red] == [shape.points.tolist() for shape in blue]


def test_the_bridge_of_a_tanker_is_at_its_stern():
    assert shapes_of("ship", "tanker", "red")[-1].points[:, 0].max() < -0.5


def test_helpers_make_what_they_say():
    assert tinted((100, 200, 10), 1.5) == (150, 255, 15)
    assert np.hypot(*np.array(circle(2.0)).T) == pytest.approx(2.0)
    assert box(0, 1, 2, 3) == [(0, 1), (2, 1), (2, 3), (0, 3)]
