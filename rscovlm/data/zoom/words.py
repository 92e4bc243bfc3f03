"""Words of the zoom data: how classes are spoken of, and when two answers are the same."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Literal

Category = Literal[
    "count",
    "object color",
    "object category",
    "object shape",
    "object status",
    "object background",
    "reasoning",
    "rural or urban",
    "object relation",
]
"""LRS-VQA's eight categories, and one for relations, which LRS-VQA files under reasoning."""

COLOURS = ("white", "red", "blue", "yellow", "black", "green", "gray", "brown", "orange")
"""Colours that a distractor may be taken from where an annotation holds too few of its own."""

SHAPES = MappingProxyType(
    {
        "storage tank": "round",
        "roundabout": "round",
        "tennis court": "rectangular",
        "basketball court": "rectangular",
        "football field": "rectangular",
        "soccer ball field": "rectangular",
        "ground track field": "oval",
    }
)
"""Classes whose outline follows from what they are; of any other, nothing is said unless it is annotated."""

FAIR1M_FAMILIES = MappingProxyType(
    {
        "plane": (
            *("Boeing737", "Boeing747", "Boeing777", "Boeing787", "C919"),
            *("A220", "A321", "A330", "A350", "ARJ21", "other-airplane"),
        ),
        "ship": (
            *("Passenger Ship", "Motorboat", "Fishing Boat", "Tugboat", "Engineering Ship"),
            *("Liquid Cargo Ship", "Dry Cargo Ship", "Warship", "other-ship"),
        ),
        "vehicle": (
            *("Small Car", "Bus", "Cargo Truck", "Dump Truck", "Van"),
            *("Trailer", "Tractor", "Excavator", "Truck Tractor", "other-vehicle"),
        ),
    }
)
"""FAIR1M's fine classes by what they are kinds of (FAIR1M, table 2); its courts and roads have no kinds."""

NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)

_SYNONYMS = {
    "grey": "gray",
    "airplane": "plane",
    "aeroplane": "plane",
    "aircraft": "plane",
    "circular": "round",
    "rectangle": "rectangular",
    "circle": "round",
    "harbor": "harbour",
    "true": "yes",
    "false": "no",
    "none": "0",
    **{word: str(number) for number, word in enumerate(NUMBERS)},
}
_ARTICLES = {"a", "an", "the", "it", "is", "its", "they", "are", "there"}
_IRREGULAR = {"bus": "buses", "aircraft": "aircraft"}


def plural(noun: str) -> str:
    """The plural of a noun phrase whose last word carries it: ``storage tank`` -> ``storage tanks``."""
    head, space, last = noun.rpartition(" ")
    return head + space + _plural(last)


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if re.search(r"(s|x|z|ch|sh)$", word):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"


def normalised_question(text: str) -> str:
    """A question as far as it matters for finding it again: words in lower case, one spelling."""
    return " ".join(_tokens(text))


def normalised_answer(text: str) -> str:
    """An answer as far as it matters: lower case, no articles, numbers as digits, singular, one spelling."""
    words = [word for word in _tokens(text) if word not in _ARTICLES]
    return " ".join(_singular(word) for word in words)


def same_answer(first: str, second: str) -> bool:
    """Whether two answers say the same, up to spelling; two empty ones do not."""
    one, other = normalised_answer(first), normalised_answer(second)
    return bool(one) and one == other


def _tokens(text: str) -> list[str]:
    return [_SYNONYMS.get(word, word) for word in re.findall(r"[a-z0-9]+", text.lower())]


def _singular(word: str) -> str:
    """The word without its plural ending; also where that is no word, as only equality counts."""
    if len(word) > 4 and word.endswith("ies"):
        word = f"{word[:-3]}y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")):
        word = word[:-1]
        word = word[:-1] if word.endswith(("she", "che", "xe", "use")) else word
    return _SYNONYMS.get(word, word)


def number_in(text: str) -> int | None:
    """The number that an answer states, in digits or words; None where it states none or several."""
    found = [int(word) for word in normalised_answer(text).split() if word.isdecimal()]
    return found[0] if len(found) == 1 else None
