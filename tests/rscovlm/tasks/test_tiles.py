"""How large tiles are for a model, and what examining them takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from rscovlm.models.families import FAMILIES
from rscovlm.tasks.tiles import default_tile, plan_tiles, scale_gap
from tests.rscovlm.scripted import ONE_SCALE, write_raster
from tiling.errors import GridError
from tiling.scene import Scene
from tiling.view import Size, Window

NANO = ONE_SCALE


@pytest.mark.parametrize(
    ("gsd_m", "side"),
    [
        (0.3, 512),  # 128 px of 1.2 m are 153.6 m
        (0.15, 1024),
        (1.2, 128),
        (10.0, 128),  # coarser than what it learnt: pixel for pixel
        (None, 128),
    ],
)
def test_a_default_tile_fills_the_view_at_the_resolution_that_the_model_learnt(gsd_m, side):
    assert default_tile(gsd_m, NANO) == side


def test_a_family_without_a_resolution_of_its_own_sees_pixel_for_pixel():
    qwen = FAMILIES["qwen3-vl"]
    # 1280 tokens of 32 px: the largest square is 35 x 35 of them.
    assert default_tile(0.3, qwen) == 35 * 32


def test_a_plan_counts_tiles_tokens_and_what_is_skipped(tmp_path):
    pixels = np.full((3, 256, 512), 50, dtype=np.uint8)
    pixels[:, :, 300:] = 0
    with Scene(write_raster(tmp_path / "half.tif", pixels=pixels, gsd_m=None, nodata=0)) as scene:
        plan = plan_tiles(scene, NANO, tile=128, overlap=0)
    # Two rows of four columns; the last column, from 384 on, holds nothing.
    assert [(tile.row, tile.column) for tile in plan.skipped] == [(0, 3), (1, 3)]
    assert len(plan.tiles) == 6
    assert [view.size for view in plan.views] == [Size(128, 128)] * 6
    assert plan.visual_tokens == 6 * 64


def test_lengths_are_pixels_or_metres(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024, gsd_m=0.5)) as scene:
        plan = plan_tiles(scene, NANO, tile="200m", overlap="20m")
        assert abs(plan.grid.tile - 400) <= 1  # UTM's scale at the central meridian is 0.9996
        assert abs(plan.grid.overlap - 40) <= 1
        assert plan_tiles(scene, NANO, tile="256", overlap="30px").grid.tile == 256


def test_neighbours_share_a_quarter_of_a_tile_unless_told_otherwise(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene:
        assert plan_tiles(scene, NANO, tile=128).grid.overlap == 32
        assert plan_tiles(scene, NANO, tile=500).grid.overlap == 125
        assert plan_tiles(scene, NANO, tile=128, overlap=0).grid.overlap == 0


def test_small_tiles_are_whole_visual_tokens_and_large_ones_stay_as_asked(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene:
        assert plan_tiles(scene, NANO, tile=100).grid.tile == 112  # seven tokens of 16 px
        assert plan_tiles(scene, NANO, tile=500).grid.tile == 500


def test_tiles_are_square_on_the_ground_where_pixels_are_not(tmp_path):
    # Pixels of 0.15 x 0.3 m: 153.6 m are 1024 x 512 px.
    place = {"crs": "EPSG:32633", "transform": Affine(0.15, 0, 500_000, 0, -0.3, 5_000_000)}
    with Scene(write_raster(tmp_path / "scene.tif", 4000, 3000, None, **place)) as scene:
        plan = plan_tiles(scene, NANO)
        for tile, view in zip(plan.tiles, plan.views, strict=True):
            assert tile.window.width * 0.15 == pytest.approx(153.6, rel=0.005)
            assert tile.window.height * 0.3 == pytest.approx(153.6, rel=0.005)
            assert view.size == Size(128, 128)


def test_a_region_bounds_the_tiles(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene:
        plan = plan_tiles(scene, NANO, tile=128, region=Window(100, 200, 256, 128))
    assert plan.grid.extent.bounds == (100, 200, 356, 328)
    assert all(plan.grid.extent.contains(tile.window) for tile in plan.tiles)


def test_a_scene_smaller_than_a_tile_is_not_enlarged_beyond_the_learnt_resolution(tmp_path):
    # 256 px of 0.3 m are 64 px of 1.2 m.
    with Scene(write_raster(tmp_path / "scene.tif", 256, 256)) as scene:
        [view] = plan_tiles(scene, NANO).views
    assert view.size == Size(64, 64)
    # A family that takes any resolution sees it as it is.
    with Scene(write_raster(tmp_path / "scene.tif", 128, 128)) as scene:
        [view] = plan_tiles(scene, replace(NANO, detect_gsd_m=None)).views
    assert view.size == Size(128, 128)


@pytest.mark.parametrize(("scale", "side"), [(1.0, 128), (2.5, 320), (4.0, 512)])
def test_a_default_tile_fills_the_view_at_a_scale_that_is_asked_for(scale, side):
    assert default_tile(0.3, NANO, scale) == side
    assert default_tile(None, NANO, scale) == side


@pytest.mark.parametrize(("tile", "shown"), [(None, 128), (192, 96), (130, 64), (256, 128)])
def test_a_tile_of_any_size_is_seen_at_the_scale_that_is_asked_for(tmp_path, tile, shown):
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene:
        plan = plan_tiles(scene, NANO, tile=tile, gsd_m=0.6)
    assert {view.size for view in plan.views} == {Size(shown, shown)}


@pytest.mark.parametrize(
    ("tile", "family", "words"),
    [
        (512, NANO, r"a view of 256 x 256 px.*see at 128 x 128 px; give a tile of 128 to 256 px"),
        (64, NANO, r"a view of 32 x 32 px.*see at 64 x 64 px; give a tile of 128 to 256 px"),
        (
            None,
            replace(NANO, resolution=replace(NANO.resolution, target_pixels=64 * 64)),
            "leave the resolution policy native",
        ),
    ],
)
def test_a_tile_that_the_model_cannot_see_at_the_scale_is_refused(tmp_path, tile, family, words):
    with (
        Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene,
        pytest.raises(GridError, match=words),
    ):
        plan_tiles(scene, family, tile=tile, gsd_m=0.6)


def test_the_gap_of_scale_is_to_the_nearest_that_the_model_was_trained_at(tmp_path):
    family = replace(NANO, class_gsd_m={"plane": 4.8})
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as scene:
        near, far = (plan_tiles(scene, family, gsd_m=gsd_m) for gsd_m in (1.3, 2.0))
        assert scale_gap(scene, near, family).trained_m == 1.2
        assert scale_gap(scene, plan_tiles(scene, family, gsd_m=4.0), family).trained_m == 4.8
        # Planes alone were never shown at 1.2 m.
        gap = scale_gap(scene, replace(far, classes=("plane",)), family)
    assert (gap.trained_m, round(gap.ratio, 1)) == (4.8, 2.4)


def test_a_hopeless_scale_is_known_before_any_tile_is_looked_at(tmp_path, monkeypatch):
    told = []

    def refuse(gap):
        told.append(round(gap.ratio, 1))
        raise ScaleRefusedError

    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024, gsd_m=12.0)) as scene:
        monkeypatch.setattr(scene, "has_valid", lambda window: pytest.fail(f"{window} was looked at"))
        with pytest.raises(ScaleRefusedError):
            plan_tiles(scene, replace(NANO, class_gsd_m=None), check=refuse)
    assert told == [10.0]


def test_of_a_world_map_the_tile_nearest_to_the_scale_is_checked(tmp_path):
    # Degrees of longitude shrink towards the poles: the gap is the one of the row where it is smallest.
    transform = Affine(180 / 512, 0, -90, 0, -80 / 512, 80)
    path = write_raster(tmp_path / "scene.tif", 512, 512, crs="EPSG:4326", transform=transform)
    told = []
    with Scene(path) as scene:
        plan = plan_tiles(scene, NANO, tile=128, check=told.append)
        sides = [scene.gsd_of(view) for view in plan.views]
    assert told[0].shown_m == pytest.approx(min(sides))


class ScaleRefusedError(Exception):
    """What a check may raise."""
