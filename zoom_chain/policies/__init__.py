"""Zoom policies: how a scene is looked at to answer a question; ``zoom_chain.driver`` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoom_chain.policies.auto import auto
from zoom_chain.policies.chain import chain
from zoom_chain.policies.focus import focus
from zoom_chain.policies.off import off
from zoom_chain.policies.retrieve import retrieve
from zoom_chain.policies.sweep import sweep
from zoom_chain.policies.tree import tree
from zoom_chain.session import Run

PolicyName = Literal["off", "single", "chain", "focus", "tree", "retrieve", "sweep", "auto"]


@dataclass(frozen=True)
class ZoomPolicy:
    """A way to look at a scene.

    Attributes:
        name: as options and recipes give it.
        offers_tool: whether the model is told of the zoom tool, wherever zooming can bring something.
        max_zooms: most crops to show, or None where the budget alone decides.
    """

    name: PolicyName
    offers_tool: bool
    max_zooms: int | None

    @property
    def run(self) -> Run:
        """What is done."""
        return _RUNS[self.name]

    @property
    def needs_scores(self) -> bool:
        """Whether it goes by probabilities, which not every model states."""
        return self.name in ("tree", "retrieve")

    @property
    def uses_scores(self) -> bool:
        """Whether it goes by probabilities where they are stated, and does without where they are not."""
        return self.needs_scores or self.name == "auto"

    @property
    def looks_closer(self) -> bool:
        """Whether more than the overview may be shown."""
        return self.name != "off"


_RUNS: dict[PolicyName, Run] = {
    "off": off,
    "single": chain(most_zooms=1),
    "chain": chain(),
    "focus": focus,
    "tree": tree,
    "retrieve": retrieve,
    "sweep": sweep,
    "auto": auto,
}


OFF = ZoomPolicy("off", offers_tool=False, max_zooms=0)
"""The question is answered from the overview alone."""

SINGLE = ZoomPolicy("single", offers_tool=True, max_zooms=1)
"""One crop, as RSCoVLM was trained and evaluated."""

CHAIN = ZoomPolicy("chain", offers_tool=True, max_zooms=None)
"""As many crops as the model asks for and the budget allows."""

FOCUS = ZoomPolicy("focus", offers_tool=False, max_zooms=1)
"""One view of the whole scene in which the cells that the model names are enlarged; for any model."""

TREE = ZoomPolicy("tree", offers_tool=False, max_zooms=None)
"""Best-first search among parts of parts of the scene, by the probabilities that the model states."""

RETRIEVE = ZoomPolicy("retrieve", offers_tool=False, max_zooms=None)
"""Small views of all parts are ranked, and the model goes on from the best one."""

SWEEP = ZoomPolicy("sweep", offers_tool=False, max_zooms=None)
"""Each tile of the scene, and a ledger of the objects in them: how many, whether any, which."""

AUTO = ZoomPolicy("auto", offers_tool=False, max_zooms=None)
"""What suits the question and its budget."""

POLICIES: dict[str, ZoomPolicy] = {
    policy.name: policy for policy in (OFF, SINGLE, CHAIN, FOCUS, TREE, RETRIEVE, SWEEP, AUTO)
}
"""The policies by name."""
