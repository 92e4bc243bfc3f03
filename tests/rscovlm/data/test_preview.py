"""Contact sheets: what a panel shows of a sample, and where boxes are drawn."""

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.example import BoxText, Example, Key
from rscovlm.data.pictures import FilePicture
from rscovlm.data.preview import PANEL, draw_sheet, panel_of_example, panel_of_failure, panel_of_sample
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.errors import DataError
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation


@pytest.fixture
def path(tmp_path):
    Image.new("RGB", (200, 100), (60, 60, 60)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def rectangle(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


def sample(*boxes, window=None, turns=()):
    ref = ImageRef("a.png", window, size=(100, 200))
    return Sample("s1", "detection", (ref,), turns, boxes, ("ship", "car"), gsd_m=0.5, source="hand")


def test_boxes_in_pixels_of_the_file_are_drawn_where_the_panel_shows_them(path):
    panel = panel_of_sample(sample(Box(rectangle(50, 20, 150, 70), "ship")), lambda ref: path)
    assert panel.title == "detection · hand · s1"
    assert panel.facts == ("classes (2): ship, car", "0.5 m per pixel")
    # 200 px are shown on 480: a scale of 2.4.
    (shown,) = panel.shown
    assert shown.view.size == Size(240, PANEL)
    np.testing.assert_allclose(shown.marks[0].polygon, rectangle(120, 48, 360, 168))
    assert shown.marks[0].words == "ship"
    part = panel_of_sample(
        sample(Box(rectangle(110, 20, 150, 70), "ship"), window=(100, 0, 100, 100)), lambda ref: path
    )
    np.testing.assert_allclose(part.shown[0].marks[0].polygon, rectangle(48, 96, 240, 336))


def test_a_few_small_boxes_are_shown_a_second_time_from_close_by(path):
    box = Box(rectangle(98, 48, 102, 52), "ship")
    overview, close = panel_of_sample(sample(box), lambda ref: path).shown
    # The least close-up is of 48 px about the box.
    assert close.view.window == Window(76, 26, 48, 48)
    np.testing.assert_allclose(close.marks[0].polygon, rectangle(220, 220, 260, 260))
    assert len(overview.marks) == 1
    many = [Box(rectangle(x, 48, x + 4, 52), "ship") for x in range(90, 106, 4)]
    assert len(panel_of_sample(sample(*many), lambda ref: path).shown) == 1


def test_labels_have_a_colour_each_and_boxes_in_turns_a_number(path):
    turns = (Turn("user", "<image>What is <box 1>?"), Turn("assistant", "a car"))
    boxes = [Box(rectangle(0, 0, 90, 90), "ship"), Box(rectangle(90, 0, 190, 90), "car")]
    marks = panel_of_sample(sample(*boxes, turns=turns), lambda ref: path).shown[0].marks
    assert [(mark.words, mark.colour) for mark in marks] == [("ship", 0), ("1 car", 1)]


def test_a_rendered_visit_shows_the_boxes_that_its_answer_states(path):
    view = View(Window(0, 0, 200, 100), Size(112, 224))
    answer = "ship:\n[[20,10,60,10,60,50,20,50]]"
    talk = Conversation().say("user", FilePicture(str(path), view), "find ship")
    example = Example(
        talk.say("assistant", BoxText("ship:\n" + answer)), Key("a", 0, 0), "detection", "rscovlm-quad"
    )
    panel = panel_of_example(example, sample())
    assert panel.facts == ("drawn at 224 x 112 px", "boxes as rscovlm-quad")
    assert panel.words[0] == ("user", "[image 224 x 112] find ship")
    assert len(panel.shown[0].marks) == 1
    np.testing.assert_allclose(panel.shown[0].marks[0].polygon, rectangle(20, 10, 60, 50))


def test_a_sheet_has_rows_of_panels_and_outlines_where_the_boxes_are(path):
    panel = panel_of_sample(sample(Box(rectangle(50, 20, 150, 70), "ship")), lambda ref: path)
    failed = panel_of_failure(sample(), DataError("it is broken"))
    assert failed.words == (("error", "it is broken"),)
    sheet = draw_sheet([panel, failed, panel], columns=2)
    assert sheet.width == 2 * PANEL + 3 * 16
    alone = np.asarray(draw_sheet([panel]).convert("RGB")).astype(int)
    grey = (alone == 60).all(axis=2)
    top, left = (int(np.flatnonzero(grey.any(axis=axis))[0]) for axis in (1, 0))
    outline = (np.ptp(alone, axis=2) > 60)[top : top + 240, left : left + PANEL]
    # The left side of the box is at x = 120, its right side at x = 360.
    assert outline[60:160, 117:124].any(axis=1).all()
    assert outline[60:160, 357:364].any(axis=1).all()
    assert not outline[60:160, 130:350].any()


def test_what_cannot_be_read_says_so_in_its_place(path):
    panel = panel_of_sample(sample(Box(rectangle(50, 20, 150, 70), "ship")), lambda ref: path)
    path.write_bytes(b"no image")
    sheet = np.asarray(draw_sheet([panel])).astype(int)
    assert ((sheet[..., 0] > 200) & (sheet[..., 1] < 130)).sum() > 100, "words in red"


def test_a_window_outside_its_image_is_an_error(path):
    with pytest.raises(DataError, match="lies outside"):
        panel_of_sample(sample(window=(300, 0, 10, 10)), lambda ref: path)


def test_boxes_shrink_with_images_that_stand_side_by_side(path):
    one, two = (ImageRef("a.png", size=(100, 200)) for _ in range(2))
    turns = (Turn("user", "<image><image>Is <box 0> new?"), Turn("assistant", "yes"))
    pair = Sample("s1", "vqa", (one, two), turns, (Box(rectangle(50, 20, 150, 70), "ship"),))
    sheet = np.asarray(draw_sheet([panel_of_sample(pair, lambda ref: path)])).astype(int)
    grey = (sheet == 60).all(axis=2)
    top, left = (int(np.flatnonzero(grey.any(axis=axis))[0]) for axis in (1, 0))
    outline = (np.ptp(sheet, axis=2) > 60)[top : top + 118, left : left + 237]
    # 200 px are shown on 237: the sides of the box are at 59 and 178.
    assert outline[35:70, 56:63].any(axis=1).all()
    assert outline[35:70, 174:182].any(axis=1).all()


def test_the_box_of_a_call_to_zoom_is_shown_without_a_label(path):
    talk = Conversation().say("user", FilePicture(str(path), View(Window(0, 0, 200, 100), Size(112, 224))))
    call = BoxText('{"bbox": [20, 10, 60, 50]}')
    example = Example(talk.say("assistant", call), Key("a", 0, 0), "zoom", "rscovlm-quad")
    (mark,) = panel_of_example(example, sample()).shown[0].marks
    assert mark.words == ""
    np.testing.assert_allclose(mark.polygon, rectangle(20, 10, 60, 50))
