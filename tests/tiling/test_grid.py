"""The tile grid: coverage, whole objects, cores and lengths in metres."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiling.errors import GridError, OutsideScene
from tiling.grid import Tile, TileGrid, length_px, parse_length
from tiling.view import Window


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    tile = draw(st.integers(1, 40))
    width, height = draw(st.integers(1, 130)), draw(st.integers(1, 130))
    region = None
    if draw(st.booleans()):
        x, y = draw(st.floats(-5, width - 0.5)), draw(st.floats(-5, height - 0.5))
        # From 0.5 px outside the far edge on, so that every region reaches into the scene.
        region = Window.from_bounds(
            x, y, max(x, 0) + draw(st.floats(0.5, 140)), max(y, 0) + draw(st.floats(0.5, 140))
        )
    shape = draw(st.sampled_from([(1.0, 1.0), (1.4, 0.7), (0.5, 2.0)]))
    overlap, factor = draw(st.integers(0, tile - 1)), draw(st.sampled_from([1, 2, 7, 28]))
    return TileGrid(width, height, tile, overlap, factor, region, shape)


def coverage(grid: TileGrid, part: str) -> np.ndarray:
    count = np.zeros((grid.height, grid.width), dtype=int)
    for tile in grid:
        x0, y0, x1, y1 = map(int, getattr(tile, part).bounds)
        count[y0:y1, x0:x1] += 1
    return count


def inside_extent(grid: TileGrid) -> np.ndarray:
    mask = np.zeros((grid.height, grid.width), dtype=bool)
    x0, y0, x1, y1 = map(int, grid.extent.bounds)
    mask[y0:y1, x0:x1] = True
    return mask


@settings(max_examples=60)
@given(grids())
def test_every_pixel_is_covered_for_any_size_and_overlap(grid: TileGrid) -> None:
    np.testing.assert_array_equal(coverage(grid, "window") > 0, inside_extent(grid))


@settings(max_examples=60)
@given(grids())
def test_cores_partition_the_region_exactly(grid: TileGrid) -> None:
    np.testing.assert_array_equal(coverage(grid, "core"), inside_extent(grid).astype(int))


@settings(max_examples=60)
@given(grids())
def test_cores_lie_inside_their_tiles_and_tiles_inside_the_scene(grid: TileGrid) -> None:
    scene = Window(0, 0, grid.width, grid.height)
    for tile in grid:
        assert tile.window.contains(tile.core)
        assert grid.extent.contains(tile.window)
        assert scene.contains(tile.window)


@settings(max_examples=80)
@given(grids(), st.data())
def test_an_object_no_larger_than_the_overlap_is_whole_in_some_tile(
    grid: TileGrid, data: st.DataObject
) -> None:
    extent = grid.extent
    width, height = (
        data.draw(st.integers(1, max(1, min(shared, int(length)))))
        for shared, length in zip(grid.overlaps_xy, (extent.width, extent.height), strict=True)
    )
    x = extent.x + data.draw(st.integers(0, int(extent.width) - width))
    y = extent.y + data.draw(st.integers(0, int(extent.height) - height))
    assert any(tile.window.contains(Window(x, y, width, height)) for tile in grid)


@settings(max_examples=60)
@given(grids())
def test_all_tiles_have_the_same_size_which_is_the_aligned_tile_or_the_region(grid: TileGrid) -> None:
    sizes = {(tile.window.width, tile.window.height) for tile in grid}
    width, height = grid.sides_xy
    assert sizes == {(min(width, grid.extent.width), min(height, grid.extent.height))}
    assert grid.tile % grid.factor == width % grid.factor == height % grid.factor == 0


@settings(max_examples=40)
@given(grids())
def test_no_tile_is_superfluous(grid: TileGrid) -> None:
    # Dropping any row or column of tiles uncovers pixels or shrinks a shared strip below the overlap.
    rows, columns = grid.shape
    lengths = (grid.extent.width, grid.extent.height)
    expected = [
        1 if length <= tile else int(np.ceil((length - tile) / (tile - shared))) + 1
        for length, tile, shared in zip(lengths, grid.sides_xy, grid.overlaps_xy, strict=True)
    ]
    assert [columns, rows] == expected


def test_tiles_come_row_by_row_and_are_numbered_in_that_order() -> None:
    grid = TileGrid(20, 20, tile=10)
    assert [(t.index, t.row, t.column, t.window.x, t.window.y) for t in grid] == [
        (0, 0, 0, 0, 0),
        (1, 0, 1, 10, 0),
        (2, 1, 0, 0, 10),
        (3, 1, 1, 10, 10),
    ]
    assert [grid[i] for i in range(len(grid))] == list(grid)


def test_the_last_tile_is_shifted_back_inside() -> None:
    # 23 px, tile 10, overlap 4: stride 6 gives 0, 6, 12 and then 18, which would end at 28; 13 ends at 23.
    grid = TileGrid(23, 10, tile=10, overlap=4)
    assert [t.window.x for t in grid] == [0, 6, 12, 13]
    assert [(t.core.x, t.core.x + t.core.width) for t in grid] == [(0, 8), (8, 14), (14, 17), (17, 23)]


def test_a_scene_smaller_than_a_tile_is_one_tile_of_its_own_size() -> None:
    (tile,) = TileGrid(5, 3, tile=512, overlap=64, factor=28)
    assert tile == Tile(0, 0, 0, Window(0, 0, 5, 3), Window(0, 0, 5, 3))


def test_a_scene_lower_than_a_tile_but_longer_is_tiled_along_its_length() -> None:
    # A strip that leaves some sliding-window code without any tile at all.
    grid = TileGrid(5000, 200, tile=512, overlap=64)
    assert grid.shape == (1, 12)  # ceil((5000 - 512) / 448) + 1 = 12
    assert {(t.window.width, t.window.height) for t in grid} == {(512, 200)}


def test_the_tile_side_is_rounded_up_to_the_models_factor() -> None:
    assert TileGrid(4000, 4000, tile=1000, factor=28).tile == 1008
    assert TileGrid(4000, 4000, tile=1008, factor=28).tile == 1008


def test_tiles_may_be_longer_along_one_axis_and_share_more_there() -> None:
    grid = TileGrid(100, 100, 20, 4, shape_xy=(2.0, 0.5))
    assert grid.sides_xy == (40, 10)
    assert [tile.window.x for tile in grid if tile.row == 0] == [0, 32, 60]  # stride 40 - 8
    assert [tile.window.y for tile in grid if tile.column == 0][:3] == [0, 8, 16]  # stride 10 - 2


def test_a_region_is_tiled_without_looking_outside_it() -> None:
    grid = TileGrid(100, 100, tile=20, overlap=5, region=Window.from_bounds(30.4, 40, 70.2, 120))
    assert grid.extent == Window.from_bounds(30, 40, 71, 100)
    assert min(t.window.x for t in grid) == 30
    assert max(t.window.x + t.window.width for t in grid) == 71


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"tile": 512, "overlap": 512},
            "tile 512 px is not larger than overlap 512 px; choose an overlap below the tile size",
        ),
        ({"tile": 512, "overlap": -1}, "overlap -1 px is negative"),
        ({"tile": 512, "factor": 0}, "tile factor 0 is below 1"),
        ({"tile": 512, "region": Window(200, 0, 5, 5)}, "lies outside the scene of 100 x 100 px"),
    ],
)
def test_impossible_grids_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises((GridError, OutsideScene), match=message):
        TileGrid(100, 100, **arguments)


def test_an_empty_scene_is_refused() -> None:
    with pytest.raises(GridError, match="scene of 0 x 10 px is empty"):
        TileGrid(0, 10, tile=5)


def test_an_index_outside_the_grid_is_refused() -> None:
    with pytest.raises(IndexError, match="tile 4 is outside a grid of 4 tiles"):
        TileGrid(20, 20, tile=10)[4]


@pytest.mark.parametrize(
    ("text", "gsd_m", "pixels"),
    [
        (512, None, 512),
        ("512", None, 512),
        ("512px", 0.3, 512),
        ("500m", 0.5, 1000),
        ("500 m", 0.3, 1667),  # 500 / 0.3 = 1666.7
        ("1.5km", 10.0, 150),
        (".5m", 0.25, 2),
    ],
)
def test_lengths_are_pixels_or_metres(text: int | str, gsd_m: float | None, pixels: int) -> None:
    assert parse_length(text, gsd_m) == pixels


@pytest.mark.parametrize("text", ["", "m", "-5", "5 miles", "1e3", "5m5"])
def test_text_that_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(GridError, match="is not understood; give pixels"):
        parse_length(text, 1.0)


def test_metres_without_a_ground_sampling_distance_are_refused() -> None:
    with pytest.raises(GridError, match="'500m' is in metres, but the scene has no known ground sampling"):
        parse_length("500m", None)


def test_a_grid_in_metres_follows_the_scene() -> None:
    scene = SimpleNamespace(width=10_000, height=8_000, gsd_m=0.5)
    grid = TileGrid.for_scene(scene, tile="500m", overlap="50m", factor=28)
    assert (grid.width, grid.height, grid.tile, grid.overlap) == (10_000, 8_000, 1008, 100)


def test_tiles_without_valid_pixels_are_skipped_and_counted() -> None:
    # Valid data only in the right half: of two columns of tiles the left one holds nothing.
    scene = SimpleNamespace(has_valid=lambda window: window.x + window.width > 10)
    plan = TileGrid(20, 20, tile=10).valid_tiles(scene)
    assert [t.index for t in plan.tiles] == [1, 3]
    assert [t.index for t in plan.skipped] == [0, 2]


def test_a_tile_is_looked_at_for_a_single_valid_pixel_wherever_in_it_that_lies() -> None:
    # Tiles at 0 and 14 share 14-20, halved at 17 between their cores; the pixel at (18, 3) is in the core of
    # the second and in the window of both.
    pixel = Window(18, 3, 1, 1)

    scene = SimpleNamespace(has_valid=lambda window: window.contains(pixel))
    plan = TileGrid(48, 20, tile=20, overlap=6).valid_tiles(scene)
    assert [t.index for t in plan.tiles] == [0, 1]
    assert [t.index for t in plan.skipped] == [2]


def test_a_length_in_pixels_keeps_its_fraction_and_is_rounded_where_whole_pixels_are_asked_for():
    assert length_px("250m", 20.0) == 12.5
    assert length_px("25.5", None) == 25.5
    assert parse_length("250m", 20.0) == 12
