"""Probabilities of given answers."""

import numpy as np
import pytest

from tests.zoom_chain.scored import ScoredModel
from zoom_chain.chat import Conversation, Generation
from zoom_chain.scores import NoScores, from_top, probabilities, require_scores, scores_of


def test_a_model_that_says_nothing_of_scores_has_none():
    assert scores_of(object()) == "none"
    assert scores_of(ScoredModel(lambda *_: 0.0)) == "exact"


def test_a_policy_that_needs_scores_refuses_a_model_without_by_name():
    class Mute:
        name = "mute-7b"

    with pytest.raises(NoScores, match="zoom policy tree needs probabilities of answers, which mute-7b"):
        require_scores(Mute(), "tree")
    assert require_scores(ScoredModel(lambda *_: 0.0), "tree") == "exact"


def test_replies_carry_what_choices_were_asked_for():
    model = ScoredModel(lambda _, choice: -float(len(choice)))
    asked = Conversation().say("user", "Is it there?")
    np.testing.assert_array_equal(
        model.chat([asked], Generation(choices=("yes", "no")))[0].choices, [-3.0, -2.0]
    )
    assert model.chat([asked], Generation())[0].choices is None


def test_shares_are_of_the_choices_alone():
    np.testing.assert_allclose(probabilities(np.log([0.3, 0.1])), [0.75, 0.25])
    np.testing.assert_allclose(probabilities(np.array([-1000.0, -np.inf])), [1, 0])
    np.testing.assert_allclose(probabilities(np.array([-np.inf, -np.inf])), [0.5, 0.5])


def test_first_tokens_count_for_the_one_choice_that_begins_with_them():
    top = [("Yes", np.log(0.5)), (" yes", np.log(0.25)), ("n", np.log(0.125)), ("", np.log(0.1)), ("x", -3.0)]
    np.testing.assert_allclose(np.exp(from_top(top, ("yes", "no"))), [0.75, 0.125])
    # "n" begins both, and so speaks for neither.
    np.testing.assert_allclose(np.exp(from_top(top, ("no", "nine"))), [0, 0])
