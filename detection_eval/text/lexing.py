"""Tokens of JSON as models write it: quotes of all kinds, bare words, units, comments, escaped quotes.

The pattern is possessive and each opening mark stops at the next of its kind, so that a text is scanned in
time linear in its length.
"""

from __future__ import annotations

import math
import re
from html import unescape

DIGITS = r"(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d{1,3})?+"
NUMBER = rf"(?<![\w.])[+-]?{DIGITS}(?!\w)"
_LONGEST_NUMBER = 40

TOKEN = re.compile(
    rf"""
    (?P<string>"(?P<double>(?:[^"\\\n]|\\.)*+)(?P<end>")?+(?P<key1>\s*+:)?+)
    |(?P<escaped>(?<!\\)\\++"(?P<inner>(?:[^"\\\n]|\\++(?!["\\]))*+)(?P<end2>\\++")?+(?P<key2>\s*+:)?+)
    |(?P<single>(?<![^\s\[({{,:])'(?P<simple>(?:[^'\\\n]|\\.)*+)'(?P<key3>\s*+:)?+)
    |(?P<curly>[\u201c\u201d\u201e\u201f\u00ab\u00bb](?P<angled>[^\u201c\u201d\u201e\u201f\u00ab\u00bb"\n]*+)[\u201c\u201d\u201e\u201f\u00ab\u00bb"](?P<key4>\s*+:)?+
        |(?<!\w)[\u2018\u2019\u201a\u201b\u2039\u203a](?P<hooked>[^\u2018\u2019\u201a\u201b\u2039\u203a'\n]*+)[\u2018\u2019\u201a\u201b\u2039\u203a'](?P<key5>\s*+:)?+)
    |(?P<fence>```)
    |(?P<comment>//|/\*|\#)
    |(?P<skip>(?<!\\)\\++[nrt])
    |(?P<number>(?<![\w.])(?P<value>[+-]?{DIGITS})(?:[ ]?(?P<unit>%|‰|°|(?:px|pixels?)\b)|(?!\w)))
    |(?P<open>[\[(]) |(?P<close>[\])]) |(?P<begin>\{{) |(?P<end_object>\}})
    |(?P<comma>[,;])
    |(?P<word>[+-]?(?P<name>[^\s\[\](){{}},;:="'`\\]++)(?P<key6>\s*+[:=](?!//))?+)
    """,
    re.VERBOSE,
)

_ESCAPE = re.compile(r"\\++(?:u(?P<code>[0-9a-fA-F]{4})|(?P<char>.))", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_NOTHING = frozenset({"null", "none", "nan", "undefined", "nil", "n/a"})
_ENDLESS = frozenset({"infinity", "inf"})


class Word(str):
    """A word that stands without quotes."""

    __slots__ = ()


class Percent(str):
    """A number with a percent sign, which no contract has."""

    __slots__ = ()


class Pixels(float):
    """A number with ``px`` behind it."""

    __slots__ = ()


def unquoted(content: str) -> str:
    """The content of a string, escapes and HTML entities resolved."""
    if "\\" in content:
        content = _ESCAPE.sub(_unescape, content)
        content = content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unescape(content) if "&" in content else content


def _unescape(escape: re.Match[str]) -> str:
    if escape["code"]:
        return chr(int(escape["code"], 16))
    return _CONTROL.get(escape["char"], escape["char"])


def number(text: str) -> float:
    """The value of a written number; infinite where it is too long to be one."""
    return float(text) if len(text) <= _LONGEST_NUMBER else math.inf


def word(text: str) -> Word | float | None:
    """The value of a bare word: nothing for null, an infinite number for Infinity, else itself."""
    plain = text.lower()
    if plain in _NOTHING:
        return None
    return math.inf if plain in _ENDLESS else Word(text)
