"""nano's lessons as a source of the training engine: endless, and the i-th one a function of (seed, i)."""

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
        encoder: of nano's checkpoint.
        seed: of the whole course.
        length: lessons of the course.
        ease_until: lessons over which few, large objects give way to the full range.
        name: in the log.
    """

    encoder: Encoder
    seed: int
    length: int
    ease_until: int = 0
    name: str = "lessons"
    _first_tokens: dict[str, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.length

    def encode(self, index: int, visit: int) -> Encoded:
        """A lesson, with what each visual token of its images shows."""
        ease = max(0.0, 1.0 - index / self.ease_until) if self.ease_until else 0.0
        lesson = make_lesson(self.seed + visit, index, ease)
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
