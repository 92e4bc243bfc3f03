"""From any number type to 8 bits: one linear stretch per scene, so that its views never flicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (2.0, 98.0)
"""Values below and above these percentiles of the valid pixels are cut: the field's usual choice (QGIS,
geoai)."""


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
        low, high = band_percentiles(pixels[mask], percentiles)
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


def band_percentiles(values: NDArray[Any], percentiles: tuple[float, float]) -> NDArray[np.float64]:
    """Percentiles of each band, (2, bands); finite for any finite values.

    Args:
        values: (n, bands) of any real number type; at least one row.
        percentiles: lower and upper percentile in 0-100.
    """
    # Differences of values near the ends of a number range are beyond it; those of their quarters are not.
    quarters = values.astype(np.float64) / 4
    return np.percentile(quarters, percentiles, axis=0) * 4
