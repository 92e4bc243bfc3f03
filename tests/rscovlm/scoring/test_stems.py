"""Porter's stemmer: examples of his paper, and where NLTK's differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.stems import stem

PAPER = [  # by steps of the algorithm, each carried through all of them
    *(("caresses", "caress"), ("ponies", "poni"), ("cats", "cat"), ("caress", "caress")),
    *(("feed", "feed"), ("agreed", "agre"), ("plastered", "plaster"), ("bled", "bled"), ("sing", "sing")),
    *(("conflated", "conflat"), ("troubled", "troubl"), ("sized", "size"), ("hopping", "hop")),
    *(("falling", "fall"), ("hissing", "hiss"), ("failing", "fail"), ("filing", "file")),
    *(("happy", "happi"), ("relational", "relat"), ("conditional", "condit"), ("rational", "ration")),
    *(("digitizer", "digit"), ("conformably", "conform"), ("radically", "radic"), ("vilely", "vile")),
    *(("operator", "oper"), ("callousness", "callous"), ("sensibility", "sensibl")),
    *(("triplicate", "triplic"), ("formative", "form"), ("electrical", "electr"), ("goodness", "good")),
    *(("revival", "reviv"), ("replacement", "replac"), ("adoption", "adopt"), ("homologous", "homolog")),
    *(
        ("probate", "probat"),
        ("rate", "rate"),
        ("cease", "ceas"),
        ("controlling", "control"),
        ("roll", "roll"),
    ),
]
NLTK = [
    ("dies", "die"),
    ("died", "die"),
    ("enjoy", "enjoy"),
    ("skies", "sky"),
    ("geology", "geolog"),
    ("as", "as"),
]
SCENES = [("buildings", "build"), ("residential", "residenti"), ("densely", "dens"), ("roads", "road")]


@pytest.mark.parametrize(("word", "stemmed"), PAPER + NLTK + SCENES)
def test_endings_are_taken_off_step_by_step(word, stemmed):
    assert stem(word) == stemmed


@given(st.text("abcdefghilmnoprstuvyz", max_size=12))
def test_any_word_has_a_stem_that_is_no_longer(word):
    assert len(stem(word)) <= len(word)
    assert stem(word)[:1] == word[:1]
