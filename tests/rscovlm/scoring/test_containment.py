"""Answers that hold one another, as public scorers decide."""

import pytest

from rscovlm.scoring.containment import (
    BINS,
    either_holds,
    gold_holds_joined,
    holds_gold,
    identical,
    norm,
    rsvqa_bin,
    same_letters,
    starts_gold,
    vrsbench_rule,
)


def test_the_normal_form_loses_case_white_space_and_full_stops():
    assert norm(" The Ship.. ") == "the ship"
    assert norm("Beach. ") == "beach"
    assert identical(" Beach.", "beach")
    assert not identical("a beach", "beach")


@pytest.mark.parametrize(
    ("gold", "reply", "vhm", "geochat", "rsek", "starts"),
    [
        ("airport", "", True, False, True, True),
        ("airport", "a", True, False, True, True),
        ("airport", "port", True, False, True, False),
        ("beach", "airport,beach,forest", True, True, False, False),
        ("beach", "Beach.", True, True, False, True),
        ("dense residential", "denseresidential", False, False, True, False),
        ("no", "none", True, True, False, False),
        ("no", "nothing of note", True, True, False, False),
        ("1", "11", True, True, False, False),
        ("yes", "no", False, False, False, False),
    ],
)
def test_containment_by_rule(gold, reply, vhm, geochat, rsek, starts):
    assert either_holds(reply, gold) is vhm
    assert holds_gold(reply, gold) is geochat
    assert gold_holds_joined(reply, gold) is rsek
    assert starts_gold(reply, gold) is starts


def test_teochat_compares_classes_without_punctuation():
    assert same_letters("Dense-Residential!", "denseresidential")
    assert not same_letters("dense residential area", "dense residential")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "0"),
        (1, "1-10"),
        (10, "1-10"),
        (11, "11-100"),
        (100, "11-100"),
        (101, "101-1000"),
        (1000, "101-1000"),
        (1001, ">1000"),
        (0.5, "1-10"),
        (10.5, "11-100"),
    ],
)
def test_rsvqa_bins(number, name):
    assert rsvqa_bin(number) == name
    assert name in BINS


@pytest.mark.parametrize(
    ("gold", "reply", "right"),
    [
        ("yes", "Yes, it is", True),
        ("yes", "no", False),
        ("7", "There are 17", True),
        ("7", "six", False),
        ("100", "six", None),
        ("harbor", "a port", None),
        ("harbor", "A harbor.", True),
    ],
)
def test_vrsbench_asks_a_judge_only_about_other_words(gold, reply, right):
    assert vrsbench_rule(reply, gold) is right
