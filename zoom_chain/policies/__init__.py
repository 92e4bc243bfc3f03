"""Zoom policies: whether and how often a model may look closer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PolicyName = Literal["off", "single", "chain"]


@dataclass(frozen=True)
class ZoomPolicy:
    """Whether the tool is offered, and a bound on zooms tighter than the budget's.

    Attributes:
        name: ``off``, ``single`` or ``chain``.
        offers_tool: whether the model is told of the tool at all.
        max_zooms: most crops to show, or None where the budget alone decides.
    """

    name: PolicyName
    offers_tool: bool
    max_zooms: int | None


OFF = ZoomPolicy("off", offers_tool=False, max_zooms=0)
"""The question is answered from the overview alone."""

SINGLE = ZoomPolicy("single", offers_tool=True, max_zooms=1)
"""One crop, as RSCoVLM was trained and evaluated."""

CHAIN = ZoomPolicy("chain", offers_tool=True, max_zooms=None)
"""As many crops as the model asks for and the budget allows."""

POLICIES: dict[str, ZoomPolicy] = {policy.name: policy for policy in (OFF, SINGLE, CHAIN)}
