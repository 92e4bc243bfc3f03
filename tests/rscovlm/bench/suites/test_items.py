"""Answers, letters, options, boxes and evidence from what annotations state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.bench.suites.items import (
    answers_of,
    choice,
    evidence_of,
    grounding,
    letters_of,
    scaled,
    size_of,
    without_mark,
)
from rscovlm.data.readers.common import LeftOut, box_of


@pytest.mark.parametrize(
    ("written", "letters"),
    [
        ("A", ["A"]),
        ("(B)", ["B"]),
        ("B.", ["B"]),
        ("AC", ["A", "C"]),
        ("A, C", ["A", "C"]),
        ("A C", ["A", "C"]),
        ("['A', 'C']", ["A", "C"]),
        (["A", "C"], ["A", "C"]),
        ("unknown", []),
        ("A ship", []),
        ("", []),
        (None, []),
        (3, []),
    ],
)
def test_letters_that_are_right_together(written, letters):
    assert letters_of(written) == letters


@pytest.mark.parametrize(
    ("option", "place", "bare"),
    [
        ("(A) red", 0, "red"),
        ("B. red", 1, "red"),
        ("C: red", 2, "red"),
        ("red", 0, "red"),
        ("A ship", 0, "A ship"),  # an article
        ("(B) red", 0, "(B) red"),  # a letter of another place is part of the option
        ("C) S. Maria", 2, "S. Maria"),
    ],
)
def test_options_without_their_letter(option, place, bare):
    assert without_mark(option, place) == bare


@given(st.lists(st.text("abcdefgh ", min_size=1).filter(str.strip), min_size=1, max_size=8))
def test_letters_come_off_whatever_the_options_are(options):
    marked = [f"({chr(65 + place)}) {option}" for place, option in enumerate(options)]
    assert choice("k", ["a.png"], "Q?", marked, "A").options == tuple(option.strip() for option in options)


def test_options_may_stand_in_one_text():
    item = choice("k", ["a.png"], "Q?", "A. red\nB. blue\n", "B")
    assert (item.options, item.truth.answers) == (("red", "blue"), ("B",))


def test_a_letter_that_is_written_twice_is_right_once():
    assert choice("k", ["a.png"], "Q?", ["one", "two"], "B, A, B").truth.answers == ("B", "A")


@pytest.mark.parametrize("answer", ["C", "x", "", None])
def test_a_right_letter_is_one_of_the_options(answer):
    with pytest.raises(LeftOut, match="its right letter is none of its options"):
        choice("k", ["a.png"], "Q?", ["one", "two"], answer)


@pytest.mark.parametrize(
    ("value", "answers"), [("x", ("x",)), (3, ("3",)), (0, ("0",)), (["a", " b "], ("a", "b"))]
)
def test_right_answers(value, answers):
    assert answers_of(value) == answers


@pytest.mark.parametrize("value", [None, "", "  ", [], [""], True, {}])
def test_no_right_answer(value):
    with pytest.raises(LeftOut, match="no right answer"):
        answers_of(value)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(32, 32, "small"), (33, 32, "medium"), (96, 96, "medium"), (96, 97, "large")],
)
def test_sizes_as_coco_has_them(width, height, size):
    assert size_of(box_of([5, 5, 5 + width, 5 + height]).polygon) == size


def test_parts_of_the_sides():
    assert scaled([0.5, 0.5, 1, 1], 200, 100) == [100, 50, 200, 100]


@pytest.mark.parametrize(
    ("written", "bounds"),
    [
        ([10, 20, 30, 40], (10, 20, 30, 40)),
        ([[10, 20, 30, 40], [5, 25, 12, 60]], (5, 20, 30, 60)),
        ([10, 20, 30, 20, 30, 40, 10, 40], (10, 20, 30, 40)),
        ([[10, 20], [30, 20], [30, 40], [10, 40]], (10, 20, 30, 40)),
        ([[[10, 20, 30, 40]]], (10, 20, 30, 40)),
        ([10, 20, 30], None),
        ([], None),
        ("here", None),
        (None, None),
    ],
)
def test_evidence_however_it_is_nested(written, bounds):
    assert evidence_of(written) == bounds


def test_a_phrase_answers_for_boxes_without_a_class():
    boxes = [box_of([0, 0, 10, 10]), box_of([20, 20, 200, 200], label="ship")]
    item = grounding("k", "a.png", "the ships", boxes, groups={"category": "ship"})
    assert item.truth.labels == ("the ships", "ship")
    assert item.groups == {"category": "ship", "size": "small"}
