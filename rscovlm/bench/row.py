"""Row: an item with what a model replied, a line of a run's log."""

from __future__ import annotations

from dataclasses import dataclass

from rscovlm.bench.item import Item
from tiling.view import View


@dataclass(frozen=True)
class Row:
    """What was asked and replied about one item.

    Attributes:
        item: the question and its truth.
        text: the reply, unmodified; the last one where a chain had several.
        view: the part of the scene, and the size, that coordinates in the reply refer to.
        stop_reason: why the reply ended, as ``zoom_chain`` names it.
        error: one line where there is no usable reply, else None.
        system, user: words of the request.
        prompt_tokens, visual_tokens, reply_tokens: over all turns; None where the engine does not say.
        seconds: from request to reply.
    """

    item: Item
    text: str
    view: View
    stop_reason: str
    error: str | None = None
    system: str | None = None
    user: str = ""
    prompt_tokens: int | None = None
    visual_tokens: int | None = None
    reply_tokens: int | None = None
    seconds: float = 0.0
