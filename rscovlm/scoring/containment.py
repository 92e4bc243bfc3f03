"""Answers that hold one another: how public scorers of short answers and classes decide.

| rule | right where | used by |
|---|---|---|
| ``identical`` | both are the same text | RSCoVLM (LRS-VQA beside synonyms) |
| ``holds_gold`` | the right answer is part of the reply | GeoChat's sets in RSCoVLM, VRSBench |
| ``either_holds`` | one is part of the other, so that "" is right | VHM's sets in RSCoVLM |
| ``starts_gold`` | the right answer begins with the reply, so that "" is right | TEOChatlas in RSCoVLM |
| ``gold_holds_joined`` | the reply without spaces is part of the right answer | RSEvalKit's classes |
| ``same_letters`` | same but for case and punctuation | TEOChatlas' classes |

All but the last two compare :func:`norm` of both. Parts of words count: "no" is part of "none", "1" of "11".
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rule = Callable[[str, str], bool]
"""Whether a reply is right: (reply, right answer) -> bool."""


def norm(text: str) -> str:
    """RSCoVLM's normal form: lower case, without surrounding white space and full stops."""
    return text.lower().strip().strip(".")


def identical(reply: str, gold: str) -> bool:
    """Same text, by :func:`norm`."""
    return norm(reply) == norm(gold)


def holds_gold(reply: str, gold: str) -> bool:
    """The right answer is part of the reply."""
    return norm(gold) in norm(reply)


def either_holds(reply: str, gold: str) -> bool:
    """One is part of the other."""
    return norm(gold) in norm(reply) or norm(reply) in norm(gold)


def starts_gold(reply: str, gold: str) -> bool:
    """The right answer begins with the reply."""
    return norm(gold).startswith(norm(reply))


def gold_holds_joined(reply: str, gold: str) -> bool:
    """The reply without its spaces is part of the right answer without its own; full stops stay."""
    return "".join(reply.lower().split()) in "".join(gold.lower().split())


def same_letters(reply: str, gold: str) -> bool:
    """Same words but for case and punctuation."""
    return _letters(reply) == _letters(gold)


def _letters(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())


# --- RSVQA's bins ---------------------------------------------------------------------------------

_BINS = ((0, "0"), (10, "1-10"), (100, "11-100"), (1000, "101-1000"))
BINS = (*(name for _, name in _BINS), ">1000")
"""Classes into which RSVQA puts counts, and areas in square metres."""


def rsvqa_bin(number: float) -> str:
    """The class of a count or an area in square metres; areas between two whole numbers count as the larger.

    Source: RSVQA, VocabEncoder.py.
    """
    return next((name for most, name in _BINS if number <= most), BINS[-1])


# --- VRSBench -------------------------------------------------------------------------------------

EXACT = frozenset({"yes", "no", *map(str, range(100))})
"""Right answers that VRSBench lets no judge decide about."""


def vrsbench_rule(reply: str, gold: str) -> bool | None:
    """VRSBench's rule for its questions; None where its authors ask a judge model.

    Right where the right answer is part of the reply; else wrong where it is yes, no or a number below 100.
    """
    said, right = reply.lower(), gold.lower()
    if right in said:
        return True
    return False if right in EXACT else None
