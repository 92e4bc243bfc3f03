"""Strict and answered: protocols of our own that hold for any benchmark, with items of any kind.

What cannot be read, a refusal and a request that failed are wrong under ``strict``; ``answered`` leaves them
out, and states as ``coverage`` how much is left, since a score of the answered part alone is no score of the
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from rscovlm.bench.item import Kind
from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.captions import Captions
from rscovlm.bench.protocols.choices import Letters
from rscovlm.bench.protocols.classification import strict_class
from rscovlm.bench.protocols.detection import detected_among, image_f1
from rscovlm.bench.protocols.grounding import OURS
from rscovlm.bench.protocols.questions import strict_rule
from rscovlm.bench.protocols.scored import Rule, Scored
from rscovlm.bench.row import Row

RULES: Mapping[Kind, Rule] = MappingProxyType(
    {
        **dict.fromkeys(("open", "number", "count"), strict_rule),
        "choice": Letters("ours"),
        "classify": strict_class,
        "ground": OURS,
        "detect": image_f1,
        "caption": Captions(refusals_are_empty=True),
    }
)
"""Our own rule for each kind of item."""


def by_kind(row: Row) -> Verdict:
    """How good a reply is by the rule of its item's kind."""
    return RULES[row.item.kind](row)


def if_read(row: Row) -> Verdict:
    """The same, with replies that hold no answer left out."""
    said = by_kind(row)
    return said if said.status == "read" else replace(said, score=None)


def generic(benchmark: str, column: str = "category") -> dict[str, Protocol]:
    """The protocols that any benchmark may have, by short name.

    Args:
        benchmark: its name.
        column: of the groups whose means the macro average takes.
    """
    return {
        "strict": Scored(f"{benchmark}/strict/1", by_kind, column, failed_is_wrong=True, more=detected_among),
        "answered": Scored(f"{benchmark}/answered/1", if_read, column, more=detected_among),
    }
