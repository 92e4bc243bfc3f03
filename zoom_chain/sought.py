"""What a question seeks: all objects of a kind in the whole scene, or something else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detection_eval.text.labels import LabelMatcher, singular, spoken

Kind = Literal["count", "presence", "objects"]

_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "count",
        re.compile(r"how many (?P<what>.+?)(?P<rest>(?: (?:are|is|can|do|does)\b.*)?)$", re.I),
    ),
    (
        "count",
        re.compile(
            r"(?:(?:what is|give|state) )?(?:the )?(?:total )?(?:number|count) of (?P<what>.+)(?P<rest>)$",
            re.I,
        ),
    ),
    ("count", re.compile(r"count (?:all |the |every )*(?P<what>.+)(?P<rest>)$", re.I)),
    (
        "presence",
        re.compile(r"(?:is|are) there (?:an? |any |some |at least one )?(?P<what>.+)(?P<rest>)$", re.I),
    ),
    (
        "objects",
        re.compile(
            r"(?:where (?:are|is)|find|locate|detect|list|mark|show(?: me)?) (?:all |the |every |each |any )*"
            r"(?P<what>.+)(?P<rest>)$",
            re.I,
        ),
    ),
)
_QUALIFIER = re.compile(
    r"\b(?:at|in|on|near|next|within|inside|by|beside|around|along|of|that|which|whose|with|without|to|from|"
    r"between|above|below|left|right|north|south|east|west|parked|visible|present|there|you|altogether|shown)\b",
    re.I,
)
_WHOLE = re.compile(
    r"(?:\s|,|\b(?:are|is|were|can|do|does|be|you|we|one|see|seen|find|found|counted|there|visible|present|shown|"
    r"altogether|in total|overall|(?:in|on|within|of) (?:the|this) (?:whole |entire )?"
    r"(?:scene|image|picture|photo|photograph|view|overview))\b)*",
    re.I,
)
_NO_KIND = re.compile(r"(?:are|is|were|can|do|does|it|they|them|these|those|this|one|more)", re.I)
_AROUND = " \t\"'\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
_OPTION = re.compile(r"^\s*\(?[A-Z][).:]\s", re.M)


@dataclass(frozen=True)
class Sought:
    """All objects of a kind.

    Attributes:
        kind: how many there are, whether there are any, or which and where.
        what: the kind in the words of the question.
        whole: whether it is asked about the whole scene; not where a place or a relation narrows it.
    """

    kind: Kind
    what: str
    whole: bool

    def label(self, classes: Sequence[str] | None) -> str | None:
        """The class that is sought: one of those that a model knows, or any where it takes any.

        None where the model knows no such class.
        """
        if classes is None:
            return singular(spoken(self.what))
        match = LabelMatcher(classes)(self.what)
        return None if match is None else classes[match.label]


def sought_by(question: str) -> Sought | None:
    """What a question seeks; None for one that asks for something else, or for one of several options.

    Questions are read in English; the words for objects may be of any language.
    """
    if _OPTION.search(question):
        return None
    # An accent of its own would end a word: the "to" of a decomposed "tó" would narrow the question.
    composed = unicodedata.normalize("NFKC", question)
    first = re.split(r"[?\n]|[.!](?:\s|$)", composed.strip(), maxsplit=1)[0].strip()
    for kind, form in _FORMS:
        if match := form.fullmatch(first):
            what, rest = match["what"], match["rest"]
            if narrower := _QUALIFIER.search(what):
                what, rest = what[: narrower.start()], what[narrower.start() :] + rest
            what = what.strip(_AROUND)
            if not what or _NO_KIND.fullmatch(what):
                return None
            return Sought(kind, what, _WHOLE.fullmatch(rest) is not None)
    return None
