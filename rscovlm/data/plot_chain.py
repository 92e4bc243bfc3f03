"""REO-Instruct's chain of questions about a plot: each link may be asked after what is known of those before.

What people do tells of the land cover, both of the patches of forest, and all three of biomass. The words are
those of benchmarks (``rscovlm.bench.suites.plots``) and of training with ``chain: true``.
"""

from __future__ import annotations

from collections.abc import Mapping

from rscovlm.data.agbd import ACTIVITY_CODES
from rscovlm.data.plot_questions import QUESTIONS
from rscovlm.synth.forest import LAND_COVERS

LINKS = ("activity", "cover", "count", "number")
"""Kinds of ``QUESTIONS``, in order."""
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "activity": tuple(ACTIVITY_CODES),
    "cover": tuple(LAND_COVERS.values()),
}
"""Answers of a closed list, by link."""
_STATED = {
    "activity": "Human activity",
    "cover": "Land cover in the middle",
    "count": "Patches of forest",
}


def before(link: str) -> tuple[str, ...]:
    """The links before one."""
    return LINKS[: LINKS.index(link)]


def chain_question(link: str, known: Mapping[str, str]) -> str:
    """A question with its closed list, after what is known.

    Args:
        link: of ``LINKS``.
        known: answers of links before it, by link, in the order in which they are stated.
    """
    options = OPTIONS.get(link, ())
    words = QUESTIONS[link] + (f" Answer with one of: {', '.join(options)}." if options else "")
    return " ".join([*(f"{_STATED[name]}: {value}." for name, value in known.items()), words])
