"""The contrast of a scene where none is stated, from its pixels; with what is odd about their values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tiling.overrides import Overrides
from tiling.pyramid import Pyramid
from tiling.reading import Block, Cells
from tiling.stretch import Stretch
from tiling.undeclared import (
    Undeclared,
    black_or_white_collar,
    extreme_cells,
    fill_values,
    lone_value,
    undeclared_nodata,
)
from tiling.view import Size, View, Window

STATISTICS_SIDE = 1024
"""Longer side in px of the reduced scene from which a stretch is computed."""

FEW_LEVELS = 32
"""A single 8-bit band (a mask, a class map) with fewer grey levels than this, all dark, would look black."""

LOOK_SIDE = 256
"""Side in stored px of what is read around an extreme of the reduced scene."""

CORNER_SIDE, COLLAR_SIDE = 32, 256
"""Sides in px of what is read of the corners of 8-bit pixels, and then of the whole of them, reduced."""

WHOLE_PIXELS = 4096 * 4096
"""Stored pixels up to which a scene without overviews is read whole for the sake of a warning."""


class Contrast(NamedTuple):
    """A stretch and what there is to say about it, one line each."""

    stretch: Stretch
    warnings: list[str]


def automatic_contrast(pyramid: Pyramid, stated: Overrides) -> Contrast | None:
    """The contrast of a whole scene; None where percentiles are needed and no pixel is valid.

    8-bit values stay as they are, but for a single band with few grey levels. Others are stretched from the
    2nd to the 98th percentile of the valid pixels, without values that look like undeclared nodata.

    Args:
        pyramid: the bands shown.
        stated: by the user; ``nodata`` of ``none`` takes each value for what it is.
    """
    layout = pyramid.layout
    eight_bit, ask = layout.pixel_dtype == np.uint8, stated.nodata != "none"
    warnings = list(_collar(pyramid)) if eight_bit and ask and layout.always_valid else []
    if eight_bit and len(layout.bands) == 3:
        return Contrast(Stretch.identity(3), warnings)
    block = pyramid.overall(STATISTICS_SIDE)
    valid = block.coverage > 0
    if not valid.any():
        return None
    if eight_bit:
        values = block.pixels[valid]
        plain = np.ptp(values) >= FEW_LEVELS or values.max() >= 128
        stretch = Stretch.identity(1) if plain else Stretch.from_percentiles(block.pixels, valid)
        return Contrast(stretch, warnings)
    undeclared = undeclared_nodata(block.pixels, valid) if ask else None
    if undeclared is not None:
        block = _overall_without(pyramid, undeclared.values)
    elif ask:
        undeclared, block = _lone_value(pyramid, block)
    said = [] if undeclared is None else [undeclared.warning]
    return Contrast(Stretch.from_percentiles(block.pixels, block.coverage > 0), said)


def _overall_without(pyramid: Pyramid, values: tuple[float, ...]) -> Block:
    """The whole scene, reduced, without the pixels that have these values."""
    layout = pyramid.layout
    without = replace(layout, validity=replace(layout.validity, nodata=values))
    return Pyramid(pyramid.pool, without).overall(STATISTICS_SIDE)


def _lone_value(pyramid: Pyramid, block: Block) -> tuple[Undeclared | None, Block]:
    """A value far from all others, and the whole scene without it; None and ``block`` where none is.

    Means of a reduced scene blur single pixels of such a value, so that it is looked for in stored pixels
    around the least and the largest of the means.
    """
    height, width = pyramid.size
    scale = np.array(pyramid.size) / block.coverage.shape
    side = max(LOOK_SIDE, 2 * math.ceil(scale.max()))
    for row, column in extreme_cells(block.pixels, block.coverage > 0):
        y, x = np.floor(np.add((row, column), 0.5) * scale).tolist()
        around = Window(x - side // 2, y - side // 2, side, side).intersection(Window(0, 0, width, height))
        assert around is not None
        near = pyramid.read(View(around, Size(round(around.height), round(around.width))))
        for values in fill_values(near.pixels, near.coverage > 0):
            rest = _overall_without(pyramid, values)
            share = 1 - float(rest.coverage.mean() / block.coverage.mean())
            found = lone_value(values, rest.pixels, rest.coverage > 0, share)
            if found is not None:
                return found, rest
    return None, block


def _collar(pyramid: Pyramid) -> Iterator[str]:
    """A note on a black or white border of 8-bit pixels.

    A look at two opposite corners tells most scenes from one that has it: a border along any side holds one.
    It is taken where the whole could be looked at cheaply, at the coarsest level that would serve.
    """
    overviews = any(level.overview is not None for level in pyramid.levels)
    if not overviews and pyramid.size.height * pyramid.size.width > WHOLE_PIXELS:
        return
    scale = max(1.0, max(pyramid.size) / COLLAR_SIDE)
    level = [level for level in pyramid.levels if max(level.scale) <= scale][-1]
    height, width = level.size
    high, wide = (
        min(length, max(1, round(CORNER_SIDE / own))) for length, own in zip(level.size, level.scale[::-1])
    )
    corners = (
        pyramid.read_cells(level, cells).pixels
        for cells in (Cells(0, 0, wide, high), Cells(width - wide, height - high, width, height))
    )
    if any((corner == end).all() for corner in corners for end in (0, 255)):
        block = pyramid.overall(COLLAR_SIDE)
        warning = black_or_white_collar(block.pixels, block.coverage > 0)
        if warning is not None:
            yield warning
