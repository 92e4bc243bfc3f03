"""What replies say as a whole: an answer, that they cannot tell, a refusal, nothing that can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from detection_eval.text.verdicts import verdict
from rscovlm.bench.protocol import Status, Verdict
from zoom_chain.answers import spoken_text

_UNDECIDED = re.compile(
    r"\bunable to (?:decide|determine|tell|answer)\b"
    r"|\b(?:can ?not|can't|could not|couldn't|impossible to|not possible to|hard to)"
    r" (?:be )?(?:decided?|determined?|told|tell|say|answer(?:ed)?|know|judge)\b"
    r"|\b(?:not enough|insufficient) (?:information|detail|context|evidence)\b"
    r"|\bunanswerable\b|\bundetermined\b",
    re.IGNORECASE,
)


def answer_in(text: str) -> str:
    """What a reply says: without leading thoughts, and without a call of a tool and all that follows it.

    A model that was tuned to look closer may call where no tool is offered; the numbers of the call are no
    answer.
    """
    return spoken_text(text).partition("<tool_call>")[0].strip()


def undecided(text: str) -> bool:
    """Whether a reply says that the question cannot be decided."""
    return _UNDECIDED.search(text.replace("\u2019", "'")) is not None


def refuses(text: str) -> bool:
    """Whether a reply declines: it cannot see the image, is sorry, is unable to."""
    return verdict(text) == "refused"


def flag(name: str, is_so: bool) -> dict[str, float]:
    """The counts of a rate."""
    return {f"{name}/hits": float(is_so), f"{name}/of": 1.0}


def judged(
    right: bool,
    text: str,
    parsed: str = "",
    *,
    readable: bool | None = None,
    abstains: bool = False,
    counts: Mapping[str, float] | None = None,
) -> Verdict:
    """A verdict of right or wrong.

    Args:
        right: whether the rule accepts the reply.
        text: the reply.
        parsed: what was read of it.
        readable: whether anything was; None where the rule reads no more than the text, which is then
            readable unless it is empty or declines.
        abstains: whether what was read is an option that leaves the question open.
        counts: what the rule counts beside.
    """
    open_ = not right and undecided(text)
    if readable is None:
        readable = bool(text.strip()) and (right or not (open_ or refuses(text)))
    status: Status = "read" if readable else "refused" if open_ or refuses(text) else "unread"
    flags = flag("abstain", abstains or (open_ and not readable))
    return Verdict(float(right), parsed, status, {**flags, **(counts or {})})
