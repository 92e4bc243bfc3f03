"""Raster: pixels with their bands, units, validity, view and ground sampling distance."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tiling.bands import RGB, Band
from tiling.errors import BandError
from tiling.pyramid import MOSTLY_VALID
from tiling.view import View


@dataclass(frozen=True, eq=False)
class Raster:
    """A view of a scene as pixels: any bands, any real number type.

    Attributes:
        pixels: (height, width, bands), 0 where invalid. As ``Scene.read`` gives them, uint8 red, green and
            blue.
        coverage: (height, width) uint8, 255 where wholly valid, 0 where nothing is: outside the scene,
            nodata, transparent or NaN.
        bands: name, unit, scale and wavelength of each band.
        view: the frame of the pixels.
        gsd_m: metres per pixel of the view at its centre (geometric mean of x and y), None where unknown.
    """

    pixels: NDArray[Any]
    coverage: NDArray[np.uint8]
    bands: tuple[Band, ...]
    view: View
    gsd_m: float | None = None

    def __post_init__(self) -> None:
        expected = (*self.view.size, len(self.bands))
        if self.pixels.shape != expected or self.coverage.shape != expected[:2]:
            raise ValueError(
                f"pixels {self.pixels.shape} and coverage {self.coverage.shape} do not fit a view of "
                f"{expected[0]} x {expected[1]} px and {expected[2]} bands"
            )

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(height, width), True where at least half of a pixel is valid."""
        return self.coverage >= MOSTLY_VALID

    @property
    def band_names(self) -> tuple[str, ...]:
        """The name of each band."""
        return tuple(band.name for band in self.bands)

    def physical(self) -> Raster:
        """The same in the bands' units: float32 after scale and offset, 0 where invalid."""
        scale = np.array([band.scale for band in self.bands])
        offset = np.array([band.offset for band in self.bands])
        values = self.pixels.astype(np.float32)
        if (scale != 1).any() or (offset != 0).any():
            values = np.where(self.mask[..., None], values * scale + offset, 0).astype(np.float32)
        return replace(self, pixels=values, bands=tuple(band.physical for band in self.bands))

    def to_pil(self) -> Image.Image:
        """The pixels as an RGB image.

        Raises:
            BandError: where they are anything else than uint8 red, green and blue.
        """
        if self.bands != RGB or self.pixels.dtype != np.uint8:
            raise BandError(
                f"{self.pixels.dtype} bands {', '.join(self.band_names)} are not an RGB image; "
                "Scene.read renders three bands, or one, as such"
            )
        return Image.fromarray(self.pixels)

    def png_bytes(self) -> bytes:
        """The pixels as a PNG file.

        Raises:
            BandError: as ``to_pil``.
        """
        buffer = io.BytesIO()
        self.to_pil().save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()
