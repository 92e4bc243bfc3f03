"""From any number type to 8 bits: one linear stretch per scene, so that its views never flicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiling.validity import is_value

PERCENTILES = (2.0, 98.0)
"""Values below and above these percentiles of the valid pixels are cut: the field's usual choice (QGIS,
geoai)."""

BORDER_SHARE = 0.25
"""Part of the border that one value has to fill to be taken for undeclared nodata."""

SHIFT = 0.1
"""Change of a band's stretch, in parts of its range, by which leaving a value out counts."""


@dataclass(frozen=True)
class Stretch:
    """A linear map of each band from ``[low, high]`` to 0-255, cut at both ends.

    Attributes:
        low: per band, the value that becomes 0.
        high: per band, the value that becomes 255. Where it equals ``low``, a band has one value only and
            comes out mid-grey: present, in contrast to the black of nodata.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not self.low:
            raise ValueError(
                f"a stretch of {len(self.low)} low and {len(self.high)} high values; give one each per band"
            )
        if not all(low <= high for low, high in zip(self.low, self.high)):
            raise ValueError(
                f"stretch from {self.low} to {self.high} runs backwards; each low must not exceed its high"
            )

    @classmethod
    def identity(cls, bands: int) -> Stretch:
        """8-bit values as they are."""
        return cls((0.0,) * bands, (255.0,) * bands)

    @classmethod
    def from_percentiles(
        cls, pixels: NDArray[Any], mask: NDArray[np.bool_], percentiles: tuple[float, float] = PERCENTILES
    ) -> Stretch:
        """Per band, the percentiles of the valid pixels.

        Args:
            pixels: (height, width, bands) of any real number type.
            mask: (height, width), True where valid; at least one.
            percentiles: lower and upper percentile in 0-100.
        """
        low, high = np.percentile(pixels[mask], percentiles, axis=0)
        return cls(tuple(low.tolist()), tuple(high.tolist()))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """(height, width, bands) of any real number type as uint8; what is not a number becomes 0."""
        if pixels.dtype == np.uint8 and self == Stretch.identity(pixels.shape[-1]):
            return pixels
        with np.errstate(over="ignore", invalid="ignore"):  # near the end of the number range; cut below
            low, high = (np.array(ends).astype(np.float32) for ends in (self.low, self.high))
            flat = high == low
            scaled = pixels.astype(np.float32) - low
            scaled[..., flat] = np.sign(scaled[..., flat]) * 128 + 128
            scaled[..., ~flat] *= 255 / (high - low)[~flat]
        return np.rint(np.clip(np.nan_to_num(scaled, copy=False), 0, 255)).astype(np.uint8)


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
    ring = np.ones_like(mask)
    ring[1:-1, 1:-1] = False
    border = pixels[ring & mask]
    if border.size == 0:
        return None
    values, counts = np.unique(border, axis=0, return_counts=True)
    value = values[counts.argmax()]
    shown = pixels[mask]
    if (
        counts.max() < BORDER_SHARE * ring.sum()
        or not ((value == shown.min(0)) | (value == shown.max(0))).all()
    ):
        return None
    same = np.ones_like(mask)
    for band, stated in enumerate(value.tolist()):
        same &= is_value(pixels[..., band], stated)
    rest = mask & ~same
    if not rest.any():
        return None
    before, after = Stretch.from_percentiles(pixels, mask), Stretch.from_percentiles(pixels, rest)
    extent = np.subtract(after.high, after.low)
    shift = np.abs([np.subtract(before.low, after.low), np.subtract(before.high, after.high)])
    if not (shift > SHIFT * extent).any():
        return None
    stated = ", ".join(f"{number:.9g}" for number in dict.fromkeys(value.tolist()))
    share, rim = (same & mask).sum() / mask.sum(), counts.max() / ring.sum()
    return Undeclared(
        tuple(value.tolist()),
        f"value {stated} fills {share:.0%} of the scene and {rim:.0%} of its border and is not declared as "
        f"nodata; the contrast leaves it out (--nodata {stated} hides it, --nodata none counts it)",
    )
