"""Tree search: parts of the scene, parts of those, and so on, the likeliest one next.

Each part is judged by the probability that it shows what the question is about. The question is asked about
the likeliest one; where the model is not sure of its answer, the parts of that part are judged, and the
search goes on with the likeliest of all that are known.

Source: ZoomEye (Shen et al., arXiv:2411.16044), best-first search by the probability of yes, ended by the
confidence of an answer. Here one probability serves for both of its cues, existence and a latent closer look:
which of them is asked for depends on whether a view shows all the detail that there is.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field

from detection_eval.words import counted
from tiling.view import Window
from zoom_chain.chat import Picture
from zoom_chain.effects import Effect, Outcome, Result, Steps, StopReason, ask
from zoom_chain.looks import coarseness
from zoom_chain.policies.judging import (
    Candidate,
    Judged,
    Unjudged,
    answer_about,
    beyond_overview,
    enlarged,
    failed,
    judge,
    place_of,
    without_data,
)
from zoom_chain.session import Session, failure_of

SURE, SURE_AT_LEAST, FALL = 0.95, 0.6, 0.05
"""Confidence of an answer that ends the search, where the view is ``LIKELY`` to show what is asked about;
what is enough after many answers; and by how much it falls with each of them."""

LIKELY = 0.5

ALIKE = 0.1
"""Scores of all views within so much of each other do not tell where to look: such a model says yes or no of
whatever it is shown, as small and untuned ones do."""

PARTS = 4
"""Parts of a part, and answers that are compared at least where scores do not tell views apart."""

OVERLAP = 0.125
"""By which parts reach into their neighbours, as a share of their side: a small object is whole in one."""

LONG = 2.0
"""A part this many times longer than wide is cut into four along its length."""


def parts_of(window: Window, scene: Window) -> list[Window]:
    """The four parts of a window, overlapping a little, row by row."""
    columns, rows = 2, 2
    if window.width >= LONG * window.height:
        columns, rows = 4, 1
    elif window.height >= LONG * window.width:
        columns, rows = 1, 4
    return cells(window, columns, rows, scene)


def cells(window: Window, columns: int, rows: int, scene: Window) -> list[Window]:
    """A window cut into a grid whose cells reach into their neighbours, row by row."""
    width, height = window.width / columns, window.height / rows
    return [
        Window(window.x + column * width, window.y + row * height, width, height)
        .resized(width * (1 + OVERLAP), height * (1 + OVERLAP))
        .moved_inside(scene)
        for row in range(rows)
        for column in range(columns)
    ]


@dataclass
class _Search:
    """What is known so far: parts by falling score, all scores, and answers."""

    open: list[tuple[float, int, Judged]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)

    def add(self, parts: list[Judged]) -> None:
        self.scores += [part.score for part in parts]
        for part in parts:
            heapq.heappush(self.open, (-part.score, part.index, part))

    def next(self) -> Judged:
        return heapq.heappop(self.open)[2]

    @property
    def tells_apart(self) -> bool:
        """Whether the scores differ enough to say where to look; a few may be alike by chance."""
        return len(self.scores) < PARTS or max(self.scores) - min(self.scores) >= ALIKE

    def is_sure(self) -> bool:
        """Whether the best answer ends the search."""
        if not self.tells_apart and len(self.candidates) < PARTS:
            return False
        enough = max(SURE_AT_LEAST, SURE - FALL * (len(self.candidates) - 1))
        best = self.best
        return best is not None and best.confidence >= enough and best.about.score >= LIKELY

    @property
    def best(self) -> Candidate | None:
        """The answer of greatest merit; one without words only where there is no other."""
        return max(self.candidates, key=lambda each: (each.merit, each.about.score), default=None)


def tree(session: Session) -> Steps:
    """Search, and answer from what was found."""
    return (yield from beyond_overview(session, 0.5, _best_first))


def _best_first(session: Session, overview: Picture) -> Steps:
    search = _Search()
    try:
        ended = yield from _search(session, search, overview)
    except Unjudged as error:
        if search.best is None:
            return failed(error)
        session.notes.append(f"the search broke off: {error}")
        ended = "partial"
    return (yield from _conclude(session, search, ended, overview))


def _search(session: Session, search: _Search, overview: Picture) -> Generator[Effect, Result, StopReason]:
    """Look at the likeliest part again and again; why it ended."""
    whole = session.scene.window
    search.add((yield from judge(session, parts_of(whole, whole), 0)))
    while search.open:
        if session.time_is_up:
            return "time_budget"
        part = search.next()
        shown = yield from enlarged(session, part)
        candidate = yield from answer_about(session, overview, shown)
        search.candidates.append(candidate)
        if search.is_sure():
            return "confident"
        if coarseness(part.view) < session.crops.min_gain:
            continue  # its parts would show nothing new
        if spent := session.spent(searching=True):
            return spent
        parts = parts_of(part.view.window, whole)
        search.add((yield from judge(session, parts, part.index)))
    return "exhausted"


def _conclude(session: Session, search: _Search, ended: StopReason, overview: Picture) -> Steps:
    """The answer of greatest merit; where none was given, the model is asked for one about the best view."""
    best = search.best
    if best is None:
        return (yield from without_data(session, overview))
    if failure := failure_of(best.said.reply):
        return Outcome("error", error=failure)
    if not search.tells_apart:
        session.notes.append(
            f"the model says about the same of all {counted(len(search.scores), 'view')} (probabilities of "
            f"{min(search.scores):.2f} to {max(search.scores):.2f}), which does not tell where to look: the "
            "search went by the confidence of answers alone, and helps little with this model"
        )
    if best.words.strip():
        if (likeliest := max(each.about.score for each in search.candidates)) < LIKELY:
            session.notes.append(
                "the model says of no view that it shows what is asked about: of the likeliest one with "
                f"probability {likeliest:.2f}, so that no answer could end the search"
            )
        session.notes.append(
            f"{len(search.candidates)} of {counted(session.spending.judged, 'view')} were asked "
            "about; the answer is "
            f"that about {place_of(best.about)}, which shows what is asked about with probability "
            f"{best.about.score:.2f}; its confidence is {best.confidence:.2f}"
        )
        return Outcome(ended, best.words)
    conversation = session.dialect.final_turn(best.conversation)
    said = yield from ask(conversation)
    session.record(said, conversation, final=True)
    return session.conclude(said, ended)
