"""Auto: the policy that suits a question and its budget, and why."""

from __future__ import annotations

import re

from detection_eval.words import counted
from zoom_chain.effects import Steps
from zoom_chain.looks import coarseness, within
from zoom_chain.policies.chain import chain
from zoom_chain.policies.focus import focus
from zoom_chain.policies.off import off
from zoom_chain.policies.retrieve import retrieve
from zoom_chain.policies.sweep import SweepPlan, plan_sweep, sweep_tiles
from zoom_chain.session import Session

MOST_COARSER = 2.0
"""A sweep that sees objects more than so many times coarser than they want to be seen is not chosen."""

TOO_COARSE = 8.0
"""Scene pixels per pixel of an overview in which a model that was not taught to zoom sees nothing to point
at: what is 16 px wide takes two pixels of it."""

_RELATION = re.compile(
    r"\b(?:left|right|above|below|between|relative|relation|compared?|closer|closest|nearest|farthest|far|"
    r"distance|direction|route|path|north|south|east|west|larger|smaller|more|most|than|whole|overall|"
    r"distribution|layout|arranged)\b",
    re.IGNORECASE,
)


def auto(session: Session) -> Steps:
    """Choose, and do what was chosen."""
    overview = session.scene.overview(within(session.resolution, session.pixels_left / 2))
    if coarseness(overview) < session.crops.min_gain:
        return (yield from _run_off(session, "the overview shows all the detail there is"))
    plan = plan_sweep(session)
    if isinstance(plan, SweepPlan):
        shown = counted(len(plan.grid), "tile shows", "tiles show")
        if plan.coarser <= MOST_COARSER:
            session.chosen = (
                "sweep",
                f"it asks about all {plan.sought.what} in the scene, which {shown}",
            )
            return (yield from sweep_tiles(session, plan))
        plan = f"the budget would show all {plan.sought.what} {plan.coarser:.1f} times too coarse"
    if session.budget.max_zooms == 0:
        return (yield from _run_off(session, "the budget allows for no zoom"))
    if found := _RELATION.search(session.question):
        session.chosen = (
            "focus",
            f"it relates parts of the scene ({found[0]!r}), which a crop would tear apart",
        )
        return (yield from focus(session))
    coarser = coarseness(overview)
    if coarser >= TOO_COARSE and session.scores != "none" and not session.dialect.calls_until_seen:
        too_coarse = (
            f"the overview is {coarser:.0f} times coarser than the scene, too coarse to point at anything"
        )
        ranks = "the model states probabilities, by which all parts are ranked"
        session.chosen = ("retrieve", f"{plan}; {too_coarse}; {ranks}")
        return (yield from retrieve(session))
    session.chosen = ("chain", plan)
    return (yield from chain()(session))


def _run_off(session: Session, why: str) -> Steps:
    session.chosen = ("off", why)
    return (yield from off(session))
