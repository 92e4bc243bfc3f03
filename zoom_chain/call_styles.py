"""Calls in the forms of other tool protocols than tags around JSON: Python's, and that of ReAct.

ReAct: Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models" (2023), in the lines
``Action:`` and ``Action Input:`` that agent frameworks made of it. Nothing is evaluated: what stands in the
brackets is read as a tree (``detection_eval.text.tree``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from detection_eval.text.tree import Node, trees

LIKE_ZOOMING = re.compile(r"zoom|crop", re.IGNORECASE)
"""Names that a zoom tool may have."""

STYLED_CALL = re.compile(
    r"""
    ^[ \t>*`-]*+
    (?:
        (?P<action>Action[ \t*]*:[ \t*`]*+)(?P<tool>[A-Za-z_][\w.]*+)[`* \t]*+
        (?P<input>(?:\r?\n[ \t*]*+)+Action[ ]Input[ \t*]*:[ \t*]*+(?:\r?\n[ \t]*+)?(?:```\w*\s*+)?)?
        | (?P<function>(?:\w++\.)?\w*(?:zoom|crop)\w*)(?=\()
    )
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""The beginning of such a call, on a line of its own, up to its arguments."""

_REST = re.compile(r"[`\s.;]*(?:\n|\Z)")


@dataclass(frozen=True)
class StyledCall:
    """A call in another form.

    Attributes:
        start: place of it in the reply.
        stop: place behind it.
        name: of the tool.
        arguments: tree of them, or their line.
        style: name of the form.
    """

    start: int
    stop: int
    name: str
    arguments: Node | str
    style: str


def styled_call(text: str) -> StyledCall | None:
    """The first call of a reply in such a form, which has its lines for itself; None where there is none."""
    for head in STYLED_CALL.finditer(text):
        place = head.end()
        node = next(trees(text, place), None) if text[place : place + 1] in ("(", "[", "{") else None
        whole = node is not None and node.start == place and _REST.match(text, node.stop)
        if node is not None and whole:
            style = "ReAct" if head["action"] else "Python"
            name = (head["tool"] or head["function"]).rpartition(".")[2]
            return StyledCall(head.start(), node.stop, name, node, style)
        if head["input"]:
            line = text[place:].partition("\n")[0]
            return StyledCall(head.start(), place + len(line), head["tool"], line.strip(" \t`*"), "ReAct")
    return None


def arguments_of(found: Any, box_key: str) -> Any:
    """Arguments by name of what a call was given: an object, or a box, alone or with a label; else None.

    Args:
        found: as values of ``json``; a list holds what stood in the brackets.
        box_key: name of the box.
    """
    if not isinstance(found, list):
        return {box_key: found} if isinstance(found, str) else found
    named = next((item for item in found if isinstance(item, dict)), None)
    if named is not None:
        return named
    box = next((item for item in found if isinstance(item, list)), None)
    if box is not None:
        return {box_key: box, "label": next((item for item in found if isinstance(item, str)), "")}
    return {box_key: found} if len(found) == 4 else None
