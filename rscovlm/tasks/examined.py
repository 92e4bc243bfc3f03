"""What became of each tile of a detection run, for a map layer of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tiling.layers import TileRecord

if TYPE_CHECKING:
    from rscovlm.tasks.detect import SceneDetections
    from tiling.scene import Scene


def tile_records(scene: Scene, found: SceneDetections) -> list[TileRecord]:
    """Every tile of the grid of each pass in its order: examined, failed, skipped or outside, and why.

    Boxes count where the result names the tile as theirs, so that the sum over tiles is the number of
    objects. Tiles of several passes are told apart by their ground sampling distance, which boxes have too.
    """
    return [
        record
        for number in range(len(found.plans))
        for record in sorted(_of_pass(scene, found, number), key=lambda record: record.index)
    ]


def _of_pass(scene: Scene, found: SceneDetections, number: int) -> list[TileRecord]:
    plan, merged = found.plans[number], found.merged
    reasons = {failed.tile.index: failed.reason for failed in found.failures if failed.plan == number}
    own = slice(None) if merged.scale is None else merged.scale == plan.scale
    boxes = Counter(merged.tile[own].tolist())
    stated = plan.gsd_m(scene) if plan.scale is not None else None
    records = [
        TileRecord(
            tile.index,
            tile.window,
            "failed" if tile.index in reasons else "examined",
            reasons.get(tile.index),
            scene.gsd_of(view) if stated is None else stated,
            boxes[tile.index],
            plan.resolution.tokens(view.size),
        )
        for tile, view in zip(plan.tiles, plan.views, strict=True)
    ]
    records += [
        TileRecord(tile.index, tile.window, "skipped", "no valid pixel", stated) for tile in plan.skipped
    ]
    records += [
        TileRecord(tile.index, tile.window, "outside", "outside the area", stated) for tile in plan.outside
    ]
    return records
