"""When two answers are the same, and which number, class or letter an answer states."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rscovlm.scoring.answers import (
    chosen_letter,
    count_in,
    named_class,
    normalised_answer,
    normalised_words,
    number_in,
    same_answer,
    yes_or_no,
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # case, white space, punctuation
        ("Red.", "red"),
        (" two  planes", "Two planes"),
        ('"red"', "red"),
        ("ground-track-field", "ground track_field"),
        # articles and what opens a sentence
        ("a ship", "ship"),
        ("The harbour", "harbour"),
        ("It's red.", "red"),
        ("There are 3 ships", "3 ships"),
        # singular and plural
        ("The ship", "ships"),
        ("buses", "bus"),
        ("houses", "house"),
        ("ferries", "ferry"),
        ("grasses", "grass"),
        ("boxes", "box"),
        # spellings
        ("grey", "gray"),
        ("light grey", "light gray"),
        ("harbors", "harbour"),
        ("aeroplanes", "plane"),
        ("round", "circular"),
        # numbers
        ("two", "2"),
        ("2 planes", "two planes"),
        ("twenty-one", "21"),
        ("a hundred", "100"),
        ("two hundred and five", "205"),
        ("3 hundred", "300"),
        ("1.5 million", "1500000"),
        ("1,200", "1200"),
        ("2.50", "2.5"),
        ("3.0", "3"),
        (".5", "0.5"),
        ("minus 3", "-3"),
        ("\u22123", "-3"),
        ("-0", "0"),
        ("none", "zero"),
        # units
        ("3.5 m", "3.5m"),
        ("3.5 m", "3.5 metres"),
        ("25 m²", "25 m2"),
        ("50%", "50 percent"),
        # yes and no
        ("Yes.", "true"),
        ("False", "no"),
        ("Yes, it is.", "yes"),
        # letters are no articles where nothing else is said
        ("A", "a."),
    ],
)
def test_the_same_answer_in_other_words(first, second):
    assert same_answer(first, second)
    assert same_answer(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("...", "..."),
        ("", "A"),
        ("", "none"),
        ("the", "a"),
        ("red", "white"),
        ("yes", "no"),
        ("no", "none"),
        ("2", "12"),
        ("13", "3"),
        ("1.5", "15"),
        ("1.5", "1 5"),
        ("35 m", "3.5 m"),
        ("3.5 m", "3.5"),
        ("3 m", "3 km"),
        ("-3", "3"),
        ("50%", "50"),
        (">5", "5"),
        ("2 planes", "2 ships"),
        ("3-4", "34"),
        ("2nd", "2"),
        ("Boeing 737", "Boeing 747"),
        ("hundreds of ships", "100 of ships"),
        ("ship", "shop"),
    ],
)
def test_another_answer(first, second):
    assert not same_answer(first, second)
    assert not same_answer(second, first)


WORDS = (
    "a the ships its bus houses none minus negative and hundred hundreds thousand million twenty one five "
    "ones tens -3 - 3 0 -0 3.50 1,200 .5 > m ms metres % 50% grey circles true nones this yes no A 2nd ' it's"
)
words = st.sampled_from(WORDS.split(" "))
texts = st.text(max_size=30) | st.lists(words, max_size=8).map(" ".join)


@given(texts)
@example("minus minus 0")
@example("5 thousand thousand")
@example("hundred hundred hundred")
def test_normalising_twice_changes_nothing(text):
    once = normalised_answer(text)
    assert normalised_answer(once) == once


@given(texts)
def test_an_answer_that_says_something_is_the_same_as_itself(text):
    assert same_answer(text, text) is bool(normalised_answer(text))
    if any(character.isalnum() for character in text):
        assert same_answer(text, text)


@given(texts, texts, texts)
def test_being_the_same_is_symmetric_and_carries_over(first, second, third):
    assert same_answer(first, second) is same_answer(second, first)
    if same_answer(first, second) and same_answer(second, third):
        assert same_answer(first, third)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_whole_numbers_are_the_same_only_if_equal(first, second):
    assert same_answer(str(first), f"{second:,}") is (first == second)
    assert number_in(f"there are {first:,} m") == first


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 1000, places=3))
def test_decimals_are_the_same_only_if_equal(first, second):
    assert same_answer(f"{first}", f"{second:.5f}") is (first == second)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("four", 4),
        ("4 ships", 4),
        ("There are 2 planes.", 2),
        ("2 (two)", 2),
        ("none", 0),
        ("-1.5 m", -1.5),
        ("12,500 m2", 12500),
        ("2 or 3", None),
        (">5", None),
        ("many", None),
        ("Boeing737", None),
        ("", None),
    ],
)
def test_a_number_is_read_where_there_is_exactly_one(text, number):
    assert number_in(text) == number


def test_a_count_is_whole_and_not_negative():
    assert [count_in(text) for text in ("four", "3.0", "2.5", "-2", "many")] == [4, 3, None, None, None]


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("forest", "forest"),
        ("Forest.", "forest"),
        ("This is a forest", "forest"),
        ("forests", "forest"),
        ("small-vehicle", "small vehicle"),
        ("a small vehicle", "small vehicle"),
        ("a vehicle", "vehicle"),
        ("an airplane", "plane"),
        ("forest or vehicle", None),
        ("small vehicle and vehicle", None),
        ("afforestation", None),
        ("", None),
    ],
)
def test_a_reply_names_one_class_or_none(reply, label):
    assert named_class(reply, ("forest", "vehicle", "small vehicle", "plane")) == label


def test_classes_that_differ_in_spelling_only_are_told_apart_by_it():
    classes = ("airplane", "Plane", "the ship")
    assert named_class("airplane", classes) == "airplane"
    assert named_class("It is a plane.", classes) == "Plane"
    assert named_class("aircraft", classes) is None
    assert named_class("ships", classes) == "the ship"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        ("b.", "B"),
        ("(B)", "B"),
        ("B. white", "B"),
        ("B) white", "B"),
        ("B because it is bright", "B"),
        ("A: red", "A"),
        ("The answer is B.", "B"),
        ("The answer is B because it is bright", "B"),
        ("Answer: **C**", "C"),
        ("I choose option C", "C"),
        ("It must be (D)", "D"),
        ("white", "B"),
        ("The ship is white.", "B"),
        ("A blue ship", "D"),
        ("The answer is a red one", "A"),
        ("red or blue", None),
        ("Option A or option B", None),
        ("E", None),
        ("", None),
    ],
)
def test_a_reply_chooses_one_option_or_none(reply, letter):
    assert chosen_letter(reply, ("red", "white", "grey", "blue")) == letter


def test_letters_are_read_without_the_options_too():
    assert chosen_letter("The answer is E.") == "E"
    assert chosen_letter("red") is None


def test_all_words_of_a_question_count_whatever_its_punctuation():
    assert normalised_words("What colour is it?") != normalised_words("What shape is it?")
    assert normalised_words("Is it GREY?") == normalised_words("is it gray")
    assert normalised_words("the ships") == "the ships"


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ("DenseResidential", "dense residential"),
        ("denseresidential.", "dense residential"),
        ("dense-residential", "dense residential"),
        ("a denseresidential area", None),
        ("...", None),
    ],
)
def test_a_whole_reply_may_write_the_words_of_a_class_as_one(reply, named):
    assert named_class(reply, ("dense residential", "sparse residential")) == named
    assert named_class("denseresidential", ("dense residential", "denseresidential")) == "denseresidential"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Yes, two of them", "yes"),
        ("True", "yes"),
        ("no", "no"),
        ("There are no ships.", "no"),
        ("It is.", None),
        ("none", None),
        ("No, or yes", None),
        ("noon", None),
        ("", None),
    ],
)
def test_an_answer_may_begin_with_yes_or_no(text, says):
    assert yes_or_no(text) == says


def test_a_number_beyond_all_floats_is_none():
    assert number_in("1" * 400) is None
    assert count_in("1" * 400) is None
    assert number_in("1" * 300) == float("1" * 300)
