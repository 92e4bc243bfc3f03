"""Open questions: LRS-VQA, VRSBench and RSVQA, answered in words or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.replies import answer_in, flag, judged
from rscovlm.bench.protocols.scored import Rule, Scored, grouped, mean, rates
from rscovlm.bench.row import Row
from rscovlm.scoring import containment
from rscovlm.scoring.answers import normalised_answer, number_in
from rscovlm.scoring.counts import number_sums
from rscovlm.scoring.synonyms import share_synset
from rscovlm.tasks.questions import is_right
from zoom_chain.answers import spoken_text

LRS_SOURCES = ("FAIR", "Bridge", "STAR")
LRS_CATEGORIES = (
    *("count", "object color", "object category", "object shape", "object status"),
    *("reasoning", "rural or urban", "object background"),
)
VRSBENCH_TYPES = (
    *("object category", "object existence", "object quantity", "object color", "object shape"),
    *("object size", "object position", "object direction", "scene type", "reasoning"),
)


# --- strict: any kind of question ------------------------------------------------------------------


def strict_rule(row: Row) -> Verdict:
    """The same answer by our normal form, or the same number; counts and areas with their errors too."""
    text, item = answer_in(row.text), row.item
    right = any(is_right(text, answer) for answer in item.truth.answers)
    if item.kind not in ("count", "number"):
        said = normalised_answer(text)
        return judged(right, text, said[:80], readable=None if said else False)
    stated, gold = number_in(text), _number(item)
    if gold is not None:
        tolerance = float(item.extra.get("tolerance", 0.0)) * abs(gold)
        right = stated is not None and abs(stated - gold) <= tolerance
    counts = {} if gold is None else number_sums(stated, gold)
    return judged(right, text, _shown(stated), readable=right or stated is not None, counts=counts)


def _number(item: Item) -> float | None:
    return next((number for answer in item.truth.answers if (number := number_in(answer)) is not None), None)


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"


# --- LRS-VQA ---------------------------------------------------------------------------------------


def lrs_official(row: Row) -> Verdict:
    """Same text but for case, or one common WordNet synset; white space and full stops count."""
    gold = _gold(row.item)
    said = row.text.lower()
    if not gold:
        return Verdict(None)  # the authors' script passes over questions without an answer
    return judged(said == gold.lower() or share_synset(said, gold), row.text, row.text[:80])


def lrs_rscovlm(row: Row) -> Verdict:
    """The same on text without thoughts, surrounding white space and full stops."""
    gold, text = containment.norm(_gold(row.item)), spoken_text(row.text)
    said = containment.norm(text)
    return judged(said == gold or share_synset(said, gold), text, said[:80])


def _gold(item: Item) -> str:
    return item.truth.answers[0] if item.truth.answers else ""


def lrs_means(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Mapping[str, float]:
    """Average accuracy: the mean over categories of each source, then the mean of the sources."""
    sources = dict.fromkeys([*LRS_SOURCES, *(row.item.groups.get("source", "") for row in rows)])
    averages: dict[str, float] = {}
    for source in sources:
        mine = [
            (row, said) for row, said in zip(rows, verdicts) if row.item.groups.get("source", "") == source
        ]
        cells = grouped([row for row, _ in mine], [said for _, said in mine], {})
        averages[f"average_accuracy/{source or 'other'}"] = mean(
            rates(cell)["micro"] for (column, _), cell in cells.items() if column == "category"
        )
    return {"average_accuracy": mean(averages.values()), **averages}


# --- containment -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contained:
    """Right by one of the rules of ``rscovlm.scoring.containment``.

    Attributes:
        rule: for (reply, right answer).
        leaves_out: types of questions that are not scored.
        keeps_thoughts: judge the reply as a whole, with thoughts before the answer.
    """

    rule: containment.Rule
    leaves_out: frozenset[str] = frozenset()
    keeps_thoughts: bool = False

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        if row.item.groups.get("type") in self.leaves_out:
            return Verdict(None)
        text = row.text if self.keeps_thoughts else spoken_text(row.text)
        right = any(self.rule(text, answer) for answer in row.item.truth.answers)
        return judged(right, text, containment.norm(text)[:80])


# --- RSVQA -----------------------------------------------------------------------------------------

BINNED = ("count", "area")


def rsvqa_official(row: Row) -> Verdict:
    """The authors' classes: counts and areas fall into bins, other answers are words of a closed list."""
    if row.item.groups.get("type") not in BINNED:
        text = spoken_text(row.text)
        return judged(containment.identical(text, _gold(row.item)), text, containment.norm(text)[:80])
    gold, stated = _number(row.item), number_in(spoken_text(row.text))
    if gold is None:  # released as a bin
        return judged(containment.identical(row.text, _gold(row.item)), row.text, row.text[:80])
    bins = None if stated is None else containment.rsvqa_bin(stated)
    return judged(bins == containment.rsvqa_bin(gold), row.text, bins or "", readable=bins is not None)


# --- VRSBench --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VRSBenchRule:
    """VRSBench's rule, in which a judge model decides what containment leaves open.

    Attributes:
        judgements: of a judge by key of the item; empty for none. Without one such an answer is wrong, and
            ``unjudged`` tells how much it could be.
    """

    judgements: Mapping[str, bool] = field(default_factory=dict)

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        found = containment.vrsbench_rule(row.text, _gold(row.item))
        if found is None:
            found = self.judgements.get(row.item.key)
        return judged(bool(found), row.text, row.text[:80], counts=flag("unjudged", found is None))


# --- protocols -------------------------------------------------------------------------------------


def _lrs() -> tuple[Protocol, ...]:
    def scored(name: str, rule: Rule, failed_is_wrong: bool = False) -> Scored:
        expected = {"source": LRS_SOURCES, "category": LRS_CATEGORIES}
        headline = "average_accuracy"
        id_ = f"lrs-vqa/{name}/1"
        return Scored(id_, rule, "category", headline, expected, failed_is_wrong, more=lrs_means)

    return (
        scored("official", lrs_official),
        scored("rscovlm", lrs_rscovlm),
        scored("strict", strict_rule, failed_is_wrong=True),
    )


def _rsvqa(name: str, types: tuple[str, ...]) -> tuple[Protocol, ...]:
    expected = {"type": types}
    habit = Contained(containment.either_holds, frozenset(BINNED))
    kept = {"type": tuple(type_ for type_ in types if type_ not in BINNED)}
    return (
        Scored(f"{name}/official/1", rsvqa_official, "type", "macro", expected),
        Scored(f"{name}/rscovlm/1", habit, "type", "macro", kept),
        Scored(f"{name}/strict/1", strict_rule, "type", "macro", expected, failed_is_wrong=True),
    )


def _vrsbench() -> tuple[Protocol, ...]:
    name, expected = "vrsbench-vqa", {"type": VRSBENCH_TYPES}
    return (
        Scored(f"{name}/official/1", VRSBenchRule(), "type", "macro", expected),
        Scored(f"{name}/rscovlm/1", Contained(containment.holds_gold), "type", "micro", expected),
        Scored(f"{name}/strict/1", strict_rule, "type", "macro", expected, failed_is_wrong=True),
    )


QUESTIONS: Mapping[str, tuple[Protocol, ...]] = {
    "lrs-vqa": _lrs(),
    "rsvqa-lr": _rsvqa("rsvqa-lr", ("count", "presence", "comp", "rural_urban")),
    "rsvqa-hr": _rsvqa("rsvqa-hr", ("count", "area", "presence", "comp")),
    "vrsbench-vqa": _vrsbench(),
}
"""Protocols by benchmark: official, rscovlm, strict."""
