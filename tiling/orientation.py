"""How a camera file is stored and the way back to upright; which orientation of a scene is north-up.

GDAL reads pixels as they are stored; the EXIF orientation says how to turn them for viewing. Turning a
whole image would decode all of it, so windows are turned into the stored frame instead, and what was read
is turned back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from tiling.view import UPRIGHT, Orientation, Size, View, Window


@dataclass(frozen=True)
class Storage:
    """How upright pixels map to stored ones.

    Attributes:
        orientation: how the upright image lies in the stored frame.
        stored: height and width of the image as stored.
    """

    orientation: Orientation
    stored: Size

    @classmethod
    def from_exif(cls, value: int, stored: Size) -> Storage:
        """From the value of the EXIF tag 274; anything but 2-8 means upright (CIPA DC-008, 4.6.4)."""
        return cls(Orientation(value in (5, 6, 7, 8), value in (2, 3, 7, 8), value in (3, 4, 6, 7)), stored)

    @property
    def size(self) -> Size:
        """Height and width of the upright image."""
        return self.orientation.size(self.stored)

    @property
    def to_stored(self) -> Affine:
        """Upright to stored pixels."""
        (sign_x, sign_y), stored = self.orientation.signs, self.stored
        mirror = Affine(
            sign_x, 0, stored.width if sign_x < 0 else 0, 0, sign_y, stored.height if sign_y < 0 else 0
        )
        return mirror @ Affine(0, 1, 0, 1, 0, 0) if self.orientation.transpose else mirror

    def stored_window(self, window: Window) -> Window:
        """The window in stored pixels that shows the same part."""
        x, y, width, height = window.x, window.y, window.width, window.height
        if self.orientation.transpose:
            x, y, width, height = y, x, height, width
        if self.orientation.mirror_x:
            x = self.stored.width - x - width
        if self.orientation.mirror_y:
            y = self.stored.height - y - height
        return Window(x, y, width, height)

    def stored_view(self, view: View) -> View:
        """The view of the stored pixels that, turned upright, is ``view``."""
        return View(self.stored_window(view.window), self.orientation.size(view.size))

    def upright(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Stored pixels (height, width, ...) turned upright."""
        return self.orientation.turned(pixels)


def nearest_to_north_up(axes: NDArray[np.float64]) -> Orientation:
    """The orientation that shows the ground unmirrored and with north as nearly up as quarter turns allow.

    Args:
        axes: metres east and north of one pixel along x, and of one along y (2, 2). Where they are unknown
            (NaN) or parallel, the scene is shown as it is.
    """
    lengths = np.linalg.norm(axes, axis=-1, keepdims=True)
    if not (np.isfinite(axes).all() and (lengths > 0).all()):
        return UPRIGHT
    along_x, along_y = axes / lengths
    mirrored = np.cross([*along_x, 0], [*along_y, 0])[2]
    best, most = UPRIGHT, -np.inf
    for orientation in (Orientation(*choice) for choice in product((False, True), repeat=3)):
        sign_x, sign_y = orientation.signs
        # To the right and down in the picture, as directions on the ground.
        right, down = sign_x * along_x, sign_y * along_y
        if orientation.transpose:
            right, down = down, right
        swaps = -1 if orientation.transpose else 1
        if mirrored * sign_x * sign_y * swaps >= 0:
            continue
        north_up = right[0] - down[1]
        if north_up > most + 1e-6:  # at 45 degrees the first of two, so that little is turned
            best, most = orientation, north_up
    return best
