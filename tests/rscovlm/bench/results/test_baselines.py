"""Baselines: the prior of the answers and blind guesses, judged like any reply."""

import numpy as np
import pytest

from rscovlm.bench.item import Truth
from rscovlm.bench.results.baselines import baselines, guessed, most_frequent
from rscovlm.bench.row import Found, TileRow
from tests.rscovlm.bench.made import STRICT, VIEW, item, row


def rows_of(*items):
    return [row(each, "anything", error="even failed ones") for each in items]


def test_the_most_frequent_answer_is_that_of_the_category():
    rows = rows_of(
        item("a", "yes", category="presence"),
        item("b", "yes", category="presence"),
        item("c", "no", category="presence"),
        item("d", "red", category="colour"),
    )
    assert [each.text for each in most_frequent(rows)] == ["yes", "yes", "yes", "red"]
    prior, _ = baselines(rows, STRICT, "set")
    assert prior.micro.value == pytest.approx(3 / 4)
    assert prior.baseline


def test_a_letter_is_guessed_among_the_options_and_a_class_among_the_classes():
    rows = rows_of(
        *(item(f"c{i}", "A", kind="choice", options=("x", "y", "z", "w")) for i in range(40)),
        *(item(f"k{i}", "sea", kind="classify", options=("sea", "sand")) for i in range(40)),
    )
    _, chance = baselines(rows, STRICT, "set")
    assert chance.kinds["choice"].value == pytest.approx(1 / 4, abs=0.06)
    assert chance.kinds["classify"].value == pytest.approx(1 / 2, abs=0.06)
    assert chance.n == 80


def test_open_guesses_come_from_the_right_answers():
    rows = rows_of(*(item(str(i), "yes" if i % 4 else "no") for i in range(40)))
    assert {each.text for each in guessed(rows)} <= {"yes", "no"}
    _, chance = baselines(rows, STRICT, "set")
    assert chance.micro.value == pytest.approx(0.75**2 + 0.25**2, abs=0.08)
    assert np.isnan(chance.micro.low)


def test_several_letters_are_guessed_as_several():
    both = item("a", kind="choice", options=("x", "y", "z"), truth=Truth(("A", "C")))
    assert most_frequent(rows_of(both))[0].text == "A C"
    assert len(guessed(rows_of(both))[0].text.split()) == 2


def test_boxes_that_a_model_found_are_none_of_a_guess():
    square = np.array([[(0, 0), (9, 0), (9, 9), (0, 9)]], dtype=float)
    ship = item("a", kind="detect", truth=Truth(polygons=square, labels=("ship",)), options=("ship",))
    tile = TileRow(VIEW, "ship ...", "stop")
    found = [row(ship, "", tiles=(tile,), found=Found(square, ("ship",)), contract="nano")]
    assert STRICT.judge(found[0]).score == 1
    for guess in (*most_frequent(found), *guessed(found)):
        assert (guess.tiles, guess.found) == ((), None)
        assert STRICT.judge(guess).score == 0


def test_boxes_and_captions_cannot_be_guessed_in_words():
    rows = rows_of(item("a", "a ship", kind="caption"))
    assert [each.text for each in (*most_frequent(rows), *guessed(rows))] == ["", ""]
