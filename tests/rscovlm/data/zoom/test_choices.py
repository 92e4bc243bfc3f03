"""Multiple choice from open questions."""

from collections import Counter

import pytest

from rscovlm.data.zoom.choices import Vocabulary, choice_of, letters_of
from tests.rscovlm.data.zoom.hand_made import image, item, thing


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


def test_a_count_in_words_becomes_a_number_among_numbers():
    choice = choice_of(item("How many?", "two", "count"), paints(), 0)
    assert choice.meant == "2"
    assert all(option.isdecimal() for option in choice.options)
    assert choice.notes == {"made_from": "templates"}


def test_a_choice_is_not_made_of_a_choice():
    choice = choice_of(item(), paints("red", "white"), 0)
    assert choice_of(choice, paints("red", "white"), 0) is None


def test_letters_are_counted_of_choices_alone():
    made = [item(options=("a", "b"), answer=letter, way="choice", number=n) for n, letter in enumerate("ABB")]
    assert letters_of([*made, item(answer="A")]) == {"A": 1, "B": 2}


def test_options_are_put_in_the_words_asked_for():
    choice = choice_of(item(), paints("red", "white"), 0, "mme-realworld")
    assert choice.prompt.endswith("of the correct option.\nThe best answer is:")
    assert choice.answer == choice_of(item(), paints("red", "white"), 0).answer
