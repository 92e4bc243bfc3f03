"""Evidence and boxes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.zoom.rules import EvidenceRules, NotNeeded, crop_of, zoom_box
from rscovlm.errors import UsageError
from tests.rscovlm.data.zoom.hand_made import SMALL
from tiling.view import Window

IMAGE = Window(0, 0, 1280, 1280)


def box(evidence, *objects, **rules):
    return zoom_box(evidence, objects or [evidence], IMAGE, SMALL, EvidenceRules(**rules))


def test_the_box_is_the_evidence_with_a_margin_of_its_longer_side():
    # 100 x 60 with a quarter of 100 on each side: 150 x 110.
    assert crop_of(Window(600, 600, 100, 60), IMAGE, EvidenceRules()) == Window(575, 575, 150, 110)


def test_a_thin_box_is_widened_to_its_aspect_and_a_small_one_to_its_least_side():
    # 400 x 10 with margins of 100: 600 x 210, widened to 300.
    assert crop_of(Window(400, 600, 400, 10), IMAGE, EvidenceRules()) == Window(300, 455, 600, 300)
    assert crop_of(Window(600, 600, 8, 8), IMAGE, EvidenceRules()) == Window(572, 572, 64, 64)


def test_a_square_box_is_square_and_at_the_border_it_is_moved_not_cut():
    cut = crop_of(Window(0, 0, 100, 60), IMAGE, EvidenceRules(square=True))
    assert cut == Window(0, 0, 150, 150)


def test_a_margin_in_pixels_is_that_of_lrs_vqa_zoom_and_is_cut_at_the_border():
    rules = EvidenceRules(margin_px=200)
    assert crop_of(Window(600, 600, 400, 10), IMAGE, rules) == Window(400, 400, 800, 410)
    assert crop_of(Window(0, 1200, 100, 60), IMAGE, rules) == Window(0, 1000, 300, 280)
    with pytest.raises(UsageError, match="a margin of 200 px makes no square boxes"):
        EvidenceRules(margin_px=200, square=True)


@given(
    x=st.floats(0, 1270),
    y=st.floats(0, 1270),
    width=st.floats(1, 400),
    height=st.floats(1, 400),
    square=st.booleans(),
)
def test_the_box_holds_the_evidence_and_stays_inside_the_image(x, y, width, height, square):
    evidence = Window(x, y, min(width, 1280 - x), min(height, 1280 - y))
    found = crop_of(evidence, IMAGE, EvidenceRules(square=square))
    assert IMAGE.pad(0.02).contains(found)
    assert found.pad(0.02).contains(evidence)


@pytest.mark.parametrize(
    ("evidence", "objects", "reason"),
    [
        # 400 px are 40 px of the overview.
        (Window(100, 100, 400, 100), [], "legible in the overview"),
        (Window(100, 100, 15, 15), [], "too small to be found in the overview"),
        (Window(0, 0, 1200, 1200), [Window(0, 0, 40, 40)], "evidence takes too much of the image"),
    ],
)
def test_what_needs_no_zoom_is_refused_with_the_reason(evidence, objects, reason):
    with pytest.raises(NotNeeded, match=reason):
        box(evidence, *objects)


def test_a_box_that_shows_hardly_more_is_refused():
    with pytest.raises(NotNeeded, match="adds too little detail"):
        box(Window(300, 300, 100, 100), max_share=1.0, margin=3.0, max_object_px=100)


def test_rules_out_of_range_are_all_named():
    with pytest.raises(UsageError, match=r"margin -1 is below 0; max_share 2 is not above 0"):
        EvidenceRules(margin=-1, max_share=2)
