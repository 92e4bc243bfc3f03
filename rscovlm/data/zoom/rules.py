"""Crop rules: from evidence to the box that is zoomed to, and whether zooming is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from rscovlm.errors import UsageError
from tiling.resolution import Resolution
from tiling.view import View, Window
from zoom_chain.looks import coarseness


@dataclass(frozen=True)
class EvidenceRules:
    """Rules of the evidence and of the box that is zoomed to; pixels are those of the image file unless said.

    The evidence of a question is the union of the bounds of all objects that have to be seen to answer it.

    Attributes:
        margin: context on each side of the evidence, as a fraction of its longer side.
        margin_px: context on each side as LRS-VQA-Zoom has it (200 px there): the box is cut at the image's
            edges, and ``margin``, ``min_side_px``, ``max_aspect`` and ``square`` do not apply; None for them.
        min_side_px: a box is at least this wide and high.
        max_aspect: a box's longer side is at most this many times its shorter one.
        square: make boxes square where the image allows it.
        max_share: largest part of the image's area that a box may take; a larger one is hardly a zoom.
        max_object_px: longest side of an object of the evidence in the overview, in pixels of the overview:
            a larger one can be made out without zooming.
        min_evidence_px: longest side of the evidence in the overview, in pixels of the overview: nobody finds
            what is smaller.
        min_gain: how many times finer the box has to resolve the file than the overview does.

    Raises:
        UsageError: naming all values out of range.
    """

    margin: float = 0.25
    min_side_px: float = 64.0
    max_aspect: float = 2.0
    square: bool = False
    max_share: float = 0.25
    max_object_px: float = 32.0
    min_evidence_px: float = 2.0
    min_gain: float = 2.0
    margin_px: float | None = None

    def __post_init__(self) -> None:
        least = {"max_aspect": 1.0, "min_gain": 1.0, "min_side_px": 1.0}
        problems = [
            f"{field.name} {value} is below {least.get(field.name, 0):g}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None and not value >= least.get(field.name, 0)
        ]
        if self.square and self.margin_px is not None:
            problems.append(f"a margin of {self.margin_px:g} px makes no square boxes; give one of them")
        if not 0 < self.max_share <= 1:
            problems.append(f"max_share {self.max_share} is not above 0 and at most 1")
        if problems:
            raise UsageError("; ".join(problems))


class NotNeeded(Exception):
    """Evidence that makes no question for zooming; the message is the reason, short enough to count by."""


def crop_of(evidence: Window, image: Window, rules: EvidenceRules) -> Window:
    """The box that is zoomed to: evidence and margin, with least side and aspect, moved inside the image.

    Args:
        evidence: what has to be seen.
        image: the whole image.
        rules: margin and limits.
    """
    if rules.margin_px is not None:
        return _rounded(evidence.pad(rules.margin_px).intersection(image) or image)
    padded = evidence.pad(rules.margin * max(evidence.width, evidence.height))
    longer = max(padded.width, padded.height)
    least = longer if rules.square else max(rules.min_side_px, longer / rules.max_aspect)
    width = max(padded.width, least, rules.min_side_px)
    height = max(padded.height, least, rules.min_side_px)
    return _rounded(evidence.resized(width, height).moved_inside(image))


def _rounded(window: Window) -> Window:
    return Window(*(round(number, 2) for number in (window.x, window.y, window.width, window.height)))


def zoom_box(
    evidence: Window, objects: Sequence[Window], image: Window, resolution: Resolution, rules: EvidenceRules
) -> Window:
    """The box to zoom to for a question, where zooming is needed and helps.

    Args:
        evidence: what has to be seen.
        objects: the bounds of each object that has to be recognised in it.
        image: the whole image.
        resolution: of the model that will learn from it: how large its overview and crop are.
        rules: the rules.

    Raises:
        NotNeeded: the evidence is legible without zooming, cannot be found, or a zoom would add too little.
    """
    box = crop_of(evidence, image, rules)
    overview, crop = _shown(image, resolution), _shown(box, resolution)
    x, y = overview.scale
    if any(max(window.width / x, window.height / y) > rules.max_object_px for window in objects):
        raise NotNeeded("legible in the overview")
    if max(evidence.width / x, evidence.height / y) < rules.min_evidence_px:
        raise NotNeeded("too small to be found in the overview")
    if box.area > rules.max_share * image.area:
        raise NotNeeded("evidence takes too much of the image")
    if coarseness(overview) / coarseness(crop) < rules.min_gain:
        raise NotNeeded("zooming adds too little detail")
    return box


def _shown(window: Window, resolution: Resolution) -> View:
    return View(window, resolution.fit(max(1, round(window.height)), max(1, round(window.width))))
