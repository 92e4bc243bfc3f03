"""Letters that a reply states: by our grammar, and as public scorers read them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.choices import bare_options, chosen_letters, holds_letter, mme_letter, xlrs_letters

COLOURS = ("(A) red", "(B) green", "(C) blue", "(D) grey")

TABLE = [
    # reply, MME, XLRS and OmniEarth, RSCoVLM if gold is B, if gold is A, ours
    ("B", "B", "B", True, False, "B"),
    ("(B)", "B", "B", True, False, "B"),
    ("The answer is B", "B", "B", True, True, "B"),
    ("Answer: B", "A", "ABE", True, True, "B"),
    ("B. green", "B", "BE", True, False, "B"),
    ("Because the car is green, B", "B", "ABCE", True, True, "B"),
    ("b", "B", "", True, False, "B"),  # the first option whose text has a "b" in it: (B)
    ("", "A", "", False, False, ""),
    # what two missing commas do
    ("Best answer: D", "B", "ABDE", True, True, "D"),
    ("The best option is D", "D", "BDE", True, False, "D"),
    ("The correct option is D", "D", "CDE", False, False, "D"),
    ("Best option: D", "B", "BDE", True, False, "D"),
    # several letters
    ("A C", "A", "AC", False, True, "AC"),
    ("A, C", "A", "AC", False, True, "AC"),
    ("AC", "A", "AC", False, True, "AC"),
    ("A and C", "A", "ACD", False, True, "AC"),
    ("The answers are A and C.", "A", "ACDE", False, True, "AC"),
    ("(A) red\n(C) blue", "A", "AC", True, True, "AC"),
    ("A or B", "A", "AB", True, True, ""),
    (r"\boxed{B}", "B", "BDE", True, False, "B"),
    ("green", "B", "", False, False, "B"),
    ("I cannot tell.", None, "", False, True, ""),
]


@pytest.mark.parametrize(("reply", "mme", "xlrs", "holds_b", "holds_a", "ours"), TABLE)
def test_five_readings_of_one_reply(reply, mme, xlrs, holds_b, holds_a, ours):
    assert mme_letter(reply, COLOURS) == mme
    assert xlrs_letters(reply) == set(xlrs)
    assert (holds_letter(reply, "B"), holds_letter(reply, "A")) == (holds_b, holds_a)
    assert chosen_letters(reply, COLOURS) == set(ours)


@pytest.mark.parametrize(
    ("reply", "letters"),
    [
        ("A & C", "AC"),
        ("(A) (C)", "AC"),
        ("**A, C**", "AC"),
        ("Answers: A, C", "AC"),
        ("I see roofs. Answer: A, C", "AC"),
        ("Options A and C", "AC"),
        ("- A. red roofs\n- C. water", "AC"),
        (r"So \boxed{\text{A, C}}", "AC"),
        ("A E", ""),  # there are four options
        ("BE", ""),
        ("AA", ""),
        ("a tree", ""),
        ("red", "A"),
        ("red and blue", ""),
    ],
)
def test_our_grammar_of_several_letters(reply, letters):
    assert chosen_letters(reply, COLOURS) == set(letters)


def test_the_first_option_that_holds_a_short_reply_is_meant_by_mme():
    assert mme_letter("blue", COLOURS) == "C"
    assert mme_letter("e", COLOURS) == "A"  # "(a) red" holds it
    assert mme_letter("one two three four five six seven eight nine ten eleven", COLOURS) is None


def test_options_lose_letters_only_where_all_have_their_own():
    assert bare_options(COLOURS) == ("red", "green", "blue", "grey")
    assert bare_options(("A. red", "B) green")) == ("red", "green")
    assert bare_options(("red", "(B) green")) == ("red", "(B) green")
    assert bare_options(("(B) red", "(A) green")) == ("(B) red", "(A) green")
    assert bare_options(()) == ()


@given(st.text(max_size=60), st.sampled_from([(), COLOURS]))
def test_any_text_is_read_to_letters_there_are(reply, options):
    assert chosen_letters(reply, options) <= set("ABCD" if options else "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert xlrs_letters(reply) <= set("ABCDE")
    assert mme_letter(reply, COLOURS) in {None, *"ABCDE"}


@given(st.sets(st.sampled_from("ABCD"), min_size=2), st.sampled_from([" ", ", ", " and ", "; ", ""]))
def test_a_list_of_letters_is_read_back(letters, between):
    assert chosen_letters(between.join(sorted(letters)), COLOURS) == letters


@pytest.mark.parametrize(
    "text",
    [
        "A" + " " * 20_000 + "?",
        "A and " * 5_000 + "x",
        r"\boxed{ " + " " * 20_000,
        "answer: A" + "\n" * 20_000 + "x",
        "answer A " * 5_000,
        "A, " * 10_000 + "x",
    ],
    ids=["spaces", "and", "boxed", "lines", "answers", "commas"],
)
def test_long_replies_are_read_in_linear_time(text):
    # some patterns would take minutes where they may split a run of separators in many ways
    started = time.perf_counter()
    assert chosen_letters(text, COLOURS) <= set("ABCD")
    assert time.perf_counter() - started < 5
