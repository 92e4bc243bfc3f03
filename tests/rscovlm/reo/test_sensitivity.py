"""Sensitivity to words and to meaning."""

import numpy as np
import pytest
import torch

from rscovlm.models.heads.distribution import Point
from rscovlm.reo.sensitivity import load_wordings, measured, of_head, of_words, sensitivity
from zoom_chain.chat import Conversation, Reply

WAYS = load_wordings("agb")


def asked(model):
    """A model that is a function of plot and words."""

    def numbers(plots, conversations, unit):
        return np.array([model(*each.messages[0].text.split("|")) for each in conversations], float)

    def prompt(plot, words):
        return Conversation().say("user", f"{plot}|{words}")

    return sensitivity(numbers, prompt, 20, WAYS)


def test_a_model_that_heeds_meaning_alone_meets_it():
    found = asked(
        lambda plot, words: (
            10 * int(plot) * (0.1 if "kg" in words else 2 if "unlike" in words else 1)
            + (900 if any(each.words == words and each.factor is None for each in WAYS.changes) else 0)
        )
    )
    assert (found.verdict, found.style) == ("met", 0)
    assert found.separation > 0.97  # plot 0 is 0 in any unit
    unit = next(each for each in found.wordings if each.means == "another unit")
    assert (unit.factor, unit.factor_due) == (pytest.approx(0.1), 0.1)


def test_a_model_that_reads_no_words_cannot_tell_meaning_from_style():
    found = asked(lambda plot, words: 10 * int(plot))
    assert (found.verdict, found.separation, found.style, found.meaning) == ("failed", 0.5, 0, 0)


def test_a_model_that_follows_the_length_of_a_text_fails():
    found = asked(lambda plot, words: int(plot) + 3 * len(words))
    assert found.verdict == "failed"
    assert found.style > 1


def test_a_model_that_says_one_number_fails():
    assert asked(lambda plot, words: 5).told == "it gives the same number for every plot"
    assert asked(lambda plot, words: np.nan).told == "it answers no plot with a number"


def test_moves_are_counted_in_deviations_over_plots():
    said = np.array([[0.0, 1.0], [2.0, 3.0]])  # deviation 1
    ways = WAYS.model_copy(update={"paraphrases": ("a",), "changes": WAYS.changes[:1]})
    found = measured(ways, "q", said, np.array([[5.0], [7.0]]))
    assert (found.deviation, found.style, found.meaning, found.separation) == (1, 1, 5, 1)


def test_words_are_read_in_the_unit_and_other_questions_in_any():
    class Says:
        def chat(self, conversations, options):
            return [Reply(each.messages[0].text) for each in conversations]

    numbers = of_words(Says())
    talk = [Conversation().say("user", text) for text in ("12 kg/m2", "no idea")]
    np.testing.assert_array_equal(numbers([0, 1], talk, "Mg/ha"), [120, np.nan])
    np.testing.assert_array_equal(numbers([0, 1], talk, ""), [12, np.nan])


def test_a_head_is_told_what_is_known_of_each_plot_whatever_goes_together():
    """Prompts of one batch are of one length, so that what was said before parts the plots."""

    class Standing:
        def estimate(self, conversations, targets, numbers):
            assert len({each.messages[0].text for each in conversations}) == 1
            return [Point(torch.tensor([each["mean"] for each in numbers]))]

    talk = [Conversation().say("user", text) for text in ("crops", "forest", "crops")]
    found = of_head(Standing(), "agb", [{"mean": float(place)} for place in range(9)])([6, 7, 8], talk, "")
    np.testing.assert_array_equal(found, [6, 7, 8])


def test_results_are_json():
    data = asked(lambda plot, words: np.nan).to_json()
    assert data["separation"] is None
    assert data["wordings"][0]["answered"] == 0
