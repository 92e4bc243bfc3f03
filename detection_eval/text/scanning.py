"""Boxes in a model's text: each wire form by its reader, and by others where that one finds nothing.

Text from a model is untrusted. A reader never raises, takes time linear in the text whatever stands in it,
mends what has one reading and notes it, and counts what it drops. The coordinate frame is the contract's in
any wire form; it is never guessed.
"""

from __future__ import annotations

import re

from detection_eval.text.blocks import block_trees
from detection_eval.text.contract import Contract, Json, Lines, Tagged
from detection_eval.text.found import RawBox, Scan
from detection_eval.text.lines import scan_lines
from detection_eval.text.records import find_boxes
from detection_eval.text.tagged import scan_tagged
from detection_eval.text.tree import trees

__all__ = ["RawBox", "Scan", "scan", "scan_any_form"]

_JSON_KEY = re.compile(r"""["']\s*+:|\{\s*+["']""")
_OTHER_FORM = "other layout"


def scan(text: str, contract: Contract) -> Scan:
    """All boxes that a text states under a contract's wire form.

    Args:
        text: in plain characters, see ``plain.plain_text``.
        contract: how the model writes.
    """
    if isinstance(contract.syntax, Lines):
        return scan_lines(text, contract)
    if isinstance(contract.syntax, Tagged):
        return scan_tagged(text, contract, contract.syntax)
    result = Scan()
    find_boxes(trees(text), contract, result)
    return result


def scan_any_form(text: str, contract: Contract) -> Scan:
    """All boxes that a text states, in the contract's wire form or in another that has one reading.

    JSON is read under each contract whose wire form has labels. Under contracts that write JSON, where there
    is none, tables, ``key: value`` lines, elements and lines are read.
    """
    if isinstance(contract.syntax, Lines):
        return _lines_and_json(text, contract)
    result = scan(text, contract)
    if result.boxes:
        return result
    other = Scan()
    if isinstance(contract.syntax, Json) and not result.records:
        find_boxes(block_trees(text), contract, other, _OTHER_FORM)
        if not other.boxes and not other.lost:
            other = scan_lines(text, contract)
            other.boxes = [_noted(box, (_OTHER_FORM,)) for box in other.boxes]
    elif isinstance(contract.syntax, Tagged) and contract.syntax.label is not None and _JSON_KEY.search(text):
        find_boxes(trees(text), contract, other, _OTHER_FORM)
    if not other.boxes:
        return result
    other.truncated |= result.truncated
    return other


def _noted(box: RawBox, notes: tuple[str, ...]) -> RawBox:
    return RawBox(box.numbers, box.label, box.span, (*box.repairs, *notes), box.block)


def _lines_and_json(text: str, contract: Contract) -> Scan:
    """Lines, and the JSON objects between them."""
    if not _JSON_KEY.search(text):
        return scan_lines(text, contract)
    roots = [root for root in trees(text) if root.is_object or root.objects]
    result = scan_lines(text, contract, [(root.start, root.stop) for root in roots])
    other = Scan()
    find_boxes(roots, contract, other, _OTHER_FORM)
    result.merge(other)
    return result
