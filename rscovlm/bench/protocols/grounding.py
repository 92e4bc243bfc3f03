"""Visual grounding: refGeo's sets, VRSBench, XLRS-Bench and OmniEarth-Bench, by their IoU conventions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import Floats, area, bounds
from detection_eval.metrics.grounding import (
    CONVENTIONS,
    Shared,
    all_matched,
    continuous,
    matched_by_giou,
    to_grid,
)
from detection_eval.text.contract import Contract, Json
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_first_box, parse_response
from detection_eval.words import counted
from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.replies import judged
from rscovlm.bench.protocols.scored import Scored
from rscovlm.bench.row import Row
from tiling.view import Size
from zoom_chain.answers import spoken_text

BoxReader = Callable[[Row], Floats | None]
"""The box of a reply, (1, 4, 2) in pixels of the image as stored; None where there is none."""

_BRACKETS = re.compile(r"\[\s*(?:-?\d+(?:\.\d+)?\s*,\s*){3}-?\d+(?:\.\d+)?\s*\]")
_LABELLED = re.compile(r"\s*((?:-?\d+(?:\.\d+)?\s*,\s*){3}-?\d+(?:\.\d+)?)[ ,]+\S")
_NUMBER = re.compile(r"(?<!\d)-?\d+(?:\.\d+)?(?!\d|[dD]\b)")


def contract_of(row: Row) -> Contract:
    """How boxes are written in a reply; pixels as JSON where the row does not say."""
    return CONTRACTS.get(row.contract or "", CONTRACTS["qwen2.5-vl"])


def first_box(row: Row) -> Floats | None:
    """Ours: the first box that the reply states, in whatever layout."""
    return _placed(row, spoken_text(row.text))


def rscovlm_box(row: Row) -> Floats | None:
    """RSCoVLM's: the first four numbers in brackets, or those before a label in the first line.

    All of them up to 1 abort its evaluation; here such a reply has no box.
    """
    text = spoken_text(row.text)
    if isinstance(contract_of(row).syntax, Json):
        found = _BRACKETS.search(text)
        written = found[0] if found else ""
    else:
        line = _LABELLED.match(text.partition("\n")[0])
        written = line[1] if line else ""
    numbers = [float(number) for number in _NUMBER.findall(written)]
    return None if max(numbers, default=0.0) <= 1 else _placed(row, written)


def _placed(row: Row, text: str) -> Floats | None:
    size = row.view.size
    box = parse_first_box(text, contract_of(row), size.width, size.height)
    return None if box is None else np.asarray(row.view.to_scene(box))


def image_size(row: Row) -> Size:
    """Height and width of the whole image in its own pixels: the window of what was shown first."""
    window = (row.views or (row.view,))[0].window
    return Size(round(window.y + window.height), round(window.x + window.width))


@dataclass(frozen=True)
class Boxes:
    """Right where a box shares enough with the right one.

    Attributes:
        convention: of the IoU, a name in ``detection_eval.metrics.grounding.CONVENTIONS``; ``polygons`` for
            that of quadrilaterals, which may be rotated.
        levels: from which a box is right, the one of the score first.
        above: whether a box has to exceed the level.
        reader: of replies.
        grid: cells of a grid that both boxes are rounded to; 0 for none.
    """

    convention: str = "polygons"
    levels: tuple[float, ...] = (0.5,)
    above: bool = False
    reader: BoxReader = first_box
    grid: int = 0

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        found = self.reader(row)
        shared = self._shared(row, found)
        best = int(shared.iou.argmax())
        iou, common, union = (float(part[best]) for part in (shared.iou, shared.intersection, shared.union))
        hits = [iou > level if self.above else iou >= level for level in self.levels]
        counts = {
            **{f"acc@{level:g}/hits": float(hit) for level, hit in zip(self.levels, hits)},
            **{f"acc@{level:g}/of": 1.0 for level in self.levels},
            **{"mean_iou/hits": iou, "mean_iou/of": 1.0},
            **{"cum_iou/hits": common, "cum_iou/of": union},
        }
        return judged(hits[0], row.text, _shown(found), readable=found is not None, counts=counts)

    def _shared(self, row: Row, found: Floats | None) -> Shared:
        """What the box found shares with each right one, any of which will do; nothing without a box."""
        right = _right(row)
        if found is None:
            return Shared(np.zeros(len(right)), area(right))
        found = np.repeat(found, len(right), axis=0)
        if self.convention == "polygons":
            iou, total = pair_iou(found, right), area(found) + area(right)
            common = total * iou / (1 + iou)  # from iou = common / (total - common)
            return Shared(common, total - common)
        boxes = [bounds(found), bounds(right)]
        if self.grid:
            size = image_size(row)
            boxes = [to_grid(box, size.width, size.height, self.grid) for box in boxes]
        return CONVENTIONS[self.convention](*boxes)


def _right(row: Row) -> Floats:
    """The right boxes, (n, 4, 2); one without area where there are none."""
    polygons = row.item.truth.polygons
    return np.zeros((1, 4, 2)) if polygons is None or not len(polygons) else np.asarray(polygons)


def _shown(box: Floats | None) -> str:
    return "" if box is None else ", ".join(f"{value:.0f}" for value in bounds(box)[0])


def geochat_boxes(row: Row) -> Verdict:
    """GeoChat's "F1 = 1 at 0.5": all boxes found and all right ones meet by generalised IoU, greedily."""
    text, size = spoken_text(row.text), row.view.size
    boxes = parse_response(text, contract_of(row), None, size.width, size.height).detections.polygons
    single = None if len(boxes) else first_box(row)
    found = np.asarray(row.view.to_scene(boxes)) if single is None else single
    truth = row.item.truth.polygons
    right = np.zeros((0, 4, 2)) if truth is None else np.asarray(truth)
    pairs = matched_by_giou(found, right)
    counts = {"recall@giou0.5/hits": float(pairs), "recall@giou0.5/of": float(len(right))}
    shown = f"{pairs} of {len(right)} by {counted(len(found), 'box')}"
    return judged(all_matched(found, right), text, shown, readable=len(found) > 0, counts=counts)


def omniearth_box(row: Row) -> Verdict:
    """OmniEarth-Bench's: the score is the highest IoU of four readings of the numbers, without a level.

    Numbers are taken for parts of the sides as they stand, and after division by the image's sides, by 1000
    and by 100.
    """
    numbers = [float(number) for number in _NUMBER.findall(row.text)[:4]]
    size = image_size(row)
    sides = np.array([size.width, size.height] * 2, dtype=np.float64)
    if len(numbers) < 4:
        return judged(False, row.text, readable=False, counts={"acc@0.5/hits": 0.0, "acc@0.5/of": 1.0})
    readings = np.array(numbers) / np.stack([np.ones(4), sides, np.full(4, 1000.0), np.full(4, 100.0)])
    right = bounds(_right(row)[:1]) / sides
    iou = float(continuous(readings, np.repeat(right, 4, axis=0)).iou.max())
    counts = {"acc@0.5/hits": float(iou >= 0.5), "acc@0.5/of": 1.0}
    shown = ", ".join(f"{number:g}" for number in numbers)
    return Verdict(iou, shown, "read", {**judged(True, row.text).counts, **counts})


OURS = Boxes(levels=(0.5, 0.7))
RSEVALKIT = Boxes("continuous")
RSCOVLM = Boxes("rscovlm", above=True, reader=rscovlm_box)
VRSBENCH = Boxes("inclusive", (0.5, 0.7), grid=100)


def box_protocols(
    name: str, official: Callable[[Row], Verdict], by: str = "category", headline: str = "acc@0.5"
) -> tuple[Protocol, ...]:
    """Official, rscovlm, strict."""
    return (
        Scored(f"{name}/official/1", official, by, headline),
        Scored(f"{name}/rscovlm/1", RSCOVLM, by, "acc@0.5"),
        Scored(f"{name}/strict/1", OURS, by, "acc@0.5", failed_is_wrong=True),
    )


GROUNDING: Mapping[str, tuple[Protocol, ...]] = {
    **{name: box_protocols(name, RSEVALKIT) for name in ("dior-rsvg", "rsvg", "avvg")},
    "geochat-vg": box_protocols("geochat-vg", geochat_boxes, headline="micro"),
    "vrsbench-vg": box_protocols("vrsbench-vg", VRSBENCH, by="unique"),
}
"""Protocols by benchmark: official, rscovlm, strict."""
