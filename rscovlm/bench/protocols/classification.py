"""Scene classification: AID, UCMerced, METER-ML, NWPU-RESISC45, WHU-RS19 and plain folders."""

from __future__ import annotations

from collections.abc import Mapping

from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.questions import Contained
from rscovlm.bench.protocols.replies import answer_in, flag, judged
from rscovlm.bench.protocols.scored import Scored
from rscovlm.bench.row import Row
from rscovlm.scoring import containment
from rscovlm.scoring.answers import named_class


def strict_class(row: Row) -> Verdict:
    """The one class of the closed list that the reply names; none or several of them is wrong."""
    text, classes = answer_in(row.text), row.item.options
    named = named_class(text, classes)
    ambiguous = named is None and sum(named_class(text, [name]) is not None for name in classes) > 1
    right = named is not None and named in row.item.truth.answers
    return judged(right, text, named or "", readable=named is not None, counts=flag("ambiguous", ambiguous))


def class_protocols(name: str, official: containment.Rule, rscovlm: containment.Rule) -> tuple[Protocol, ...]:
    """Official, rscovlm, strict; the macro average is over classes."""
    return (
        Scored(f"{name}/official/1", Contained(official, keeps_thoughts=True), "class"),
        Scored(f"{name}/rscovlm/1", Contained(rscovlm), "class"),
        Scored(f"{name}/strict/1", strict_class, "class", failed_is_wrong=True),
    )


def _vhm(name: str) -> tuple[Protocol, ...]:
    """RSEvalKit's rule, and the two-way containment of RSCoVLM."""
    return class_protocols(name, containment.gold_holds_joined, containment.either_holds)


CLASSIFICATION: Mapping[str, tuple[Protocol, ...]] = {
    **{name: _vhm(name) for name in ("aid", "meter-ml", "nwpu-resisc45", "whu-rs19")},
    # GeoChat published no scorer; RSCoVLM has TEOChatlas' rule and its own for the same files
    "ucmerced": class_protocols("ucmerced", containment.same_letters, containment.holds_gold),
    # for folders of anybody's own
    "folders": class_protocols("folders", containment.identical, containment.either_holds),
}
"""Protocols by benchmark: official, rscovlm, strict."""
