"""Box text in published conversations: taken out of the words, as geometry and a placeholder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from detection_eval.geometry.quads import bounds
from detection_eval.text.contract import Angle, Contract, Tagged, VertexForm
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.coordinates import PERMILLE, PIXELS, UNIT
from detection_eval.text.scanning import RawBox, scan
from detection_eval.text.vertices import decode
from rscovlm.data.readers.common import Geometry, LeftOut, box_of, outside
from rscovlm.data.sample import Box
from rscovlm.errors import UsageError

UNREADABLE = "its box text cannot be read"

_LABEL_BEFORE = re.compile(r"<p>([^<]*)</p>\s*$")
_SAME_LABEL = re.compile(r"\s*(?:<delim>|,|and)?\s*")
_MARKS = re.compile(r"</?p>")
_HARMLESS = {"fractional number"}


class BoxForm(NamedTuple):
    """How a data set writes boxes.

    Attributes:
        contracts: what a box may look like; the one with the fewest numbers first.
        padded: coordinates are of the image padded to a square about its centre, as LLaVA-1.5 sees it.
    """

    contracts: tuple[Contract, ...]
    padded: bool = False


def _unlabelled(contract: Contract) -> Contract:
    """The same boxes without their labels, which stand in words around them."""
    assert isinstance(contract.syntax, Tagged)
    return replace(contract, syntax=replace(contract.syntax, label=None))


_BRACKETS = CONTRACTS["teochat"]
_TURNED = _unlabelled(CONTRACTS["geochat"])
_UPRIGHT = replace(_TURNED, form=VertexForm.HORIZONTAL, angle=None)

FORMS: dict[str, BoxForm] = {
    "geochat": BoxForm((_UPRIGHT, _TURNED)),
    "geochat-clockwise": BoxForm((_UPRIGHT, replace(_TURNED, angle=Angle(clockwise=True)))),
    "0-100": BoxForm((_BRACKETS,)),
    "0-1000": BoxForm((replace(_BRACKETS, space=PERMILLE),)),
    "0-1": BoxForm((replace(_BRACKETS, space=UNIT, decimals=3),)),
    "0-1-padded": BoxForm((replace(_BRACKETS, space=UNIT, decimals=3),), padded=True),
    "pixels": BoxForm((replace(_BRACKETS, space=PIXELS),)),
}
"""``{<x1><y1><x2><y2>|<angle>}`` of GeoChat (of VRSBench without angle); ``[x1, y1, x2, y2]`` by its unit."""

NONE = "none"
"""The form of text that is left as it is."""


def box_form(name: str, clockwise: bool = False) -> BoxForm | None:
    """A form by name, or None for "none".

    Raises:
        UsageError: there is none of this name.
    """
    if name == NONE:
        return None
    if name == "geochat" and clockwise:
        name = "geochat-clockwise"
    if name not in FORMS:
        raise UsageError(f"box text {name!r} is unknown; choose from {', '.join((*FORMS, NONE))}")
    return FORMS[name]


def looks_like_boxes(text: str) -> bool:
    """Whether a text holds box text of any form that is known here."""
    contracts = (*FORMS["geochat"].contracts, *FORMS["0-100"].contracts)
    return any(scan(text, contract).boxes for contract in contracts)


@dataclass
class BoxReader:
    """Takes the boxes out of the turns of one sample. Equal boxes become one.

    Attributes:
        form: how they are written.
        size: (height, width) of the image that they are on.
        boxes: those read so far, in the order written.
        geometry: see ``Options``.
    """

    form: BoxForm
    size: tuple[int, int]
    boxes: list[Box]
    geometry: Geometry = "auto"

    def read(self, text: str) -> str:
        """The text with ``<box k>`` in place of each box, without the marks around labels.

        Raises:
            LeftOut: some box text cannot be read.
        """
        pieces: list[str] = []
        end, label = 0, ""
        for raw, contract in self._written(text):
            gap = text[end : raw.span[0]]
            before = _LABEL_BEFORE.search(gap)
            if before:
                label = before[1].strip()
            elif not (pieces and _SAME_LABEL.fullmatch(gap)):
                label = ""
            number = self._keep(raw, contract, label)
            pieces += [gap.replace("<delim>", ", "), f"<box {number}>"]
            end = raw.span[1]
        pieces.append(text[end:])
        return _MARKS.sub("", "".join(pieces)).strip()

    def _written(self, text: str) -> list[tuple[RawBox, Contract]]:
        """The boxes of a text, each with the contract that reads all of it."""
        read: dict[tuple[int, int], tuple[RawBox, Contract]] = {}
        written: set[tuple[int, int]] = set()
        for contract in self.form.contracts:
            found = scan(text, contract)
            read |= {raw.span: (raw, contract) for raw in found.boxes if _whole(raw)}
            written |= {raw.span for raw in found.boxes} | {lost.span for lost in found.lost}
        if unread := sorted(written - read.keys()):
            raise LeftOut(UNREADABLE, text[slice(*unread[0])][:120])
        return [read[span] for span in sorted(read)]

    def _keep(self, raw: RawBox, contract: Contract, label: str) -> int:
        height, width = self.size
        extent = contract.space.extent
        coordinates = raw.numbers[:4]
        if extent is not None and not all(0 <= number <= extent for number in coordinates):
            raise LeftOut(UNREADABLE, f"{coordinates} are not within 0 and {extent:g}")
        side = max(height, width)
        shown = (side, side) if self.form.padded else (width, height)
        corners = decode(np.array([raw.numbers]), contract, *shown)[0][0]
        if self.form.padded:
            corners = corners - [(side - width) / 2, (side - height) / 2]
        flat = contract.form is VertexForm.HORIZONTAL
        numbers: Sequence[float] = bounds(corners).tolist() if flat else corners.ravel().tolist()
        box = box_of(numbers, self.geometry, label=label)
        if outside(box, self.size):
            raise LeftOut(UNREADABLE, f"{coordinates} lies outside the image of {width} x {height} px")
        for number, known in enumerate(self.boxes):
            if np.allclose(known.polygon, box.polygon):
                if label and not known.label:
                    self.boxes[number] = box
                return number
        self.boxes.append(box)
        return len(self.boxes) - 1


def _whole(raw: RawBox) -> bool:
    """Whether a box was read as written: what a lenient parser mends in a reply is no ground truth."""
    return set(raw.repairs) <= _HARMLESS
