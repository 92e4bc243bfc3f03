"""What became of each tile of a detection run, for a map layer of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tiling.layers import TileRecord

if TYPE_CHECKING:
    from rscovlm.tasks.detect import SceneDetections
    from tiling.scene import Scene


def tile_records(scene: Scene, found: SceneDetections) -> list[TileRecord]:
    """Every tile of the grid in its order: examined, failed, skipped or outside, and why.

    Boxes count where the result names the tile as theirs, so that the sum over tiles is the number of
    objects.
    """
    plan = found.plan
    reasons = {failed.tile.index: failed.reason for failed in found.failures}
    boxes = Counter(found.merged.tile.tolist())
    records = [
        TileRecord(
            tile.index,
            tile.window,
            "failed" if tile.index in reasons else "examined",
            reasons.get(tile.index),
            scene.gsd_of(view),
            boxes[tile.index],
            plan.resolution.tokens(view.size),
        )
        for tile, view in zip(plan.tiles, plan.views, strict=True)
    ]
    records += [TileRecord(tile.index, tile.window, "skipped", "no valid pixel") for tile in plan.skipped]
    records += [TileRecord(tile.index, tile.window, "outside", "outside the area") for tile in plan.outside]
    return sorted(records, key=lambda record: record.index)
