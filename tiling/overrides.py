"""Statements of a user about a file where the file's own word is missing or wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiling.errors import SceneError

FromFile = Literal["file"]
Without = Literal["none"]


@dataclass(frozen=True)
class Overrides:
    """Statements about a scene that go before those of its file.

    Attributes:
        alpha: the 1-based band that says what is transparent; ``none`` shows transparent pixels too; ``file``
            takes the band marked alpha, but none where bands to show are named.
        nodata: the value that stands for no data in every band; ``none`` shows the declared one as a value.
        mask: a raster of the scene's size, not 0 where pixels are valid; ``none`` leaves masks in or beside
            the file out of account.
        crs: coordinate reference system of the map coordinates, such as ``EPSG:32631``.
        gsd_m: metres per pixel of the scene.

    Raises:
        SceneError: for a CRS that PROJ does not know, or a ground sampling distance that is no length.
    """

    alpha: int | FromFile | Without = "file"
    nodata: float | FromFile | Without = "file"
    mask: Path | FromFile | Without = "file"
    crs: str | None = None
    gsd_m: float | None = None

    def __post_init__(self) -> None:
        if self.crs is not None:
            self.read_crs()
        if self.gsd_m is not None and not 0 < self.gsd_m < math.inf:
            raise SceneError(f"a ground sampling distance of {self.gsd_m} m is no length; give metres > 0")

    def read_crs(self) -> CRS | None:
        """The stated CRS, if one is."""
        if self.crs is None:
            return None
        try:
            return CRS.from_user_input(self.crs)
        except CRSError as error:
            raise SceneError(
                f"no coordinate reference system {self.crs!r}; give one such as EPSG:32631"
            ) from error

    def __str__(self) -> str:
        """Overrides in force, ``nodata 0, crs EPSG:32631``; empty where there are none."""
        stated = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        return ", ".join(f"{name} {value}" for name, value, default in stated if value != default)


AS_STORED = Overrides()
