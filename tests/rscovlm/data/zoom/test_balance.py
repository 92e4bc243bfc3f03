"""Choices, repetitions, contradictions, balance, split and report."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rscovlm.data.sample import Sample
from rscovlm.data.zoom.balance import BalanceRules, balance, cap_for, report, table
from rscovlm.data.zoom.build import ZoomPlan, build, split_of, spread
from rscovlm.data.zoom.choices import Vocabulary, choice_of
from rscovlm.data.zoom.items import Item, to_sample
from rscovlm.errors import UsageError
from tests.rscovlm.data.zoom.hand_made import SMALL, harbour, image, thing
from tiling.view import Window

HERE = Window(100, 100, 40, 20)


def item(text="What color is it?", answer="red", category="object color", number=0, **fields):
    """A question of its own image unless the same number is given."""
    return Item(f"i{number}", text, answer, category, fields.pop("evidence", HERE), HERE, **fields)


def kept(items, **rules):
    return balance(items, BalanceRules(**rules), seed=0)


# --- choices -----------------------------------------------------------------------------------------


def paints(*colors):
    return Vocabulary([image(*(thing("ship", 100, 100, color=color) for color in colors))])


def test_options_are_of_one_sort_all_different_and_hold_the_answer_once():
    for number in range(50):
        choice = choice_of(item(number=number), paints("red", "white", "blue", "black", "yellow"), seed=0)
        assert len(choice.options) == len(set(choice.options)) == 4
        assert set(choice.options) <= {"red", "white", "blue", "black", "yellow"}
        assert choice.meant == "red"
        assert choice.options.index("red") == "ABCD".index(choice.answer)


def test_the_right_letter_is_uniform_and_depends_on_seed_and_question_alone():
    words = paints("red", "white", "blue", "black")
    chosen = [choice_of(item(number=number), words, seed=3) for number in range(2000)]
    counts = Counter(choice.answer for choice in chosen)
    # 500 of each expected, with a standard deviation of 19.
    assert all(abs(counts[letter] - 500) < 80 for letter in "ABCD"), counts
    assert chosen[7] == choice_of(item(number=7), words, seed=3)


def test_a_count_takes_every_rank_among_its_options():
    counts = Counter(
        sorted(map(int, choice.options)).index(5)
        for number in range(800)
        if (choice := choice_of(item("How many?", "five", "count", number), paints(), 0))
    )
    assert all(abs(counts[rank] - 200) < 60 for rank in range(4)), counts


def test_distractors_of_a_kind_are_kinds_of_the_same_class():
    ships = [thing("ship", 0, 0, kind=kind) for kind in ("tanker", "ferry", "tug")]
    words = Vocabulary([image(*ships, thing("plane", 0, 0, kind="jet"))])
    choice = choice_of(item("What kind?", "ferry", "object category", about="ship"), words, 0)
    assert set(choice.options) == {"tanker", "ferry", "tug"}


@pytest.mark.parametrize(("answer", "category"), [("yes", "reasoning"), ("calm", "reasoning")])
def test_there_is_no_choice_between_yes_and_no_or_nothing(answer, category):
    assert choice_of(item("Is it?", answer, category), paints("red"), 0) is None


def test_a_prompt_lists_its_options_and_asks_for_the_letter():
    choice = item(options=("blue", "red"), answer="B", way="choice")
    assert choice.prompt == "What color is it?\nA. blue\nB. red\nAnswer with the option's letter."


# --- balance -----------------------------------------------------------------------------------------


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


# --- all together ------------------------------------------------------------------------------------


def test_a_sample_is_question_zoom_crop_and_answer_and_survives_its_file(tmp_path):
    annotated = replace(harbour(), path=tmp_path / "images" / "a.png", gsd_m=0.5)
    sample = to_sample(item(category="count", answer="2"), annotated, tmp_path / "out", "train")
    assert [(turn.role, turn.text) for turn in sample.turns] == [
        ("user", "<image>What color is it?"),
        ("assistant", "<zoom 0>"),
        ("user", "<crop 0>"),
        ("assistant", "2"),
    ]
    assert sample.images[0].path == "../images/a.png"
    assert (sample.images[0].size, sample.gsd_m) == ((1280, 1280), 0.5)
    assert sample.boxes[0].polygon.tolist() == [[100, 100], [140, 100], [140, 120], [100, 120]]
    assert Sample.from_json(json.loads(sample.to_line())) == sample


def test_building_is_a_function_of_the_seed_and_each_image_is_on_one_side():
    scenes = [replace(harbour(), id=f"s{n}") for n in range(12)]
    plan = ZoomPlan(held_out=0.3, seed=5)
    first, again = build(scenes, SMALL, plan), build(scenes, SMALL, plan)
    assert first == again
    assert build(scenes, SMALL, replace(plan, seed=6)).items != first.items
    assert set(first.splits.values()) == {"train", "held_out"}
    split = {name: [s.images for s in first.samples(scenes, Path(), name)] for name in ("train", "held_out")}
    assert sum(map(len, split.values())) == len(first.items)
    assert first.splits == {scene.id: split_of(scene.id, plan) for scene in scenes}


def test_no_more_than_per_image_and_every_category_gets_its_turn():
    many = [item(str(n), category="count") for n in range(9)] + [item(), item("b", category="object shape")]
    few = spread(many, 5, np.random.default_rng(0))
    assert Counter(entry.category for entry in few) == {"count": 3, "object color": 1, "object shape": 1}
    assert len(build([harbour()], SMALL, ZoomPlan(ways=("templates",), per_image=5)).items) <= 5


def test_the_ways_are_checked():
    with pytest.raises(UsageError, match="ways magic are unknown; choose from templates, teacher, choice"):
        ZoomPlan(ways=("magic",))
    with pytest.raises(ValueError, match="needs a teacher"):
        build([harbour()], SMALL, ZoomPlan(ways=("teacher",)))
