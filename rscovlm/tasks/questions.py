"""Visual question answering: answers in words, numbers, or one of several options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rscovlm.scoring.answers import (
    choice_letter,
    chosen_letter,
    normalised_answer,
    number_in,
    same_answer,
    yes_or_no,
)
from rscovlm.scoring.choices import chosen_letters
from rscovlm.tasks.task import Counts, Prompt, Task, filled, hit, rates, score_reply
from tiling.view import Size
from zoom_chain.answers import spoken_text


@dataclass(frozen=True)
class OpenQuestion:
    """A question whose answer is some words: right if it is the same answer by ``rscovlm.scoring``.

    Attributes:
        suffix: text after the question.
    """

    suffix: str = ""

    def prompt(self, subject: str = "") -> Prompt:
        """The question and its suffix."""
        return Prompt(None, subject + self.suffix)

    def parse(self, text: str, size: Size | None = None) -> str:
        """The reply without leading thoughts."""
        return spoken_text(text)

    def score(self, parsed: str, truth: str) -> Counts:
        """``accuracy``; to a question of yes or no the answer may say more."""
        right = same_answer(parsed, truth)
        return hit("accuracy", right or normalised_answer(truth) == yes_or_no(parsed))

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]."""
        return rates(counts, "accuracy")


@dataclass(frozen=True)
class NumericQuestion:
    """A question whose answer is a number, whatever words stand around it.

    Attributes:
        tolerance: largest error that is right, as a share of the true number.
    """

    tolerance: float = 0.0

    def prompt(self, subject: str = "") -> Prompt:
        """The question as it is."""
        return Prompt(None, subject)

    def parse(self, text: str, size: Size | None = None) -> float | None:
        """The number that the reply states; None where it states none or several."""
        return number_in(spoken_text(text))

    def score(self, parsed: float | None, truth: float | None) -> Counts:
        """``accuracy``."""
        if parsed is None or truth is None:
            return hit("accuracy", False)
        return hit("accuracy", abs(parsed - truth) <= self.tolerance * abs(truth))

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]."""
        return rates(counts, "accuracy")


class ChoiceWords(NamedTuple):
    """How a question with options is put.

    Attributes:
        text: with ``{question}`` and ``{options}`` in it; options are a line each. ``{letters}`` are theirs.
        option: one of them, with ``{letter}`` and ``{option}`` in it.
    """

    text: str
    option: str

    def question(self, question: str, options: Sequence[str]) -> str:
        """A question with its options, which keep their letters where all have them, as in published data."""
        letters = [choice_letter(index) for index in range(len(options))]
        lines = list(options)
        if not all(_LETTERED.match(option) for option in options):
            lines = [
                filled(self.option, letter=letter, option=option) for letter, option in zip(letters, options)
            ]
        return filled(self.text, question=question, options="\n".join(lines), letters=", ".join(letters))


_LETTERED = re.compile(r"\(?[A-Z][).:]\s*")


CHOICE_WORDS: dict[str, ChoiceWords] = {
    "plain": ChoiceWords("{question}\n{options}\nAnswer with the option's letter.", "{letter}. {option}"),
    "several": ChoiceWords(
        "{question}\n{options}\n"
        "More than one option may be right. Answer with the letters of all right options.",
        "{letter}. {option}",
    ),
    # MME-RealWorld's, in which RSCoVLM learnt LRS-VQA-Zoom and is evaluated (visual_cot_dataset.py,
    # large_image_bench.py).
    "mme-realworld": ChoiceWords(
        "{question} The choices are listed below: \n{options}\n"
        "Select the best answer to the above multiple-choice question based on the image. "
        "Respond with only the letter (A, B, C, D, or E) of the correct option.\n"
        "The best answer is:",
        "({letter}) {option}",
    ),
}
"""The wordings of multiple choice by name."""


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question with options, answered by the letter of one.

    Attributes:
        options: in order, A first; empty where the question holds them itself.
        words: how they are put: a name in ``CHOICE_WORDS``, or words of one's own.
    """

    options: tuple[str, ...] = ()
    words: str | ChoiceWords = "plain"

    def prompt(self, subject: str = "") -> Prompt:
        """The question, its options by letter, and how to answer."""
        if not self.options:
            return Prompt(None, subject)
        words = CHOICE_WORDS[self.words] if isinstance(self.words, str) else self.words
        return Prompt(None, words.question(subject, self.options))

    def parse(self, text: str, size: Size | None = None) -> str | None:
        """The letter that the reply chooses; None where it chooses none or several."""
        return chosen_letter(
            spoken_text(text), [_LETTERED.sub("", option, count=1) for option in self.options]
        )

    def score(self, parsed: str | None, truth: str | None) -> Counts:
        """``accuracy``."""
        return hit("accuracy", parsed is not None and parsed == truth)

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]."""
        return rates(counts, "accuracy")


@dataclass(frozen=True)
class SeveralChoices:
    """A question with options of which several may be right, answered by their letters.

    Attributes:
        options: in order, A first.
        words: how they are put: a name in ``CHOICE_WORDS``, or words of one's own.
    """

    options: tuple[str, ...]
    words: str | ChoiceWords = "several"

    def prompt(self, subject: str = "") -> Prompt:
        """The question, its options by letter, and how to answer."""
        return ChoiceQuestion(self.options, self.words).prompt(subject)

    def parse(self, text: str, size: Size | None = None) -> frozenset[str] | None:
        """The letters that the reply chooses; None where it chooses none, or not clearly."""
        return chosen_letters(spoken_text(text), self.options) or None

    def score(self, parsed: frozenset[str] | None, truth: frozenset[str] | None) -> Counts:
        """``accuracy``: all right letters and no other."""
        return hit("accuracy", parsed is not None and parsed == truth)

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]."""
        return rates(counts, "accuracy")


def question_with_answer(answer: str) -> Task[Any]:
    """The kind of question that an answer, known to be right, belongs to: a letter, a number, or words.

    Only an answer that is a number and nothing else makes the question numeric: "3" is met by "There are 3
    planes", "3 planes" is not met by "3 ships".
    """
    plain = answer.strip()
    if len(plain) == 1 and plain in "ABCDEFGH":
        return ChoiceQuestion()
    if number_in(plain) is not None and len(normalised_answer(plain).split()) == 1:
        return NumericQuestion()
    return OpenQuestion()


def is_right(answer: str, expected: str, options: tuple[str, ...] = ()) -> bool:
    """Whether a reply gives an expected answer, by the kind of question that this belongs to.

    Args:
        answer: the reply.
        expected: of a question with options, a letter or the option itself.
        options: of the question, A first.
    """
    task = ChoiceQuestion(options) if options else question_with_answer(expected)
    return score_reply(task, answer, expected)["accuracy/hits"] > 0
