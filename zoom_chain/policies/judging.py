"""Judging views: how likely each shows what a question is about, by the probabilities of a model's tokens.

Shared by the policies that search. A model that was taught to call the zoom tool until it sees what it needs
says by the probability of a call whether a view shows that; any other one is asked yes or no.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tiling.view import View, Window
from zoom_chain.calls import ZoomCall
from zoom_chain.chat import Conversation, ImagePart, Picture, Reply
from zoom_chain.effects import (
    Ask,
    Compare,
    Effect,
    Look,
    Outcome,
    Result,
    Said,
    Showing,
    Sight,
    Steps,
    ask,
    look,
)
from zoom_chain.errors import ZoomError
from zoom_chain.looks import coarseness, detail_gain, within
from zoom_chain.policies.chain import converse, image_meant
from zoom_chain.replies import read_reply
from zoom_chain.scores import probabilities
from zoom_chain.session import Session, failure_of
from zoom_chain.trace import RequestRecord

YES_NO = ("yes", "no", "Yes", "No")

JUDGED_TOKENS = 256
"""Most visual tokens of a view that is judged; the question is asked about a view of any size."""

SEEN = "{question}\nCan this question be answered from this image? Answer yes or no."
NEAR = (
    "{question}\nIs the place that this question is about in this image, even if it is too small here to be "
    "seen well? Answer yes or no."
)


class Unjudged(ZoomError):
    """No view could be judged; the message says why."""


@dataclass(frozen=True)
class Judged:
    """A view with its score.

    Attributes:
        index: of its record.
        view: what it shows.
        image: its pixels.
        score: in [0, 1], or a similarity.
    """

    index: int
    view: View
    image: Picture
    score: float


def judge(
    session: Session, windows: Sequence[Window], parent: int, *, similar: bool = False
) -> Generator[Effect, Result, list[Judged]]:
    """Look at some windows and score each; those without data are left out.

    Args:
        session: of the question.
        windows: of the scene; no more are looked at than the budget allows.
        parent: index of the view that they lie in.
        similar: score them by the similarity function of the session, not by the model.

    Raises:
        Unjudged: where the model's every reply failed, or no window can be read.
    """
    views = [view_to_judge(session, window) for window in windows[: session.judgings_left]]
    shown = session.shown
    showings = tuple(
        Showing(view, detail_gain(view, view.window, shown), parent=parent)
        for view in within_pixels(session, views)
    )
    if not showings:
        return []
    sights = yield Look(showings, judged=True)
    seen = [
        Judged(sight.index, showing.view, sight.image, 0.0)
        for showing, sight in zip(showings, sights, strict=True)
        if isinstance(sight, Sight)
        and isinstance(showing.view, View)
        and sight.index is not None
        and sight.image is not None
    ]
    unread = [sight.error for sight in sights if isinstance(sight, Sight) and sight.error]
    if not seen:
        if unread:
            raise Unjudged(unread[0])
        return []
    session.failures += unread
    scores = yield from (compare(session, seen) if similar else probability(session, seen))
    for each, score in zip(seen, scores, strict=True):
        session.rate(each.index, score)
    return [replace(each, score=score) for each, score in zip(seen, scores, strict=True)]


def view_to_judge(session: Session, window: Window) -> View:
    """A window at the size at which it is judged."""
    bounds = session.resolution
    pixels = min(session.pixels_left, JUDGED_TOKENS * bounds.factor**2)
    return session.scene.view(window, within(bounds, pixels))


def within_pixels(session: Session, views: Sequence[View]) -> list[View]:
    """The first views that the budget has pixels for."""
    left, fitting = session.pixels_left, []
    for view in views:
        left -= view.size.height * view.size.width
        if left < 0:
            break
        fitting.append(view)
    return fitting


def compare(session: Session, seen: Sequence[Judged]) -> Generator[Effect, Result, list[float]]:
    """Similarities of views and the question."""
    scores = yield Compare(session.question, tuple(ImagePart.of(each.image) for each in seen))
    return [float(score) for score in scores if isinstance(score, float)]


def probability(session: Session, seen: Sequence[Judged]) -> Generator[Effect, Result, list[float]]:
    """Probabilities that views show what the question is about.

    Raises:
        Unjudged: where every reply failed.
    """
    asked = [_asked(session, each) for each in seen]
    calls = session.dialect.calls_until_seen
    options = replace(
        session.options,
        max_new_tokens=1,
        choices=(session.dialect.call_open,) if calls else YES_NO,
    )
    replies = yield Ask(tuple(asked), options)
    scores, failures = [], []
    for each, conversation, said in zip(seen, asked, replies, strict=True):
        assert isinstance(said, Said)
        failure = failure_of(said.reply)
        if failure is None and said.reply.choices is None:
            failure = "the model states no probabilities"
        score = 0.0 if failure else share_of_yes(said.reply, calls=calls)
        session.record(said, conversation, about=(each.index,), words="")
        session.amend_turn(refusal=failure, score=None if failure else score)
        scores.append(score)
        failures += [failure] if failure else []
    if len(failures) == len(seen):
        raise Unjudged(failures[0])
    session.failures += failures
    return scores


def _asked(session: Session, each: Judged) -> Conversation:
    """What is asked about a view to find out whether it shows what is needed."""
    if session.dialect.calls_until_seen:
        return session.dialect.opening(each.image, session.question, zoom=True)
    closest = coarseness(each.view) < session.crops.min_gain
    words = (SEEN if closest else NEAR).format(question=session.question)
    return Conversation().say("user", each.image, words)


def share_of_yes(reply: Reply, *, calls: bool) -> float:
    """The probability of a yes against a no, or of anything but a call."""
    assert reply.choices is not None
    if calls:
        return float(1 - np.exp(min(0.0, reply.choices[0])))
    shares = probabilities(reply.choices)
    return float(shares[0] + shares[2])


# --- answers from views that were found --------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """An answer about one view.

    Attributes:
        about: the view.
        said: the reply.
        words: the answer; "" where the model asked to look closer, or said nothing.
        confidence: geometric mean of the probabilities of its tokens; 0 for no answer.
        conversation: up to the reply, and with it.
    """

    about: Judged
    said: Said
    words: str
    confidence: float
    conversation: Conversation

    @property
    def merit(self) -> float:
        """Confidence of an answer from a view that shows what the question is about."""
        return self.confidence * self.about.score


def shown_closer(session: Session, overview: Picture, each: Judged) -> Conversation:
    """The conversation in which the model asked for a view itself: the form in which it knows crops."""
    whole = session.shown[0]
    corners = whole.from_scene(np.reshape(each.view.window.bounds, (2, 2)))
    (x0, y0), (x1, y1) = np.sort(corners, axis=0).tolist()
    size = whole.size
    call = session.dialect.render_call((x0, y0, x1, y1), size.width, size.height)
    conversation = session.dialect.opening(overview, session.question, zoom=True).say("assistant", call)
    return session.dialect.crop_turn(conversation, each.image)


def enlarged(session: Session, each: Judged) -> Generator[Effect, Result, Judged]:
    """A judged view as large as the budget allows, where that is larger than it was judged at.

    The view as it was judged is returned where the larger one cannot be read.
    """
    largest = session.scene.view(each.view.window, within(session.resolution, session.pixels_left))
    if coarseness(each.view) / coarseness(largest) < session.crops.min_gain or session.spent() is not None:
        return each
    gain = coarseness(each.view) / coarseness(largest)
    sight = yield from look(Showing(largest, gain, parent=each.index, score=each.score))
    session.failures += [sight.error] if sight.error else []
    if sight.index is None or sight.image is None:
        return each
    return Judged(sight.index, largest, sight.image, each.score)


def answer_about(session: Session, overview: Picture, each: Judged) -> Generator[Effect, Result, Candidate]:
    """Ask the question about a view, and how sure the model is."""
    dialect = session.dialect
    conversation = shown_closer(session, overview, each)
    options = replace(session.turn_options(calls=True), logprobs=True)
    said = yield from ask(conversation, options)
    size = each.view.size
    read = read_reply(said.reply, dialect, size.width, size.height)
    failed = failure_of(said.reply)
    words = "" if failed or read.call is not None or said.reply.stop_reason == "length" else read.words
    confidence = confidence_of(said.reply) if words.strip() else 0.0
    session.failures += [failed] if failed else []
    session.record(said, conversation, about=(0, each.index), words=read.words)
    call = read.call
    asked = None
    if isinstance(call, ZoomCall):
        frame = each.index if image_meant(session, call.image_index) else 0
        asked = RequestRecord(frame, call.box, call.label, None, call.notes)
    session.amend_turn(
        shown=(each.index,), confidence=confidence if words else None, request=asked, refusal=failed
    )
    return Candidate(each, said, words, confidence, conversation.say("assistant", read.turn))


def confidence_of(reply: Reply) -> float:
    """The geometric mean of the probabilities of a reply's tokens; 0 where they are not stated."""
    if reply.logprobs is None or not len(reply.logprobs):
        return 0.0
    return float(np.exp(np.mean(reply.logprobs)))


def place_of(each: Judged) -> str:
    """A view in words: ``image 3, 512 x 512 px at (0, 1024)``."""
    window = each.view.window
    x, y, width, height = (round(side) for side in (window.x, window.y, window.width, window.height))
    return f"image {each.index}, {width} x {height} px at ({x}, {y})"


def overview_alone(session: Session, overview: Picture) -> Steps:
    """The question about the overview, where there is nothing to look closer at."""
    session.tool_offered = False
    conversation = session.dialect.opening(overview, session.question, zoom=False)
    return (yield from converse(session, conversation, (0,), 0))


def beyond_overview(session: Session, share: float, search: Callable[[Session, Picture], Steps]) -> Steps:
    """Look at the overview, and search where closer looks can show more and the budget has some.

    Args:
        session: of the question.
        share: of the pixels that the overview may take.
        search: the rest of the policy, which gets the overview's pixels.
    """
    sight = yield from session.look_at_overview(share)
    assert sight.image is not None
    closer = coarseness(session.shown[0]) >= session.crops.min_gain
    if not closer or session.spent(searching=True) is not None:
        return (yield from overview_alone(session, sight.image))
    session.tool_offered = True
    return (yield from search(session, sight.image))


def without_data(session: Session, overview: Picture) -> Steps:
    """The question about the overview, since no part of the scene could be judged."""
    session.notes.append("no part of the scene holds data; the question is asked about the overview")
    return (yield from overview_alone(session, overview))


def failed(error: Unjudged) -> Outcome:
    """The end of a search in which no view could be judged."""
    return Outcome("error", error=str(error))
