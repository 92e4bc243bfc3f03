"""Box text taken out of words, as geometry and a placeholder."""

import pytest

from rscovlm.data.readers.boxtext import BoxReader, box_form, looks_like_boxes
from rscovlm.data.readers.common import LeftOut
from rscovlm.errors import UsageError
from tests.rscovlm.data.published import corners, quad


def reader(form: str, size=(100, 200), **more) -> BoxReader:
    return BoxReader(box_form(form), size, [], **more)


def test_labels_before_boxes_go_to_them_and_lists_share_one():
    boxes = reader("geochat")
    text = boxes.read(
        "<p>two ships</p> {<10><20><30><60>}<delim>{<50><20><60><60>} and a pier {<0><0><5><5>}"
    )
    assert text == "two ships <box 0>, <box 1> and a pier <box 2>"
    assert [box.label for box in boxes.boxes] == ["two ships", "two ships", ""]
    # In hundredths of 200 x 100 px.
    assert corners(boxes.boxes[0]) == quad(20, 20, 60, 60)
    assert all(box.horizontal for box in boxes.boxes)


@pytest.mark.parametrize(
    ("form", "text", "box"),
    [
        ("0-100", "[10, 20, 30, 60]", quad(20, 20, 60, 60)),
        ("0-1000", "[100, 200, 300, 600]", quad(20, 20, 60, 60)),
        ("0-1", "[0.1, 0.2, 0.3, 0.6]", quad(20, 20, 60, 60)),
        # Padded to 200 x 200: 50 px above and below. 0.35 of 200 is 70, less 50.
        ("0-1-padded", "[0.1, 0.35, 0.3, 0.55]", quad(20, 20, 60, 60)),
        ("pixels", "[20, 20, 60, 60]", quad(20, 20, 60, 60)),
    ],
)
def test_each_form_has_its_unit(form, text, box):
    boxes = reader(form)
    assert boxes.read(f"It is at {text}.") == "It is at <box 0>."
    assert corners(boxes.boxes[0]) == box


def test_an_equal_box_is_the_same_one_and_takes_a_label_that_it_lacked():
    boxes = reader("geochat")
    assert boxes.read("what is {<10><20><30><60>}") == "what is <box 0>"
    assert boxes.read("<p>a ship</p>{<10><20><30><60>}") == "a ship<box 0>"
    assert [box.label for box in boxes.boxes] == ["a ship"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("0-100", "[10, 20, 130, 60]"),
        ("0-100", "[30, 60, 10"),
        ("pixels", "[300, 20, 360, 60]"),
        ("geochat", "{<10><20><30>}"),
    ],
)
def test_what_a_lenient_parser_would_mend_is_no_ground_truth(form, text):
    with pytest.raises(LeftOut, match="its box text cannot be read"):
        reader(form).read(f"at {text}")


def test_forms_go_by_name():
    assert box_form("none") is None
    assert box_form("geochat", clockwise=True) is box_form("geochat-clockwise")
    assert box_form("geochat") is not box_form("geochat-clockwise")
    with pytest.raises(UsageError, match=r"box text '0-5' is unknown; choose from geochat.*none"):
        box_form("0-5")


def test_box_text_is_noticed_in_any_form():
    assert looks_like_boxes("at {<1><2><3><4>|<5>}")
    assert looks_like_boxes("at [1, 2, 3, 4]")
    assert not looks_like_boxes("at (1) and 2, 3, 4")
