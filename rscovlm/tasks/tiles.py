"""The tiles of a detection run: how large they are for a model, and what examining them will take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiling.grid import Tile, TileGrid, parse_length
from tiling.resolution import Resolution
from tiling.view import View, Window

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from tiling.scene import Scene

OVERLAP = 0.25
"""Share of a tile that neighbours have in common by default: objects up to that are whole in some tile."""


@dataclass(frozen=True)
class TilePlan:
    """What a detection run will look at.

    Attributes:
        grid: over the scene, or the part of it that is to be examined.
        tiles: with something to see, in grid order.
        skipped: without any valid pixel, in grid order.
        resolution: at which the model sees tiles.
        views: each of ``tiles`` as the model will see it.
    """

    grid: TileGrid
    tiles: tuple[Tile, ...]
    skipped: tuple[Tile, ...]
    resolution: Resolution
    views: tuple[View, ...]

    @property
    def visual_tokens(self) -> int:
        """Of all tiles together; text comes on top."""
        return sum(self.resolution.tokens(view.size) for view in self.views)


def plan_tiles(
    scene: Scene,
    family: ModelFamily,
    *,
    tile: int | str | None = None,
    overlap: int | str | None = None,
    region: Window | None = None,
) -> TilePlan:
    """The tiles of a scene for a model, those of nodata left out.

    Args:
        scene: to look at.
        family: of the model.
        tile: side as :func:`tiling.grid.parse_length` reads it; None takes :func:`default_tile`.
        overlap: likewise; None takes a quarter of the tile.
        region: part of the scene in scene px; None for all of it.

    Raises:
        GridError, OutsideScene: for lengths that make no grid, or a region outside the scene.
    """
    side = default_tile(scene.gsd_m, family) if tile is None else parse_length(tile, scene.gsd_m)
    shared = round(side * OVERLAP) if overlap is None else parse_length(overlap, scene.gsd_m)
    # A tile seen at full resolution keeps whole visual tokens; a reduced one is resized anyway.
    factor = family.resolution.factor if side <= view_side(family.resolution) else 1
    grid = TileGrid(scene.width, scene.height, side, shared, factor, region)
    found = grid.valid_tiles(scene)
    # Where the scene is smaller than a tile it could be shown larger than whole tiles are, at a resolution
    # that the model did not learn to detect at.
    reduction = side / view_side(family.resolution)
    least = reduction if family.detect_gsd_m is not None and reduction > 1 else None
    views = tuple(scene.view(item.window, family.resolution, least) for item in found.tiles)
    return TilePlan(grid, found.tiles, found.skipped, family.resolution, views)


def default_tile(gsd_m: float | None, family: ModelFamily) -> int:
    """The side in scene px of the tile that suits a model.

    What fills the model's largest square view at the ground sampling distance that it was trained to detect
    at. Pixel for pixel where that or the scene's is unknown, or where the scene is the coarser of the two:
    enlarging it would add tiles and no detail.

    Args:
        gsd_m: metres per pixel of the scene, None where unknown.
        family: of the model.
    """
    side = view_side(family.resolution)
    if family.detect_gsd_m is None or gsd_m is None:
        return side
    return max(side, round(side * family.detect_gsd_m / gsd_m))


def view_side(resolution: Resolution) -> int:
    """The side in px of the largest square that a model sees."""
    return math.isqrt(resolution.max_pixels) // resolution.factor * resolution.factor
