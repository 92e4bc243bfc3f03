"""How good a generated answer is, by what was asked: counts that add up over samples and ranks."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import iou_matrix
from detection_eval.geometry.quads import canonical
from detection_eval.text.contracts import Contract
from detection_eval.text.parsing import parse_response
from detection_eval.text.vertices import decode
from tiling.view import Size
from zoom_chain.calls import ZoomCall, parse_zoom_call, spoken_text
from zoom_chain.dialect import ZoomDialect

IOU = 0.5
"""Overlap from which a box counts as found."""
COVERED, LARGEST = 0.8, 10.0
"""A zoom shows the evidence if it covers this part of its box, and is at most so many times as large."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WORDS = re.compile(r"[^\w\s.%-]|\.(?!\d)")

Counts = dict[str, float]


def score_reply(
    reply: str, expected: str, task: str, size: Size, contract: Contract, dialect: ZoomDialect
) -> Counts:
    """Count what is right about one turn of a model.

    Args:
        reply: what it said.
        expected: what the sample says.
        task: of the sample.
        size: of the image shown last.
        contract: how boxes are written.
        dialect: how a closer look is asked for.

    Returns:
        ``<metric>/hits`` and ``<metric>/of`` for ``zoom_hit``, ``accuracy`` and ``acc@0.5``; for detection
        ``found``, ``true`` and ``matched``; nothing for tasks without one right answer.
    """
    call = parse_zoom_call(expected, dialect, size.width, size.height)
    if isinstance(call, ZoomCall):
        asked = parse_zoom_call(reply, dialect, size.width, size.height)
        hit = isinstance(asked, ZoomCall) and shows_evidence(asked.box, call.box)
        return {"zoom_hit/hits": float(hit), "zoom_hit/of": 1.0}
    reply = spoken_text(reply)
    if task == "detection":
        found, truth = (
            parse_response(text, contract, None, size.width, size.height).detections
            for text in (reply, expected)
        )
        return {"found": len(found), "true": len(truth), "matched": matched(found, truth)}
    if task == "grounding":
        boxes = [first_box(text, contract, size) for text in (reply, expected)]
        hit = boxes[0] is not None and boxes[1] is not None and iou_matrix(*boxes)[0, 0] >= IOU
        return {"acc@0.5/hits": float(hit), "acc@0.5/of": 1.0}
    if task in ("classification", "vqa", "zoom"):
        return {"accuracy/hits": float(plain_words(reply) == plain_words(expected)), "accuracy/of": 1.0}
    return {}


def metrics(counts: Mapping[str, float]) -> dict[str, float]:
    """Rates from counts whose names end as ``score_reply`` names them, with any prefix before."""
    rates = {}
    for name, of in counts.items():
        if name.endswith("/of") and of:
            rates[name.removesuffix("/of")] = counts.get(f"{name.removesuffix('/of')}/hits", 0.0) / of
        elif name.endswith("true"):
            prefix = name.removesuffix("true")
            boxes = of + counts.get(f"{prefix}found", 0.0)
            # Nothing to find and nothing found is a perfect answer.
            rates[f"{prefix}f1@0.5"] = 2 * counts.get(f"{prefix}matched", 0.0) / boxes if boxes else 1.0
    return rates


def plain_words(text: str) -> str:
    """A short answer without case, articles and punctuation, for exact comparison."""
    return " ".join(_ARTICLES.sub(" ", _WORDS.sub(" ", text.lower())).split())


def first_box(text: str, contract: Contract, size: Size) -> NDArray[np.float64] | None:
    """(1, 4, 2) the first box that a text states, label or not; None where there is none."""
    numbers = [float(number) for number in _NUMBER.findall(text)][: contract.form.count]
    if len(numbers) < contract.form.count:
        return None
    polygons, _ = decode(np.array([numbers]), contract, size.width, size.height)
    return canonical(polygons)


def matched(found: Detections, truth: Detections) -> int:
    """How many boxes pair one to one at IoU 0.5 with the same class, best overlaps first."""
    if not len(found) or not len(truth):
        return 0
    overlaps = iou_matrix(found.polygons, truth.polygons)
    overlaps[np.array(found.names)[:, None] != np.array(truth.names)[None, :]] = 0.0
    pairs = 0
    while overlaps.max() >= IOU:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        overlaps[row, :] = overlaps[:, column] = 0.0
        pairs += 1
    return pairs


def shows_evidence(asked: tuple[float, ...], evidence: tuple[float, ...]) -> bool:
    """Whether a requested box (x1, y1, x2, y2) covers most of the evidence without showing far more."""
    common = _area(
        (
            max(asked[0], evidence[0]),
            max(asked[1], evidence[1]),
            min(asked[2], evidence[2]),
            min(asked[3], evidence[3]),
        )
    )
    whole = _area(evidence)
    return whole > 0 and common >= COVERED * whole and _area(asked) <= LARGEST * whole


def _area(box: tuple[float, ...]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
