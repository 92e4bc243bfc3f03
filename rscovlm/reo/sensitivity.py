"""Semantic sensitivity: other words for one question must not move a model's number, another question must.

The perspective paper (V-A) asks a benchmark to show whether models heed what a text means rather than how it
is put. Here a model answers each plot under the question that it learnt, under paraphrases with more or less
filler, and under questions that mean something else. Moves are counted in deviations of its own answers over
plots, so that models and units compare.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from configs import load_config, located
from configs.checking import Section, checked
from detection_eval.files import without_nan
from rscovlm.scoring.quantities import quantity_in
from zoom_chain.chat import Conversation, Generation

Floats = NDArray[np.float64]
FOLDER = "semantics"

MOST_STYLE = 0.05
"""Deviations by which half of the paraphrases may move a number."""
LEAST_SEPARATION = 0.9
"""Chance that another meaning moves a number further than another wording."""
_BLIND = 0.6  # a separation that is hardly above chance
_TOKENS = 32
_AT_ONCE = 16
_WRITTEN = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")


class Change(Section):
    """A question that means something else."""

    means: str
    """Difference, in a few words."""
    words: str
    """The question."""
    factor: float | None = None
    """Factor on the right number, where that is known: 0.1 in kg/m2 for Mg/ha."""


class Wordings(Section):
    """Ways to ask about one number."""

    question: str
    """Asked where the model has not learnt one of its own."""
    paraphrases: tuple[str, ...]
    """Other words for it."""
    changes: tuple[Change, ...]
    """Other questions."""
    unit: str = ""
    """Unit of the number in answers in words, one of ``rscovlm.scoring.quantities.FACTORS``."""


def load_wordings(name_or_path: str) -> Wordings:
    """The wordings in a YAML file, or those that ship by name (``agb``).

    Raises:
        ConfigError: where there is no such file, or it is wrong.
    """
    where = located(name_or_path, FOLDER)
    return checked(Wordings, load_config(where), where)


class Speaker(Protocol):
    """An engine that answers in words."""

    def chat(self, conversations: list[Conversation], options: Generation) -> Sequence[Any]:
        """A reply to each conversation."""
        ...


Numbers = Callable[[Sequence[int], list[Conversation], str], Floats]
"""The number that a model gives about each of some plots in answer to its conversation, NaN for none, and the
unit it is asked in."""


def of_head(engine: Any, target: str, known: Sequence[Mapping[str, float]] | None = None) -> Numbers:
    """The mean that a head gives, whatever unit is asked for.

    Args:
        engine: with heads.
        target: name of one.
        known: what is known of each plot, such as the statistics of its region; None for nothing.
    """

    def numbers(plots: Sequence[int], conversations: list[Conversation], unit: str) -> Floats:
        found = np.empty(len(plots))
        alike: dict[tuple[str, ...], list[int]] = {}
        for place, each in enumerate(conversations):
            alike.setdefault(tuple(message.text for message in each.messages), []).append(place)
        for places in alike.values():
            own = None if known is None else [known[plots[place]] for place in places]
            (said,) = engine.estimate([conversations[place] for place in places], [target], own)
            found[places] = said.mean.double().cpu().numpy()
        return found

    return numbers


def of_words(engine: Speaker) -> Numbers:
    """The quantity that a reply states, as the number that it writes down."""

    def numbers(plots: Sequence[int], conversations: list[Conversation], unit: str) -> Floats:
        replies = engine.chat(conversations, Generation(max_new_tokens=_TOKENS))
        found = [_number(reply.text, unit) for reply in replies]
        return np.array([math.nan if value is None else value for value in found], np.float64)

    return numbers


def _number(text: str, unit: str) -> float | None:
    """The quantity in a unit; without one, the first number that is written, in whatever unit."""
    if unit:
        return quantity_in(text, unit).value
    first = _WRITTEN.search(text)
    return float(first[0]) if first else None


@dataclass(frozen=True)
class Moved:
    """How far one wording moved a model's numbers.

    Attributes:
        words: the question.
        means: what is different about it; empty for a paraphrase.
        answered: share of plots with a number.
        moved: median of ``|number - number of the question|``, in deviations over plots.
        mean: of the numbers.
        factor: median ratio to the numbers of the question; None where it is not known what it should be.
        factor_due: what that ratio should be.
    """

    words: str
    means: str
    answered: float
    moved: float
    mean: float
    factor: float | None = None
    factor_due: float | None = None


@dataclass(frozen=True)
class Sensitivity:
    """How a model's numbers move with words and with meaning.

    Attributes:
        plots: that were asked about.
        question: that it is compared with.
        deviation: of the answers to it over plots.
        style: median move by a paraphrase, in deviations.
        meaning: median move by another question, in deviations.
        separation: chance that another meaning moves a plot's number further than another wording does; 0.5
            for a model that cannot tell one from the other.
        wordings: each of them.
        verdict: ``met``, ``doubtful`` or ``failed``.
        told, asked: in words, what was found and what would be good.
    """

    plots: int
    question: str
    deviation: float
    style: float
    meaning: float
    separation: float
    wordings: tuple[Moved, ...]
    verdict: str
    told: str
    asked: str

    def to_json(self) -> dict[str, Any]:
        """All of it; what is not known is null."""
        found: dict[str, Any] = without_nan(asdict(self))
        return found


def sensitivity(
    numbers: Numbers,
    prompt: Callable[[int, str], Conversation],
    plots: int,
    wordings: Wordings,
    question: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """Ask about plots in all ways.

    Args:
        numbers: of the model.
        prompt: the conversation about a plot in some words.
        plots: how many there are.
        wordings: to ask in.
        question: that the model learnt, in place of that of the wordings.
        progress: called with (wordings done, in all).

    Raises:
        ModelError: what concerns every request.
    """
    base = question or wordings.question
    asked = [base, *wordings.paraphrases, *(change.words for change in wordings.changes)]
    found = []
    for place, words in enumerate(asked):
        found.append(_answers(numbers, prompt, plots, words, _unit_of(wordings, place)))
        if progress:
            progress(place + 1, len(asked))
    style = 1 + len(wordings.paraphrases)
    return measured(wordings, base, np.stack(found[:style], axis=1), np.stack(found[style:], axis=1))


def _unit_of(wordings: Wordings, place: int) -> str:
    """A reply to another question is taken as the number that it writes, in whatever unit."""
    return wordings.unit if place <= len(wordings.paraphrases) else ""


def _answers(
    numbers: Numbers, prompt: Callable[[int, str], Conversation], plots: int, words: str, unit: str
) -> Floats:
    parts = [range(start, min(start + _AT_ONCE, plots)) for start in range(0, plots, _AT_ONCE)]
    return np.concatenate([numbers(part, [prompt(plot, words) for plot in part], unit) for part in parts])


def measured(wordings: Wordings, question: str, said: Floats, changed: Floats) -> Sensitivity:
    """Moves of numbers.

    Args:
        wordings: that were asked in.
        question: that is compared with.
        said: (plots, 1 + paraphrases) numbers, the question's first.
        changed: (plots, changes) numbers.
    """
    base = said[:, :1]
    known = base[np.isfinite(base)]
    deviation = float(known.std()) if len(known) else math.nan
    scale = deviation if deviation > 0 else math.nan
    by_style, by_meaning = np.abs(said[:, 1:] - base) / scale, np.abs(changed - base) / scale
    style, meaning = _median(by_style), _median(by_meaning)
    apart = _separation(by_style, by_meaning)
    moves = [
        _moved(words, "", said[:, 1 + place], by_style[:, place], None, base[:, 0])
        for place, words in enumerate(wordings.paraphrases)
    ]
    moves += [
        _moved(each.words, each.means, changed[:, place], by_meaning[:, place], each.factor, base[:, 0])
        for place, each in enumerate(wordings.changes)
    ]
    verdict, told = _verdict(style, apart, deviation)
    due = f"wordings move by {MOST_STYLE:g} deviations or less, separation {LEAST_SEPARATION:g} or more"
    return Sensitivity(
        len(said), question, deviation, style, meaning, apart, tuple(moves), verdict, told, due
    )


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan


def _separation(by_style: Floats, by_meaning: Floats) -> float:
    """Chance that a move by meaning is larger than one by style on the same plot; equal ones count half."""
    further = by_meaning[:, None, :] - by_style[:, :, None]
    known = further[np.isfinite(further)]
    return float((known > 0).mean() + 0.5 * (known == 0).mean()) if known.size else math.nan


def _moved(words: str, means: str, values: Floats, moves: Floats, due: float | None, base: Floats) -> Moved:
    known = np.isfinite(values)
    both = known & np.isfinite(base) & (base != 0)
    ratio = float(np.median(values[both] / base[both])) if due is not None and both.any() else None
    mean = float(values[known].mean()) if known.any() else math.nan
    return Moved(words, means, float(known.mean()), _median(moves), mean, ratio, due)


def _verdict(style: float, apart: float, deviation: float) -> tuple[str, str]:
    if not math.isfinite(deviation):
        return "failed", "it answers no plot with a number"
    if deviation == 0:
        return "failed", "it gives the same number for every plot"
    told = (
        f"other wordings move a number by {style:.2g} deviations, separation from other meanings {apart:.2f}"
    )
    if not math.isfinite(apart):
        return "doubtful", f"{told}: too few numbers"
    if style <= MOST_STYLE and apart >= LEAST_SEPARATION:
        return "met", told
    return ("failed" if apart <= _BLIND or style > 0.5 else "doubtful"), told
