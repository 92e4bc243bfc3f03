"""COCO's rings and masks as four corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from detection_eval.errors import FormatError
from detection_eval.formats.segmentation import MASK, RING, mask_points, outline
from detection_eval.geometry.quads import convex_hull

SQUARE = [10.0, 20.0, 30.0, 20.0, 30.0, 40.0, 10.0, 40.0]
DIAMOND = [20.0, 10.0, 30.0, 20.0, 20.0, 30.0, 10.0, 20.0]


def compressed(pixels: np.ndarray) -> dict:
    written = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(written["size"]), "counts": written["counts"].decode()}


def counted(pixels: np.ndarray) -> dict:
    flat = pixels.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(pixels.shape), "counts": [0, *runs] if flat[0] else runs}


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    share = draw(st.sampled_from([0.05, 0.5, 0.95, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random((height, width)) < share


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@given(masks(), st.sampled_from([compressed, counted]))
def test_the_points_of_a_mask_have_the_hull_of_the_corners_of_its_pixels(pixels, form):
    found = mask_points(form(pixels), "x")
    rows, columns = np.nonzero(pixels)
    corners = [(x + dx, y + dy) for y, x in zip(rows, columns) for dx in (0, 1) for dy in (0, 1)]
    if not corners:
        assert len(found) == 0
        return
    hulls = [convex_hull(np.array(points, float)).tolist() for points in (found, corners)]
    assert set(map(tuple, hulls[0])) == set(map(tuple, hulls[1]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_mask_is_its_smallest_rectangle_and_without_pixels_its_bbox():
    pixels = np.zeros((50, 60), bool)
    pixels[20:40, 10:30] = True
    for form in (compressed, counted):
        assert outline({"segmentation": form(pixels)}, "x") == (SQUARE, MASK)
    empty = {"segmentation": counted(np.zeros((9, 9), bool)), "bbox": [10, 20, 20, 20]}
    assert outline(empty, "x") == (SQUARE, None)


def test_rings_of_four_vertices_are_kept_and_others_are_rectangles():
    assert outline({"segmentation": [DIAMOND]}, "x") == (DIAMOND, None)
    assert outline({"segmentation": [[*DIAMOND, 20, 10]]}, "x") == (DIAMOND, None)
    assert outline({"segmentation": [[*SQUARE, 15, 35]]}, "x") == (SQUARE, RING)
    two = [[10, 20, 30, 20, 30, 40], [10, 40, 12, 40, 11, 38]]
    assert outline({"segmentation": two}, "x") == (SQUARE, RING)
    for missing in (None, []):
        assert outline({"segmentation": missing, "bbox": [10, 20, 20, 20]}, "x") == (SQUARE, None)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "x: its segmentation is no ring of points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "x: its segmentation is no ring of points"),
        ("abc", "x: its segmentation is neither rings nor a mask but 'abc'"),
        ({"counts": [4]}, r"x: its mask states no size \[height, width\] but None"),
        ({"size": [2, 0], "counts": [4]}, "x: its mask states no size"),
        ({"size": [2, 2**40], "counts": [4]}, "x: its mask states no size"),
        ({"size": [2, 2], "counts": [5]}, "x: the counts of its mask are no run lengths"),
        ({"size": [2, 2], "counts": [-1, 5]}, "x: the counts of its mask are no run lengths"),
        ({"size": [2, 2], "counts": [1, 2]}, "x: the runs of its mask are 3 pixels long, and 2 x 2 are due"),
        ({"size": [2, 2], "counts": "a"}, "x: its compressed mask breaks off"),
        ({"size": [2, 2], "counts": "\u00e4"}, "x: '\u00e4' is no part of a compressed mask"),
        ({"size": [2, 2], "counts": "o" * 99}, "x: 'o' is no part of a compressed mask"),
    ],
)
def test_a_malformed_segmentation_is_told_by_place(segmentation, message):
    with pytest.raises(FormatError, match=f"^{message}"):
        outline({"segmentation": segmentation, "bbox": [0, 0, 1, 1]}, "x")
