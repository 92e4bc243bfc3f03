"""Polygons and how they come onto a canvas."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rscovlm.synth.paint import Material, Polygons, Sheet, joined, packed, paint, rectangles, swept

SAME = np.array([[1.0, 0, 0], [0, 1, 0]])


def painted(polygons, frame=SAME, side=40):
    canvas = Image.new("RGB", (side, side))
    paint(ImageDraw.Draw(canvas), polygons, frame, (side, side))
    return np.asarray(canvas)


def one(points, colour=(9, 8, 7)):
    sheet = Sheet()
    sheet.add(points, colour, Material.PAINT)
    return sheet.polygons()


def test_a_polygon_covers_as_many_pixels_as_its_area():
    rng = np.random.default_rng(0)
    for width, height in ((10, 6), (3, 12), (2, 2)):
        sizes = []
        for _ in range(300):
            x, y = rng.uniform(10, 20, 2)
            sizes.append((painted(one(rectangles(x, y, width, height, 0.0)))[..., 0] > 0).sum())
        assert np.mean(sizes) == pytest.approx(width * height, rel=0.12)


def test_colours_and_order_are_kept():
    sheet = Sheet()
    sheet.add(rectangles([10, 30], 20, 12, 12, 0.0), [(250, 0, 0), (0, 250, 0)], Material.METAL)
    sheet.add([(28.0, 18), (32, 18), (30, 22)], (0, 0, 250), Material.GRASS)
    found = sheet.polygons()
    assert found.counts.tolist() == [4, 4, 3]
    assert found.materials.tolist() == [Material.METAL, Material.METAL, Material.GRASS]
    canvas = painted(found)
    assert canvas[20, 10].tolist() == [250, 0, 0]
    assert canvas[15, 30].tolist() == [0, 250, 0]
    assert canvas[19, 30].tolist() == [0, 0, 250]


def test_a_frame_turns_stretches_and_moves():
    quarter = np.array([[0.0, -4.0, 10.0], [10.0, 0.0, 20.0]])
    rows, columns = np.nonzero(painted(one([(-1, -1), (1, -1), (1, 1), (-1, 1)]), quarter)[..., 0])
    assert (columns.min(), columns.max()) == (6, 13)
    assert (rows.min(), rows.max()) == (10, 29)


def test_what_is_thinner_than_a_third_of_a_pixel_leaves_no_trace():
    assert not painted(one(rectangles(20, 20, 30, 0.2, 0.7))).any()
    assert painted(one(rectangles(20, 20, 30, 0.9, 0.7))).any()


def test_nothing_and_what_lies_outside_paint_nothing():
    assert not painted(joined([])).any()
    assert not painted(one(rectangles(-20, 20, 10, 10, 0.0))).any()
    assert len(joined([])) == 0
    assert isinstance(joined([one(np.zeros((0, 4, 2)))]), Polygons)


def test_packed_colours_are_pil_s():
    canvas = Image.new("RGB", (1, 1))
    ImageDraw.Draw(canvas).point((0, 0), fill=int(packed((1, 2, 300))))
    assert canvas.getpixel((0, 0)) == (1, 2, 255)


angles = st.floats(-3.1, 3.1)


@given(angles, st.floats(-30, 30), st.floats(-30, 30))
def test_a_swept_polygon_is_the_hull_of_where_it_was_and_is(angle, dx, dy):
    box = rectangles(0.0, 0.0, 8.0, 5.0, angle)
    found = shapely.Polygon(swept(box, np.array([dx, dy]))[0])
    hull = shapely.MultiPoint(np.concatenate([box[0], box[0] + (dx, dy)])).convex_hull
    assert found.buffer(0).symmetric_difference(hull).area < 1e-6 * hull.area + 1e-6
