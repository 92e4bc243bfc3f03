"""nano's lessons as a source of a mix: the i-th one is a function of (seed, i)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rscovlm.data.encoding import Encoder
from rscovlm.data.example import Encoded, Example, Key
from rscovlm.nano.lessons import Lesson, make_lesson


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
        return self.encoder.encode(example, self._cells(lesson))

    def _cells(self, lesson: Lesson) -> dict[str, np.ndarray]:
        return {
            "cell_ids": np.array([[self._first_token(word) for word in c.words] for c in lesson.cells]),
            "outlines": np.stack([cells.outlines for cells in lesson.cells]),
            "shares": np.stack([cells.shares for cells in lesson.cells]),
        }

    def _first_token(self, word: str) -> int:
        if word not in self._first_tokens:
            tokens = self.encoder.tokenizer.encode(f" {word}", add_special_tokens=False)
            self._first_tokens[word] = tokens[0]
        return self._first_tokens[word]
