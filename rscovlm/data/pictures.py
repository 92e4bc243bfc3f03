"""Pictures from files: sized by their headers, read by window at the size that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError
from tiling.headers import image_size
from tiling.scene import Scene
from tiling.view import Size, View

_OPEN_SCENES = 16


@dataclass(frozen=True)
class FilePicture:
    """A view of an image file of any size; only what it shows is read.

    Attributes:
        path: of the file.
        view: the window and the size at which it is shown.
        stated: (height, width) of the whole file that boxes are for, which the file is checked against when
            it is opened; None where it was taken from the file.
        gsd_m: metres on the ground per pixel as it is shown; None where unknown.
    """

    path: str
    view: View
    stated: Size | None = None
    gsd_m: float | None = None

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.view.size

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB, read through the file's overviews where it has some.

        Raises:
            SceneError: the file is missing, corrupt or empty.
            DataError: it is of another size than stated.
        """
        scene = open_scene(self.path)
        check_size(self.path, Size(scene.height, scene.width), self.stated)
        return scene.read(self.view).pixels

    def check(self) -> None:
        """Open the file and compare its size, without reading pixels.

        Raises:
            SceneError, DataError: as ``read``.
        """
        check_size(self.path, image_size(self.path), self.stated)


def check_size(path: str, found: Size, stated: Size | None) -> None:
    """Make sure that a file has the size that its sample states: boxes are in pixels of that size.

    Raises:
        DataError: naming both sizes.
    """
    if stated is not None and found != stated:
        raise DataError(
            f"{path} has {found.width} x {found.height} px, "
            f"its sample states {stated.width} x {stated.height} px (width x height)"
        )


@lru_cache(maxsize=_OPEN_SCENES)
def open_scene(path: str) -> Scene:
    """A scene that stays open for the next sample of the same file, in this process.

    Raises:
        SceneError: it cannot be opened.
    """
    return Scene(path, north_up=False)  # samples are in the pixels of their files
