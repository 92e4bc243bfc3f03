"""COCO's ``segmentation``: rings of vertices and run-length encoded masks, as four corners.

Run lengths are decoded here, as cocoapi's ``maskApi.c`` writes them, rather than by pycocotools: its decoder
trusts the sizes that a file states, and makes the whole mask where its outline is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.errors import FormatError
from detection_eval.formats.lines import finite_numbers
from detection_eval.geometry.quads import min_area_rectangle

RING = "rings of other than 4 vertices"
MASK = "masks"
_LONGEST = 2**31  # px along a side; the area fits 64 bits


class Outline(NamedTuple):
    """Four corners of an object.

    Attributes:
        corners: eight numbers, in pixels of the image.
        kind: ``RING`` or ``MASK`` where they are the smallest rectangle around one; None where stated.
    """

    corners: list[float]
    kind: str | None = None


def outline(annotation: Mapping[str, Any], place: str) -> Outline:
    """The corners of an annotation.

    A ring of four vertices, closed or not, is what it is; all other rings and masks are their smallest
    rectangle. An object without a segmentation, or with a mask of no pixel, is its ``bbox``.

    Raises:
        FormatError: malformed; the message starts with the place.
        KeyError: neither a segmentation nor a ``bbox``.
    """
    written = annotation.get("segmentation")
    if isinstance(written, dict):
        points, kind = mask_points(written, place), MASK
    elif isinstance(written, list) and written:
        parts = written if isinstance(written[0], list) else [written]
        numbers = [number for ring in parts for number in finite_numbers(ring, place)]
        if len(numbers) < 6 or len(numbers) % 2:
            raise FormatError(f"{place}: its segmentation is no ring of points")
        points, kind = np.reshape(numbers, (-1, 2)), RING
        closed = len(points) == 5 and len(parts) == 1 and np.array_equal(points[0], points[4])
        if len(points) == 4 or closed:
            return Outline(numbers[:8])
    elif written:
        raise FormatError(f"{place}: its segmentation is neither rings nor a mask but {written!r:.60}")
    else:
        points, kind = np.zeros((0, 2)), MASK
    if len(points) == 0:
        x, y, width, height = finite_numbers(annotation["bbox"], place)
        return Outline([x, y, x + width, y, x + width, y + height, x, y + height])
    return Outline([float(number) for number in min_area_rectangle(points).ravel()], kind)


def mask_points(written: Mapping[str, Any], place: str) -> NDArray[np.float64]:
    """Pixel corners (n, 2) with the same convex hull as a mask, ``{"size": [height, width], "counts": ...}``.

    Args:
        written: counts run down the columns, empty and filled in turn: a list of numbers, or compressed text.
        place: for messages.

    Raises:
        FormatError: malformed, or the runs do not add up to the size.
    """
    size, counts = written.get("size"), written.get("counts")
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(type(side) is int and 0 < side < _LONGEST for side in sides):
        raise FormatError(f"{place}: its mask states no size [height, width] but {size!r:.60}")
    height, width = sides
    runs = _decompressed(counts, place) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= height * width for run in runs):
        raise FormatError(f"{place}: the counts of its mask are no run lengths")
    if sum(runs) != height * width:
        raise FormatError(
            f"{place}: the runs of its mask are {sum(runs)} pixels long, and {width} x {height} are due"
        )
    ends = np.cumsum(np.array(runs, dtype=np.int64))
    first, last = ends[:-1:2], ends[1::2] - 1
    filled = last >= first
    (x0, y0), (x1, y1) = (divmod(part[filled], height) for part in (first, last))
    # A run that goes on in the next column reaches the bottom of its first and the top of its last one.
    longer = x1 > x0
    low, high = np.where(longer, 0, y0), np.where(longer, height, y1 + 1)
    corners = [
        *((x, y) for x in (x0, x0 + 1) for y in (y0, high)),
        *((x, y) for x in (x1, x1 + 1) for y in (low, y1 + 1)),
    ]
    middle = x1 > x0 + 1
    corners += [(x[middle], np.full(middle.sum(), y)) for x in (x0 + 1, x1) for y in (0, height)]
    return np.concatenate([np.column_stack(pair) for pair in corners]).astype(np.float64)


def _decompressed(text: str, place: str) -> list[int]:
    """Run lengths from text: five bits a character, low ones first, as differences from the fourth on."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise FormatError(f"{place}: {character!r} is no part of a compressed mask")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise FormatError(f"{place}: its compressed mask breaks off")
    return runs
