"""nano's lessons: conversations about synthetic scenes, each a pure function of (seed, index).

Photos are rendered when they are read, so that a lesson's words and length cost little. Visual tokens are
what a lesson costs, so that one view is asked about several times where it has several answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rscovlm.data.synthetic import Photo
from rscovlm.nano.cells import CellTruth, cell_truth
from rscovlm.nano.object_lessons import detect, ground, places
from rscovlm.nano.question_lessons import chain, classify, close_question, first_look, glance, survey
from zoom_chain.chat import Conversation

Subject = Callable[[np.random.Generator, float], tuple[Conversation, str]]
_MIX: tuple[tuple[Subject, float], ...] = (
    (chain, 0.24),
    (first_look, 0.11),
    (places, 0.04),
    (close_question, 0.21),
    (glance, 0.01),
    (survey, 0.05),
    (classify, 0.01),
    (detect, 0.24),
    (ground, 0.09),
)
_SUBJECTS = [subject for subject, _ in _MIX]
_SHARES = np.array([share for _, share in _MIX]) / sum(share for _, share in _MIX)


@dataclass(frozen=True)
class Lesson:
    """One conversation to learn from.

    Attributes:
        conversation: ends with an assistant turn; every assistant turn is learnt. Its images are Photos.
        task: for the log.
        cells: what the visual tokens of each image show, in order.
    """

    conversation: Conversation
    task: str
    cells: tuple[CellTruth, ...]


def make_lesson(seed: int, index: int, ease: float = 0.0) -> Lesson:
    """The index-th lesson of a seed.

    Args:
        seed: of the whole course.
        index: which lesson.
        ease: 1 at the start of the course (nearer views), 0 at its end.
    """
    rng = np.random.default_rng([seed, index])
    subject = _SUBJECTS[int(rng.choice(len(_SUBJECTS), p=_SHARES))]
    conversation, task = subject(rng, ease)
    photos = [part for turn in conversation.messages for part in turn.content if isinstance(part, Photo)]
    return Lesson(conversation, task, tuple(cell_truth(photo.world, photo.window) for photo in photos))
