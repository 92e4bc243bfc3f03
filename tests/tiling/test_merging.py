"""Merging across tiles: what each tile can see decides which boxes are one object."""

from __future__ import annotations

import random

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import signed_area
from tiling.grid import Tile, TileGrid
from tiling.merging import MergeRules, merge_tiles
from tiling.view import Window

CLASSES = ("ship", "bridge")

# Two tiles, 0-110 and 90-200, that share the strip 90-110.
PAIR = TileGrid(200, 100, tile=110, overlap=20)
LEFT, RIGHT = PAIR
# Two by two tiles that share strips of 20 px.
SQUARE = TileGrid(200, 200, tile=110, overlap=20)


def upright(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in boxes], float)


def rotated(cx: float, cy: float, length: float, width: float, degrees: float) -> np.ndarray:
    turn = np.deg2rad(degrees)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    return (cx, cy) + half[:, :1] * length * along + half[:, 1:] * width * across


def boxes(polygons: np.ndarray, label: int = 0, scores: list[float] | None = None) -> Detections:
    polygons = np.asarray(polygons, float).reshape(-1, 4, 2)
    return Detections(
        polygons, np.full(len(polygons), label), CLASSES, None if scores is None else np.array(scores)
    )


def bounds(merged: Detections) -> list[tuple[float, ...]]:
    return [(*p.min(axis=0).round(6).tolist(), *p.max(axis=0).round(6).tolist()) for p in merged.polygons]


def seen(tile: Tile, objects: np.ndarray) -> np.ndarray:
    """The boxes that a perfect detector draws in a tile: the smallest rectangles around what shows."""
    found = []
    for corners in objects:
        part = shapely.intersection(shapely.Polygon(corners), shapely.box(*tile.window.bounds))
        if part.area > 2:
            whole = part.area > shapely.Polygon(corners).area - 1e-6
            drawn = corners if whole else shapely.get_coordinates(shapely.oriented_envelope(part))[:4]
            found.append(drawn)
    return np.array(found).reshape(-1, 4, 2)


def observe(grid: TileGrid, objects: np.ndarray) -> list[tuple[Tile, Detections]]:
    return [(tile, boxes(seen(tile, objects))) for tile in grid]


# What a tile edge does


def test_an_object_seen_whole_by_two_tiles_is_kept_once_by_the_tile_that_owns_its_centre() -> None:
    # The cores meet at x = 100; both boxes lie in 90-110, one px apart, with centres at 102 and 103.
    merged = merge_tiles(
        [(LEFT, boxes(upright((97, 40, 107, 50)))), (RIGHT, boxes(upright((98, 40, 107, 50))))], PAIR
    )
    assert bounds(merged.detections) == [(98, 40, 107, 50)]
    assert (merged.tile.tolist(), merged.duplicates, merged.joined) == ([1], 1, 0)
    assert merged.cut.tolist() == [False]


def test_a_box_cut_by_an_inner_edge_loses_to_the_whole_one_that_covers_it() -> None:
    merged = merge_tiles(
        [(LEFT, boxes(upright((95, 40, 110, 50)))), (RIGHT, boxes(upright((95, 40, 130, 50))))], PAIR
    )
    assert bounds(merged.detections) == [(95, 40, 130, 50)]
    assert (merged.tile.tolist(), merged.cut_dropped, merged.duplicates) == ([1], 1, 0)


def test_the_tip_of_an_oblique_object_loses_to_the_whole_object() -> None:
    # A square on its corner at (118, 50), half diagonal 20: its tip from x = 98 to 110 shows on the left.
    # The rectangle around that triangular tip lies half outside the object.
    ship = rotated(118, 50, 20 * 2**0.5, 20 * 2**0.5, 45)
    tip = upright((98, 38, 110, 62))
    merged = merge_tiles([(LEFT, boxes(tip)), (RIGHT, boxes(ship))], PAIR)
    np.testing.assert_allclose(merged.detections.polygons[0], ship)
    assert merged.cut_dropped == 1


def test_a_cut_box_that_no_other_tile_explains_stays_and_is_marked() -> None:
    merged = merge_tiles([(LEFT, boxes(upright((60, 40, 110, 50)))), (RIGHT, boxes(upright()))], PAIR)
    assert bounds(merged.detections) == [(60, 40, 110, 50)]
    assert merged.cut.tolist() == [True]


def test_the_edge_of_the_scene_cuts_nothing() -> None:
    # At x = 0 there is nothing beyond, so the box is whole there and stays so.
    merged = merge_tiles([(LEFT, boxes(upright((0, 0, 30, 10))))], PAIR)
    assert merged.cut.tolist() == [False]


def test_the_edge_of_a_tiled_region_cuts_nothing_either() -> None:
    # Beyond it no tile looks, so no other view of the object exists.
    grid = TileGrid(400, 100, tile=110, overlap=20, region=Window(0, 0, 200, 100))
    merged = merge_tiles([(grid[1], boxes(upright((150, 40, 200, 50))))], grid)
    assert merged.cut.tolist() == [False]


def test_two_halves_become_the_upright_box_around_them() -> None:
    merged = merge_tiles(
        [(LEFT, boxes(upright((40, 40, 110, 50)))), (RIGHT, boxes(upright((90, 41, 170, 51))))], PAIR
    )
    assert bounds(merged.detections) == [(40, 40, 170, 51)]
    assert merged.pieces.tolist() == [2]
    assert merged.cut.tolist() == [False]
    # The centre (105, 45.5) lies in the right core, 100-200.
    assert merged.tile.tolist() == [1]


def test_halves_that_meet_without_any_overlap_are_joined() -> None:
    grid = TileGrid(200, 100, tile=100)
    left, right = grid
    merged = merge_tiles(
        [(left, boxes(upright((40, 40, 100, 50)))), (right, boxes(upright((100, 40, 170, 50))))], grid
    )
    assert bounds(merged.detections) == [(40, 40, 170, 50)]


def test_two_oblique_halves_become_the_rotated_box_of_the_object() -> None:
    bridge = rotated(100, 50, 80, 12, 20)
    merged = merge_tiles(observe(PAIR, bridge[None]), PAIR)
    assert merged.pieces.tolist() == [2]
    common = shapely.Polygon(merged.detections.polygons[0]).intersection(shapely.Polygon(bridge)).area
    assert common / (80 * 12) > 0.99  # the object is covered
    assert shapely.Polygon(merged.detections.polygons[0]).area < 1.1 * 80 * 12  # and hardly exceeded


def test_oblique_halves_whose_corners_were_moved_into_their_tiles_are_joined() -> None:
    # A bridge of 900 x 40 at 35 degrees; a model can only name points of its own tile, so that both halves
    # taper towards the seam.
    grid = TileGrid(1000, 1000, tile=560, overlap=120)
    bridge = rotated(500, 500, 900, 40, 35)
    left, right = grid[0], grid[3]
    halves = []
    for tile in (left, right):
        (drawn,) = seen(tile, bridge[None])
        x0, y0, x1, y1 = tile.window.bounds
        halves.append((tile, boxes(np.clip(drawn, (x0, y0), (x1, y1)))))
    merged = merge_tiles(halves, grid)
    assert merged.pieces.tolist() == [2]


def test_staggered_neighbours_at_a_seam_without_overlap_are_two_objects() -> None:
    # Together 20 x 10 + 20 x 10 in a rectangle of at most 40 x 21: less than half of it.
    grid = TileGrid(200, 100, tile=100)
    left, right = grid
    merged = merge_tiles(
        [(left, boxes(upright((80, 40, 100, 50)))), (right, boxes(upright((100, 51, 120, 61))))], grid
    )
    assert len(merged) == 2


def test_joined_boxes_keep_the_order_of_corners_of_the_contract() -> None:
    merged = merge_tiles(observe(PAIR, rotated(100, 50, 80, 12, 20)[None]), PAIR)
    corners = merged.detections.polygons[0]
    assert signed_area(corners) > 0  # clockwise, where y points down
    assert corners[0].tolist() == min(corners.tolist(), key=lambda p: (p[1], p[0]))


def test_halves_of_different_classes_are_two_objects() -> None:
    merged = merge_tiles(
        [(LEFT, boxes(upright((40, 40, 110, 50)), 0)), (RIGHT, boxes(upright((90, 40, 170, 50)), 1))], PAIR
    )
    assert len(merged) == 2


def test_cut_neighbours_side_by_side_are_two_objects() -> None:
    # Each tile misses the other ship; both are cut at the facing edges, but lie side by side.
    merged = merge_tiles(
        [(LEFT, boxes(upright((40, 40, 110, 50)))), (RIGHT, boxes(upright((90, 51, 170, 61))))], PAIR
    )
    assert bounds(merged.detections) == [(40, 40, 110, 50), (90, 51, 170, 61)]
    assert merged.cut.tolist() == [True, True]


def test_rows_of_long_ships_across_a_seam_are_joined_each_with_its_own_half() -> None:
    ships = upright(*[(40, y, 160, y + 9) for y in range(5, 95, 10)])
    merged = merge_tiles(observe(PAIR, ships), PAIR)
    assert sorted(bounds(merged.detections)) == sorted(bounds(boxes(ships)))


def test_an_object_across_the_corner_from_top_right_to_bottom_left_is_joined_too() -> None:
    # It lies in the strip that rows share; tiles 1 (top right) and 2 (bottom left) each see one end, and the
    # other two tiles miss it.
    _, top_right, bottom_left, _ = SQUARE
    merged = merge_tiles(
        [
            (top_right, boxes(upright((90, 95, 140, 105)))),
            (bottom_left, boxes(upright((60, 95, 110, 105)))),
        ],
        SQUARE,
    )
    assert bounds(merged.detections) == [(60, 95, 140, 105)]
    assert merged.pieces.tolist() == [2]


def test_of_two_neighbours_the_half_that_continues_a_half_best_is_joined_with_it() -> None:
    # With the upper one (60 + 70) x 10 are filled wholly; with the lower one 1380 of 130 x 14 px.
    halves = upright((90, 40, 170, 50), (90, 44, 170, 54))
    merged = merge_tiles([(LEFT, boxes(upright((40, 40, 110, 50)))), (RIGHT, boxes(halves))], PAIR)
    assert bounds(merged.detections) == [(40, 40, 170, 50), (90, 44, 170, 54)]
    assert merged.pieces.tolist() == [2, 1]


def test_of_two_neighbours_the_most_alike_is_the_object_that_both_tiles_saw_whole() -> None:
    # IoU 1 with the first, 8 / 12 with the second; the left tile owns the centre of what both saw.
    merged = merge_tiles(
        [
            (LEFT, boxes(upright((93, 40, 103, 50)))),
            (RIGHT, boxes(upright((93, 40, 103, 50), (95, 40, 105, 50)))),
        ],
        PAIR,
    )
    assert bounds(merged.detections) == [(93, 40, 103, 50), (95, 40, 105, 50)]


def test_of_two_cut_views_the_one_with_fewer_cuts_counts_whatever_the_scores() -> None:
    # The right tile sees the object up to x = 112; the left one ends at 110, and both end at y = 110.
    merged = merge_tiles(
        [
            (SQUARE[0], boxes(upright((95, 95, 110, 110)), scores=[0.9])),
            (SQUARE[1], boxes(upright((95, 95, 112, 110)), scores=[0.2])),
        ],
        SQUARE,
    )
    assert bounds(merged.detections) == [(95, 95, 112, 110)]
    assert (merged.cut_dropped, merged.pieces.tolist(), merged.cut.tolist()) == (1, [1], [True])


def test_of_two_cut_views_with_as_many_cuts_the_better_score_counts() -> None:
    for scores in ([0.9, 0.2], [0.2, 0.9]):
        merged = merge_tiles(
            [
                (SQUARE[0], boxes(upright((94, 92, 106, 110)), scores=scores[:1])),
                (SQUARE[1], boxes(upright((95, 92, 107, 110)), scores=scores[1:])),
            ],
            SQUARE,
        )
        best = (94, 92, 106, 110) if scores[0] > scores[1] else (95, 92, 107, 110)
        assert bounds(merged.detections) == [best]


def test_an_object_joined_from_three_tiles_lies_in_the_tile_that_owns_its_centre() -> None:
    # Tiles of 100 at 0, 80, 160; the centre, x = 130, lies in the core of the middle one, 90-170.
    grid = TileGrid(260, 100, tile=100, overlap=20)
    merged = merge_tiles(observe(grid, upright((50, 40, 210, 50))), grid)
    assert (merged.pieces.tolist(), merged.tile.tolist()) == ([3], [1])


def test_an_object_whose_end_no_tile_found_is_joined_and_still_cut() -> None:
    # The last part goes on beyond the middle tile, and the third tile says nothing.
    grid = TileGrid(260, 100, tile=100, overlap=20)
    first, second, third = grid
    parts = [(first, upright((50, 40, 100, 50))), (second, upright((80, 40, 180, 50))), (third, upright())]
    merged = merge_tiles([(tile, boxes(part)) for tile, part in parts], grid)
    assert bounds(merged.detections) == [(50, 40, 180, 50)]
    assert (merged.pieces.tolist(), merged.cut.tolist()) == ([2], [True])


def test_a_half_that_is_much_narrower_than_the_other_agrees_if_it_lies_in_it() -> None:
    # Where both tiles look the left half shows 20 x 20 px and the right one 20 x 3.8, all of it inside.
    merged = merge_tiles(
        [(LEFT, boxes(upright((40, 40, 110, 60)))), (RIGHT, boxes(upright((90, 42, 170, 45.8))))], PAIR
    )
    assert bounds(merged.detections) == [(40, 40, 170, 60)]


def test_what_halves_share_fills_their_rectangle_only_once() -> None:
    # 15 x 80 and 79 x 36 px that share 15 x 36 fill 0.55 of 79 x 80 px; counted twice it would be 0.64.
    merged = merge_tiles(
        [(LEFT, boxes(upright((95, 10, 110, 90)))), (RIGHT, boxes(upright((91, 54, 170, 90))))], PAIR
    )
    assert sorted(bounds(merged.detections)) == [(91, 54, 170, 90), (95, 10, 110, 90)]


# What is never merged


def test_two_whole_overlapping_objects_are_never_merged() -> None:
    # Intersection 6 x 10 over union 14 x 10 = 0.43: near, but not the same box.
    merged = merge_tiles(
        [(LEFT, boxes(upright((92, 40, 102, 50)))), (RIGHT, boxes(upright((96, 40, 106, 50))))], PAIR
    )
    assert len(merged) == 2


def test_alike_boxes_are_two_objects_where_one_reaches_out_of_the_others_tile() -> None:
    # IoU 35 x 10 / 45 x 10 = 0.78, but the right box ends at 135: the left tile, which ends at 110, cannot
    # have seen it whole, and yet its box ends well inside.
    grid = TileGrid(200, 100, tile=130, overlap=60)
    left, right = grid
    merged = merge_tiles(
        [(left, boxes(upright((85, 40, 125, 50)))), (right, boxes(upright((90, 40, 135, 50))))], grid
    )
    assert len(merged) == 2


def test_boxes_of_one_tile_are_never_merged_even_when_equal() -> None:
    twice = upright((20, 20, 40, 40), (20, 20, 40, 40))
    merged = merge_tiles([(LEFT, boxes(twice))], PAIR)
    assert len(merged) == 2


def test_one_whole_view_does_not_swallow_two_objects_of_another_tile() -> None:
    two = upright((93, 40, 103, 50), (94, 40, 104, 50))
    merged = merge_tiles([(LEFT, boxes(two)), (RIGHT, boxes(two[:1]))], PAIR)
    assert bounds(merged.detections) == [(93, 40, 103, 50), (94, 40, 104, 50)]
    assert merged.duplicates == 1


def test_a_cut_box_covered_by_two_whole_objects_does_not_make_them_one() -> None:
    cut = upright((95, 40, 110, 50))
    whole = upright((95, 36, 130, 47), (94, 43, 130, 54))
    merged = merge_tiles([(LEFT, boxes(cut)), (RIGHT, boxes(whole))], PAIR)
    assert sorted(bounds(merged.detections)) == sorted(bounds(boxes(whole)))


def test_a_cut_box_of_another_class_on_a_joined_object_stays() -> None:
    # A bridge along the strip that rows share, joined from the upper tiles; a ship on it, cut by the right
    # edge of the lower left tile.
    merged = merge_tiles(
        [
            (SQUARE[0], boxes(upright((40, 95, 110, 105)), 1)),
            (SQUARE[1], boxes(upright((90, 95, 170, 105)), 1)),
            (SQUARE[2], boxes(upright((80, 96, 110, 104)), 0)),
        ],
        SQUARE,
    )
    assert sorted(zip(merged.detections.names, bounds(merged.detections))) == [
        ("bridge", (40, 95, 170, 105)),
        ("ship", (80, 96, 110, 104)),
    ]


def test_a_box_that_lost_to_a_better_view_draws_no_other_object_to_it() -> None:
    # The small cut box lies on a whole object of the right tile, and on a larger cut one of the lower left
    # tile, which that whole one does not cover.
    merged = merge_tiles(
        [
            (SQUARE[0], boxes(upright((95, 95, 110, 105)))),
            (SQUARE[1], boxes(upright((95, 95, 150, 105)))),
            (SQUARE[2], boxes(upright((60, 97, 110, 140)))),
        ],
        SQUARE,
    )
    assert bounds(merged.detections) == [(95, 95, 150, 105), (60, 97, 110, 140)]
    assert merged.cut_dropped == 1


def test_of_a_chain_of_ever_better_views_the_best_one_is_left() -> None:
    # Cut twice, cut once, whole.
    merged = merge_tiles(
        [
            (SQUARE[0], boxes(upright((95, 95, 110, 110)))),
            (SQUARE[1], boxes(upright((95, 95, 112, 110)))),
            (SQUARE[3], boxes(upright((95, 95, 112, 125)))),
        ],
        SQUARE,
    )
    assert bounds(merged.detections) == [(95, 95, 112, 125)]
    assert merged.cut_dropped == 2


def test_a_cut_box_that_the_other_tile_hardly_sees_does_not_lose_to_a_whole_one_on_its_end() -> None:
    # 20 of 70 px lie where the right tile looks.
    merged = merge_tiles(
        [(LEFT, boxes(upright((40, 40, 110, 50)))), (RIGHT, boxes(upright((94, 30, 150, 60))))], PAIR
    )
    assert bounds(merged.detections) == [(40, 40, 110, 50), (94, 30, 150, 60)]


def test_a_small_whole_object_inside_a_large_one_stays() -> None:
    large, small = upright((20, 20, 105, 90)), upright((95, 40, 103, 48))
    merged = merge_tiles([(LEFT, boxes(large)), (RIGHT, boxes(small))], PAIR)
    assert len(merged) == 2


# Many tiles


def test_a_bridge_over_many_tiles_is_one_object() -> None:
    grid = TileGrid(1000, 100, tile=120, overlap=20)
    bridge = rotated(500, 50, 900, 10, 2)
    merged = merge_tiles(observe(grid, bridge[None]), grid)
    assert len(merged) == 1
    assert merged.pieces[0] >= 8
    assert not merged.cut[0]
    assert shapely.Polygon(merged.detections.polygons[0]).area == pytest.approx(9000, rel=0.05)


def test_an_object_on_the_corner_of_four_tiles_is_one_object() -> None:
    roundabout = upright((60, 55, 150, 140))
    merged = merge_tiles(observe(SQUARE, roundabout), SQUARE)
    assert bounds(merged.detections) == [(60, 55, 150, 140)]
    assert merged.pieces.tolist() == [4]


def test_the_middle_of_a_bridge_is_not_lost_to_an_end_that_covers_half_of_it() -> None:
    # Tiles of 100 at 0, 53, 106 overlap by 47; the middle part 53-153 is 47 % covered by the first.
    grid = TileGrid(206, 100, tile=100, overlap=47)
    bridge = upright((10, 40, 196, 50))
    merged = merge_tiles(observe(grid, bridge), grid)
    assert bounds(merged.detections) == [(10, 40, 196, 50)]


@st.composite
def scattered(draw: st.DrawFn, largest: float) -> np.ndarray:
    """Objects on a loose lattice, so that they never overlap, each turned and sized at random."""
    pitch = largest * 1.5
    cells = [
        (x, y) for x in np.arange(pitch, 400 - pitch, pitch) for y in np.arange(pitch, 300 - pitch, pitch)
    ]
    chosen = draw(st.lists(st.sampled_from(cells), min_size=1, max_size=12, unique=True))
    return np.array(
        [
            rotated(
                x + draw(st.floats(-3, 3)),
                y + draw(st.floats(-3, 3)),
                draw(st.floats(8, largest * 0.9)),
                draw(st.floats(6, largest * 0.4)),
                draw(st.floats(0, 180)),
            )
            for x, y in chosen
        ]
    )


@settings(max_examples=60)
@given(scattered(largest=30), st.integers(60, 150))
def test_objects_no_larger_than_the_overlap_come_back_exactly_once(objects: np.ndarray, tile: int) -> None:
    grid = TileGrid(400, 300, tile=tile, overlap=34)
    merged = merge_tiles(observe(grid, objects), grid)
    expected = boxes(objects)
    assert len(merged) == len(expected)
    assert sorted(bounds(merged.detections)) == sorted(bounds(expected))


@settings(max_examples=60)
@given(scattered(largest=30), st.integers(80, 150), st.integers(0, 2**32 - 1))
def test_each_object_is_counted_once_although_boxes_are_off_by_a_pixel(
    objects: np.ndarray, tile: int, seed: int
) -> None:
    grid = TileGrid(400, 300, tile=tile, overlap=40)
    noise = np.random.default_rng(seed)
    drawn = []
    for where, found in observe(grid, objects):
        # No detector sees a sliver that is thinner than its own error.
        found = found.select(np.ptp(found.polygons, axis=1).min(axis=1) > 2)
        drawn.append(
            (where, found.with_polygons(found.polygons + noise.uniform(-1, 1, found.polygons.shape)))
        )
    merged = merge_tiles(drawn, grid)
    assert len(merged) == len(objects)


def test_the_far_end_of_an_object_counts_however_little_of_it_lies_beyond_the_other_tile() -> None:
    # Tiles 0-130 and 70-200. The object, 62-134, is cut by both: 68 px of it show on the left, 64 on the
    # right, of which 60 are the same ones, more than nine tenths of either.
    grid = TileGrid(200, 100, tile=130, overlap=60)
    merged = merge_tiles(observe(grid, upright((62, 40, 134, 60))), grid)
    assert bounds(merged.detections) == [(62, 40, 134, 60)]
    assert (merged.pieces.tolist(), merged.cut.tolist(), merged.cut_dropped) == ([2], [False], 0)


def test_of_two_cut_views_the_one_that_shows_more_counts() -> None:
    # Tiles 0-130 and 70-200. Of 69-140 the left one shows 61 px, all but 1 px of which the right one sees
    # as well, which shows 70 px; both edges cut it, and neither core is nearer.
    grid = TileGrid(200, 100, tile=130, overlap=60)
    merged = merge_tiles(observe(grid, upright((69, 40, 140, 60))), grid)
    assert bounds(merged.detections) == [(70, 40, 140, 60)]
    assert merged.cut_dropped == 1


def shown_quarters(grid: TileGrid, thing: np.ndarray) -> list[tuple[Tile, Detections]]:
    """The boxes of a perfect detector that names an object of which a quarter shows, and draws what shows."""
    parts = []
    for tile in grid:
        shows = shapely.intersection(shapely.Polygon(thing), shapely.box(*tile.window.bounds)).area
        found = shows >= shapely.Polygon(thing).area / 4
        parts.append((tile, boxes(seen(tile, thing[None])) if found else boxes(upright())))
    return parts


def test_the_view_that_shows_more_counts_though_more_edges_cut_it() -> None:
    # Of four views the one of 95 % comes within 2 px of a second edge of its tile, that of 82 % does not;
    # were that one the better, the view of the other end would find no counterpart.
    grid = TileGrid(2000, 1500, tile=200, overlap=93)
    thing = np.array([(1081.313, 295.956), (1073.440, 305.013), (952.687, 200.044), (960.560, 190.987)])
    merged = merge_tiles(shown_quarters(grid, thing), grid)
    assert pair_iou(merged.detections.polygons, thing[None])[0] > 0.99
    assert (len(merged), merged.pieces.tolist(), merged.cut_dropped) == (1, [2], 2)


def test_oblique_halves_may_be_cut_by_edges_of_different_sides() -> None:
    # The lower end shows in a tile that cuts it at the right, the rest in one that cuts it at the bottom.
    grid = TileGrid(2000, 1500, tile=368, overlap=159)
    thing = np.array([(518.3, 807.6), (204.4, 1020.4), (196.6, 1008.8), (510.5, 796.1)])
    merged = merge_tiles(shown_quarters(grid, thing), grid)
    assert len(merged) == 1
    assert pair_iou(merged.detections.polygons, thing[None])[0] > 0.99


@st.composite
def tiled_object(draw: st.DrawFn) -> tuple[TileGrid, np.ndarray]:
    """A grid over 2000 x 1500 px, and an object anywhere in it, up to 1.2 times as long as a tile.

    Tiles share a tenth of their side or more: less may leave too little of a thin oblique object in both.
    """
    tile = draw(st.integers(200, 1000))
    grid = TileGrid(2000, 1500, tile=tile, overlap=draw(st.integers(tile // 10, tile // 2)))
    size = st.floats(12, tile * 1.2)
    degrees = draw(st.just(0.0) | st.floats(0, 180))
    unplaced = rotated(0, 0, draw(size), draw(size), degrees)
    (left, top), (right, bottom) = unplaced.min(0), unplaced.max(0)
    assume(right - left < 2000 and bottom - top < 1500)
    place = np.array([draw(st.floats(-left, 2000 - right)), draw(st.floats(-top, 1500 - bottom))])
    return grid, unplaced + place


@settings(max_examples=300)
@given(tiled_object())
def test_nothing_that_tiles_show_of_an_object_is_lost(drawn: tuple[TileGrid, np.ndarray]) -> None:
    grid, thing = drawn
    parts = shown_quarters(grid, thing)
    corners = np.concatenate([found.polygons.reshape(-1, 2) for _, found in parts])
    assume(len(corners))
    low, high = np.maximum(corners.min(0), thing.min(0)), np.minimum(corners.max(0), thing.max(0))

    merged = merge_tiles(parts, grid)
    [(left, top, right, bottom)] = bounds(merged.detections)
    missing = (*np.subtract((left, top), low), *np.subtract(high, (right, bottom)))
    assert max(missing) <= 2
    if np.ptp(thing[:2, 1]) == 0:
        assert min(missing) >= -1e-6  # the rectangle around oblique halves may be a little too large


@settings(max_examples=40)
@given(scattered(largest=60), st.integers(40, 90), st.randoms(use_true_random=False))
def test_the_order_of_tiles_and_boxes_never_matters(
    objects: np.ndarray, tile: int, randomness: random.Random
) -> None:
    grid = TileGrid(400, 300, tile=tile, overlap=15)
    per_tile = observe(grid, objects)
    shuffled = []
    for where, found in randomness.sample(per_tile, len(per_tile)):
        order = list(range(len(found)))
        randomness.shuffle(order)
        shuffled.append((where, found.select(np.array(order, dtype=int))))
    first, second = merge_tiles(per_tile, grid), merge_tiles(shuffled, grid)
    assert first.detections == second.detections
    for name in ("tile", "pieces", "cut"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.duplicates, first.cut_dropped) == (second.duplicates, second.cut_dropped)


@settings(max_examples=40)
@given(scattered(largest=60), st.integers(40, 90))
def test_every_box_is_kept_joined_or_counted_as_dropped(objects: np.ndarray, tile: int) -> None:
    grid = TileGrid(400, 300, tile=tile, overlap=15)
    per_tile = observe(grid, objects)
    merged = merge_tiles(per_tile, grid)
    given_boxes = sum(len(found) for _, found in per_tile)
    assert given_boxes == merged.pieces.sum() + merged.duplicates + merged.cut_dropped


# Scores, classes and bad input


def test_the_best_score_of_duplicates_is_kept() -> None:
    merged = merge_tiles(
        [
            (LEFT, boxes(upright((95, 40, 105, 50)), scores=[0.9])),
            (RIGHT, boxes(upright((98, 40, 107, 50)), scores=[0.6])),
        ],
        PAIR,
    )
    assert merged.detections.scores is not None
    assert merged.detections.scores.tolist() == [0.9]
    assert bounds(merged.detections) == [(95, 40, 105, 50)]


def test_the_better_score_counts_also_where_the_other_tile_owns_the_centre() -> None:
    # The cores meet at x = 100; both centres, 102 and 102.5, lie in the right one.
    merged = merge_tiles(
        [
            (LEFT, boxes(upright((97, 40, 107, 50)), scores=[0.9])),
            (RIGHT, boxes(upright((98, 40, 107, 50)), scores=[0.6])),
        ],
        PAIR,
    )
    assert bounds(merged.detections) == [(97, 40, 107, 50)]
    assert merged.tile.tolist() == [0]


def test_a_whole_box_wins_over_a_cut_one_whatever_the_scores() -> None:
    merged = merge_tiles(
        [
            (LEFT, boxes(upright((95, 40, 110, 50)), scores=[0.9])),
            (RIGHT, boxes(upright((95, 40, 130, 50)), scores=[0.2])),
        ],
        PAIR,
    )
    assert bounds(merged.detections) == [(95, 40, 130, 50)]


def test_a_joined_object_has_the_best_score_of_its_parts() -> None:
    merged = merge_tiles(
        [
            (LEFT, boxes(upright((40, 40, 110, 50)), scores=[0.4])),
            (RIGHT, boxes(upright((90, 40, 170, 50)), scores=[0.7])),
        ],
        PAIR,
    )
    assert merged.detections.scores is not None
    assert merged.detections.scores.tolist() == [0.7]


def test_detections_without_scores_stay_without() -> None:
    assert merge_tiles([(LEFT, boxes(upright((1, 1, 9, 9))))], PAIR).detections.scores is None


def test_tiles_may_name_their_classes_in_different_orders() -> None:
    ship_first = Detections(upright((95, 40, 105, 50)), np.array([0]), ("ship", "bridge"))
    ship_last = Detections(upright((95, 40, 105, 50)), np.array([1]), ("plane", "ship"))
    merged = merge_tiles([(RIGHT, ship_last), (LEFT, ship_first)], PAIR)
    assert merged.detections.classes == ("ship", "bridge", "plane")
    assert merged.detections.names == ["ship"]


def test_no_tiles_and_empty_tiles_give_no_detections() -> None:
    assert len(merge_tiles([], PAIR)) == 0
    empty = merge_tiles([(LEFT, Detections.empty(CLASSES))], PAIR)
    assert len(empty) == 0
    assert empty.detections.classes == CLASSES


def test_results_come_tile_by_tile_from_top_to_bottom() -> None:
    merged = merge_tiles(
        [
            (RIGHT, boxes(upright((150, 5, 160, 9)))),
            (LEFT, boxes(upright((10, 50, 20, 60), (50, 10, 60, 20), (10, 10, 20, 20)))),
        ],
        PAIR,
    )
    assert merged.tile.tolist() == [0, 0, 0, 1]
    assert [b[:2] for b in bounds(merged.detections)] == [(10, 10), (50, 10), (10, 50), (150, 5)]


def test_boxes_without_area_stay_as_they_are() -> None:
    point = np.full((1, 4, 2), 110.0)
    merged = merge_tiles([(LEFT, boxes(point)), (RIGHT, boxes(point))], PAIR)
    assert len(merged) == 2


def test_a_tile_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="tile 0 is given more than once"):
        merge_tiles([(LEFT, boxes(upright())), (LEFT, boxes(upright()))], PAIR)


def test_scores_in_some_tiles_only_are_refused() -> None:
    one = upright((5, 5, 9, 9))
    with pytest.raises(ValueError, match="1 of 2 tiles have scores"):
        merge_tiles([(LEFT, boxes(one)), (RIGHT, boxes(one, scores=[0.5]))], PAIR)


def test_coordinates_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        merge_tiles([(LEFT, boxes(upright((5, 5, np.nan, 9))))], PAIR)


def test_the_distance_to_an_edge_that_counts_as_cut_grows_with_the_tile() -> None:
    assert MergeRules().edge_tolerance(TileGrid(4000, 4000, tile=1024)) == pytest.approx(5.12)
    assert MergeRules().edge_tolerance(TileGrid(4000, 4000, tile=256)) == 2
    assert MergeRules(edge_px=7).edge_tolerance(TileGrid(4000, 4000, tile=256)) == 7
