"""The box of a call in all the ways in which models write four numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.text.coordinates import PERCENT, PIXELS
from detection_eval.text.lexing import Pixels
from zoom_chain.call_boxes import Unreadable, WrittenBox, is_fractions, read_box


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ([80, 100, 400, 200], None),
        (["80", "100.0", " 400 ", "2e2"], None),
        ("80, 100, 400, 200", "inside a string"),
        ("80 100 400 200", "inside a string"),
        ("[80, 100, 400, 200]", "inside a string"),
        ("(80, 100), (400, 200)", "inside a string"),
        ("<box>80 100 400 200</box>", "inside a string"),
        ("<|box_start|>(80,100),(400,200)<|box_end|>", "inside a string"),
        ([[80, 100, 400, 200]], "nested in a list"),
        ([[80, 100], [400, 200]], "two corners"),
        ({"x1": 80, "y1": 100, "x2": 400, "y2": 200}, "named corners"),
        ({"left": 80, "top": 100, "right": 400, "bottom": 200}, "named corners"),
        ({"x": 80, "y": 100, "width": 320, "height": 100}, "a corner and its size"),
        ({"x": 80, "y": 100, "w": 320, "h": 100}, "a corner and its size"),
    ],
)
def test_four_numbers_are_read_and_how_is_noted(value, note):
    notes = []
    assert read_box(value, "a box", notes) == WrittenBox((80, 100, 400, 200))
    assert (note is None) == (notes == [])
    assert note is None or note in notes[0]


PX, SHARE = WrittenBox((80, 100, 400, 200), "px"), WrittenBox((10, 20, 30, 40), "%")


@pytest.mark.parametrize(
    ("value", "box"),
    [
        (["80px", "100 px", "400pixels", "200PX"], PX),
        ([80, 100, 400, "200 px"], PX),
        ([Pixels(80), Pixels(100), Pixels(400), Pixels(200)], PX),
        ("80px, 100px; 400px, 200px", PX),
        ("(80, 100), (400, 200) px", PX),
        ({"x": "80px", "y": "100px", "width": "320px", "height": "100px"}, PX),
        (["10%", "20 %", "30%", "40.0%"], SHARE),
        ("10, 20, 30, 40%", SHARE),
        ("10%, 20%, 30%, 40%", SHARE),
        (["100‰", "200‰", "300‰", "40%"], SHARE),
        ({"x1": "10%", "y1": "20%", "x2": "30%", "y2": "40%"}, SHARE),
    ],
)
def test_a_unit_that_is_stated_counts_and_is_noted(value, box):
    notes = []
    assert read_box(value, "a box", notes) == box
    assert f"in {'pixels' if box is PX else 'percent'}" in notes[-1]


def test_units_are_coordinate_spaces():
    assert (PX.space, SHARE.space, WrittenBox((1, 2, 3, 4)).space) == (PIXELS, PERCENT, None)


@pytest.mark.parametrize("value", [["10%", 20, 30, 40], ["10%", "20%", "30%", "40px"], [1, "2px", 3, "4px"]])
def test_mixed_units_are_refused(value):
    with pytest.raises(Unreadable, match="mixes units; give a box"):
        read_box(value, "a box", [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("top left", 'the box "top left" is not a list of four numbers; give a box'),
        ("1 2 3", 'the box "1 2 3" is not'),
        ("from 1 to 2 and 3 to 4", "is not a list of four numbers"),
        (["10 m", 1, 2, 3], '"10 m" in the box is not a coordinate'),
        ({"x": 1, "y": 2, "width": None, "height": 3}, "null in the box is not a coordinate"),
        (7, "the box 7 is not"),
    ],
)
def test_what_is_no_box_is_quoted(value, reason):
    with pytest.raises(Unreadable) as error:
        read_box(value, "a box", [])
    assert reason in str(error.value)


@given(st.text(alphabet=st.sampled_from(list("0123456789eE+-., ()[]{}<>box|px%\n")), max_size=60))
def test_any_text_is_four_finite_numbers_or_a_reason(text):
    try:
        numbers = read_box(text, "a box", []).numbers
    except Unreadable:
        return
    assert len(numbers) == 4
    assert all(abs(number) <= 1e9 for number in numbers)


def test_fractions_are_told_from_units():
    assert is_fractions([0.1, 0.1, 0.3, 0.3])
    assert is_fractions([0, 0, 1, 1])
    assert not is_fractions([0, 0, 1, 2])
    assert not is_fractions([0.5, 0.5, 0.1, 0.1])
