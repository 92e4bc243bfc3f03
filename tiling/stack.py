"""Several files of one place read as one: bands of each on the pixels of the first.

Where another file's pixels lie along those of the first (a shifted, finer or coarser grid of the same CRS),
a view of it is read by the same exact filter as any view. Elsewhere (another CRS, a turned grid) it is read
at about the size of the view's pixels, and interpolated linearly at their centres, valid pixels only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rasterio.crs import CRS
from rasterio.warp import transform

from tiling.errors import BandError, NotGeoreferenced
from tiling.raster import Raster
from tiling.scene import Scene
from tiling.sensors import Contract
from tiling.view import Size, View, Window

ALONG = 0.02
"""Pixels of the view by which another file's grid may deviate and still count as lying along."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Scenes of one place with what their bands mean; the first one gives the pixels.

    Attributes:
        layers: of one scene or more.

    Raises:
        BandError: where two files are of different size and not both are georeferenced, or lie apart.
    """

    layers: tuple[tuple[Scene, Contract], ...]

    def __post_init__(self) -> None:
        first = self.scene
        for other, _ in self.layers[1:]:
            placed = first.georeferenced and other.georeferenced
            if not placed and (first.width, first.height) != (other.width, other.height):
                raise BandError(
                    f"{other.source} is {other.width} x {other.height} px and {first.source} {first.width} x "
                    f"{first.height} px; without a georeference of both they have to be of one size"
                )
            if placed and not overlap(first, other):
                raise BandError(f"{other.source} lies apart from {first.source}; give files of one place")

    @property
    def scene(self) -> Scene:
        """The first one."""
        return self.layers[0][0]

    def require(self, names: Sequence[str]) -> None:
        """Make sure that bands are there.

        Raises:
            BandError: naming those that are not.
        """
        held = {name for _, contract in self.layers for name in contract.found}
        missing = [name for name in names if name not in held]
        if missing:
            files = " and ".join(scene.source for scene, _ in self.layers)
            raise BandError(
                f"{files}: no band {', '.join(missing)}; there are {', '.join(sorted(held)) or 'none'}"
            )

    def read(self, view: View, names: Sequence[str]) -> NDArray[np.float32]:
        """(height, width, bands) physical values of bands on the pixels of a view; NaN without data.

        Args:
            view: of the first scene, upright.
            names: of bands; of those that several files have the first one's counts.

        Raises:
            SceneError: where a file cannot be read, or has no such band.
        """
        self.require(names)
        values = np.full((*view.size, len(names)), np.nan, np.float32)
        left = list(names)
        for scene, contract in self.layers:
            own = [name for name in left if name in contract.found]
            if not own:
                continue
            indexes = contract.indexes(own)
            raster = (
                scene.read_bands(view, indexes)
                if scene is self.scene
                else read_on(self.scene, view, scene, indexes)
            )
            values[..., [names.index(name) for name in own]] = contract.physical(raster)
            left = [name for name in left if name not in own]
        return values

    def close(self) -> None:
        """Close all files."""
        for scene, _ in self.layers:
            scene.close()


def overlap(scene: Scene, other: Scene) -> bool:
    """Whether two georeferenced scenes have a place in common, by the corners of the first."""
    found = Window.around(_places(scene, _corners(scene), other))
    across = found.x < other.width and found.x + found.width > 0
    return across and found.y < other.height and found.y + found.height > 0


def on_one_grid(scene: Scene, other: Scene) -> bool:
    """Whether the pixels of two scenes lie on each other, maybe whole pixels apart; else one is resampled."""
    corners = _corners(scene)
    apart = _places(scene, corners, other) - corners
    return bool((np.abs(apart - np.rint(apart[0])) <= ALONG).all())


def _corners(scene: Scene) -> NDArray[np.float64]:
    """(4, 2) pixels of the corners of a scene."""
    return np.array([[x, y] for y in (0.0, scene.height) for x in (0.0, scene.width)])


def read_on(scene: Scene, view: View, other: Scene, bands: Sequence[int | str] | None = None) -> Raster:
    """The values of another scene on the pixels of a view of a scene.

    Args:
        scene: that the view is of.
        view: upright.
        other: of the same place; of the same size where either has no georeference.
        bands: of the other scene, as ``Scene.read_bands`` takes them.

    Raises:
        SceneError: where the other file cannot be read, or there is no way between their places.
    """
    height, width = view.size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    found = _places(scene, view.to_scene(corners), other)
    window = Window.around(found)
    upright = np.array(
        [[x, y] for y in (window.y, window.y + window.height) for x in (window.x, window.x + window.width)]
    )
    side = np.array([window.width / width, window.height / height])
    if (np.abs(found - upright) <= ALONG * side).all():
        raster = other.read_bands(View(window, view.size), bands)
        return replace(raster, view=view, gsd_m=scene.gsd_of(view))
    return _interpolated(scene, view, other, bands, side)


def _places(scene: Scene, points: ArrayLike, other: Scene) -> NDArray[np.float64]:
    """Pixels (..., 2) of one scene as those of another.

    Raises:
        NotGeoreferenced: where there is no way from one CRS to the other.
    """
    if not (scene.georeferenced and other.georeferenced):
        return np.asarray(points, dtype=np.float64)
    found = other.from_map(map_places(scene, points, other.crs))
    if not np.isfinite(found).all():
        raise NotGeoreferenced(f"{other.source} has no place for parts of {scene.source}")
    return found


def map_places(scene: Scene, points: ArrayLike, crs: CRS | None) -> NDArray[np.float64]:
    """Pixels (..., 2) of a scene as map coordinates in another CRS; infinite where they have no place in it.

    Raises:
        NotGeoreferenced: where the scene has no georeference or states no CRS.
    """
    there = scene.to_map(points)
    if scene.crs == crs:
        return there
    if scene.crs is None:
        raise NotGeoreferenced(f"{scene.source} states no coordinate reference system; give it one first")
    flat = there.reshape(-1, 2)
    x, y = transform(scene.crs, crs, flat[:, 0], flat[:, 1])[:2]
    return np.stack([x, y], axis=-1).reshape(there.shape)


def _interpolated(
    scene: Scene, view: View, other: Scene, bands: Sequence[int | str] | None, side: NDArray[np.float64]
) -> Raster:
    """By bilinear weights at the centres of the view's pixels; those without data count for nothing."""
    rows, columns = np.mgrid[: view.size.height, : view.size.width]
    centres = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    at = _places(scene, view.to_scene(centres), other)
    step = float(max(1.0, side.min()))
    window = Window.around(at).pad(2 * step)
    size = Size(max(1, math.ceil(window.height / step)), max(1, math.ceil(window.width / step)))
    coarse = other.read_bands(View(window, size), bands)
    scale = np.array([window.width / size.width, window.height / size.height])
    place = (at - np.array([window.x, window.y])) / scale - 0.5
    corner = np.clip(np.floor(place).astype(int), 0, np.array([size.width, size.height]) - 2)
    share = np.clip(place - corner, 0, 1)
    total = np.zeros((*view.size, coarse.pixels.shape[2]))
    weight, cover = np.zeros(view.size), np.zeros(view.size)
    for down in (0, 1):
        for right in (0, 1):
            part = np.abs(1 - right - share[..., 0]) * np.abs(1 - down - share[..., 1])
            here: tuple[Any, Any] = (corner[..., 1] + down, corner[..., 0] + right)
            valid = part * coarse.mask[here]
            total += coarse.pixels[here] * valid[..., None]
            weight += valid
            cover += part * coarse.coverage[here]
    pixels = (total / np.maximum(weight, 1e-9)[..., None]).astype(np.float32)
    coverage = np.where(weight > 0, np.rint(cover), 0).astype(np.uint8)
    pixels[coverage < 128] = 0
    return Raster(pixels, coverage, coarse.bands, view, scene.gsd_of(view))
