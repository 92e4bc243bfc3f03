"""Repetitions, contradictions, frequent answers, and the report."""

from collections import Counter
from dataclasses import replace

import pytest

from rscovlm.data.zoom.balance import BalanceRules, balance, cap_for, report, table
from tests.rscovlm.data.zoom.hand_made import item
from tiling.view import Window


def kept(items, **rules):
    return balance(items, BalanceRules(**rules), seed=0)


def test_two_answers_to_one_question_drop_both():
    other = item("What shape is it?", "round")
    result = kept([item(), other, item("what colour is it", "white")])
    assert result.items == [other]
    assert result.left_out == {"contradicts another answer": 2}


def test_paraphrases_about_the_same_evidence_are_one_question():
    near = Window(101, 100, 40, 20)
    again = [item(), item(), item("Which color?", evidence=near), item("Which color?", number=1)]
    result = kept(again)
    assert [(left.image, left.text) for left in result.items] == [
        ("i0", "What color is it?"),
        ("i1", "Which color?"),
    ]
    assert result.left_out == {"repeats another question": 2}


def test_a_question_and_its_choice_are_no_repetition():
    assert len(kept([item(), item(options=("red", "blue"), answer="A", way="choice")]).items) == 2


@pytest.mark.parametrize(
    ("counts", "share", "cap"), [([10, 2, 2], 0.5, 4), ([5, 5], 0.5, 5), ([9, 1], 0.5, 1), ([7], 0.4, 7)]
)
def test_a_cap_leaves_no_answer_above_its_share(counts, share, cap):
    assert cap_for(counts, share) == cap


def test_frequent_answers_are_cut_and_yes_and_no_come_out_even():
    colors = [item(f"What color is {n}?", "red", number=n) for n in range(30)]
    colors += [item(f"What color is {n}?", color, number=n) for n, color in enumerate(["blue", "white"] * 5)]
    colors = [replace(entry, image=f"{n}") for n, entry in enumerate(colors)]
    polar = [item(f"Is {n} red?", "yes" if n < 9 else "no", number=n) for n in range(12)]
    counts = Counter(entry.answer for entry in kept([*colors, *polar], max_answer_share=0.5).items)
    assert counts == {"red": 10, "blue": 5, "white": 5, "yes": 3, "no": 3}


def test_few_questions_stay_whose_answer_follows_from_the_class():
    tanks = [item(f"Shape {n}?", "round", "object shape", n, about="storage tank") for n in range(9)]
    result = kept(tanks)
    assert len(result.items) == 3
    assert result.left_out == {"answer follows from the class": 6}


def test_the_report_counts_everything_and_reads_as_a_table():
    items = [
        item(),
        item("Is it red?", "yes"),
        item(number=1, options=("red", "blue"), answer="A", way="choice"),
    ]
    areas, splits = {"i0": 80_000.0, "i1": 1e6}, {"i0": "train", "i1": "held_out"}
    found = report(items, areas, splits, {"balance": Counter({"repeats another question": 2})})
    assert (found["samples"], found["way"], found["letters"]) == (3, {"templates": 2, "choice": 1}, {"A": 1})
    assert found["category"]["object color"] == {"samples": 3, "answers": {"red": 2, "yes": 1}}
    # 800 of 80,000 px is a hundredth; 800 of a million less than a thousandth.
    assert found["evidence_share"] == {"< 1/1000": 1, "< 1/100": 0, "< 1/20": 2, ">= 1/20": 0}
    assert "split: train 2, held_out 1" in table(found)
    assert "left out, balance: repeats another question 2" in table(found)
