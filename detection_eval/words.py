"""Nouns in what is printed: their plurals, and a number with the noun that it counts."""

from __future__ import annotations

import re

_IRREGULAR = {"bus": "buses", "aircraft": "aircraft"}


def plural(noun: str) -> str:
    """The plural of a noun phrase whose last word carries it: ``storage tank`` -> ``storage tanks``."""
    head, space, last = noun.rpartition(" ")
    return head + space + _plural(last)


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with what it counts: ``1 image``, ``2,000 images``, ``0 boxes``.

    Args:
        count: the number; thousands are separated by commas.
        one: the words after 1, such as ``box`` or, with a verb that agrees, ``box is``.
        many: the words after all other numbers; the plural of ``one`` by default.
    """
    return f"{count:,} {one if count == 1 else plural(one) if many is None else many}"


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if re.search(r"(s|x|z|ch|sh)$", word):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"
