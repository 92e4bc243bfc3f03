"""Zoom policies: how a scene is looked at to answer a question; ``zoom_chain.driver`` runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zoom_chain.policies.auto import auto
from zoom_chain.policies.chain import chain
from zoom_chain.policies.focus import focus
from zoom_chain.policies.off import off
from zoom_chain.policies.sweep import sweep
from zoom_chain.session import Run

PolicyName = Literal["off", "single", "chain", "focus", "sweep", "auto"]


@dataclass(frozen=True)
class ZoomPolicy:
    """A way to look at a scene.

    Attributes:
        name: as options and recipes give it.
        offers_tool: whether the model is told of the zoom tool where zooming can bring something.
        max_zooms: most crops to show, or None where the budget alone decides.
        run: what is done.
    """

    name: PolicyName
    offers_tool: bool
    max_zooms: int | None
    run: Run = field(repr=False, compare=False)


OFF = ZoomPolicy("off", offers_tool=False, max_zooms=0, run=off)
"""The question is answered from the overview alone."""

SINGLE = ZoomPolicy("single", offers_tool=True, max_zooms=1, run=chain(most_zooms=1))
"""One crop, as RSCoVLM was trained and evaluated."""

CHAIN = ZoomPolicy("chain", offers_tool=True, max_zooms=None, run=chain())
"""As many crops as the model asks for and the budget allows."""

FOCUS = ZoomPolicy("focus", offers_tool=False, max_zooms=1, run=focus)
"""One view of the whole scene in which the cells that the model names are enlarged; for any model."""

SWEEP = ZoomPolicy("sweep", offers_tool=False, max_zooms=None, run=sweep)
"""Each tile of the scene, and a ledger of the objects in them: how many, whether any, which."""

AUTO = ZoomPolicy("auto", offers_tool=True, max_zooms=None, run=auto)
"""What suits the question and its budget."""

POLICIES: dict[str, ZoomPolicy] = {policy.name: policy for policy in (OFF, SINGLE, CHAIN, FOCUS, SWEEP, AUTO)}
"""The policies by name."""
