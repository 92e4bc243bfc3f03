"""The tiles of one pass over a scene: how large they are for a model, and what examining them will take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiling.errors import GridError
from tiling.grid import Tile, TileGrid, parse_length
from tiling.resolution import Resolution
from tiling.view import View, Window

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from tiling.areas import SceneArea
    from tiling.scene import Scene

OVERLAP = 0.25
"""Share of a tile that neighbours have in common by default: objects up to that are whole in some tile."""

GSD_DECIMALS = 6
"""Decimals of the metres per pixel that outputs state."""


@dataclass(frozen=True)
class TilePlan:
    """Tiles of one pass of a detection run over a scene.

    Attributes:
        grid: over the scene, or the part of it that is to be examined.
        tiles: with something to see, in grid order.
        skipped: without any valid pixel, in grid order.
        resolution: at which the model sees tiles.
        views: each of ``tiles`` as the model will see it.
        area: part of the scene to which the detections are limited; None for the whole grid.
        outside: tiles that the area does not touch, in grid order.
        scale: scene px per view px that was asked for; None where the side of a tile decides.
        classes: that are looked for in these tiles; None for all of the run.
    """

    grid: TileGrid
    tiles: tuple[Tile, ...]
    skipped: tuple[Tile, ...]
    resolution: Resolution
    views: tuple[View, ...]
    area: SceneArea | None = None
    outside: tuple[Tile, ...] = ()
    scale: float | None = None
    classes: tuple[str, ...] | None = None

    @property
    def visual_tokens(self) -> int:
        """Visual tokens of all tiles together; text comes on top."""
        return sum(self.resolution.tokens(view.size) for view in self.views)

    def gsd_m(self, scene: Scene) -> float | None:
        """Metres per pixel of the views: those asked for, else of the first; None where unknown."""
        if self.scale is not None and scene.gsd_m is not None:
            return round(self.scale * scene.gsd_m, GSD_DECIMALS)
        ground = scene.gsd_of(self.views[0]) if self.views else None
        return None if ground is None else round(ground, GSD_DECIMALS)


def plan_tiles(
    scene: Scene,
    family: ModelFamily,
    *,
    tile: int | str | None = None,
    overlap: int | str | None = None,
    region: Window | None = None,
    area: SceneArea | None = None,
    gsd_m: float | None = None,
    classes: tuple[str, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
    check: Callable[[ScaleGap], None] | None = None,
) -> TilePlan:
    """The tiles of a pass over a scene, square on the ground, those of nodata left out.

    Args:
        scene: to look at.
        family: of the model.
        tile: side as :func:`tiling.grid.parse_length` reads it; None takes :func:`default_tile`. Where pixels
            are not square on the ground, it is the geometric mean of a tile's width and height in pixels.
        overlap: likewise; None takes a quarter of the tile.
        region: part of the scene in scene px; None for all of it.
        area: part of the scene to which the work is limited; None for no limit.
        gsd_m: metres per pixel of the views, at the finest those of the scene; None for what a tile at the
            model's largest size comes to.
        classes: that are looked for; None for all of the run.
        progress: called with (tiles looked at, tiles in all).
        check: called before any tile is looked at with the smallest gap between the scale of the views and
            that of the model's training, where both are known; may raise.

    Raises:
        GridError, OutsideScene: for lengths that make no grid, a region outside the scene, a scene of which
            the ground sampling distance is unknown where one is asked for, or a tile that the model cannot
            see at it.
    """
    scale = None if gsd_m is None else _scale_of(gsd_m, scene)
    side = parse_length(tile, scene.gsd_m) if tile is not None else default_tile(scene.gsd_m, family, scale)
    shared = round(side * OVERLAP) if overlap is None else parse_length(overlap, scene.gsd_m)
    # A tile seen at full resolution keeps whole visual tokens; a reduced one is resized anyway.
    factor = family.resolution.factor if side <= view_side(family.resolution) else 1
    if area is not None and region is None:
        # Objects whose centre is inside are seen whole.
        region = area.window.pad(shared * max(scene.square_xy))
    grid = TileGrid(scene.width, scene.height, side, shared, factor, region, scene.square_xy)
    least = scale
    if scale is not None and scene.gsd_m is not None:
        _check_seen_at(grid, family.resolution, scale, scale * scene.gsd_m)
    elif family.detect_gsd_m is not None and side > view_side(family.resolution):
        # Where the scene is smaller than a tile it could be shown larger than whole tiles are, at a
        # resolution that the model did not learn to detect at.
        least = side / view_side(family.resolution)
    if check is not None:
        samples = [scene.view(item.window, family.resolution, least) for item in _spread(grid)]
        gaps = [gap for view in samples if (gap := _gap_of(scene, view, family, classes)) is not None]
        if gaps:
            check(min(gaps, key=lambda gap: gap.ratio))
    found = grid.valid_tiles(scene, area=area, progress=progress)
    views = tuple(scene.view(item.window, family.resolution, least) for item in found.tiles)
    return TilePlan(
        grid, found.tiles, found.skipped, family.resolution, views, area, found.outside, scale, classes
    )


def _spread(grid: TileGrid) -> list[Tile]:
    """Tiles of the first, middle and last rows and columns: pixels of a world map differ in size."""
    rows, columns = grid.shape
    places = [sorted({0, length // 2, length - 1}) for length in (rows, columns)]
    return [grid[row * columns + column] for row in places[0] for column in places[1]]


def _scale_of(gsd_m: float, scene: Scene) -> float:
    """Scene px per view px of views at a ground sampling distance; 1 where that is finer than the scene's.

    Raises:
        GridError: for a scene of which it is unknown.
    """
    if scene.gsd_m is None:
        raise GridError(
            f"{scene.source} has no known ground sampling distance, so it cannot be shown at {gsd_m:g} m per "
            "pixel; state it with --assume-gsd"
        )
    return max(1.0, gsd_m / scene.gsd_m)


SCALE_KEPT = 1.15
"""Most that the scale of a tile may differ from the one asked for: sides become multiples of a token's."""


def _check_seen_at(grid: TileGrid, resolution: Resolution, scale: float, gsd_m: float) -> None:
    """Make sure that a model sees a whole tile at a scale, which is ``gsd_m`` metres per pixel.

    Raises:
        GridError: where its sizes do not allow it.
    """
    side = grid.tile
    if min(grid.extent.width, grid.extent.height) < side:
        return
    shown = max(1, round(side / scale))
    size = resolution.fit(shown, shown)
    actual = side / math.sqrt(size.width * size.height)
    if 1 / SCALE_KEPT <= actual / scale <= SCALE_KEPT:
        return
    if resolution.target_pixels is not None:
        right = "leave the resolution policy native"
    else:
        least, most = math.ceil(math.isqrt(resolution.min_pixels) * scale), view_side(resolution) * scale
        right = f"give a tile of {least} to {most:.0f} px, or none"
    raise GridError(
        f"a tile of {side} px at {gsd_m:.3g} m per pixel is a view of {shown} x {shown} px, which the model "
        f"would see at {size.width} x {size.height} px; {right}"
    )


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
    """How far the views of a plan are from what a model was trained at; None where either is unknown.

    Of a family that was trained at several the nearest one counts, among those of the plan's classes.
    """
    return _gap_of(scene, plan.views[len(plan.views) // 2], family, plan.classes) if plan.views else None


def _gap_of(
    scene: Scene, view: View, family: ModelFamily, classes: tuple[str, ...] | None
) -> ScaleGap | None:
    shown = scene.gsd_of(view)
    if classes is not None:
        learnt = {family.gsd_of(name) for name in classes}
    else:
        learnt = {family.detect_gsd_m, *(family.class_gsd_m or {}).values()}
    gaps = [ScaleGap(shown, each) for each in learnt if shown is not None and each is not None]
    return min(gaps, key=lambda gap: gap.ratio, default=None)


def default_tile(gsd_m: float | None, family: ModelFamily, scale: float | None = None) -> int:
    """The side in scene px of the tile that suits a model.

    What fills the model's largest square view at a scale, or else at the ground sampling distance that it was
    trained to detect at. Pixel for pixel where that or the scene's is unknown, or where the scene is the
    coarser of the two: enlarging it would add tiles and no detail.

    Args:
        gsd_m: metres per pixel of the scene, None where unknown.
        family: of the model.
        scale: scene px per view px, None for that of the model.
    """
    side = view_side(family.resolution)
    if scale is not None:
        return max(side, round(side * scale))
    if family.detect_gsd_m is None or gsd_m is None:
        return side
    return max(side, round(side * family.detect_gsd_m / gsd_m))


def view_side(resolution: Resolution) -> int:
    """The side in px of the largest square that a model sees."""
    return math.isqrt(resolution.max_pixels) // resolution.factor * resolution.factor
