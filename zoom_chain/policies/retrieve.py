"""Retrieval: small views of all parts of the scene are ranked, and the model goes on from the best one.

Ranking costs one token a part, or a similarity function of images and text such as RemoteCLIP's. Then the
model is shown the best part as though it had asked for it, and goes on as in the chain.

Sources: ZoomSearch, RAP and ImageRAG rank patches by an embedding and hand the best ones to the model.
"""

from __future__ import annotations

import math

from tiling.view import Window
from zoom_chain.effects import Steps
from zoom_chain.looks import coarseness
from zoom_chain.policies.chain import converse
from zoom_chain.policies.judging import (
    Judged,
    Unjudged,
    enlarged,
    failed,
    judge,
    overview_alone,
    place_of,
    shown_closer,
    view_to_judge,
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
    sight = yield from session.look_at_overview(share=0.25)
    assert sight.image is not None
    closer = coarseness(session.shown[0]) >= session.crops.min_gain
    if not closer or session.spent(searching=True) is not None:
        return (yield from overview_alone(session, sight.image))
    session.tool_offered = True
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
        session.notes.append("no part of the scene holds data; the question is asked about the overview")
        return (yield from overview_alone(session, sight.image))
    best = ranked[0]
    session.notes.append(
        f"of {session.spending.judged} parts {place_of(best)} is the likeliest to show what is asked about "
        f"({best.score:.2f})"
    )
    best = yield from enlarged(session, best)
    conversation = shown_closer(session, sight.image, best)
    return (yield from converse(session, conversation, (0, best.index)))
