"""The answer that most of several runs give."""

import itertools
from types import SimpleNamespace

from rscovlm.tasks.votes import vote, vote_of_runs
from zoom_chain.chat import Generation, Sampling


def said(text, stop_reason="answered", failure=None):
    return SimpleNamespace(text=text, stop_reason=stop_reason, failure=failure)


def test_most_runs_win_whatever_the_words_of_an_answer():
    found = vote([said("blue"), said("Two ships."), said("2 ships")])
    assert found.answer.text == "Two ships."
    assert found.agreement == 2 / 3
    assert found.answers == {"blue": 1, "Two ships.": 2}


def test_of_equally_many_the_first_wins():
    assert vote([said("blue"), said("red")]).answer.text == "blue"


def test_runs_without_a_whole_answer_have_no_vote_and_count_as_others():
    runs = [said("x", "error"), said("half an", "cut_off"), said("", "no_answer"), said("red")]
    assert (vote(runs).answer.text, vote(runs).agreement) == ("red", 0.25)
    assert (vote(runs[:2]).answer.text, vote(runs[:2]).agreement, vote(runs[:2]).answers) == ("x", 0, {})


def test_runs_in_which_something_failed_are_told():
    found = vote([said("red"), said("", "error", "busy"), said("red", "partial", "1 request failed")])
    assert (found.answer.text, found.failures) == ("red", ("busy", "1 request failed"))


def test_runs_differ_in_seeds_that_no_request_of_another_run_takes():
    seeds = []

    def run(options):
        seeds.append(options.seed)
        return [said("a"), said(str(len(seeds)))]

    votes = vote_of_runs(3, run, Generation(sampling=Sampling(temperature=1), seed=5))
    assert [each.agreement for each in votes] == [1, 1 / 3]
    assert seeds[0] == 5
    assert min(second - first for first, second in itertools.pairwise(seeds)) > 100_000
