"""Tiles of a run as records: every one of the grid, once, with what became of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import shapely

from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection_run import plan_detection
from rscovlm.tasks.examined import tile_records
from rscovlm.tasks.passes import plan_passes
from rscovlm.tasks.tiles import plan_tiles
from tests.rscovlm.painted import FAMILY, TRUTH, find_squares, paint
from tests.rscovlm.scripted import ONE_SCALE, ScriptedEngine, write_raster
from tiling.areas import SceneArea
from tiling.layers import box_columns
from tiling.scene import Scene
from zoom_chain.chat import Reply


def test_each_tile_is_there_once_and_their_boxes_add_up(tmp_path):
    with Scene(paint(tmp_path / "squares.tif", gsd_m=1.2)) as scene:
        found = detect_scene(scene, ScriptedEngine(find_squares))
        records = tile_records(scene, found)
    assert [record.index for record in records] == list(range(25))
    assert [record.window for record in records] == [tile.window for tile in found.plans[0].grid]
    assert {record.status for record in records} == {"examined"}
    assert sum(record.boxes for record in records) == len(TRUTH)
    assert {record.visual_tokens for record in records} == {64}
    # A tile of 128 px is seen at 128 px.
    assert np.allclose([record.gsd_m for record in records], 1.2, rtol=1e-3)
    by_tile = np.bincount(found.merged.tile, minlength=25)
    assert [record.boxes for record in records] == by_tile.tolist()


def test_what_failed_was_skipped_or_lies_outside_says_so(tmp_path):
    pixels = np.full((3, 128, 512), 50, dtype=np.uint8)
    pixels[:, :, 128:256] = 0
    replies = iter([Reply("", "error", error="server gone"), Reply("There are none.")])
    with Scene(write_raster(tmp_path / "s.tif", pixels=pixels, gsd_m=None, nodata=0)) as scene:
        plan = plan_tiles(scene, FAMILY, tile=128, overlap=0, area=SceneArea(shapely.box(0, 0, 380, 128)))
        # The area ends within the third of four tiles, of which the second is nodata.
        plan_of_all = plan_tiles(scene, FAMILY, tile=128, overlap=0)
        assert len(plan_of_all.grid) == 4
        run = plan_detection(scene, ONE_SCALE, plans=[plan])
        found = detect_scene(scene, ScriptedEngine(lambda _: next(replies)), run)
        records = tile_records(scene, found)
    assert [(record.status, record.reason, record.visual_tokens) for record in records] == [
        ("failed", "server gone", 64),
        ("skipped", "no valid pixel", 0),
        ("examined", None, 64),
    ]
    assert {record.gsd_m for record in records} == {None}


def test_tiles_of_several_passes_are_told_apart_by_their_scale(tmp_path):
    with Scene(paint(tmp_path / "fine.tif", gsd_m=0.6)) as scene:
        plans = plan_passes(scene, FAMILY, ("ship",), gsd_m=(0.6, 1.2))
        # 25 tiles of the fine pass, then 4 of the coarse one; the third of these fails.
        asked = iter(range(29))
        failing = Reply("", "error", error="gone")
        engine = ScriptedEngine(lambda c: failing if next(asked) == 27 else find_squares(c))
        found = detect_scene(scene, engine, plan_detection(scene, FAMILY, ("ship",), plans=plans))
        records = tile_records(scene, found)
        columns = box_columns(scene, found.merged)
    assert [record.index for record in records] == [*range(25), *range(4)]
    assert [record.status for record in records] == ["examined"] * 27 + ["failed", "examined"]
    given = Counter(zip(columns["tile"].tolist(), columns["gsd_m"].tolist()))
    assert {(record.index, record.gsd_m): record.boxes for record in records if record.boxes} == given
    assert len({gsd for _, gsd in given}) == 2
