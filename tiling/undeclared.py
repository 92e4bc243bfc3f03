"""Values that stand for no data although nothing in the file says so.

Nothing here hides a pixel: what is found is said in one line with the option that settles it, and is left out
of the percentiles that the contrast is made from, since one value far from all others would leave the rest
without any.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiling.stretch import PERCENTILES, Stretch, band_percentiles
from tiling.validity import is_value

BORDER_SHARE = 0.25
"""Part of the border that one value has to fill to be taken for undeclared nodata."""

SHIFT = 0.1
"""Change of a band's stretch, in parts of its range, by which leaving a value out counts."""

FEW_PIXELS = 8
"""Stored pixels that have to have exactly a value before it may be one that fills."""

FEW_VALUES = 16
"""Different values that a band has to have besides: of a map of classes, one may lie apart."""

LEAST_SHARE = 0.001
"""Part of the scene below which a value far from all others may as well be a glint, and spoils nothing."""

GREY_BORDER_SHARE, GREY_SHARE = 0.1, 0.05
"""Parts of the border and of the whole that black or white has to fill in 8-bit pixels to be mentioned."""


class Undeclared(NamedTuple):
    """A value that looks like nodata and is not declared as such.

    Attributes:
        values: one for each band.
        warning: what was seen and done, in one line.
    """

    values: tuple[float, ...]
    warning: str


def undeclared_nodata(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> Undeclared | None:
    """The value of a collar that nothing declares as nodata, if it spoils the stretch; else None.

    It fills a good part of the border in all bands at once, is the least or the largest of each band, and
    the percentiles are other ones without it.

    Args:
        pixels: (height, width, bands) of the whole scene, reduced.
        mask: (height, width), True where valid; at least one.
    """
    value, rim = _border_value(pixels, mask)
    shown = pixels[mask]
    if rim < BORDER_SHARE or not ((value == shown.min(0)) | (value == shown.max(0))).all():
        return None
    same = _equal(pixels, value)
    rest = mask & ~same
    if not rest.any():
        return None
    before, after = Stretch.from_percentiles(pixels, mask), Stretch.from_percentiles(pixels, rest)
    extent = np.subtract(after.high, after.low)
    shift = np.abs([np.subtract(before.low, after.low), np.subtract(before.high, after.high)])
    if not (shift > SHIFT * extent).any():
        return None
    share = (same & mask).sum() / mask.sum()
    return Undeclared(
        tuple(value.tolist()),
        f"value {_stated(value)} fills {share:.0%} of the scene and {rim:.0%} of its border and is not "
        f"declared as nodata; the contrast leaves it out ({_advice(value, 'counts it')})",
    )


def black_or_white_collar(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> str | None:
    """A note on 8-bit pixels whose border is black (0) or white (255) to a good part; else None.

    They keep their place and contrast: still water is black, snow and clouds are white.

    Args:
        pixels: (height, width, bands) of the whole scene, reduced.
        mask: (height, width), True where valid.
    """
    value, rim = _border_value(pixels, mask)
    if rim < GREY_BORDER_SHARE or not (np.all(value == 0) or np.all(value == 255)):
        return None
    same = _equal(pixels, value) & mask
    share = same.sum() / mask.sum()
    if share < GREY_SHARE or same.sum() == mask.sum():
        return None
    return (
        f"value {_stated(value)} fills {share:.0%} of the scene and {rim:.0%} of its border and is shown; if "
        f"it stands for nodata, --nodata {_stated(value)} leaves it out (--nodata none ends this warning)"
    )


def extreme_cells(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The cells (row, column) of the least and of the largest value of the first band.

    Args:
        pixels: (height, width, bands) of the whole scene, reduced.
        mask: (height, width), True where valid; at least one.
    """
    first = pixels[..., 0]
    places = np.flatnonzero(mask)
    found = (places[function(first[mask])] for function in (np.argmin, np.argmax))
    rows_columns = [divmod(int(place), mask.shape[1]) for place in found]
    return list(dict.fromkeys(rows_columns))


def fill_values(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> list[tuple[float, ...]]:
    """Extremes that several pixels have exactly, in all bands at once, and that lie apart from the others.

    Args:
        pixels: (height, width, bands) as stored, of a part of the scene.
        mask: (height, width), True where valid.
    """
    if not mask.any():
        return []
    shown = pixels[mask]
    found = []
    for value in (shown.min(0), shown.max(0)):
        same = _equal(shown[:, None], value)[:, 0]
        if same.sum() >= FEW_PIXELS and (same.all() or _apart(value, shown[~same])):
            found.append(tuple(float(number) for number in value.tolist()))
    return found


def lone_value(
    values: tuple[float, ...], pixels: NDArray[Any], mask: NDArray[np.bool_], share: float
) -> Undeclared | None:
    """A value that is impossible beside the rest: further from it than the rest is wide; else None.

    Args:
        values: one for each band.
        pixels: (height, width, bands) of the whole scene, reduced without these values.
        mask: (height, width), True where valid.
        share: part of the scene that has these values, 0-1.
    """
    if not mask.any() or share < LEAST_SHARE:
        return None
    rest, value = pixels[mask], np.array(values)
    if not all(np.unique(band).size >= FEW_VALUES for band in rest.T) or not _apart(value, rest):
        return None
    others = f"{rest.min():.9g} to {rest.max():.9g}"
    return Undeclared(
        values,
        f"value {_stated(value)} fills {share:.1%} of the scene, far from all others ({others}), and is not "
        f"declared as nodata; the contrast leaves it out ({_advice(value, 'counts it')})",
    )


def _border_value(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> tuple[NDArray[Any], float]:
    """The most frequent value of the border, and the part of the border that it fills."""
    ring = np.ones_like(mask)
    ring[1:-1, 1:-1] = False
    border = pixels[ring & mask]
    if border.size == 0:
        return np.zeros(pixels.shape[-1], pixels.dtype), 0.0
    values, counts = np.unique(border, axis=0, return_counts=True)
    return values[counts.argmax()], counts.max() / ring.sum()


def _equal(pixels: NDArray[Any], value: NDArray[Any]) -> NDArray[np.bool_]:
    """Where all bands have their value."""
    same = np.ones(pixels.shape[:2], bool)
    for band, stated in enumerate(value.tolist()):
        same &= is_value(pixels[..., band], stated)
    return same


def _apart(value: NDArray[Any], rest: NDArray[Any]) -> bool:
    """Whether values are further from others (n, bands) than these spread from 2nd to 98th percentile."""
    rest, value = rest.astype(np.float64), value.astype(np.float64)
    low, high = band_percentiles(rest, PERCENTILES)
    gap = np.maximum(rest.min(0) - value, value - rest.max(0))
    return bool((gap >= np.maximum(high - low, np.finfo(np.float32).tiny)).all())


def _stated(value: NDArray[Any]) -> str:
    return ", ".join(f"{number:.9g}" for number in dict.fromkeys(value.tolist()))


def _advice(value: NDArray[Any], otherwise: str) -> str:
    """The options that settle it; one value can be stated for all bands."""
    hide = f"--nodata {_stated(value)} hides it, " if len(set(value.tolist())) == 1 else ""
    return f"{hide}--nodata none {otherwise}"
