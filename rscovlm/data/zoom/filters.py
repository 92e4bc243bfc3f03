"""Filters of a teacher's questions: total parsing of its reply, and checks against the annotation.

Text from a model is untrusted. Nothing here raises on it: a pair of question and answer is either accepted,
with its category, or rejected with a reason that is counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detection_eval.words import plural
from rscovlm.data.annotations import Annotated
from rscovlm.data.references import inside_of
from rscovlm.data.words import Category
from rscovlm.scoring.answers import count_in, normalised_answer, normalised_words, same_answer
from tiling.view import Window

MOST_QUESTION_WORDS, MOST_ANSWER_WORDS = 45, 5

_ENGLISH = re.compile(
    r"\b(what|which|how|is|are|does|do|where|can|has|have|was|count|tell|in|on|name|identify)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(cannot|can't|can not|unable|sorry|as an ai"
    r"|not (?:visible|clear|sure|possible|provided|specified|known|applicable)"
    r"|unclear|unknown|unidentifiable|undetermined|n/?a|no information|hard to|difficult to)\b",
    re.IGNORECASE,
)
_LEAK = re.compile(
    r"\d+(?:\.\d+)?\s*[,;x]\s*\d+|\b(?:pixels?|px|bbox|coordinates?|bounding box|red (?:box|rectangle|frame)"
    r"|(?:boxed|marked|highlighted|outlined|framed|annotat\w+|crop(?:ped)?|zoom\w*|close-?up|overview"
    r"|first image|second image|enlarged))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Pair:
    """A question and answer as a teacher wrote them."""

    question: str
    answer: str


@dataclass(frozen=True)
class Target:
    """Context of a request to a teacher.

    Attributes:
        thing: index of the object.
        phrase: the reference that means exactly this object.
        uses: what the phrase gives away.
        box: the crop that the teacher was shown.
    """

    thing: int
    phrase: str
    uses: frozenset[str]
    box: Window


@dataclass(frozen=True)
class Verdict:
    """Outcome of a pair.

    Attributes:
        category: of an accepted question.
        reason: why it is rejected, or "".
        checked: whether the annotation confirms the answer; where it says nothing, only the blind pass can.
    """

    category: Category = "reasoning"
    reason: str = ""
    checked: bool = False


def parse_pairs(reply: str) -> tuple[list[Pair], int]:
    """The pairs in a reply, and how many entries were none.

    Looks for the first JSON list, or an object that holds one, anywhere in the text; a list that breaks off
    gives the entries that are whole. A reply without any counts as one malformed entry.
    """
    entries = _first_list(reply)
    pairs = []
    for entry in entries or ():
        pair = _pair(entry)
        if pair is not None:
            pairs.append(pair)
    return pairs, len(entries or ()) - len(pairs) if entries else 1


def _first_list(text: str) -> list[Any] | None:
    decoder = json.JSONDecoder()
    for match in re.finditer(r"[\[{]", text[:20_000]):
        try:
            found, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            found = _whole_entries(text, match.start(), decoder) if match[0] == "[" else None
        if isinstance(found, dict):
            lists = [value for value in found.values() if isinstance(value, list)]
            found = lists[0] if lists else [found] if "question" in found else None
        if isinstance(found, list) and any(isinstance(entry, dict) for entry in found):
            return found
    return None


def _whole_entries(text: str, start: int, decoder: json.JSONDecoder) -> list[Any]:
    """The objects of a list that breaks off."""
    found, at = [], start + 1
    while (opening := re.compile(r"\s*,?\s*(?={)").match(text, at)) is not None:
        try:
            entry, at = decoder.raw_decode(text, opening.end())
        except (ValueError, RecursionError):
            break
        found.append(entry)
    return found


def _pair(entry: Any) -> Pair | None:
    if not isinstance(entry, Mapping):
        return None
    question, answer = entry.get("question"), entry.get("answer")
    if isinstance(answer, bool):
        answer = "yes" if answer else "no"
    if isinstance(answer, (int, float)):
        answer = str(answer)
    if not isinstance(question, str) or not isinstance(answer, str):
        return None
    question, answer = " ".join(question.split()), " ".join(answer.split()).rstrip(".").strip()
    return Pair(question, answer) if question and answer else None


def judge(pair: Pair, target: Target, image: Annotated) -> Verdict:
    """Whether a pair can be used, by form first and by the annotation then."""
    if reason := _problem_of_form(pair, target):
        return Verdict(reason=reason)
    category = category_of(pair, target)
    right = _expected(pair, category, target, image)
    if right is None:
        return Verdict(category, reason="" if category not in _MUST_BE_KNOWN else "not in the annotation")
    if not any(same_answer(pair.answer, answer) for answer in right):
        return Verdict(category, reason=f"wrong by the annotation ({category})")
    return Verdict(category, checked=True)


_MUST_BE_KNOWN = ("count",)


def problem_of_words(pair: Pair) -> str:
    """The reason why a pair cannot be used, whatever it is about; "" where there is none."""
    words, answer = pair.question.split(), pair.answer.split()
    checks = {
        "too long": len(words) > MOST_QUESTION_WORDS or len(answer) > MOST_ANSWER_WORDS,
        "not English": not pair.question.isascii()
        or not pair.answer.isascii()
        or not _ENGLISH.search(pair.question),
        "a refusal": bool(_REFUSAL.search(pair.answer) or _REFUSAL.search(pair.question)),
    }
    return next((reason for reason, wrong in checks.items() if wrong), "")


def _problem_of_form(pair: Pair, target: Target) -> str:
    if reason := problem_of_words(pair):
        return reason
    asked = normalised_words(pair.question)
    phrase = normalised_words(target.phrase)
    checks = {
        "tells of boxes or coordinates": bool(_LEAK.search(pair.question) or _LEAK.search(pair.answer)),
        "ambiguous reference": f" {phrase} " not in f" {asked} ",
        "answer stands in the question": _told(pair, target),
    }
    return next((reason for reason, wrong in checks.items() if wrong), "")


def _told(pair: Pair, target: Target) -> bool:
    """Whether the question holds its answer, other than as one of several to choose from, or as yes or no."""
    answer = normalised_answer(pair.answer)
    if answer in ("yes", "no"):
        return False
    asked = f" {normalised_answer(pair.question)} "
    offered = (
        re.search(r"\bor\b", pair.question) and f" {answer} " not in f" {normalised_answer(target.phrase)} "
    )
    return f" {answer} " in asked and not offered


def category_of(pair: Pair, target: Target) -> Category:
    """What a question asks for, from its words outside the reference."""
    asked = normalised_words(pair.question).replace(normalised_words(target.phrase), " ")
    if re.search(r"\b(how many|number of|count)\b", asked):
        return "count"
    if re.search(r"\b(colors?|colours?)\b", asked):
        return "object color"
    if re.search(r"\b(rural|urban)\b", asked):
        return "rural or urban"
    if re.search(r"\b(shapes?|outline)\b", asked):
        return "object shape"
    if re.search(r"\b(surround\w*|background|ground|land|terrain|surface)\b", asked):
        return "object background"
    if re.search(r"\b(status|state|condition|moving|parked|moored|docked|aligned|direction)\b", asked):
        return "object status"
    if re.search(r"\b(type|kind|category|class|sort|model|subtype|what is the object)\b", asked):
        return "object category"
    return "reasoning"


def _expected(pair: Pair, category: Category, target: Target, image: Annotated) -> list[str] | None:
    """All answers that the annotation allows, or None where it says nothing about the question."""
    thing = image.things[target.thing]
    if same_answer(pair.answer, "yes") or same_answer(pair.answer, "no"):
        return _expected_polar(pair, category, target, image)
    if category == "count":
        return _expected_count(pair, target, image)
    if category == "object category":
        kind = thing.known("kind")
        if kind:
            return [kind]
        others = {name for name in image.by_name if name != thing.name}
        wrong = any(same_answer(pair.answer, name) for name in others)
        return [thing.name] if wrong or same_answer(pair.answer, thing.name) else None
    names: dict[str, tuple[str, ...]] = {
        "object color": ("color",),
        "object shape": ("shape",),
        "object background": ("background", "place"),
    }
    known = [value for name in names.get(category, ()) if (value := thing.known(name))]
    return known or None


def _expected_polar(pair: Pair, category: Category, target: Target, image: Annotated) -> list[str] | None:
    """The answer to: is it red? is it a tanker?, where exactly one value of the attribute is named."""
    thing = image.things[target.thing]
    asked = normalised_words(pair.question).replace(normalised_words(target.phrase), " ")
    for attribute in ("color", "kind", "shape", "background"):
        value = thing.known(attribute)
        named = [
            word for word in image.vocabulary(attribute) if f" {normalised_words(word)} " in f" {asked} "
        ]
        if value and len(named) == 1:
            return ["yes" if named[0] == value else "no"]
    return None


def _expected_count(pair: Pair, target: Target, image: Annotated) -> list[str] | None:
    """How many there are of the class named, where the crop shows all of them whole and none in part."""
    if count_in(pair.answer) is None:
        return None
    asked = f" {normalised_words(pair.question).replace(normalised_words(target.phrase), ' ')} "
    named = [
        members
        for name, members in image.by_name.items()
        if f" {normalised_words(plural(name))} " in asked or f" {normalised_words(name)} " in asked
    ]
    if len(named) != 1 or any(image.things[index].difficult for index in named[0]):
        return None
    inside = inside_of(image, named[0], target.box)
    return [str(len(inside))] if inside is not None and len(inside) == len(named[0]) else None
