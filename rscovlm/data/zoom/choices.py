"""Multiple choice from open questions (the paper's third way)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from rscovlm.data.annotations import Annotated
from rscovlm.data.randomness import generator
from rscovlm.data.words import COLOURS
from rscovlm.data.zoom.items import Item
from rscovlm.scoring.answers import choice_letter, count_in, same_answer
from rscovlm.synth.terrain import GROUND_COVERS

OPTIONS = 4
_FIXED = {
    "object relation": ("left", "right", "above", "below"),
    "object status": ("horizontally", "vertically", "diagonally"),
    "rural or urban": ("rural", "urban"),
    "object shape": ("round", "rectangular", "oval", "square", "triangular"),
}


class Vocabulary:
    """The answers that a collection of annotations knows, by what is asked.

    Args:
        images: all of the collection.
    """

    def __init__(self, images: Iterable[Annotated]) -> None:
        self.classes: set[str] = set()
        self.kinds: dict[str, set[str]] = {}
        self.values: dict[str, set[str]] = {}
        self.predicates: set[str] = set()
        for image in images:
            self.predicates |= {relation.predicate for relation in image.relations}
            for thing in image.things:
                self.classes.add(thing.name)
                for attribute, value in thing.attributes.items():
                    self.values.setdefault(attribute, set()).add(value)
                if kind := thing.known("kind"):
                    self.kinds.setdefault(thing.name, set()).add(kind)

    def rivals(self, item: Item, rng: np.random.Generator) -> list[str]:
        """Answers that might be given instead, all of the same sort as the right one.

        The generator draws which numbers stand beside a count; all else is in a fixed order.
        """
        if item.category == "count":
            return _numbers(item.answer, rng)
        for sort in self._sorts(item):
            if any(same_answer(item.answer, word) for word in sort):
                return [word for word in sort if not same_answer(word, item.answer)]
        return []

    def _sorts(self, item: Item) -> list[Sequence[str]]:
        """Sets of answers to choose from; the first that holds the right answer counts."""
        colors = sorted(self.values.get("color", ()))
        sorts: dict[str, list[Sequence[str]]] = {
            "object color": [colors if len(colors) >= OPTIONS else [*colors, *COLOURS]],
            "object category": [sorted(self.kinds.get(item.about, ())), sorted(self.classes)],
            "object background": [
                sorted(self.values.get("place", ())),
                sorted({*self.values.get("background", ()), *GROUND_COVERS}),
            ],
            "object status": [_FIXED["object status"], sorted(self.values.get("status", ()))],
            "object relation": [_FIXED["object relation"], sorted(self.predicates)],
        }
        return sorts.get(item.category) or [_FIXED.get(item.category, ())]


def _numbers(answer: str, rng: np.random.Generator) -> list[str]:
    """Numbers next to a count, which takes any rank among them, so that the middle one is no good guess."""
    count = count_in(answer)
    if count is None:
        return []
    first = max(0, count - int(rng.integers(OPTIONS)))
    return [str(number) for number in range(first, first + OPTIONS) if number != count]


def choice_of(item: Item, vocabulary: Vocabulary, seed: int, words: str = "plain") -> Item | None:
    """The question with options, or None where there is nothing to choose between (yes or no, one value).

    The place of the right option is drawn uniformly; all depends on the seed and the question alone.
    ``words``, one of ``CHOICE_WORDS``, says how the options are put.
    """
    if item.options or same_answer(item.answer, "yes") or same_answer(item.answer, "no"):
        return None
    rng = generator(seed, "zoom choice", item.image, item.digest)
    rivals = _distinct(vocabulary.rivals(item, rng))
    if not rivals:
        return None
    count = min(OPTIONS - 1, len(rivals))
    picked = [rivals[index] for index in rng.permutation(len(rivals))[:count]]
    right = int(rng.integers(count + 1))
    options = (*picked[:right], _as_option(item.answer, rivals), *picked[right:])
    return replace(
        item,
        way="choice",
        options=options,
        words=words,
        answer=choice_letter(right),
        notes={**item.notes, "made_from": item.way},
    )


def _distinct(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        if not any(same_answer(word, other) for other in kept):
            kept.append(word)
    return kept


def _as_option(answer: str, rivals: Sequence[str]) -> str:
    """The right answer in the form of its rivals, lest its form give it away: ``two`` as ``2``."""
    count = count_in(answer)
    plain = answer.strip().rstrip(".")
    if count is not None and all(rival.isdecimal() for rival in rivals):
        return str(count)
    return plain.lower() if all(rival == rival.lower() for rival in rivals) else plain


def letters_of(items: Iterable[Item]) -> dict[str, int]:
    """How often each letter is the right one."""
    found = [item.answer for item in items if item.options]
    values, counts = np.unique(np.array(found, dtype=str), return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts)}
