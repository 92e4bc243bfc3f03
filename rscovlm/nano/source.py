"""nano's lessons as a source of a mix: the i-th one is a function of (seed, i)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from rscovlm.data.encoding import Encoder
from rscovlm.data.example import Encoded, Example, Key
from rscovlm.nano.cells import CELLS
from rscovlm.nano.lessons import Lesson, make_lesson
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.synth.catalogue import CLASS_NAMES, OBJECT_CLASSES, SITES

NAMES = (*CLASS_NAMES, *(kind.name for kind in SITES))
"""Things that an image shows and a text may name."""

_CORNERS, _BOUNDS = 8, 4  # numbers of a box that is listed, and of one that is asked to look at


@dataclass
class Lessons:
    """Encoded lessons by index, the first ones easy.

    Attributes:
        name: in the mix.
        encoder: of a checkpoint in nano's shape.
        seed: of the run.
        length: lessons of the source; a lesson beyond it exists as well.
        easy: lessons over which few, large objects give way to the full range.
    """

    name: str
    encoder: Encoder
    seed: int
    length: int
    easy: int = 0
    _first_tokens: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def in_order(self) -> bool:
        """Lessons are drawn as they come: they are random already, and the first ones may be easy."""
        return True

    def __len__(self) -> int:
        return self.length

    def encode(self, index: int, visit: int) -> Encoded:
        """A lesson, with what each visual token of its images shows."""
        ease = max(0.0, 1.0 - index / self.easy) if self.easy else 0.0
        lesson = make_lesson(self.seed, index, ease)
        example = Example(lesson.conversation, Key(self.name, index, visit), lesson.task)
        coded = self.encoder.encode(example, self._cells(lesson))
        looks = {"named": self._named(coded), "aimed": self._aimed(coded)}
        return replace(coded, tokens={**coded.tokens, **looks})

    def _cells(self, lesson: Lesson) -> dict[str, np.ndarray]:
        return {
            "cell_ids": np.array([[self._first_token(word) for word in c.words] for c in lesson.cells]),
            "outlines": np.stack([cells.outlines for cells in lesson.cells]),
            "shares": np.stack([cells.shares for cells in lesson.cells]),
            "masks": np.stack([cells.masks for cells in lesson.cells]),
            "traits": np.array(
                [[[self._answer_token(word) for word in own] for own in c.traits] for c in lesson.cells]
            ),
        }

    def _named(self, coded: Encoded) -> np.ndarray:
        """(length,) the cell id that a token has to do with, where the image before shows it; else 0.

        The last token of a name has to do with what it names, the token before an answer in words with the
        class of objects that was named last before it.
        """
        ids, named = coded.ids, np.zeros(len(coded.ids), dtype=np.int64)
        said = np.zeros(len(ids), dtype=np.int64)
        for cell, tokens in self._spellings:
            for end in np.flatnonzero(ids[len(tokens) - 1 :] == tokens[-1]) + len(tokens) - 1:
                if np.array_equal(ids[end - len(tokens) + 1 : end + 1], tokens):
                    named[end] = cell
                    said[end] = cell in self._classes
        said = np.maximum.accumulate(np.where(said, np.arange(len(ids)), 0))
        edges = np.flatnonzero(np.diff(coded.learnt, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges:
            if not coded.tokens["coordinate"][start:end].any():
                named[start - 1] = named[said[start - 1]]
        images = np.cumsum(ids == self.encoder.image_id) // coded.images["cell_ids"].shape[1] - 1
        for place in np.flatnonzero(named):
            if images[place] < 0 or named[place] not in coded.images["cell_ids"][images[place]]:
                named[place] = 0
        return named

    @cached_property
    def _classes(self) -> frozenset[int]:
        return frozenset(self._first_token(name) for name in CLASS_NAMES)

    @cached_property
    def _spellings(self) -> list[tuple[int, np.ndarray]]:
        """The cell id and tokens of each name, as it begins a line and as it follows a word."""
        encode = self.encoder.tokenizer.encode
        plurals = {own.plural: own.name for own in OBJECT_CLASSES}
        spelt = [
            (self._first_token(name), np.array(encode(text, add_special_tokens=False)))
            for word, name in ({name: name for name in NAMES} | plurals).items()
            for text in (word, f" {word}")
        ]
        return sorted(spelt, key=lambda each: len(each[1]))  # "large vehicles" are no "vehicles"

    def _aimed(self, coded: Encoded) -> np.ndarray:
        """(length,) 1 + the visual token that shows the centre of the box that the next token helps to state.

        What stands before a box's numbers, its name and what leads to it, belongs to it. 0 where the next
        token states no box.
        """
        learnt, coordinate = coded.learnt, coded.tokens["coordinate"]
        aimed = np.zeros(len(coded.ids), dtype=np.int64)
        edges = np.flatnonzero(np.diff(learnt, prepend=False, append=False))
        for start, end in edges.reshape(-1, 2):
            places = start + np.flatnonzero(coordinate[start:end])
            count = _CORNERS if len(places) % _CORNERS == 0 else _BOUNDS
            for box in places.reshape(-1, count):
                numbers = self._values[coded.ids[box]].reshape(-1, 2)
                x, y = np.clip(numbers.mean(axis=0) * CELLS // 1000, 0, CELLS - 1).astype(np.int64)
                aimed[start - 1 : box[-1]] = 1 + y * CELLS + x
                start = box[-1] + 1
        return aimed

    @cached_property
    def _values(self) -> np.ndarray:
        """(tokens,) the number that each token writes; 0 for words."""
        values = np.zeros(len(self.encoder.tokenizer), dtype=np.int64)
        values[number_tokens(self.encoder.tokenizer)] = np.arange(1001)
        return values

    def _answer_token(self, word: str) -> int:
        """The token that an answer of these words begins with; 0 for none."""
        return self.encoder.tokenizer.encode(word, add_special_tokens=False)[0] if word else 0

    def _first_token(self, word: str) -> int:
        if word not in self._first_tokens:
            tokens = self.encoder.tokenizer.encode(f" {word}", add_special_tokens=False)
            self._first_tokens[word] = tokens[0]
        return self._first_tokens[word]
