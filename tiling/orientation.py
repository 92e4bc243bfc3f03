"""The eight ways in which a camera file may be stored, and the way back to upright.

GDAL reads pixels as they are stored; the EXIF orientation says how to turn them for viewing. Turning a
whole image would decode all of it, so windows are turned into the stored frame instead, and what was read
is turned back.
"""

from __future__ import annotations

from dataclasses import dataclass

from affine import Affine
from numpy.typing import NDArray

from tiling.view import Size, View, Window


@dataclass(frozen=True)
class Orientation:
    """How upright pixels map to stored ones: swap x and y, then mirror in the stored frame.

    Attributes:
        transpose: x and y change places.
        mirror_x: stored columns run right to left.
        mirror_y: stored rows run bottom to top.
        stored: height and width of the image as stored.
    """

    transpose: bool
    mirror_x: bool
    mirror_y: bool
    stored: Size

    @classmethod
    def from_exif(cls, value: int, stored: Size) -> Orientation:
        """From the value of the EXIF tag 274; anything but 2-8 means upright (CIPA DC-008, 4.6.4)."""
        return cls(value in (5, 6, 7, 8), value in (2, 3, 7, 8), value in (3, 4, 6, 7), stored)

    @property
    def size(self) -> Size:
        """Height and width of the upright image."""
        return Size(*reversed(self.stored)) if self.transpose else self.stored

    @property
    def to_stored(self) -> Affine:
        """Upright to stored pixels."""
        mirror = Affine(
            -1 if self.mirror_x else 1,
            0,
            self.stored.width if self.mirror_x else 0,
            0,
            -1 if self.mirror_y else 1,
            self.stored.height if self.mirror_y else 0,
        )
        return mirror @ Affine(0, 1, 0, 1, 0, 0) if self.transpose else mirror

    def stored_window(self, window: Window) -> Window:
        """The window in stored pixels that shows the same part."""
        x, y, width, height = window.x, window.y, window.width, window.height
        if self.transpose:
            x, y, width, height = y, x, height, width
        if self.mirror_x:
            x = self.stored.width - x - width
        if self.mirror_y:
            y = self.stored.height - y - height
        return Window(x, y, width, height)

    def stored_view(self, view: View) -> View:
        """The view of the stored pixels that, turned upright, is ``view``."""
        size = Size(view.size.width, view.size.height) if self.transpose else view.size
        return View(self.stored_window(view.window), size)

    def upright(self, pixels: NDArray) -> NDArray:
        """Stored pixels (height, width, ...) turned upright."""
        if self.mirror_x:
            pixels = pixels[:, ::-1]
        if self.mirror_y:
            pixels = pixels[::-1]
        return pixels.swapaxes(0, 1) if self.transpose else pixels
