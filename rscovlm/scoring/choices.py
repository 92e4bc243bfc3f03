"""Letters that a reply to a multiple choice states: by our own grammar, and as public scorers read them.

| reader | reads | known for |
|---|---|---|
| ``chosen_letters`` | a strict grammar, else the one option that is named, else nothing | ours |
| ``mme_letter`` | the first capital A-E, else the first option that holds it | "Answer: B" is A; "" is A |
| ``xlrs_letters`` | letters in brackets, else each a-e of each word | "B. green" is {B, E}; "b" is nothing |
| ``holds_letter`` | whether the right letter occurs anywhere in the reply | "The answer is B" holds A |

The last three follow the behaviour of MME-RealWorld's own script, of XLRS-Bench in lmms-eval and VLMEvalKit
(OmniEarth-Bench in the latter too), and of RSCoVLM. The first two of them strip what comes before an answer,
from a list in which two commas are missing: "The best option is", "The correct option is", "Best answer:" and
"Best option:" are therefore left where they stand, and their letters are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rscovlm.scoring.answers import choice_letter, chosen_letter
from rscovlm.scoring.containment import norm

_LETTERED = re.compile(r"\s*\(?([A-Z])[).:]\s*")
_BOXED = re.compile(r"\\boxed\{(?:\s*\\text\w*\{)?([^{}]*)\}")
_ONE = r"(?:\(\s*[A-Z]\s*\)|\[\s*[A-Z]\s*\]|\*\*[A-Z]\*\*|[A-Z](?![\w']))"
_AND = r"(?:[\s,;/&+]|\band\b)+"
_LIST = rf"({_ONE}(?:{_AND}{_ONE})*)"
_WHOLE = re.compile(rf"\s*\**{_LIST}\**[\s.]*")
_RUN = re.compile(r"\s*([A-Z]{2,})[\s.]*")
_STATED = re.compile(
    rf"\b(?i:answers?|options?|choices?)(?i:\(s\))?(?i:\s+(?:is|are))?[\s:*]{{1,6}}{_LIST}[ \t.*]*(?:\n|$)"
)
_OPENED = re.compile(r"^[ \t*-]*\(?([A-Z])[).:]", re.MULTILINE)


def bare_options(options: Sequence[str]) -> tuple[str, ...]:
    """Options without the letters that published data write before them: ``(A) red`` -> ``red``."""
    found = [_LETTERED.match(option) for option in options]
    if all(match and match[1] == choice_letter(index) for index, match in enumerate(found)):
        return tuple(option[match.end() :] for option, match in zip(options, found) if match)
    return tuple(options)


def chosen_letters(text: str, options: Sequence[str] = ()) -> frozenset[str]:
    r"""The letters that a reply chooses; empty where it chooses none, or one but not clearly.

    Read in this order: what stands in ``\boxed{}``; a list of letters that is the whole reply (``A, C``,
    ``A and C``, ``AC``) or the rest of the line after "answer", "option" or "choice"; several lines that each
    open with a letter; else one letter as :func:`rscovlm.scoring.answers.chosen_letter` reads it.

    Args:
        text: the reply.
        options: in order, A first, with or without letters; empty where only letters can be read.
    """
    boxed = _BOXED.findall(text)
    text = boxed[-1] if boxed else text
    options = bare_options(options)
    allowed = {choice_letter(index) for index in range(len(options) or 26)}
    for found in (*_listed(text), set(_OPENED.findall(text))):
        if len(found) > 1 and found <= allowed:
            return frozenset(found)
    letter = chosen_letter(text, options)
    return frozenset() if letter is None else frozenset({letter})


def _listed(text: str) -> list[set[str]]:
    """Lists of letters: the whole reply, a word of letters, or what a statement of the answer gives."""
    whole, run, stated = _WHOLE.fullmatch(text), _RUN.fullmatch(text), _STATED.findall(text)
    lists = [set(re.findall(r"[A-Z]", whole[1]))] if whole else []
    if run and len(set(run[1])) == len(run[1]):
        lists.append(set(run[1]))
    return lists + [set(re.findall(r"\b[A-Z]\b", last)) for last in stated[-1:]]


# --- as public scorers read ------------------------------------------------------------------------

_STRIPPED = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is" + "The correct option is",  # a comma is missing there: no reply holds this
    "Best answer:" + "Best option:",
)


def mme_letter(text: str, options: Sequence[str]) -> str | None:
    """The letter that MME-RealWorld's own script reads; None for none.

    Args:
        text: the reply.
        options: with letters in brackets before them, as published: the script compares with ``(A) red``.
    """
    said = _stripped(text)
    if first := re.search("[A-E]", said):
        return first[0]
    if len(said.split()) > 10:
        return None
    return next((option[1] for option in options if said.lower() in option.lower()), None)


def xlrs_letters(text: str) -> frozenset[str]:
    """The letters that XLRS-Bench's and OmniEarth-Bench's scorers read.

    A reply without a capital A-E holds none. Letters in brackets count before all others; without any, each
    a to e in any word does, since the pattern that should find single letters has both its anchors optional.
    """
    said = _stripped(text)
    if not re.search("[A-E]", said):
        return frozenset()
    return frozenset(re.findall(r"\(([A-E])\)", said.upper()) or re.findall("[A-E]", said.upper()))


def holds_letter(text: str, letter: str) -> bool:
    """RSCoVLM's rule: whether the letter occurs in the reply, in any word, in any case."""
    return norm(letter) in norm(text)


def _stripped(text: str) -> str:
    said = text.strip()
    for words in _STRIPPED:
        said = said.replace(words, "")
    return said
