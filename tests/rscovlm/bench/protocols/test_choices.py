"""Multiple choice under the protocols of XLRS-Bench, OmniEarth-Bench and MME-RealWorld."""

import math

import pytest

from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.choices import lettered, open_letter, right_letters
from tests.rscovlm.bench.rows import row, summed

COLOURS = ("red", "green", "blue", "grey", "The image does not feature the car")


def choice(reply, gold, options=COLOURS, **fields):
    return row(reply, gold, "choice", options=options, **fields)


def scores(benchmark, reply, gold, **fields):
    protocols = PROTOCOLS[benchmark].values()
    return tuple(protocol.judge(choice(reply, gold, **fields)).score for protocol in protocols)


@pytest.mark.parametrize(
    ("reply", "mme", "xlrs", "contained", "strict"),
    [
        ("B", 1, 1, 1, 1),
        ("(B)", 1, 1, 1, 1),
        ("The answer is B", 1, 1, 1, 1),
        ("Answer: B", 0, 0, 1, 1),
        ("B. green", 1, 0, 1, 1),
        ("Because the car is green, B", 1, 0, 1, 1),
        ("b", 1, 0, 1, 1),
        ("", 0, 0, 0, 0),
        ("<think>A or B?</think>B", 0, 0, 1, 1),
    ],
)
def test_the_table_of_one_letter(reply, mme, xlrs, contained, strict):
    assert scores("mme-realworld-rs", reply, "B") == (mme, contained, strict)
    assert scores("xlrs-bench-lite", reply, "B") == (xlrs, contained, strict)
    assert scores("omniearth-bench", reply, "B") == (xlrs, contained, strict)
    assert scores("xlrs-bench", reply, "B") == (xlrs, contained, strict)


def test_nothing_said_is_the_first_option_to_mme():
    assert scores("mme-realworld-rs", "", "A") == (1, 0, 0)
    assert scores("mme-realworld-rs", "The answer is B", "A") == (0, 1, 0)


@pytest.mark.parametrize(
    ("reply", "official", "strict"),
    [("A C", 1, 1), ("A, C", 1, 1), ("AC", 1, 1), ("A", 0, 0), ("A and C", 0, 1), ("A B C", 0, 0)],
)
@pytest.mark.parametrize("gold", [("A", "C"), ("AC",)])
def test_several_letters_are_right_together(reply, official, strict, gold):
    official_score, _, strict_score = scores("xlrs-bench-lite", reply, gold, extra={"several": True})
    assert (official_score, strict_score) == (official, strict)


def test_rates_of_letters():
    rows = [
        choice("E", "B"),
        choice("A B", "B"),
        choice("I cannot see the image.", "B"),
        choice("xyz", "B"),
        choice("A C", ("A", "C")),
    ]
    metrics = summed(PROTOCOLS["mme-realworld-rs"]["strict"], rows).metrics
    assert metrics["micro"] == 1 / 5
    assert metrics["choice_e"] == 1 / 5
    assert metrics["abstain"] == 1 / 5  # the image does not feature it
    assert metrics["multi_letter"] == 1 / 5  # where one is right
    assert (metrics["refusal"], metrics["parse_fail"]) == (1 / 5, 1 / 5)


def test_the_option_that_leaves_the_question_open():
    assert open_letter(choice("", "A").item) == "E"
    assert open_letter(choice("", "A", ("red", "Unable to decide")).item) == "B"
    assert open_letter(choice("", "A", ("red", "blue"), extra={"unable": "B"}).item) == "B"
    assert open_letter(choice("", "A", ("red", "blue")).item) is None


def test_averages_of_the_authors():
    def asked(by, value, right):
        return choice("B" if right else "A", "B", groups={by: value})

    def results(by):
        return [*(asked(by, "x", True) for _ in range(3)), asked(by, "y", False)]

    mme = summed(PROTOCOLS["mme-realworld-rs"]["official"], results("category"))
    assert (mme.headline, mme.metrics["micro"], mme.metrics["macro"]) == ("micro", 3 / 4, 1 / 2)
    assert math.isnan(mme.groups["category", "position"]["micro"])
    lite = summed(PROTOCOLS["xlrs-bench-lite"]["official"], results("subtask"))
    assert (lite.headline, lite.metrics["macro"]) == ("macro", 1 / 2)
    full = summed(PROTOCOLS["xlrs-bench"]["official"], results("subtask"))
    assert (full.headline, full.metrics["micro"]) == ("micro", 3 / 4)
    omni = summed(PROTOCOLS["omniearth-bench"]["official"], results("sphere"))
    assert (omni.headline, omni.metrics["micro"], omni.metrics["macro"]) == ("micro", 3 / 4, 1 / 2)


def test_options_and_letters_as_published():
    assert lettered(choice("", "A", ("red", "blue")).item) == ["(A) red", "(B) blue"]
    assert lettered(choice("", "A", ("(A) red", "(B) blue")).item) == ["(A) red", "(B) blue"]
    assert right_letters(choice("", ("a", "C")).item) == {"A", "C"}
