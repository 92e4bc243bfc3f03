"""ROUGE-L against arithmetic in sight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.sentences import rouge_l

WORDS = st.lists(st.sampled_from(["red", "blue", "car", "roof"]), min_size=1, max_size=8).map(" ".join)


def test_precision_and_recall_of_the_longest_common_subsequence():
    # common: "two planes stand" = 3 of 4 words said, 3 of 6 words right
    p, r, b = 3 / 4, 3 / 6, 1.2**2
    expected = (1 + b) * p * r / (r + b * p)
    assert rouge_l("two planes stand idle", "two white planes stand near hangars") == pytest.approx(expected)


def test_order_counts():
    assert rouge_l("car red", "red car") == pytest.approx(0.5)


def test_nothing_said_is_nothing_right():
    assert rouge_l("", "red car") == rouge_l("red car", "") == 0.0


@given(first=WORDS, second=WORDS)
def test_it_is_one_for_the_same_words_alone(first, second):
    assert 0 <= rouge_l(first, second) <= 1
    assert (rouge_l(first, second) == pytest.approx(1)) == (first == second)
