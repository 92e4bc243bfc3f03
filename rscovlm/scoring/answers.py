"""Short answers in words: when two are the same, and which number, letter or class one states.

Two answers are the same if their normal forms are equal and not empty. A normal form is in lower case and in
the singular, without articles and punctuation, in one spelling, with numbers as digits:

| written | normal form |
|---|---|
| ``The ships.`` | ``ship`` |
| ``It's grey`` | ``gray`` |
| ``Twenty-one planes`` | ``21 plane`` |
| ``3.50 m``, ``3.5m`` | ``3.5 meter`` |
| ``minus 3`` | ``-3`` |
| ``1,200`` | ``1200`` |
| ``True`` | ``yes`` |
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import MappingProxyType

from detection_eval.text.labels import singular, spoken, strip_edges

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = MappingProxyType(
    {word: value for value, word in enumerate(_ONES)}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
)
_FACTORS = MappingProxyType({"hundred": 100, "thousand": 1000, "million": 1_000_000})
_SIGNS = frozenset({"minus", "negative"})
_VERDICTS = frozenset({"yes", "no"})
_FILLERS = frozenset(
    {"a", "an", "the", "it", "is", "its", "they", "are", "there", "theres", "theyre", "this", "thats"}
)
_SPELLINGS = MappingProxyType(
    {
        "aeroplane": "plane",
        "aircraft": "plane",
        "airplane": "plane",
        "centre": "center",
        "circle": "round",
        "circular": "round",
        "colour": "color",
        "coloured": "colored",
        "false": "no",
        "grey": "gray",
        "harbour": "harbor",
        "kilometre": "kilometer",
        "metre": "meter",
        "neighbourhood": "neighborhood",
        "none": "0",
        "nope": "no",
        "rectangle": "rectangular",
        "true": "yes",
        "yeah": "yes",
        "yep": "yes",
    }
)
"""One spelling for words that mean the same."""

_UNITS = MappingProxyType(
    {"m": "meter", "km": "kilometer", "cm": "centimeter", "ha": "hectare", "px": "pixel", "pct": "percent"}
)
"""Abbreviations that count as units after a number only."""

_WITH_OWN_MEANING = _FILLERS | _SIGNS | _NUMBERS.keys() | _FACTORS.keys() | _UNITS.keys()
"""Words whose plural is another word: "hundreds" is no number."""

_TOKEN = re.compile(
    r"(?P<ordinal>[0-9]+(?:st|nd|rd|th)(?![^\W_]))"
    r"|(?P<number>(?:(?<![\w.)%])-)?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
    r"|(?<![0-9])\.[0-9]+))"
    r"|(?P<word>[^\W_]+)"
    r"|(?P<percent>%)"
    r"|(?P<bound>[<>≤≥](?=\s*=?\s*-?\.?[0-9]))"
)
_BOUNDS = frozenset("<>≤≥")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})(?: (?:{'|'.join(_ONES[1:10])}))?|{'|'.join(reversed(_ONES))})(?!\S)"
_SPELLED = re.compile(
    rf"(?<!\S)(?:(?:(?P<hundreds>{_BELOW_100}) )?(?P<hundred>hundred)(?!\S)"
    rf"(?:(?: and)? (?P<rest>{_BELOW_100}))?"
    rf"|(?P<below>{_BELOW_100}))"
)
_BEFORE_FACTOR = r"(?P<number>-?[0-9]{1,12}(?:\.[0-9]{1,9})?) "
_FACTOR_OF_DIGITS = re.compile(rf"(?<!\S){_BEFORE_FACTOR}(?P<factor>{'|'.join(_FACTORS)})(?!\S)")
_FACTOR = re.compile(rf"(?<!\S)(?:{_BEFORE_FACTOR})?(?P<factor>{'|'.join(_FACTORS)})(?!\S)")
_SIGN = re.compile(rf"(?<!\S)(?:(?:{'|'.join(sorted(_SIGNS))}) )+([0-9.]+)(?!\S)")
_UNIT = re.compile(rf"(?<=[0-9] )(?:{'|'.join(_UNITS)})(?!\S)")


def same_answer(first: str, second: str) -> bool:
    """Whether two answers have the same normal form; an empty one is the same as none."""
    one = normalised_answer(first)
    return bool(one) and one == normalised_answer(second)


def normalised_answer(text: str) -> str:
    """The normal form of an answer: what two answers share that say the same."""
    words = [_singular(word) for word in _tokens(text)]
    return _with_digits([word for word in words if word not in _FILLERS] or words)


def normalised_words(text: str) -> str:
    """All words of a text, articles and endings too, in lower case, in one spelling, numbers as digits."""
    return _with_digits([_SPELLINGS.get(word, word) for word in _tokens(text)])


def yes_or_no(text: str) -> str | None:
    """``yes`` or ``no``, where an answer begins with it: "Yes, two of them", "There are no ships".

    None where it begins otherwise, or holds the other one too.
    """
    words = normalised_answer(text).split()
    if not words or words[0] not in _VERDICTS or set(words) >= _VERDICTS:
        return None
    return words[0]


def number_in(text: str) -> float | None:
    """The number that an answer states, in digits or words; None where it states none, several or a bound.

    One that is too large for a float is none.
    """
    words = normalised_answer(text).split()
    found = {float(word) for word in words if _NUMBER.fullmatch(word)}
    stated = found.pop() if len(found) == 1 and _BOUNDS.isdisjoint(words) else None
    return stated if stated is not None and math.isfinite(stated) else None


def count_in(text: str) -> int | None:
    """The count that an answer states: its number, where that is whole and not negative."""
    number = number_in(text)
    return int(number) if number is not None and number >= 0 and number.is_integer() else None


def named_class(text: str, classes: Sequence[str]) -> str | None:
    """The one class that a reply names, as it is written in the list; None where it names none or several.

    Where one name is part of another ("vehicle", "small vehicle"), the longer one counts. Names that differ
    in no more than what :func:`normalised_answer` leaves out ("plane", "airplane") are told apart by their
    letters.
    """
    said = strip_edges(spoken(text))
    for name in classes:
        if spoken(name) == said:
            return name
    joined = _joined(said)
    alike = [name for name in classes if _joined(spoken(name)) == joined]
    if joined and len(alike) == 1:
        return alike[0]
    by_form: dict[str, list[str]] = {}
    for name in classes:
        by_form.setdefault(normalised_answer(name), []).append(name)
    by_form.pop("", None)
    found = _contained(normalised_answer(text), by_form)
    if len(found) != 1:
        return None
    alike = by_form[found[0]]
    if len(alike) > 1:
        alike = [name for name in alike if re.search(rf"(?<!\w){re.escape(spoken(name))}(?!\w)", said)]
    return alike[0] if len(alike) == 1 else None


def _joined(text: str) -> str:
    """Letters and digits alone: names are written "dense residential" and "DenseResidential"."""
    return re.sub(r"[\W_]", "", text)


def choice_letter(index: int) -> str:
    """The letter of an option: A, B, ..."""
    return chr(ord("A") + index)


def chosen_letter(text: str, options: Sequence[str] = ()) -> str | None:
    """The letter of the option that a reply chooses; None where it chooses none or several.

    Read in this order: a letter alone (``b``, ``(B)``); one that opens the reply (``B. red``; an A or I there
    may be a word); the only one after "answer", "option" or "choice"; the only one in brackets; else the one
    option that the reply names.

    Args:
        text: the reply.
        options: the options in order, A first; empty where only letters can be read.
    """
    allowed = {choice_letter(index) for index in range(len(options) or 26)}
    for pattern in _LETTERS:
        letters = {match[match.lastindex or 0].upper() for match in pattern.finditer(text)} & allowed
        if letters:
            return letters.pop() if len(letters) == 1 else None
    named = named_class(text, options)
    return None if named is None else choice_letter(list(options).index(named))


_LETTERS = (
    re.compile(r"\A[\W_]*([A-Za-z])[\W_]*\Z"),
    re.compile(r"\A[\W_]*(?:([A-Z])(?=\s*[.):])|([B-HJ-Z])\b)"),
    re.compile(r"\b(?i:answer|option|choice)(?i:\s+is)?[\W_]{0,6}([B-Z]|A(?!\s+(?!or\b|and\b)[a-z]))\b"),
    re.compile(r"\(([A-Z])\)"),
)


def _contained(text: str, forms: Iterable[str]) -> list[str]:
    """The forms that a normalised text holds as whole words, longest first; none inside a longer one."""
    found = []
    for form in sorted(forms, key=len, reverse=True):
        text, times = re.subn(rf"(?<!\S){re.escape(form)}(?!\S)", "|", text)
        if times:
            found.append(form)
    return found


# --- normal form ----------------------------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    """Words in lower case, numbers in plain digits, and the signs that change what a number means."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = re.sub(r"(?<=\w)['\u2019](?=\w)", "", text.replace("\u2212", "-"))
    return [
        _plain_number(match[0])
        if match.lastgroup == "number"
        else "percent"
        if match.lastgroup == "percent"
        else match[0]
        for match in _TOKEN.finditer(text)
    ]


def _plain_number(written: str) -> str:
    """A decimal number without separators and needless zeros: ``1,200.50`` -> ``1200.5``."""
    whole, _, fraction = written.lstrip("-").replace(",", "").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return f"-{number}" if written.startswith("-") and number != "0" else number


def _with_digits(words: Sequence[str]) -> str:
    """Words in a row, with numbers, their signs and their units in one form."""
    text = _FACTOR_OF_DIGITS.sub(_multiplied, " ".join(words))  # before "3 hundred" is read as 3 and 100
    text = _FACTOR.sub(_multiplied, _SPELLED.sub(_as_digits, text))
    text = _SIGN.sub(lambda match: _plain_number(f"-{match[1]}"), text)
    return _UNIT.sub(lambda match: _UNITS[match[0]], text)


def _as_digits(spelled: re.Match[str]) -> str:
    """``two hundred and five`` -> ``205``."""
    hundreds, rest = spelled["hundreds"], spelled["rest"] or spelled["below"]
    number = sum(_NUMBERS[word] for word in (rest or "").split())
    if spelled["hundred"]:
        number += 100 * (sum(_NUMBERS[word] for word in hundreds.split()) if hundreds else 1)
    return str(number)


def _multiplied(multiple: re.Match[str]) -> str:
    """``1.5 million`` -> ``1500000``."""
    number = Decimal(multiple["number"] or 1) * _FACTORS[multiple["factor"]]
    return _plain_number(f"{number:f}")


def _singular(word: str) -> str:
    """The word in the singular and in one spelling; words whose plural means another thing stay."""
    one = singular(word)
    return word if one in _WITH_OWN_MEANING else _SPELLINGS.get(one, one)
