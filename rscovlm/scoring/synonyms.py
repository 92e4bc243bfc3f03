"""Whether two words share a WordNet synset: the rule by which LRS-VQA counts answers as right.

LRS-VQA accepts a reply where some pair of synsets of the reply and of the right answer has a path similarity
above 0.8. Path similarity takes the values 1, 1/2, 1/3, ..., so this asks for a synset common to both. Words
are looked up as NLTK 3.10 does: in lower case, with endings taken off (morphy) for each part of speech.
Phrases are known with underscores ("parking_lot") and unknown with spaces.

The words are those of WordNet 3.0, from a table that ships with the package (``rscovlm/assets/wordnet``).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

ENDINGS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "n": (
            *(("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z")),
            *(("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")),
        ),
        "v": (
            *(("s", ""), ("ies", "y"), ("es", "e"), ("es", "")),
            *(("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
        ),
        "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
        "r": (),
    }
)
"""Endings of nouns, verbs, adjectives and adverbs, and what stands in their place (morphy(7WN))."""


class _Part(NamedTuple):
    """The words of one part of speech, with the synsets that they share with others, and irregular forms."""

    words: dict[str, tuple[int, ...]]
    irregular: dict[str, list[str]]


def share_synset(first: str, second: str) -> bool:
    """Whether two words or underscored phrases have a synset in common, in any part of speech."""
    return not synsets(first).isdisjoint(synsets(second))


@lru_cache(maxsize=65_536)
def synsets(word: str) -> frozenset[str]:
    """What a word means, as names that two words have in common if they share a synset.

    Args:
        word: in any case and with any ending; empty for one that WordNet does not have.
    """
    return frozenset(_meanings(word.lower()))


def _meanings(form: str) -> Iterator[str]:
    for name, part in _table().items():
        for lemma in _lemmas(form, name, part):
            yield f"{lemma}.{name}"  # stands for those synsets that hold no other word
            yield from map(str, part.words[lemma])


def _lemmas(form: str, name: str, part: _Part) -> list[str]:
    """Words that a form may be of: itself, and irregular bases or else those with an ending taken off."""
    bases = part.irregular.get(form)
    if bases is None:
        bases = [form[: -len(old)] + new for old, new in ENDINGS[name] if form.endswith(old)]
    return [lemma for lemma in (form, *bases) if lemma in part.words]


@lru_cache(maxsize=1)
def _table() -> dict[str, _Part]:
    packed = files("rscovlm").joinpath("assets/wordnet/words.txt.xz").read_bytes()
    parts: dict[str, _Part] = {}
    for section in lzma.decompress(packed).decode("ascii").removeprefix("# ").split("\n# "):
        title, _, body = section.partition("\n")
        name, _, exceptions = title.partition(" ")
        lines = [line.split() for line in body.splitlines()]
        if exceptions:
            parts[name] = parts[name]._replace(irregular={form: bases for form, *bases in lines})
        else:
            parts[name] = _Part({word: tuple(map(int, numbers)) for word, *numbers in lines}, {})
    return parts
