"""What an engine in process keeps between calls: how many questions fit, what they share, and when it may go.

An engine keeps the keys and values of conversations, so that a turn computes what is new alone. Few questions
are worked on at a time, as many as fit. Of those that open with the same overview one goes ahead, and the
others find it kept. What a conversation held is given back as soon as nothing goes on from it; an overview
once the last question about its scene has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from zoom_chain.chat import ChatModel, Conversation, Generation, Picture, Reply

if TYPE_CHECKING:  # engines need this module, and no rasters
    from zoom_chain.jobs import Job
    from zoom_chain.session import Session

TOGETHER = 64
"""Most questions that are worked on at a time by an engine in process."""

ENCODE = Generation(max_new_tokens=0)
"""Options of a request that has an engine compute and keep a prompt without its last token, and no more."""

_WORDS = 300
"""Tokens of text beside the images of a turn, for an estimate of what a question comes to hold in a cache."""


def kept_tokens(model: object) -> int:
    """Tokens whose keys and values an engine keeps between calls; 0 for one that keeps none."""
    return int(getattr(model, "kept_tokens", 0))


def release(model: object, conversations: Sequence[Conversation], shared: Collection[Picture] = ()) -> None:
    """Have an engine give back what it keeps of conversations that do not go on; others keep nothing.

    Args:
        model: that was asked.
        conversations: up to their last question.
        shared: pictures with which other conversations open too; what leads up to them stays.
    """
    if conversations and kept_tokens(model):
        give_back = getattr(model, "release", None)
        if give_back is not None:
            give_back(conversations, shared)


def chat_once(model: ChatModel, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
    """One reply for each conversation, in order, of which none goes on: nothing of them stays kept."""
    replies = model.chat(conversations, options) if conversations else []
    release(model, conversations)
    return replies


class Kept:
    """What the conversations of a run hold in an engine.

    Args:
        model: that is asked.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._overviews: dict[int, tuple[int, Picture]] = {}
        """Those that were asked about, by identity, with the identity of their scene."""
        self._held: dict[Job, tuple[Conversation, ...]] = {}
        """What was asked last in each question."""

    def room(self, jobs: Sequence[Job]) -> int:
        """How many questions may be worked on so that the engine keeps all of them.

        What they look at alike, the overview of a scene, it holds once.
        """
        kept = kept_tokens(self._model)
        if kept == 0:
            return TOGETHER
        shared = sum({id(job.session.scene): shared_tokens(job.session) for job in jobs}.values())
        own = max(held_tokens(job.session) - shared_tokens(job.session) for job in jobs)
        return min(TOGETHER, max(1, (kept - shared) // own))

    def open(self, asked: Sequence[tuple[Job, int]]) -> dict[int, int]:
        """Have the engine keep each overview with which several questions of a batch open.

        Rows of a batch do not see each other's, so that each would compute the overview anew.

        Args:
            asked: questions with the place of a conversation among those that they wait for.

        Returns:
            For the place in the batch that it is done for: the tokens that were computed.
        """
        if kept_tokens(self._model) == 0:
            return {}
        opening: dict[int, list[int]] = {}
        for number, (job, index) in enumerate(asked):
            self._held[job] = job.asked
            images = self._held[job][index].images
            if images and images[0] is job.overview and id(images[0]) not in self._overviews:
                opening.setdefault(id(images[0]), []).append(number)
        tokens = {}
        for first, *others in opening.values():
            job, index = asked[first]
            conversation = self._held[job][index]
            overview = conversation.images[0]
            self._overviews[id(overview)] = id(job.session.scene), overview
            if others:
                (reply,) = self._model.chat([conversation], ENCODE)
                tokens[first] = reply.prefilled_tokens or 0
        return tokens

    def give_back(self, unfinished: Iterable[Job]) -> None:
        """Have the engine give back what nothing goes on from.

        Args:
            unfinished: questions at work, which wait for their next replies, and those that wait for a place.
        """
        open_scenes = {id(job.session.scene) for job in unfinished}
        shared = [overview for scene, overview in self._overviews.values() if scene in open_scenes]
        over = []
        for job, conversations in self._held.items():
            going_on = job.asked
            over += [each for each in conversations if not any(map(each.leads_to, going_on))]
        release(self._model, over, shared)
        self._held = {job: job.asked for job in self._held if job.outcome is None}
        self._overviews = {key: each for key, each in self._overviews.items() if each[0] in open_scenes}


def held_tokens(session: Session) -> int:
    """Tokens that a question holds in a cache at its end, at most."""
    budget = session.budget
    turns = 1 + budget.max_zooms + budget.max_refusals
    images = (1 + budget.max_zooms) * _largest(session)
    bound = budget.max_visual_tokens
    return (images if bound is None else min(images, bound)) + turns * _WORDS


def shared_tokens(session: Session) -> int:
    """Tokens of them that are the overview, which other questions about the scene open with too.

    None are counted where a bound on visual tokens may make it smaller than the largest image.
    """
    budget = session.budget
    bound = budget.max_visual_tokens
    free = budget.max_pixels is None and (
        bound is None or bound >= (1 + budget.max_zooms) * _largest(session)
    )
    return _largest(session) if free else 0


def _largest(session: Session) -> int:
    return session.resolution.max_pixels // session.resolution.factor**2
