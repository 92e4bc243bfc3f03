"""No zooming: the question is answered from the overview alone."""

from __future__ import annotations

from zoom_chain.effects import Steps, ask
from zoom_chain.session import Session


def off(session: Session) -> Steps:
    """Show the overview, which may take the whole budget, and ask."""
    sight = yield from session.look_at_overview(share=1.0)
    assert sight.image is not None
    conversation = session.dialect.opening(sight.image, session.question, zoom=False)
    said = yield from ask(conversation)
    session.record(said, conversation, about=(0,))
    return session.conclude(said)
