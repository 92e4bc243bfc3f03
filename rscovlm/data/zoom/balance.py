"""Balancing of answers, so that the data teach seeing and not guessing, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from detection_eval.words import counted
from rscovlm.data.randomness import generator
from rscovlm.data.zoom.choices import letters_of
from rscovlm.data.zoom.items import Item
from rscovlm.scoring.answers import normalised_answer, same_answer


@dataclass(frozen=True)
class BalanceRules:
    """Bounds on repetition and on the frequency of one answer.

    Attributes:
        same_evidence_iou: two questions of one category, answer and form about evidence that overlaps this
            much are paraphrases of each other; the first is kept.
        max_answer_share: largest share of one answer among the open answers of a category; yes and no,
            which are counted apart, are kept equally frequent.
        least: answers of which no more than this many are there are not cut.
    """

    same_evidence_iou: float = 0.9
    max_answer_share: float = 0.4
    least: int = 3


@dataclass
class Balanced:
    """Questions that stay, and how many went, by reason."""

    items: list[Item]
    left_out: Counter[str] = field(default_factory=Counter)


def balance(items: Iterable[Item], rules: BalanceRules, seed: int) -> Balanced:
    """Leave out contradictions, repetitions and what is too frequent, in this order."""
    result = Balanced(list(items))
    without_contradictions(result)
    without_repetitions(result, rules)
    without_foregone(result, rules, seed)
    without_excess(result, rules, seed)
    return result


def without_contradictions(result: Balanced) -> None:
    """Where one question about an image has several answers, none of them can be trusted."""
    answers: dict[tuple[str, str, bool], set[str]] = {}
    for item in result.items:
        answers.setdefault(item.key, set()).add(normalised_answer(item.meant))
    bad = {key for key, found in answers.items() if len(found) > 1}
    _keep(result, [item.key not in bad for item in result.items], "contradicts another answer")


def without_repetitions(result: Balanced, rules: BalanceRules) -> None:
    """Keep the first of questions that ask the same in the same words, or of the same evidence."""
    seen: set[tuple[str, str, bool]] = set()
    groups: dict[tuple[str, str, str, bool, str], list[Item]] = {}
    fresh = []
    for item in result.items:
        ask = (item.image, item.category, normalised_answer(item.meant), bool(item.options), item.about)
        near = any(
            item.evidence.iou(other.evidence) >= rules.same_evidence_iou and _alike(item, other)
            for other in groups.get(ask, ())
        )
        fresh.append(item.key not in seen and not near)
        if fresh[-1]:
            seen.add(item.key)
            groups.setdefault(ask, []).append(item)
    _keep(result, fresh, "repeats another question")


def _alike(item: Item, other: Item) -> bool:
    """Whether two questions with one answer ask for the same: "is it red? no" and "is it blue? no" do not."""
    return item.meant.lower() not in ("yes", "no") or item.text == other.text


def without_foregone(result: Balanced, rules: BalanceRules, seed: int) -> None:
    """Keep few of the questions whose answer follows from the class: all storage tanks are round.

    That is so where all open questions of a category about a class have one answer in the whole collection.
    """
    groups: dict[tuple[str, tuple[str, str, str]], list[int]] = {}
    answers: dict[tuple[str, str, str], set[str]] = {}
    for index, item in enumerate(result.items):
        kind = (item.category, item.notes.get("topic", ""), item.about)
        answers.setdefault(kind, set()).add(normalised_answer(item.meant))
        groups.setdefault((item.way, kind), []).append(index)
    keep = [True] * len(result.items)
    for (_, asked), rows in groups.items():
        if asked[-1] and len(answers[asked]) == 1:
            for row in _drawn(rows, result.items, seed)[rules.least :]:
                keep[row] = False
    _keep(result, keep, "answer follows from the class")


def without_excess(result: Balanced, rules: BalanceRules, seed: int) -> None:
    """Cap each answer within its category; which go is drawn by the seed and the question alone."""
    groups: dict[tuple[str, str, bool], dict[str, list[int]]] = {}
    for index, item in enumerate(result.items):
        if not item.options:
            answer = normalised_answer(item.answer)
            polar = answer in ("yes", "no")
            groups.setdefault((item.way, item.category, polar), {}).setdefault(answer, []).append(index)
    keep = [True] * len(result.items)
    for (_, _, polar), answers in groups.items():
        counts = [len(rows) for rows in answers.values()]
        cap = _polar_cap(answers) if polar else max(rules.least, cap_for(counts, rules.max_answer_share))
        for rows in answers.values():
            for row in _drawn(rows, result.items, seed)[cap:]:
                keep[row] = False
    _keep(result, keep, "answer too frequent in its category")


def _polar_cap(answers: dict[str, list[int]]) -> int:
    return min(len(answers.get("yes", ())), len(answers.get("no", ())))


def cap_for(counts: Sequence[int], share: float) -> int:
    """The largest cap c with c <= share * sum(min(count, c)): no answer is then above its share.

    Of counts 10, 2, 2 and a share of 0.5 that is 4: 4, 2, 2. Where too few answers share a category for any
    cap to do, the rarest answer's count.
    """
    for cap in range(max(counts), 0, -1):
        kept = sum(min(count, cap) for count in counts)
        if min(cap, max(counts)) <= share * kept:
            return cap
    return min(counts)


def _drawn(rows: Sequence[int], items: Sequence[Item], seed: int) -> list[int]:
    """Rows in an order that depends on the seed and each question alone."""

    def draw(row: int) -> tuple[float, int]:
        item = items[row]
        return float(generator(seed, "zoom balance", item.image, item.digest).random()), row

    return sorted(rows, key=draw)


def _keep(result: Balanced, keep: Sequence[bool], reason: str) -> None:
    gone = len(keep) - sum(keep)
    if gone:
        result.left_out[reason] += gone
    result.items = [item for item, stays in zip(result.items, keep) if stays]


# --- the report -----------------------------------------------------------------------------------

_SIZES = (("< 1/1000", 0.001), ("< 1/100", 0.01), ("< 1/20", 0.05), (">= 1/20", 2.0))


def report(
    items: Sequence[Item], areas: dict[str, float], splits: dict[str, str], left_out: dict[str, Counter[str]]
) -> dict[str, Any]:
    """Counts by way, category, answer, evidence size and split, and what was left out, as JSON holds it.

    Args:
        items: the questions that stay.
        areas: of each image in px.
        splits: of each image.
        left_out: counts by reason, by step.
    """
    by_category: dict[str, Counter[str]] = {}
    spelt: dict[str, str] = {}
    for item in items:
        answer = spelt.setdefault(normalised_answer(item.meant), item.meant)
        by_category.setdefault(item.category, Counter())[answer] += 1
    polar = Counter(
        item.answer.lower() for item in items if same_answer(item.answer, "yes") or item.answer == "no"
    )
    return {
        "samples": len(items),
        "images": len({item.image for item in items}),
        "way": dict(Counter(item.way for item in items)),
        "split": dict(Counter(splits[item.image] for item in items)),
        "category": {
            name: {"samples": sum(answers.values()), "answers": dict(answers.most_common())}
            for name, answers in sorted(by_category.items())
        },
        "yes": polar["yes"],
        "no": polar["no"],
        "letters": letters_of(items),
        "guessable": round(_guessable(items), 3),
        "evidence_share": _sizes([item.evidence.area / areas[item.image] for item in items]),
        "box_share": _sizes([item.box.area / areas[item.image] for item in items]),
        "left_out": {step: dict(counts.most_common()) for step, counts in left_out.items() if counts},
    }


def _guessable(items: Sequence[Item]) -> float:
    """Share of right answers of one who sees no image.

    They answer what most other questions of the category about the same class have; a tie counts half.
    """
    groups: dict[tuple[str, str, str, bool], Counter[str]] = {}
    for item in items:
        polar = item.meant.lower() in ("yes", "no")
        kind = (item.category, item.notes.get("topic", ""), item.about, polar)
        groups.setdefault(kind, Counter())[normalised_answer(item.meant)] += 1
    right = 0.0
    for answers in groups.values():
        for answer, count in answers.items():
            rival = max((other for name, other in answers.items() if name != answer), default=0)
            right += count * (1.0 if count - 1 > rival else 0.5 if count - 1 == rival > 0 else 0.0)
    return right / max(1, len(items))


def _sizes(shares: Sequence[float]) -> dict[str, int]:
    found = Counter(next(name for name, most in _SIZES if share < most) for share in shares)
    return {name: found[name] for name, _ in _SIZES}


def table(summary: dict[str, Any]) -> str:
    """The report as lines of text for a terminal."""
    ways = ", ".join(f"{way} {count:,}" for way, count in summary["way"].items())
    lines = [
        f"{counted(summary['samples'], 'sample')} of {counted(summary['images'], 'image')}: {ways or 'none'}"
    ]
    lines.append(f"{'category':<18}{'samples':>8}{'answers':>9}  most frequent")
    for name, row in summary["category"].items():
        first = ", ".join(f"{answer} {count}" for answer, count in list(row["answers"].items())[:4])
        lines.append(f"{name:<18}{row['samples']:>8,}{len(row['answers']):>9}  {first}")
    lines.append(f"yes {summary['yes']:,}, no {summary['no']:,}; letters {_counts(summary['letters'])}")
    lines.append(f"guessed right without an image, by class and category: {summary['guessable']:.1%}")
    lines.append(f"evidence of the image: {_counts(summary['evidence_share'])}")
    lines.append(f"box of the image: {_counts(summary['box_share'])}")
    if len(summary["split"]) > 1:
        lines.append(f"split: {_counts(summary['split'])}")
    for step, reasons in summary["left_out"].items():
        lines.append(f"left out, {step}: {_counts(reasons)}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
