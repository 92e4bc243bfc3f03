"""Regular expressions of replies that follow a contract, for servers that can hold a model to one.

They use no more than such servers know: groups, alternatives, repetition, classes of characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from detection_eval.text.contract import Contract, Json, Lines, Tagged
from detection_eval.text.labels import by_spoken_name, spoken

_MOST_DIGITS = 5
_ANY_LABEL = r"[A-Za-z][A-Za-z0-9 ]{0,39}"
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]()|]")
_PLACE = re.compile(r"\{[^}]*\}")


def reply_pattern(contract: Contract, classes: Sequence[str] | None) -> str:
    """The regular expression that whole replies match: boxes as ``render_response`` writes them, or none.

    It says how boxes are written, not where they may be: any number of up to five digits is a coordinate.

    Args:
        contract: how the model family writes.
        classes: that boxes may have; None for any words.
    """
    # Corners of a box before it is turned may lie outside the image.
    sign = "" if contract.angle is None else "-?"
    numbers = [sign + _number(contract.decimals)] * contract.form.count
    if contract.angle is not None:
        numbers[-1] = sign + _number(contract.angle.decimals)
    label = _label(classes)
    if isinstance(contract.syntax, Lines):
        boxes = _lines(numbers, label, contract.syntax)
    elif isinstance(contract.syntax, Json):
        boxes = _json(numbers, label, contract.syntax)
    else:
        boxes = _tagged(numbers, label, contract, contract.syntax)
    return f"(?:{boxes}|{literal(contract.empty)})"


def _number(decimals: int) -> str:
    digits = f"[0-9]{{1,{_MOST_DIGITS}}}"
    return digits if decimals == 0 else rf"{digits}\.[0-9]{{{decimals}}}"


def _label(classes: Sequence[str] | None) -> str:
    if classes is None:
        return _ANY_LABEL
    return f"(?:{'|'.join(literal(spoken(name)) for name in by_spoken_name(classes))})"


def literal(text: str) -> str:
    """Text that stands for itself; ``re.escape`` writes escapes that servers do not know."""
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], text)
    return escaped.replace("\n", r"\n").replace("\t", r"\t")


def _lines(numbers: Sequence[str], label: str, syntax: Lines) -> str:
    box = ",".join(numbers)
    if syntax.label_first:
        line = f"{label} {box}"
        return rf"{line}(?:\n{line})*"
    return rf"(?:{box} {label}\n)+"


def _json(numbers: Sequence[str], label: str, syntax: Json) -> str:
    key, label_key = literal(json.dumps(syntax.key)), literal(json.dumps(syntax.label_key))
    item = rf'\{{{key}: \[{", ".join(numbers)}\], {label_key}: "{label}"\}}'
    return rf"```json\n\[\n\t{item}(?:,\n\t{item})*\n\]\n```"


def _tagged(numbers: Sequence[str], label: str, contract: Contract, syntax: Tagged) -> str:
    start, end = _PLACE.split(syntax.number)
    written = [f"{literal(start)}{number}{literal(end)}" for number in numbers]
    angle = literal(syntax.angle_joiner) + written.pop() if contract.angle is not None else ""
    joiner = literal(syntax.joiner)
    if syntax.pair[0]:
        left, right = map(literal, syntax.pair)
        written = [f"{left}{x}{joiner}{y}{right}" for x, y in zip(written[::2], written[1::2])]
    box = literal(syntax.box[0]) + joiner.join(written) + angle + literal(syntax.box[1])
    listed = _repeated(box, literal(syntax.box_joiner)) if syntax.grouped else box
    listed = literal(syntax.boxes[0]) + listed + literal(syntax.boxes[1])
    if syntax.label is None:
        group = listed
    else:
        named = literal(syntax.label[0]) + label + literal(syntax.label[1])
        group = named + listed if syntax.label_first else f"{listed} {named}"
    return _repeated(group, literal(syntax.group_joiner))


def _repeated(item: str, joiner: str) -> str:
    return f"{item}(?:{joiner}{item})*"
