"""Where rasters of tests lie on the map, or that they lie nowhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from affine import Affine
from rasterio.errors import NotGeoreferencedWarning


def from_origin(west: float, north: float, x_size: float, y_size: float) -> Affine:
    """North-up pixels from their upper left corner, without the product that Affine is about to drop.

    ``rasterio.transform.from_origin`` gives the same and warns of it.
    """
    return Affine(x_size, 0, west, 0, -y_size, north)


@contextmanager
def unplaced() -> Iterator[None]:
    """For a file that is meant to have no place on the map, of which rasterio warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
