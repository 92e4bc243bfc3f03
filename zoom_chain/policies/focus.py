"""Focus: the model names cells of an indexed overview, then answers from one view in which they are enlarged.

At most two requests and no training. The second view shows the whole scene, so that what is asked about still
stands among its surroundings (``tiling.focus``).

Source: GazeEarth (arXiv 2609.31747), which picks at most two of 4 x 4 cells. That a crop of the same cells
does not help models that were not trained to zoom, and such a view does, is its finding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tiling.focus import FocusedView
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, ImagePart, Picture
from zoom_chain.effects import Outcome, Showing, Steps, ask, look
from zoom_chain.looks import coarseness
from zoom_chain.policies.cells import CELLS, MOST_CELLS, cells_in, indexed, region_of
from zoom_chain.session import Session, failure_of
from zoom_chain.trace import RequestRecord

WHERE = (
    "The image is divided into {cells} x {cells} cells, numbered row by row from 1 at the top left to {last} "
    "at the bottom right. Which cells, at most {most}, have to be seen closer to answer this question?\n"
    "{question}\n"
    "Reply with the numbers of the cells alone."
)


def focus(session: Session) -> Steps:
    """Ask where to look, then ask the question about one view of the whole scene."""
    sight = yield from session.look_at_overview(share=0.5)
    assert sight.image is not None
    overview = session.shown[0]
    session.tool_offered = False
    if coarseness(overview) < session.crops.min_gain or session.spent() is not None:
        return (yield from _answer(session, sight.image, 0))
    words = WHERE.format(cells=CELLS, last=CELLS**2, most=MOST_CELLS, question=session.question)
    numbered = ImagePart(indexed(sight.image.read().astype(np.uint8)), gsd_m=sight.image.gsd_m)
    conversation = Conversation().say("user", numbered, words)
    said = yield from ask(conversation)
    session.record(said, conversation, about=(0,))
    if failure := failure_of(said.reply):
        return Outcome("error", error=failure)
    named = cells_in(said.reply.text)
    if not named.cells:
        why = "; ".join(["the reply names no cell", *named.notes])
        session.amend_turn(refusal=f"{why}; the question is asked about the overview")
        return (yield from _answer(session, sight.image, 0))
    region = region_of(overview, named.cells)
    box = _fractions(overview, region)
    label = "cells " + ", ".join(map(str, named.cells))
    session.amend_turn(request=RequestRecord(0, box, label, region, named.notes))
    view = FocusedView.of(_even(session, overview), region)
    gain = coarseness(overview) / coarseness(view.finest)
    closer = yield from look(Showing(view, gain, parent=0))
    if closer.error is not None:
        return Outcome("error", error=closer.error)
    if closer.index is None or closer.image is None:
        session.amend_turn(refusal="there is no image data in this view")
        return (yield from _answer(session, sight.image, 0))
    session.amend_turn(shown=(closer.index,))
    return (yield from _answer(session, closer.image, closer.index))


def _answer(session: Session, image: Picture, index: int) -> Steps:
    """The question, about one picture of the whole scene."""
    conversation = Conversation().say("user", image, session.question)
    said = yield from ask(conversation)
    session.record(said, conversation, about=(index,), final=True)
    return session.conclude(said)


def _even(session: Session, overview: View) -> View:
    """The whole scene at the size of the overview, or at a smaller one where the budget has less left."""
    height, width = overview.size
    if height * width <= session.pixels_left:
        return overview
    share = (session.pixels_left / (height * width)) ** 0.5
    factor = session.resolution.factor
    rows, columns = (max(factor, int(side * share) // factor * factor) for side in (height, width))
    return replace(overview, size=Size(rows, columns))


def _fractions(overview: View, region: Window) -> tuple[float, float, float, float]:
    height, width = overview.size
    corners = overview.from_scene(np.reshape(region.bounds, (2, 2))) / (width, height)
    (x0, y0), (x1, y1) = np.sort(corners, axis=0).tolist()
    return x0, y0, x1, y1
