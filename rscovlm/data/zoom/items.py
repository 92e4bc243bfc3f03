"""A question with its answer and its box, on the way to becoming a canonical sample."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rscovlm.data.annotations import Annotated
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.words import Category
from rscovlm.scoring.answers import normalised_words
from rscovlm.tasks.questions import ChoiceQuestion
from tiling.view import Window

Way = Literal["templates", "teacher", "choice"]
WAYS: tuple[Way, ...] = ("templates", "teacher", "choice")


@dataclass(frozen=True)
class Item:
    """One question about one image.

    Attributes:
        image: id of the image.
        text: the question, without options.
        answer: in words; of a choice the right option's letter.
        category: what it asks for.
        evidence: the union of what has to be seen, in pixels of the file.
        box: what is zoomed to, in pixels of the file.
        way: how it was made.
        options: of a choice, in order.
        words: how options are put, one of ``CHOICE_WORDS``.
        about: the class that is asked about, to find distractors for; "" where there is none.
        notes: whatever else is worth keeping.
    """

    image: str
    text: str
    answer: str
    category: Category
    evidence: Window
    box: Window
    way: Way = "templates"
    options: tuple[str, ...] = ()
    words: str = "plain"
    about: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple[str, str, bool]:
        """Identity of a question: image, words, and whether options are given."""
        return self.image, normalised_words(self.text), bool(self.options)

    @property
    def meant(self) -> str:
        """The answer in words, also of a choice."""
        return self.options[ord(self.answer) - ord("A")] if self.options else self.answer

    @property
    def prompt(self) -> str:
        """The question as it is shown, with its options."""
        return ChoiceQuestion(self.options, self.words).prompt(self.text).user

    @property
    def digest(self) -> str:
        """A short name that only this question has."""
        text = "\x1f".join((self.image, self.way, self.prompt, self.answer))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_sample(item: Item, image: Annotated, folder: Path, split: str) -> Sample:
    """The canonical sample: question, zoom, crop, answer.

    Args:
        item: the question.
        image: what it is about.
        folder: of the sample file; the image's path is written relative to it where that is possible.
        split: which split the image belongs to.
    """
    x0, y0, x1, y1 = item.box.bounds
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return Sample(
        id=f"{item.image}/{item.way}/{item.digest}",
        task="zoom",
        images=(ImageRef(_relative(image.path, folder), size=(image.height, image.width)),),
        turns=(
            Turn("user", f"<image>{item.prompt}"),
            Turn("assistant", "<zoom 0>"),
            Turn("user", "<crop 0>"),
            Turn("assistant", item.answer),
        ),
        boxes=(Box(corners, horizontal=True),),
        gsd_m=image.gsd_m,
        source=image.source,
        attributes={
            "category": item.category,
            "way": item.way,
            "split": split,
            "evidence": [round(edge, 2) for edge in item.evidence.bounds],
            **({"answer_text": item.meant} if item.options else {}),
            **item.notes,
        },
    )


def _relative(path: Path, folder: Path) -> str:
    """A path as a file in ``folder`` names it; absolute where the two share no root."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()
