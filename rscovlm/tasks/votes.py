"""Several runs of the same questions, and the answer that most of them give (self-consistency).

Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models",
arXiv:2203.11171: whole chains are drawn, each with its own zooms, and the most frequent answer is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rscovlm.scoring.answers import normalised_answer
from zoom_chain.chat import Generation
from zoom_chain.controller import Answer

_SEEDS_OF_A_RUN = 1_000_003
"""Between the seeds of two runs: requests of one run take the seeds that follow its own."""

_NOT_ANSWERED = frozenset({"error", "cut_off", "no_answer"})


@dataclass(frozen=True)
class Vote:
    """The answers of several runs to one question.

    Attributes:
        answer: the first of those that most runs agree on, with its trace; of equally many the one given
            first, and the first run where none gave a whole answer.
        agreement: share of the runs that give it, 0 to 1; runs without a whole answer count as others.
        answers: how often each answer was given, as it was written first.
        failures: why something failed in runs, in one line for each of those.
    """

    answer: Answer
    agreement: float
    answers: dict[str, int]
    failures: tuple[str, ...] = ()


def vote(answers: Sequence[Answer]) -> Vote:
    """The majority among the answers of several runs to one question.

    Args:
        answers: one of each run, at least one. Answers are the same as in scoring: ``Two ships.`` is
            ``2 ships``.
    """
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.stop_reason not in _NOT_ANSWERED:
            form = normalised_answer(answer.text) or answer.text.strip()
            groups.setdefault(form, []).append(answer)
    most = max(groups.values(), key=len, default=[])
    counts = {group[0].text: len(group) for group in groups.values()}
    failures = tuple(answer.failure for answer in answers if answer.failure is not None)
    return Vote(most[0] if most else answers[0], len(most) / len(answers), counts, failures)


def vote_of_runs(
    number: int, run: Callable[[Generation], Sequence[Answer]], options: Generation
) -> list[Vote]:
    """One vote for each question of several runs, which differ in their seeds alone.

    Args:
        number: of runs.
        run: the answers to all questions, for the options of one run.
        options: of the first run.
    """
    runs = [run(replace(options, seed=options.seed + index * _SEEDS_OF_A_RUN)) for index in range(number)]
    return [vote(answers) for answers in zip(*runs, strict=True)]
