"""Sizes from the headers of image files, without reading pixels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image

from tiling.scene import Scene
from tiling.unwarned import unwarned
from tiling.view import Size

_KNOWN_SIZES = 200_000
_PHOTOGRAPHS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # of TIFF, Pillow turns some and GDAL none; MPO is JPEG
_SIDEWAYS = (5, 6, 7, 8)
_EXIF_ORIENTATION = 0x0112


@lru_cache(maxsize=_KNOWN_SIZES)
def image_size(path: str | Path) -> Size:
    """Height and width of an image file, upright as ``Scene`` shows it.

    Raises:
        SceneError: it cannot be opened.
    """
    size = _by_pillow(path)
    if size is not None:
        return size
    with Scene(path) as scene:
        return Size(scene.height, scene.width)


def _by_pillow(path: str | Path) -> Size | None:
    """The size of a usual photograph, several times as fast as by GDAL; None for anything else."""
    try:
        with unwarned(), Image.open(path, formats=_PHOTOGRAPHS) as image:
            width, height = image.size
            turned = image.format in ("JPEG", "MPO") and image.getexif().get(_EXIF_ORIENTATION)
        return Size(width, height) if turned in _SIDEWAYS else Size(height, width)
    except Exception:  # damaged headers raise whatever they please, and large ones are refused
        return None
