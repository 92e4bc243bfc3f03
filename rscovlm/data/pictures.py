"""Pictures from files: sized by their headers, read by window at the size that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tiling.scene import Scene
from tiling.view import Size, View

_OPEN_SCENES = 16


@dataclass(frozen=True)
class FilePicture:
    """A view of an image file of any size; only what it shows is read.

    Attributes:
        path: of the file.
        view: the window and the size at which it is shown.
    """

    path: str
    view: View

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.view.size

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB, read through the file's overviews where it has some.

        Raises:
            SceneError: the file is missing, corrupt or empty.
        """
        return open_scene(self.path).read(self.view).pixels


@lru_cache(maxsize=_OPEN_SCENES)
def open_scene(path: str) -> Scene:
    """A scene that stays open for the next sample of the same file, in this process.

    Raises:
        SceneError: it cannot be opened.
    """
    return Scene(path)
