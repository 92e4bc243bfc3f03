"""Requests for a closer look: whether the part asked for shows the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from rscovlm.tasks.task import Counts, Prompt, hit, rates
from tiling.view import Size, View, Window
from zoom_chain.calls import ZoomCall, parse_zoom_call
from zoom_chain.dialect import ZoomDialect
from zoom_chain.looks import RefusedRequest, requested_window, shows_evidence


@dataclass(frozen=True)
class ZoomRequest:
    """Which part of the image has to be seen closer to answer a question?

    Attributes:
        dialect: how a closer look is asked for.
    """

    dialect: ZoomDialect

    def prompt(self, subject: str = "") -> Prompt:
        """The question, with the zoom tool on offer."""
        return Prompt(self.dialect.system_prompt, subject + self.dialect.user_suffix)

    def parse(self, text: str, size: Size) -> Window | None:
        """The part asked for in pixels of the image; None for a reply that asks for none."""
        call = parse_zoom_call(text, self.dialect, size.width, size.height)
        if not isinstance(call, ZoomCall):
            return None
        whole = Window(0, 0, size.width, size.height)
        try:
            window, _ = requested_window(View(whole, size), call.box, whole)
        except RefusedRequest:
            return None
        return window

    def score(self, parsed: Window | None, truth: Window | None) -> Counts:
        """``zoom_hit``: whether the part shows the evidence, large enough to read."""
        return hit("zoom_hit", parsed is not None and truth is not None and shows_evidence(parsed, truth))

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``zoom_hit`` in [0, 1]."""
        return rates(counts, "zoom_hit")
