"""Retrieval: small views of all parts of the scene are ranked, and the model goes on from the best one.

Ranking costs one token a part, or a similarity function of images and text such as RemoteCLIP's. Then the
model is shown the best part as though it had asked for it, and goes on as in the chain.

Sources: ZoomSearch, RAP and ImageRAG rank patches by an embedding and hand the best ones to the model.
"""

from __future__ import annotations

import math

from tiling.view import Window
from zoom_chain.chat import Picture
from zoom_chain.effects import Steps
from zoom_chain.looks import coarseness
from zoom_chain.policies.chain import converse
from zoom_chain.policies.judging import (
    Judged,
    Unjudged,
    beyond_overview,
    enlarged,
    failed,
    judge,
    place_of,
    shown_closer,
    view_to_judge,
    without_data,
)
from zoom_chain.policies.tree import cells
from zoom_chain.session import Session

COARSEST = 4.0
"""Scene pixels per pixel of a part that is ranked, where the budget allows for so many parts."""

WAVE = 16
"""Parts that are read and ranked together; of no more of them the pixels are in memory."""


def grid_of(session: Session) -> list[Window]:
    """The parts of the scene that are ranked, row by row: few enough to be allowed, else seen well enough."""
    whole, most = session.scene.window, session.judgings_left
    tokens = session.pixels_left / session.resolution.factor**2
    per_part = session.resolution.tokens(view_to_judge(session, whole).size)
    most = max(1, min(most, int(tokens / per_part) if math.isfinite(tokens) else most))
    long, short = max(whole.width, whole.height), min(whole.width, whole.height)
    best = (1, 1)
    for along in range(1, most + 1):
        across = max(1, round(along * short / long))
        if along * across > most:
            break
        best = (along, across)
        side = Window(0, 0, whole.width / along, whole.height / across)
        if whole.width < whole.height:
            side = Window(0, 0, whole.width / across, whole.height / along)
        if coarseness(view_to_judge(session, side)) <= COARSEST:
            break
    columns, rows = best if whole.width >= whole.height else best[::-1]
    return cells(whole, columns, rows, whole)


def retrieve(session: Session) -> Steps:
    """Rank the parts of the scene, show the model the best, and let it go on."""
    return (yield from beyond_overview(session, 0.25, _rank))


def _rank(session: Session, overview: Picture) -> Steps:
    ranked: list[Judged] = []
    parts = grid_of(session)
    try:
        for start in range(0, len(parts), WAVE):
            wave = yield from judge(
                session, parts[start : start + WAVE], 0, similar=session.similarity is not None
            )
            # The pixels of no more than the best are kept.
            ranked = sorted([*ranked, *wave], key=lambda each: -each.score)[:1]
            if session.time_is_up:
                break
    except Unjudged as error:
        return failed(error)
    if not ranked:
        return (yield from without_data(session, overview))
    best = ranked[0]
    session.notes.append(
        f"of {session.spending.judged} parts {place_of(best)} is the likeliest to show what is asked about "
        f"({best.score:.2f})"
    )
    best = yield from enlarged(session, best)
    conversation = shown_closer(session, overview, best)
    return (yield from converse(session, conversation, (0, best.index)))
