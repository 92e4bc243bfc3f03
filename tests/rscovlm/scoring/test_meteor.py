"""METEOR against arithmetic in sight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.meteor import alignment, meteor

WORDS = st.lists(st.sampled_from(["red", "cars", "car", "harbor", "on", "roof"]), min_size=1, max_size=8)


def test_a_caption_that_is_its_reference_is_one_fragment():
    # P = R = 1; one fragment of 4 words: 1 - 0.5 * (1 / 4)^3
    assert meteor("Two planes stand idle.", ["two planes stand idle"]) == pytest.approx(1 - 0.5 / 64)


def test_recall_counts_nine_times_as_much_as_precision():
    # 2 of 4 words said, 2 of 2 right: PR / (0.9 P + 0.1 R) = 0.5 / 0.55; one fragment of 2: 1 - 0.5 / 8
    assert meteor("two planes stand idle", ["two planes"]) == pytest.approx(0.5 / 0.55 * (1 - 0.5 / 8))
    # 2 of 2 said, 2 of 4 right: 0.5 / (0.9 + 0.05)
    assert meteor("two planes", ["two planes stand idle"]) == pytest.approx(0.5 / 0.95 * (1 - 0.5 / 8))


def test_fragments_cost_by_their_share_of_the_aligned_words():
    # all 4 words, in 2 fragments ("stand idle", "two planes"): 1 - 0.5 * (2 / 4)^3
    assert meteor("stand idle two planes", ["two planes stand idle"]) == pytest.approx(1 - 0.5 / 8)
    # nothing follows: the penalty is at its largest
    assert meteor("idle stand planes two", ["two planes stand idle"]) == pytest.approx(0.5)


def test_words_are_the_same_by_stem_and_by_synset():
    # "planes" by the stem, "grey" by a synset of "gray": 2 of 3 said, 2 of 2 right, one fragment
    mean = (2 / 3) / (0.9 * 2 / 3 + 0.1)
    assert meteor("gray plane parked", ["grey planes"]) == pytest.approx(mean * (1 - 0.5 / 8))
    # an inflected word is looked up by its base, where NLTK looks up the stem "airplan"
    assert meteor("airplanes", ["planes"]) == pytest.approx(0.5)
    assert meteor("port", ["harbor"]) == 0  # no common synset


def test_the_same_word_comes_before_the_same_stem():
    # the stem alone would pair the last "car" with "cars"
    assert alignment(["cars", "car"], ["car", "cars"]) == [(0, 1), (1, 0)]
    assert alignment(["car", "car"], ["the", "car"]) == [(1, 1)]  # each word once


def test_the_best_reference_counts():
    assert meteor("two planes", ["a harbor", "two planes"]) == pytest.approx(1 - 0.5 / 8)
    assert meteor("two planes", []) == meteor("", ["two planes"]) == meteor("two planes", [""]) == 0


@given(WORDS, WORDS)
def test_an_alignment_pairs_each_word_at_most_once(words, other):
    pairs = alignment(words, other)
    assert len({place for place, _ in pairs}) == len({place for _, place in pairs}) == len(pairs)
    assert 0 <= meteor(" ".join(words), [" ".join(other)]) < 1
    left = {word for place, word in enumerate(words) if place not in {one for one, _ in pairs}}
    assert left.isdisjoint(word for place, word in enumerate(other) if place not in {two for _, two in pairs})
