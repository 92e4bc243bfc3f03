"""Regular expressions of turns in a dialect, for servers that can hold a model to one."""

from __future__ import annotations

import json

from detection_eval.text.patterns import literal
from zoom_chain.dialect import ZoomDialect

WORDS = r"(?:[^<]|</?think>|</?answer>)*"
"""Words, thoughts and a marked answer: no "<" but that of their tags, so that no half call is among them."""

_BOX, _LABEL = (100.0, 200.0, 300.0, 400.0), "what is looked for"
_MOST_LABEL = 80


def turn_pattern(dialect: ZoomDialect, *, calls: bool) -> str:
    """The regular expression that whole turns match.

    It says how a call is written, not where its box may be: any number of up to four digits is a coordinate.

    Args:
        dialect: the wire format that the model was offered.
        calls: whether the turn may end in a call of the tool; not once it was withdrawn.
    """
    return f"{WORDS}(?:{call_pattern(dialect)})?" if calls else WORDS


def call_pattern(dialect: ZoomDialect) -> str:
    """The regular expression of one call, as ``ZoomDialect.render_call`` writes it."""
    pattern = literal(dialect.render_call(_BOX, 1000, 1000, _LABEL))
    decimals = dialect.space.extent == 1
    number = r"(?:0\.[0-9]{1,3}|1\.0)" if decimals else "[0-9]{1,4}"
    box = [value / 1000 for value in _BOX] if decimals else [int(value) for value in _BOX]
    pattern = pattern.replace(literal(json.dumps(box)), rf"\[{', '.join([number] * 4)}\]")
    pattern = pattern.replace(literal(_LABEL), rf'[^"\\\n<]{{0,{_MOST_LABEL}}}')
    if not dialect.writes_image_index:
        return pattern
    first = literal(f'"{dialect.image_key}": {json.dumps(dialect.image_reference(0))}')
    return pattern.replace(first, f"{literal(json.dumps(dialect.image_key))}: {_reference(dialect)}")


def _reference(dialect: ZoomDialect) -> str:
    """How a call refers to an image."""
    if dialect.image_names is None:
        return "[0-9]{1,2}"
    original, crop = dialect.image_names
    return f'"(?:{literal(original)}|{literal(crop).replace(literal("{i}"), "[0-9]{1,2}")})"'
