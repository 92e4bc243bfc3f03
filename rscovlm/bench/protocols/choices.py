"""Multiple choice: XLRS-Bench, OmniEarth-Bench and MME-RealWorld, answered by one or several letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.replies import answer_in, flag, judged, undecided
from rscovlm.bench.protocols.scored import Scored
from rscovlm.bench.row import Row
from rscovlm.scoring.answers import choice_letter
from rscovlm.scoring.choices import bare_options, chosen_letters, holds_letter, mme_letter, xlrs_letters
from zoom_chain.answers import spoken_text

Reader = Literal["ours", "mme", "xlrs"]

XLRS_SUBTASKS = (
    *("Anomaly Detection and Interpretation", "Environmental condition reasoning", "Route planning"),
    *("Counting with changing detection", "Counting with complex reasoning", "Overall counting"),
    *("Regional counting", "Overall Land use classification", "Regional Land use classification"),
    *("Object classification", "Object color", "Object motion state", "Object spatial relationship"),
)
MME_CATEGORIES = ("position", "color", "count")


@dataclass(frozen=True)
class Letters:
    """Right where the letters that a reader finds are those that are right together.

    Attributes:
        reader: ``ours``, or that of a public scorer.
    """

    reader: Reader

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        text, item = row.text, row.item
        if self.reader == "ours":
            text = answer_in(text)
            letters = chosen_letters(text, item.options)
        elif self.reader == "xlrs":
            letters = xlrs_letters(text)
        else:
            letter = mme_letter(text, lettered(item))
            letters = frozenset() if letter is None else frozenset({letter})
        return _letters_verdict(row, text, letters, bool(letters) and letters == right_letters(item))


def contained_letters(row: Row) -> Verdict:
    """RSCoVLM's rule for MME-RealWorld: the right letters occur in the reply, in any word."""
    text, gold = spoken_text(row.text), "".join(sorted(right_letters(row.item)))
    letters = frozenset(letter for letter in _letters_of(row.item) if holds_letter(text, letter))
    return _letters_verdict(row, text, letters, holds_letter(text, gold))


def _letters_verdict(row: Row, text: str, letters: frozenset[str], right: bool) -> Verdict:
    item, gold = row.item, right_letters(row.item)
    several = bool(item.extra.get("several")) or len(gold) > 1
    left_open = letters == {open_letter(item)}
    return judged(
        right,
        text,
        " ".join(sorted(letters)),
        readable=bool(letters),
        abstains=left_open,
        counts={**flag("multi_letter", len(letters) > 1 and not several), **_choice_e(item, letters)},
    )


def _choice_e(item: Item, letters: frozenset[str]) -> dict[str, float]:
    """How often E is chosen, for questions that have it."""
    return flag("choice_e", letters == {"E"}) if len(item.options) >= 5 else {}


def right_letters(item: Item) -> frozenset[str]:
    """The letters that are right together, from answers such as ("A", "C") or ("AC",)."""
    return frozenset(letter for answer in item.truth.answers for letter in answer.upper() if letter.isalpha())


def open_letter(item: Item) -> str | None:
    """The letter of the option that leaves the question open; None where there is none."""
    stated = item.extra.get("unable")
    if isinstance(stated, str):
        return stated
    left_open = [undecided(option) or "does not feature" in option.lower() for option in item.options]
    return choice_letter(left_open.index(True)) if any(left_open) else None


def lettered(item: Item) -> list[str]:
    """Options as published: ``(A) red``."""
    bare = bare_options(item.options)
    return [f"({letter}) {option}" for letter, option in zip(_letters_of(item), bare)]


def _letters_of(item: Item) -> list[str]:
    return [choice_letter(index) for index in range(len(item.options) or 5)]


def choice_protocols(
    name: str, official: Reader, by: str, headline: str, values: tuple[str, ...] = ()
) -> tuple[Protocol, ...]:
    """Official, rscovlm, strict."""
    expected = {by: values} if values else {}
    return (
        Scored(f"{name}/official/1", Letters(official), by, headline, expected),
        Scored(f"{name}/rscovlm/1", contained_letters, by, headline, expected),
        Scored(f"{name}/strict/1", Letters("ours"), by, headline, expected, failed_is_wrong=True),
    )


CHOICES: Mapping[str, tuple[Protocol, ...]] = {
    "mme-realworld-rs": choice_protocols("mme-realworld-rs", "mme", "category", "micro", MME_CATEGORIES),
    "xlrs-bench-lite": choice_protocols("xlrs-bench-lite", "xlrs", "subtask", "macro", XLRS_SUBTASKS),
}
"""Protocols by benchmark: official, rscovlm, strict. Of the whole XLRS-Bench and OmniEarth-Bench, whose tasks
are of several kinds, see ``catalogue``."""
