"""Quantities that a reply states: a number or a range with its unit, in the unit that was asked for.

| written | asked for in Mg/ha |
|---|---|
| ``about 120 Mg/ha``, ``1.2e2 t ha-1`` | 120 |
| ``12 kg/m2`` | 120 |
| ``between 100 and 150 tonnes per hectare`` | 125, from 100 to 150 |
| ``120 ± 15`` | 120, from 105 to 135 |
| ``one hundred and twenty`` | 120 |
| ``It cannot be determined.`` | none: declined |

Where a reply states several quantities, one with the unit counts before those without, and the one after an
equals sign, "is" or "biomass:" before others; if several are left that differ, none is taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rscovlm.scoring.answers import normalised_words

Outcome = Literal["stated", "declined", "unread"]

FACTORS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Mg/ha": {"Mg/ha": 1.0, "kg/m2": 10.0, "kg/ha": 0.001, "g/m2": 0.01},
        "m": {"m": 1.0, "cm": 0.01, "km": 1000.0},
        "K": {"K": 1.0},
        "": {},
    }
)
"""Units that a target may be asked for in, and what one of each other unit is in it."""

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        r"(?:mg|t|tons?|tonnes?|megagrams?)\s*(?:/|per|\*|·)?\s*(?:ha|hectares?)(?:\s*\^?-1)?": "Mg/ha",
        r"(?:kg|kilograms?)\s*(?:/|per|\*|·)?\s*(?:m|met(?:er|re)s?\s*squared|square\s*met(?:er|re)s?|sq\.?\s*m)"
        r"\s*(?:\^?-?2)?": "kg/m2",
        r"(?:kg|kilograms?)\s*(?:/|per|\*|·)?\s*(?:ha|hectares?)(?:\s*\^?-1)?": "kg/ha",
        r"(?:g|grams?)\s*(?:/|per|\*|·)?\s*(?:m|square\s*met(?:er|re)s?)\s*(?:\^?-?2)?": "g/m2",
        r"(?:km|kilomet(?:er|re)s?)": "km",
        r"(?:cm|centimet(?:er|re)s?)": "cm",
        r"(?:m|met(?:er|re)s?)": "m",
        r"(?:k|kelvins?)": "K",
    }
)
_UNIT = "|".join(f"(?P<u{index}>{pattern})(?![a-z0-9])" for index, pattern in enumerate(_SPELLINGS))
_NUMBER = (
    r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
    r"(?:e[-+]?[0-9]{1,3}|\s*[x\u00d7]\s*10\^?[-+]?[0-9]{1,2})?"
)
_QUANTITY = re.compile(
    rf"(?<![\w.])(?P<first>{_NUMBER})(?![0-9.]*[0-9])"
    rf"(?:\s*(?:(?P<to>-|\u2013|\u2014|to|and|or|through)|(?P<give>±|\+/-|\+-|plus or minus))\s*"
    rf"(?P<second>(?<!\w)[+]?{_NUMBER.removeprefix('[-+]?')}))?"
    rf"\s*(?:{_UNIT})?",
    re.IGNORECASE,
)
_DECLINED = re.compile(
    r"\b(?:un(?:able|known|determinable)|can\s?not|can't|impossible|insufficient|not possible|no way to"
    r"|do(?:es)? not (?:know|provide|contain|show)|not enough)\b",
    re.IGNORECASE,
)
_PREFERRED = re.compile(
    r"(?:=|:|\bis|\babout|\bapproximately|\baround|\bof|\bestimate[ds]?)\s*(?:~|≈)?\s*\Z", re.I
)
_BETWEEN = re.compile(r"\b(?:between|from)\s*\Z", re.IGNORECASE)
_CONTEXT = 24  # characters before a number in which words about it are looked for
_SUPERSCRIPTS = str.maketrans({"²": "2", "⁻": "-", "¹": "1", "\u2212": "-", "\u2011": "-"})


@dataclass(frozen=True)
class Quantity:
    """What a reply states of a number.

    Attributes:
        outcome: ``stated``; ``declined``, where it says that it cannot tell; ``unread``.
        value: in the unit asked for; the middle of a range; None where nothing is stated.
        low, high: bounds in the same unit where the reply gives them, else None.
    """

    outcome: Outcome
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Found:
    quantity: Quantity
    with_unit: bool
    preferred: bool


def quantity_in(text: str, unit: str = "") -> Quantity:
    """The quantity that a reply states.

    Args:
        text: the reply.
        unit: that it is asked for in, of ``FACTORS``; numbers without a unit are taken to be in it.

    Raises:
        KeyError: for a unit that is not in ``FACTORS``.
    """
    factors = FACTORS[unit]
    plain = text.translate(_SUPERSCRIPTS)
    found = _quantities(plain, unit, factors) or _quantities(normalised_words(plain), unit, factors)
    for wanted in ("with_unit", "preferred"):
        found = [each for each in found if getattr(each, wanted)] or found
    different = {each.quantity for each in found}
    if len(different) == 1:
        return different.pop()
    if not different and _DECLINED.search(plain):
        return Quantity("declined")
    return Quantity("unread")


@dataclass(frozen=True)
class Written:
    """A number as it stands in a text.

    Attributes:
        start, end: of the number and its unit.
        digits: the number as it is written.
        factor: of the unit that it has, in the unit that it is asked for in; None without one.
    """

    start: int
    end: int
    digits: str
    factor: float | None

    @property
    def value(self) -> float:
        """In the unit asked for."""
        return _value(self.digits) * (1.0 if self.factor is None else self.factor)


def written_in(text: str, unit: str = "") -> list[Written]:
    """The numbers of a text in order, those of other kinds of units left out, both ends of a range.

    Digits of a unit (``Mg ha-1``, ``m2``) are none.

    Args:
        text: of any kind.
        unit: that numbers are asked for in, of ``FACTORS``; empty leaves out none for its unit.
    """
    found = []
    for match in _QUANTITY.finditer(text.translate(_SUPERSCRIPTS)):
        stated = next((name for index, name in enumerate(_SPELLINGS.values()) if match[f"u{index}"]), None)
        factor = None if stated is None else FACTORS[unit].get(stated)
        if unit and stated is not None and factor is None:
            continue
        if match["second"] is not None:
            found.append(Written(match.start("first"), match.end("first"), match["first"], factor))
        last = "first" if match["second"] is None else "second"
        found.append(Written(match.start(last), match.end(), match[last], factor))
    return [each for each in found if math.isfinite(each.value)]


def _quantities(text: str, unit: str, factors: Mapping[str, float]) -> list[_Found]:
    """Quantities in a unit, or without one, in order; those in other units are passed over."""
    found = []
    for match in _QUANTITY.finditer(text):
        stated = next((name for index, name in enumerate(_SPELLINGS.values()) if match[f"u{index}"]), None)
        if stated is not None and stated not in factors:
            continue
        factor = 1.0 if stated is None else factors[stated]
        before = text[max(0, match.start() - _CONTEXT) : match.start()]
        preferred = bool(_PREFERRED.search(before))
        found += [_Found(each, stated is not None, preferred) for each in _read(match, factor, before)]
    return found


def _read(match: re.Match[str], factor: float, before: str) -> list[Quantity]:
    """A range, or each of the numbers that "or" joins; "and" makes a range only after "between"."""
    first = _value(match["first"]) * factor
    if match["second"] is None:
        return [Quantity("stated", first)] if math.isfinite(first) else []
    second = _value(match["second"]) * factor
    if not math.isfinite(first + second):
        return []
    if match["give"]:
        return [Quantity("stated", first, first - second, first + second)]
    joiner = match["to"].lower()
    if joiner == "or" or (joiner == "and" and not _BETWEEN.search(before)):
        return [Quantity("stated", first), Quantity("stated", second)]
    low, high = sorted((first, second))
    return [Quantity("stated", (low + high) / 2, low, high)]


def _value(written: str) -> float:
    """``1,200``, ``1.2e3`` and ``1.2 x 10^3`` as a number."""
    plain = re.sub(r"\s*[x\u00d7]\s*10\^?", "e", written.replace(",", ""))
    return float(plain)
