"""What a zoom policy may ask for, and what it gets back: the protocol between policies and the driver.

A policy is a generator over a ``Session``. It yields ``Look``, ``Ask`` and ``Compare``, gets a tuple of
``Sight``, of ``Said`` and of numbers back, and returns an ``Outcome``. It reads no file and calls no model;
``zoom_chain.driver`` does, for all questions together.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tiling.focus import FocusedView
from tiling.view import View
from zoom_chain.chat import Conversation, Generation, ImagePart, Picture, Reply
from zoom_chain.trace import THUMBNAIL_SIDE

StopReason = Literal[
    "answered",
    "cut_off",
    "zoom_budget",
    "view_budget",
    "pixel_budget",
    "time_budget",
    "invalid_request",
    "repeated_view",
    "no_more_detail",
    "no_data",
    "no_answer",
    "confident",
    "exhausted",
    "partial",
    "error",
]
"""Why a question ended: the model ``answered``; its reply was ``cut_off`` by the token limit, or holds no
words (``no_answer``: it is empty, thoughts alone, or a call of the tool that is not offered); a budget ended
(``pixel_budget`` stands for visual tokens too); no refusals were left after the request named; a search is
``confident`` of its answer, or has ``exhausted`` the scene; the answer is ``partial``, since parts of the
scene were not examined or a request failed on the way; or an ``error`` of the model or the file. After a
budget or a refusal the answer is what the model said when the tool was withdrawn."""


@dataclass(frozen=True)
class Showing:
    """A view that is to be read, and how it is recorded.

    Attributes:
        view: of the scene.
        gain: how many times finer it resolves the source than what was shown of that place before.
        parent: index of the view that it was chosen in; None for the first.
        score: what it was chosen by, where that is known before it is read.
    """

    view: View | FocusedView
    gain: float = 1.0
    parent: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class Look:
    """Read views of the scene and record them as shown.

    Attributes:
        showings: in the order in which they are recorded.
        overview: it is the whole scene, which many questions look at: read once for all of them, and
            recorded even where it holds no valid pixel.
        thumbnail_side: longer side of the recorded pictures, px.
        judged: to find out where to look; it counts as no zoom.
        unseen: for the reader of the trace alone; the model is not shown it, and it costs no budget.
    """

    showings: tuple[Showing, ...]
    overview: bool = False
    thumbnail_side: int = THUMBNAIL_SIDE
    judged: bool = False
    unseen: bool = False


@dataclass(frozen=True)
class Sight:
    """What came of one view.

    Attributes:
        index: of its record; None where it was not recorded, for want of data or for an error.
        image: its pixels, or the file of them for a server; None likewise.
        error: why it cannot be read, in one line, else None.
    """

    index: int | None
    image: Picture | None
    error: str | None = None


@dataclass(frozen=True)
class Ask:
    """Ask the model, about one or several conversations at once.

    Attributes:
        conversations: independent of each other.
        options: how the replies are generated; None takes those of the run.
    """

    conversations: tuple[Conversation, ...]
    options: Generation | None = None


@dataclass(frozen=True)
class Said:
    """A reply, and how long it took.

    Attributes:
        reply: of the model.
        seconds: wall-clock time of the request, or of the batch that it was part of.
    """

    reply: Reply
    seconds: float


@dataclass(frozen=True)
class Compare:
    """Compare images with a text by the similarity function of the session, which has one.

    Attributes:
        text: that is looked for.
        images: of views.
    """

    text: str
    images: tuple[ImagePart, ...]


@dataclass(frozen=True)
class Outcome:
    """How a question ended.

    Attributes:
        reason: why.
        answer: without thoughts; "" where there is none.
        error: one line where something failed, else None.
    """

    reason: StopReason
    answer: str = ""
    error: str | None = None


Effect: TypeAlias = Look | Ask | Compare
Result: TypeAlias = tuple[Sight, ...] | tuple[Said, ...] | tuple[float, ...]
Steps: TypeAlias = Generator[Effect, Result, Outcome]
"""A policy at work on one question."""


def look(showing: Showing) -> Generator[Effect, Result, Sight]:
    """One view as it is seen."""
    (sight,) = yield Look((showing,))
    assert isinstance(sight, Sight)
    return sight


def ask(conversation: Conversation, options: Generation | None = None) -> Generator[Effect, Result, Said]:
    """The reply to one conversation; ``options`` as of ``Ask``."""
    (said,) = yield Ask((conversation,), options)
    assert isinstance(said, Said)
    return said
