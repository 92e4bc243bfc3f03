"""The tiles of a detection run: how large they are for a model, and what examining them will take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiling.grid import Tile, TileGrid, parse_length
from tiling.resolution import Resolution
from tiling.view import View, Window

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from tiling.areas import SceneArea
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
        area: part of the scene to which the detections are limited; None for the whole grid.
        outside: tiles that the area does not touch, in grid order.
    """

    grid: TileGrid
    tiles: tuple[Tile, ...]
    skipped: tuple[Tile, ...]
    resolution: Resolution
    views: tuple[View, ...]
    area: SceneArea | None = None
    outside: tuple[Tile, ...] = ()

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
    area: SceneArea | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TilePlan:
    """The tiles of a scene for a model, square on the ground, those of nodata left out.

    Args:
        scene: to look at.
        family: of the model.
        tile: side as :func:`tiling.grid.parse_length` reads it; None takes :func:`default_tile`. Where pixels
            are not square on the ground, it is the geometric mean of a tile's width and height in pixels.
        overlap: likewise; None takes a quarter of the tile.
        region: part of the scene in scene px; None for all of it.
        area: part of the scene to which the work is limited; None for no limit.
        progress: called with (tiles looked at, tiles in all).

    Raises:
        GridError, OutsideScene: for lengths that make no grid, or a region outside the scene.
    """
    side = default_tile(scene.gsd_m, family) if tile is None else parse_length(tile, scene.gsd_m)
    shared = round(side * OVERLAP) if overlap is None else parse_length(overlap, scene.gsd_m)
    # A tile seen at full resolution keeps whole visual tokens; a reduced one is resized anyway.
    factor = family.resolution.factor if side <= view_side(family.resolution) else 1
    if area is not None and region is None:
        # Objects whose centre is inside are seen whole.
        region = area.window.pad(shared * max(scene.square_xy))
    grid = TileGrid(scene.width, scene.height, side, shared, factor, region, scene.square_xy)
    found = grid.valid_tiles(scene, area=area, progress=progress)
    # Where the scene is smaller than a tile it could be shown larger than whole tiles are, at a resolution
    # that the model did not learn to detect at.
    reduction = side / view_side(family.resolution)
    least = reduction if family.detect_gsd_m is not None and reduction > 1 else None
    views = tuple(scene.view(item.window, family.resolution, least) for item in found.tiles)
    return TilePlan(grid, found.tiles, found.skipped, family.resolution, views, area, found.outside)


SCALE_WARNED, SCALE_REFUSED = 2.0, 8.0
"""How many times coarser or finer than a model was trained to detect at its views may be."""


@dataclass(frozen=True)
class ScaleGap:
    """The ground sampling distance of a model's views beside that of its training.

    Attributes:
        shown_m: metres per pixel of the views.
        trained_m: metres per pixel at which the model was trained to detect.
    """

    shown_m: float
    trained_m: float

    @property
    def ratio(self) -> float:
        """The larger over the smaller."""
        return max(self.shown_m, self.trained_m) / min(self.shown_m, self.trained_m)

    def __str__(self) -> str:
        kind = "coarser" if self.shown_m > self.trained_m else "finer"
        return (
            f"tiles are seen at {self.shown_m:.3g} m per pixel, {self.ratio:.1f} times {kind} than the "
            f"{self.trained_m:.3g} m per pixel at which the model was trained to detect"
        )


def scale_gap(scene: Scene, plan: TilePlan, family: ModelFamily) -> ScaleGap | None:
    """How far the views of a plan are from what a model was trained at; None where either is unknown."""
    shown = scene.gsd_of(plan.views[len(plan.views) // 2]) if plan.views else None
    if shown is None or family.detect_gsd_m is None:
        return None
    return ScaleGap(shown, family.detect_gsd_m)


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
