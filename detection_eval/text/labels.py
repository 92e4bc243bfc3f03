"""Class names as people and models write them, and how a written label finds its class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from detection_eval.errors import SettingError
from detection_eval.text.plain import plain_name

_JOINTS = re.compile(r"[-_\s]+")
_EDGE = " \t\r\n\"'`,.;:*!?\u201c\u201d\u2018\u2019\u00ab\u00bb"
_NUMBERED = re.compile(
    r"(?:\d{1,4}|an?|the|one|two|three|four|five|six|seven|eight|nine|ten|several|many) ?x? (?P<counted>.+)"
    r"|(?P<listed>.+?) ?(?:#|\(|no\.? |number |id ?:? ?)? ?#?\d{1,4}\)?"
)
_ALTERNATIVES = re.compile(r"\s*/\s*|\s*\|\s*|\s+or\s+|\s*\(|\)\s*")
_LONGEST = 120  # no class name is longer; a longer label is text that ran away

How = Literal["exact", "plural", "alias", "numbered", "either", "fuzzy"]


def spoken(name: str) -> str:
    """A class name as it is written in text: lower case, spaces for hyphens and underscores."""
    return _JOINTS.sub(" ", name).strip().lower()


def by_spoken_name(names: Iterable[str]) -> list[str]:
    """Class names in the order in which RSCoVLM lists and ranks them: alphabetical as spoken."""
    return sorted(names, key=lambda name: (spoken(name), name))


def strip_edges(label: str) -> str:
    """A label without the quotes, commas and full stops around it."""
    return label.strip(_EDGE)


def singular(name: str) -> str:
    """The last word of a spoken name in the singular, by the regular rules of English."""
    if name.endswith(("ss", "us", "is")) or not name.endswith("s") or len(name) < 4:
        return name
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if name.endswith("ouses"):  # houses, warehouses; but buses
        return name[:-1]
    if name.endswith(("ches", "shes", "xes", "sses", "uses")):
        return name[:-2]
    return name[:-1]


class Match(NamedTuple):
    """The class that a written label stands for.

    Attributes:
        label: index of the class.
        how: exact after normalising case and hyphens; or by plural, by alias, without its number ("ship 2"),
            as one of alternatives of which the others are unknown ("plane/airplane"), or by likeness.
        likeness: 1 except for fuzzy matches.
    """

    label: int
    how: How
    likeness: float = 1.0


class LabelMatcher:
    """Finds the class of a written label: exactly, else by the looser rules of ``Match.how`` in their order.

    Adjectives are not dropped: whether a "large ship" is a ship is for an alias to say.

    Args:
        classes: the names that count.
        aliases: other words for a class, as {word: class name}.
        fuzzy: lowest likeness (0 to 1) that is accepted, or None to accept no guess. Without a cut-off a
            label such as "car" finds some class that merely shares letters with it.

    Raises:
        SettingError: an alias of no class, or a cut-off outside (0, 1].
    """

    def __init__(
        self, classes: Sequence[str], aliases: Mapping[str, str] | None = None, fuzzy: float | None = None
    ):
        if fuzzy is not None and not 0 < fuzzy <= 1:
            raise SettingError(f"fuzzy cut-off {fuzzy} is outside (0, 1]; 0.9 is a cautious choice")
        self._spoken = [spoken(plain_name(name)) for name in classes]
        self._exact: dict[str, int] = {}
        self._singular: dict[str, int] = {}
        for index, name in enumerate(self._spoken):
            self._exact.setdefault(name, index)
            self._exact.setdefault(strip_edges(name), index)
            self._singular.setdefault(singular(name), index)
        self._aliases: dict[str, int] = {}
        for word, name in (aliases or {}).items():
            if name not in classes:
                raise SettingError(f"alias {word!r} is for {name!r}, which is not among {tuple(classes)}")
            self._aliases[spoken(plain_name(word))] = list(classes).index(name)
        self._fuzzy = fuzzy
        self._known: dict[str, Match | None] = {}

    def __call__(self, written: str) -> Match | None:
        """The class of a written label, or None."""
        if len(written) > _LONGEST:
            return None
        if written not in self._known:
            self._known[written] = self._find(spoken(plain_name(written)))
        return self._known[written]

    def _find(self, name: str) -> Match | None:
        bare = strip_edges(name)
        if name in self._exact:
            return Match(self._exact[name], "exact")
        for find in (self._named, self._without_number, self._one_of_several, self._alike):
            if bare and (found := find(bare)) is not None:
                return found
        return None

    def _named(self, name: str) -> Match | None:
        if name in self._exact:
            return Match(self._exact[name], "exact")
        if singular(name) in self._singular:
            return Match(self._singular[singular(name)], "plural")
        for form in (name, singular(name)):
            if form in self._aliases:
                return Match(self._aliases[form], "alias")
        return None

    def _without_number(self, name: str) -> Match | None:
        numbered = _NUMBERED.fullmatch(name)
        if numbered is None:
            return None
        found = self._named(strip_edges(numbered["counted"] or numbered["listed"]))
        return found and Match(found.label, "numbered")

    def _one_of_several(self, name: str) -> Match | None:
        found = [self._named(part) for part in map(strip_edges, _ALTERNATIVES.split(name)) if part]
        labels = {match.label for match in found if match is not None}
        return Match(labels.pop(), "either") if len(found) > 1 and len(labels) == 1 else None

    def _alike(self, name: str) -> Match | None:
        if self._fuzzy is None or not self._spoken:
            return None
        likeness = [SequenceMatcher(None, name, other, autojunk=False).ratio() for other in self._spoken]
        best = max(range(len(likeness)), key=likeness.__getitem__)
        return Match(best, "fuzzy", likeness[best]) if likeness[best] >= self._fuzzy else None
