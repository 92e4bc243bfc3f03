"""BLEU, ROUGE-L and CIDEr-D against arithmetic in sight."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.captions import Cider, bleu, caption_words, cider, rouge_l

WORDS = st.lists(st.sampled_from(["red", "blue", "car", "roof"]), min_size=1, max_size=8).map(" ".join)


def test_words_are_in_lower_case_without_punctuation():
    assert caption_words("Two 4-storey blocks, it's A (large) one.") == [
        *("two", "4-storey", "blocks", "it's", "a", "large", "one")
    ]


def test_bleu_clips_and_takes_the_brevity_of_the_closest_reference():
    # the example of the paper: seven times "the" against references with two of them
    clipped = bleu(["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]])
    assert clipped == (pytest.approx(2 / 7), 0, 0, 0)
    # 3 words against 4: 3/3, 2/2, 1/1 n-grams, penalty exp(1 - 4/3); no 4-grams at all
    short = bleu(["two planes stand"], [["two planes stand idle"]])
    assert short == (*[pytest.approx(math.exp(-1 / 3))] * 3, 0)
    # 5 words: 4/5 and 2/4 are common ("two planes", "planes stand"), 1/3 ("two planes stand")
    mixed = bleu(["two planes stand on grass"], [["two planes stand near grass"]])
    assert mixed[0] == pytest.approx(4 / 5)
    assert mixed[1] == pytest.approx(math.sqrt(4 / 5 * 2 / 4))
    assert mixed[2] == pytest.approx((4 / 5 * 2 / 4 * 1 / 3) ** (1 / 3))
    assert mixed[3] == 0


def test_bleu_is_of_the_whole_set():
    # 1 of 1 and 1 of 3 words: 2/4, not the mean of 1 and 1/3
    assert bleu(["car", "red blue roof"], [["car"], ["red car car"]])[0] == pytest.approx(2 / 4)


def test_rouge_l_takes_the_best_precision_and_recall():
    # common 3 of 4 words said, 3 of 6 right; the other reference: 1 of 4, 1 of 1
    p, r, b = 3 / 4, 1.0, 1.2**2
    references = ["two white planes stand near hangars", "idle"]
    assert rouge_l("two planes stand idle", references) == pytest.approx((1 + b) * p * r / (r + b * p))
    assert rouge_l("car red", ["red car"]) == pytest.approx(0.5)
    assert rouge_l("", ["red car"]) == rouge_l("red", [""]) == rouge_l("red", []) == 0


def test_cider_weighs_words_by_how_few_images_have_them():
    references = [["red car"], ["red roof"]]
    weights = Cider.of(references)
    # "red" is in both images: log 1 = 0. "car" and "red car" in one: log 2. No 3- and 4-grams: 2 of 4 orders.
    assert weights.score("red car", ["red car"]) == pytest.approx(10 * 2 / 4)
    assert weights.score("red", ["red car"]) == 0
    # "blue car" shares "car" of its 1-grams, of weights log 2 each ("blue" is in no image: log 2 / 1)
    assert weights.score("blue car", ["red car"]) == pytest.approx(10 * (1 / math.sqrt(2)) / 4)


def test_cider_clips_repetition_and_punishes_length():
    weights = Cider.of([["red car"], ["red roof"]])
    # 1-grams: (3 log 2) clipped to log 2: log2^2 / (3 log 2 * log 2) = 1/3; one word more than the reference
    assert weights.score("car car car", ["red car"]) == pytest.approx(10 / 4 / 3 * math.exp(-1 / 72))


def test_cider_of_a_set_is_the_mean():
    assert cider(["red car", "red"], [["red car"], ["red roof"]]) == pytest.approx((5 + 0) / 2)
    assert math.isnan(cider([], []))
    assert all(math.isnan(value) for value in bleu([], []))


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_captions_that_are_their_references_score_highest(captions):
    references = [[caption] for caption in captions]
    assert bleu(captions, references)[0] == pytest.approx(1)
    assert all(rouge_l(caption, [caption]) == pytest.approx(1) for caption in captions)
    assert 0 <= cider(captions, references) <= 10 + 1e-9


def test_each_caption_needs_its_references():
    with pytest.raises(ValueError):
        bleu(["red"], [])
