"""From a requested box to the window that is read."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from tiling.gsd import Range
from tiling.overrides import Overrides
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.looks import (
    CropRule,
    RefusedRequest,
    crop_window,
    detail_gain,
    image_of,
    requested_window,
    scene_gsd,
    shows_evidence,
)

SCENE = Window(0, 0, 2000, 1000)
OVERVIEW = View(SCENE, Size(100, 200))
PLAIN = CropRule(margin=0, min_side_px=1, max_aspect=100)
NO_QUANTUM = (0.0, 0.0)


def test_a_box_is_mapped_through_the_frame_that_it_was_drawn_in():
    assert requested_window(OVERVIEW, (0.1, 0.2, 0.3, 0.6), SCENE) == (Window(200, 200, 400, 400), ())
    crop = View(Window(1000, 500, 200, 100), Size(64, 128))
    assert requested_window(crop, (0.5, 0.5, 1, 1), SCENE) == (Window(1100, 550, 100, 50), ())


def test_inverted_corners_are_exchanged_and_noted():
    window, notes = requested_window(OVERVIEW, (0.3, 0.6, 0.1, 0.2), SCENE)
    assert window.bounds == pytest.approx((200, 200, 600, 600))
    assert notes == ("the corners of the box were exchanged",)


def test_a_box_beyond_the_scene_is_cut_and_noted():
    window, notes = requested_window(OVERVIEW, (-0.1, 0.5, 0.5, 1.5), SCENE)
    assert window == Window(0, 500, 1000, 500)
    assert notes == ("the box reached beyond the scene and was cut",)


@pytest.mark.parametrize("box", [(0.2, 0.2, 0.2, 0.6), (0.1, 0.4, 0.3, 0.4), (0, 0, 0, 0), (0, 0, 5e-324, 1)])
def test_an_empty_box_is_refused(box):
    with pytest.raises(RefusedRequest, match="no area"):
        requested_window(OVERVIEW, box, SCENE)


@pytest.mark.parametrize("box", [(1.2, 0, 1.5, 1), (0, -0.4, 1, -0.1), (-1, 0, 1e-9, 1)])
def test_a_box_outside_the_scene_is_refused(box):
    with pytest.raises(RefusedRequest, match="outside the image") as refusal:
        requested_window(OVERVIEW, box, SCENE)
    assert refusal.value.kind == "invalid_request"


def test_margin_is_a_fraction_of_the_box_and_at_least_one_unit_of_its_coordinates():
    # 10 % of 200 and of 100 px on each side; of 10 px it would be less than the 2 and 1 px of a 0-1000
    # coordinate of 2000 x 1000 px.
    rule = CropRule(margin=0.1, min_side_px=1)
    assert crop_window(Window(500, 500, 200, 100), (2, 1), SCENE, rule) == Window(480, 490, 240, 120)
    assert crop_window(Window(500, 500, 10, 5), (2, 1), SCENE, rule) == Window(498, 499, 14, 7)


def test_without_margin_a_box_is_read_as_it_was_written():
    assert crop_window(Window(500, 500, 200, 100), (2, 1), SCENE, PLAIN) == Window(500, 500, 200, 100)


def test_a_small_box_grows_to_the_least_side_about_its_centre():
    rule = CropRule(margin=0, min_side_px=64)
    assert crop_window(Window(500, 500, 4, 8), NO_QUANTUM, SCENE, rule) == Window(470, 472, 64, 64)


def test_a_thin_box_grows_to_the_largest_aspect():
    rule = CropRule(margin=0, min_side_px=1, max_aspect=4)
    assert crop_window(Window(500, 500, 400, 2), NO_QUANTUM, SCENE, rule) == Window(500, 451, 400, 100)


def test_at_the_border_a_window_is_moved_not_cut():
    rule = CropRule(margin=0, min_side_px=64)
    assert crop_window(Window(1996, 0, 4, 4), NO_QUANTUM, SCENE, rule) == Window(1936, 0, 64, 64)


boxes = st.tuples(*[st.floats(-0.5, 1.5) | st.sampled_from([0.5, 0.5 + 1e-16, 1e6, -1e-300])] * 4)
rules = st.builds(
    CropRule, margin=st.floats(0, 2), min_side_px=st.floats(1, 3000), max_aspect=st.floats(1, 100)
)


@given(box=boxes, rule=rules)
def test_a_crop_lies_in_the_scene_and_holds_all_that_was_asked_for(box, rule):
    try:
        requested, _ = requested_window(OVERVIEW, box, SCENE)
    except RefusedRequest:
        assume(False)
    window = crop_window(requested, (2, 1), SCENE, rule)
    assert SCENE.pad(1e-6).contains(window)
    assert window.pad(1e-6).contains(requested)
    assert min(window.width, window.height) >= min(rule.min_side_px, 1000) - 1e-6


def test_gain_counts_source_pixels_not_enlargement():
    # The overview shows one pixel in ten. At 1:1 that is 10 times finer; at 3:1 it is still 10 times.
    part = Window(0, 0, 200, 100)
    native, enlarged = View(part, Size(100, 200)), View(part, Size(300, 600))
    assert detail_gain(native, part, [OVERVIEW]) == pytest.approx(10)
    assert detail_gain(enlarged, part, [OVERVIEW]) == pytest.approx(10)
    assert detail_gain(enlarged, part, [OVERVIEW, native]) == pytest.approx(1)


def test_gain_is_over_views_of_the_part_asked_for_whatever_context_comes_with_it():
    native = View(Window(0, 0, 200, 100), Size(100, 200))
    beside = View(Window(150, 0, 200, 100), Size(100, 200))
    assert detail_gain(beside, Window(160, 10, 30, 30), [OVERVIEW, native]) == pytest.approx(1)
    assert detail_gain(beside, Window(160, 10, 180, 80), [OVERVIEW, native]) == pytest.approx(10)


def test_wrong_values_are_named_together():
    with pytest.raises(ValueError, match=r"margin -1 .*repeat_iou 0 "):
        CropRule(margin=-1, repeat_iou=0)


EVIDENCE = Window(1000, 1000, 100, 100)


def test_a_view_shows_evidence_that_it_holds_for_the_most_part():
    assert shows_evidence(EVIDENCE, EVIDENCE)
    assert shows_evidence(Window(1020, 1000, 100, 100), EVIDENCE), "80 of 100 columns"
    assert not shows_evidence(Window(1021, 1000, 100, 100), EVIDENCE)
    assert not shows_evidence(Window(2000, 1000, 100, 100), EVIDENCE)


def test_a_view_shows_evidence_that_is_a_fifth_of_its_side():
    assert shows_evidence(Window(900, 900, 500, 500), EVIDENCE)
    assert not shows_evidence(Window(900, 900, 501, 501), EVIDENCE)
    # Of the same area, and so seen as large: what shape the window has makes no difference.
    assert shows_evidence(Window(900, 900, 1000, 250), EVIDENCE)
    assert not shows_evidence(Window(900, 900, 1000, 252), EVIDENCE)
    # A bridge is read by its length.
    assert shows_evidence(Window(900, 900, 500, 500), Window(1000, 1000, 100, 5))


class Estimating:
    """A model that sees how large a pixel is."""

    def __init__(self, low, high):
        self.range, self.seen = Range(low, high), []

    def estimate_gsd(self, image):
        self.seen.append(image)
        return self.range


def test_a_view_is_seen_at_the_scale_at_which_it_is_shown(scene):
    image = image_of(scene, View(Window(0, 0, 1024, 512), Size(128, 256)))
    assert image.gsd_m == pytest.approx(4 * 0.5, rel=1e-3)
    assert image.pixels.shape == (128, 256, 3)


def test_what_a_file_says_goes_before_what_a_model_estimates(scene, small):
    model = Estimating(1.0, 1.5)
    assert scene_gsd(scene, model, small).source == "transform"
    assert model.seen == []


def test_a_model_that_is_sure_enough_stands_in_for_the_file(tmp_path, small):
    path = tmp_path / "bare.png"
    Image.fromarray(np.zeros((512, 1024, 3), np.uint8)).save(path)
    with Scene(path) as bare:
        # The overview is reduced, so a pixel of the scene is as much smaller.
        scale = bare.overview(small).scale[0]
        found = scene_gsd(bare, Estimating(2.0 * scale, 2.88 * scale), small)
        assert (found.source, found.metres) == ("predicted", pytest.approx(2.4))
        assert scene_gsd(bare, Estimating(0.1, 9.0), small).source == "unknown"
        assert scene_gsd(bare, object(), small).source == "unknown"
    with Scene(path, overrides=Overrides(gsd_m=0.7)) as stated:
        assert scene_gsd(stated, Estimating(2.0, 2.88), small).metres == 0.7
