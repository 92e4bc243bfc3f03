"""Baselines that need no model: what the most frequent answer and a blind guess are worth.

They are replies like any other and are judged by the protocol itself. Only answers in words can be guessed
so; of boxes and captions both are wrong. A guess is made several times over, and its scores averaged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol
from rscovlm.bench.results.scores import Scores, score_rows
from rscovlm.bench.row import Row
from rscovlm.scoring.answers import choice_letter
from rscovlm.scoring.statistics import Interval

GUESSES = 20
_BOXES = ("ground", "detect", "caption")


def most_frequent(rows: Sequence[Row]) -> list[Row]:
    """Each item with the most frequent right answer of its kind, category and options (an oracle's prior).

    Of measured numbers it is their mean.
    """
    answers: dict[tuple[str, ...], Counter[str]] = {}
    for row in rows:
        answers.setdefault(_alike(row.item), Counter())[_answer(row.item)] += 1
    usual = {
        alike: _mean(counted) if measured(alike) else counted.most_common(1)[0][0]
        for alike, counted in answers.items()
    }
    return [_replied(row, usual[_alike(row.item)]) for row in rows]


def measured(alike: tuple[str, ...]) -> bool:
    """Whether items that share this ask for a measured number, of which none is the most frequent."""
    return alike[-1] == "number"


def _mean(counted: Counter[str]) -> str:
    total = sum(float(answer) * count for answer, count in counted.items())
    return f"{total / counted.total():.6g}"


def guessed(rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """Each item with a random answer: one of its options, else the right answer of an item like it."""
    rng = np.random.default_rng([seed, len(rows)])
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        alike.setdefault(_alike(row.item), []).append(_answer(row.item))
    return [_replied(row, _guess(row.item, alike[_alike(row.item)], rng)) for row in rows]


def _guess(item: Item, answers: Sequence[str], rng: np.random.Generator) -> str:
    if item.kind == "classify" and item.options:
        return item.options[int(rng.integers(len(item.options)))]
    if item.kind == "choice" and item.options:
        letters = [choice_letter(index) for index in range(len(item.options))]
        right = len(item.truth.answers)
        return " ".join(sorted(rng.choice(letters, min(right, len(letters)), replace=False).tolist()))
    return answers[int(rng.integers(len(answers)))]


def _alike(item: Item) -> tuple[str, ...]:
    """What items share of which one could know the most frequent answer."""
    several = str(len(item.truth.answers)) if item.kind == "choice" else ""
    of_number = "number" if item.kind == "number" and item.extra.get("target") else ""
    return item.kind, item.groups.get("category", ""), str(len(item.options)), several, of_number


def _answer(item: Item) -> str:
    answers = item.truth.answers
    if item.kind in _BOXES or not answers:
        return ""
    return " ".join(sorted(answers)) if item.kind == "choice" else answers[0]


def _replied(row: Row, text: str) -> Row:
    """The row with another reply, as if no model had been asked."""
    return replace(
        row,
        text=text,
        stop_reason="stop",
        error=None,
        views=(),
        trace=None,
        numbers=None,
        seconds=0.0,
        prompt_tokens=None,
        visual_tokens=0,
        reply_tokens=None,
        tiles=(),
        found=None,
    )


def baselines(rows: Sequence[Row], protocol: Protocol, benchmark: str, seed: int = 0) -> list[Scores]:
    """The scores of both under a protocol, for the items of some rows; guesses have no intervals."""
    guesses = [row for draw in range(GUESSES) for row in guessed(rows, seed + draw)]
    numbers = bool(rows) and all(measured(_alike(row.item)) for row in rows)
    usual = "mean number" if numbers else "most frequent answer"
    found = [(usual, most_frequent(rows)), ("random answer", guesses)]
    prior, chance = (
        score_rows(answered, protocol, label=label, benchmark=benchmark, seed=seed, baseline=True)
        for label, answered in found
    )
    return [prior, _of_one_draw(chance)]


def _of_one_draw(scores: Scores) -> Scores:
    """Scores of several draws as those of one: as many items, their mean, and no interval."""
    return replace(
        scores,
        n=scores.n // GUESSES,
        left_out=scores.left_out // GUESSES,
        micro=_point(scores.micro),
        macro={column: _point(each) for column, each in scores.macro.items()},
        kinds={kind: _point(each) for kind, each in scores.kinds.items()},
        groups=tuple(
            replace(group, n=group.n // GUESSES, mean=_point(group.mean)) for group in scores.groups
        ),
        statuses={status: number // GUESSES for status, number in scores.statuses.items()},
    )


def _point(interval: Interval) -> Interval:
    return Interval(interval.value, math.nan, math.nan)
