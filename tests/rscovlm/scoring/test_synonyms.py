"""Two words are the same to LRS-VQA if they share a WordNet synset."""

from importlib.resources import files

import pytest

from rscovlm.scoring.synonyms import share_synset, synsets

RIGHT = [
    *(("2", "two"), ("11", "eleven"), ("21", "twenty-one"), ("gray", "grey"), ("airplane", "plane")),
    *(("airplane", "airplanes"), ("round", "circular"), ("red", "crimson"), ("parking_lot", "car_park")),
    # false friends, which count as right all the same
    *(("no", "nobelium"), ("in", "indium"), ("i", "one"), ("a", "angstrom"), ("lead", "pb"), ("ten", "x")),
]
WRONG = [
    *(("port", "harbor"), ("car", "vehicle"), ("ship", "boat"), ("farmland", "cropland")),
    *(("rectangular", "rectangle"), ("parking lot", "car park"), ("parking lot", "parking lot")),
    *(("", ""), ("xqzt", "xqzt")),
]


@pytest.mark.parametrize(("first", "second"), RIGHT)
def test_words_of_one_synset_are_the_same(first, second):
    assert share_synset(first, second)
    assert share_synset(second.upper(), first)


@pytest.mark.parametrize(("first", "second"), WRONG)
def test_words_without_a_common_synset_differ(first, second):
    assert not share_synset(first, second)


@pytest.mark.parametrize(
    ("form", "lemma"),
    [
        ("rivers", "river"),  # a rule for nouns
        ("boxes", "box"),
        ("wharves", "wharf"),  # an exception
        ("men", "man"),
        ("flying", "fly"),  # a rule for verbs
        ("largest", "large"),  # for adjectives
        ("farther", "far"),  # an exception of adverbs
    ],
)
def test_endings_are_taken_off_by_rule_or_exception(form, lemma):
    assert share_synset(form, lemma)


def test_rules_apply_once_and_only_to_the_end():
    assert not synsets("riverss")
    assert not synsets("river ")
    assert not synsets("rivers.")


def test_an_irregular_form_is_not_taken_apart_by_rules():
    # "axes" is an exception of the noun (ax, axis); the rule "xes -> x" would give "ax" alone
    assert share_synset("axes", "axis")
    assert share_synset("axes", "ax")


def test_the_licence_of_wordnet_ships_beside_its_words():
    licence = files("rscovlm").joinpath("assets/wordnet/LICENSE").read_text()
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence
    assert "appear on ALL copies" in licence
