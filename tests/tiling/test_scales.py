"""Merging across scales: the pass at which an object is seen well decides, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from tests.detection_eval.dense import iou_matrix
from tiling.grid import TileGrid
from tiling.merging import MergedDetections, merge_tiles
from tiling.scales import DroppedAcross, ScaleRules, merge_scales

CLASSES = ("ship", "bridge")
FINE, COARSE = 1.0, 4.0
"""Scene px per view px. With 16 px to be seen well, what is 64 scene px wide or wider belongs to COARSE."""


def found(*boxes: tuple[float, float, float, float], label: int = 0, cut: bool = False) -> MergedDetections:
    """Upright boxes of one class; all of them cut by a tile edge or none."""
    count = len(boxes)
    polygons = box_quads(np.array(boxes, dtype=float).reshape(-1, 4))
    detections = Detections(polygons, np.full(count, label), CLASSES)
    ones = np.ones(count, dtype=np.int64)
    return MergedDetections(detections, np.arange(count), ones, np.full(count, cut), 0, 0)


def kept(merged: MergedDetections) -> list[tuple[float, tuple[float, ...]]]:
    """Scale and bounds of each box."""
    return [
        (scale, (*polygon.min(axis=0), *polygon.max(axis=0)))
        for scale, polygon in zip(merged.scale, merged.detections.polygons)
    ]


# Which pass an object is taken from


@pytest.mark.parametrize(("width", "scale"), [(10, FINE), (63, FINE), (64, COARSE), (300, COARSE)])
def test_an_object_is_taken_from_the_coarsest_pass_that_shows_16_px_of_its_shorter_side(width, scale):
    merged, dropped = merge_scales({FINE: found((0, 0, width, 400)), COARSE: found((0, 0, width, 400))})
    assert kept(merged) == [(scale, (0, 0, width, 400))]
    assert dropped == DroppedAcross(seen_twice=1)


def test_of_three_passes_the_nearest_to_the_one_that_an_object_belongs_to_counts():
    # 20 px wide: it belongs to scale 1, which did not find it.
    merged, _ = merge_scales({1.0: found(), 2.0: found((0, 0, 20, 20)), 4.0: found((0, 0, 21, 21))})
    assert kept(merged) == [(2.0, (0, 0, 20, 20))]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(("here", "there"), [(FINE, COARSE), (COARSE, FINE)])
@pytest.mark.parametrize("width", [10, 100])
def test_what_one_pass_alone_saw_is_kept_wherever_it_belongs(here, there, width, cut):
    merged, dropped = merge_scales({here: found((0, 0, width, width), cut=cut), there: found()})
    assert kept(merged) == [(here, (0, 0, width, width))]
    assert merged.cut.tolist() == [cut]
    assert sum(dropped) == 0


def test_a_class_belongs_to_the_pass_that_is_stated_for_it():
    passes = {FINE: found((0, 0, 10, 10)), COARSE: found((0, 0, 11, 10))}
    assert kept(merge_scales(passes, {"ship": COARSE})[0]) == [(COARSE, (0, 0, 11, 10))]
    assert kept(merge_scales(passes, {"bridge": COARSE})[0]) == [(FINE, (0, 0, 10, 10))]


def test_an_object_that_fine_tiles_cut_is_the_whole_one_of_the_coarse_pass():
    # Its halves as boxes of two tiles, of which no merging made one.
    halves = found((0, 0, 60, 40), (62, 0, 120, 40), cut=True)
    merged, dropped = merge_scales({FINE: halves, COARSE: found((0, 0, 120, 40))})
    assert kept(merged) == [(COARSE, (0, 0, 120, 40))]
    # The first has an IoU of 60 / 120 = 0.5 with the whole, the second of 58 / 120.
    assert dropped == DroppedAcross(seen_twice=1, parts=1)


def test_a_part_in_the_coarse_pass_is_the_whole_object_of_the_fine_one():
    merged, dropped = merge_scales({FINE: found((0, 0, 30, 30)), COARSE: found((0, 0, 30, 10))})
    assert kept(merged) == [(FINE, (0, 0, 30, 30))]
    assert dropped == DroppedAcross(parts=1)


@pytest.mark.parametrize(("inside", "left"), [(24, 1), (23, 2)])
def test_a_part_lies_in_the_object_for_four_fifths(inside, left):
    # 30 px long, of which 24 are 0.8; the IoU stays far below a half.
    part = found((100 - inside, 0, 130 - inside, 10), cut=True)
    merged, _ = merge_scales({FINE: part, COARSE: found((0, 0, 100, 100))})
    assert len(merged) == left


def test_a_box_around_several_small_objects_gives_way_to_them():
    cars = [(x, 0, x + 20, 60) for x in (0, 25, 50, 75)]
    merged, dropped = merge_scales({FINE: found(*cars), COARSE: found((0, 0, 95, 64))})
    assert kept(merged) == [(FINE, car) for car in cars]
    assert dropped == DroppedAcross(groups=1)


def test_a_large_object_with_little_on_it_is_no_group():
    # 2 * 10 * 10 of 100 * 100 is 0.02.
    small = [(10, 10, 20, 20), (60, 60, 70, 70)]
    merged, _ = merge_scales({FINE: found(*small), COARSE: found((0, 0, 100, 100))})
    assert kept(merged) == [*((FINE, each) for each in small), (COARSE, (0, 0, 100, 100))]


def test_parts_that_tile_edges_cut_make_no_group():
    halves = found((0, 0, 49, 100), (51, 0, 100, 100), cut=True)
    merged, _ = merge_scales({FINE: halves, COARSE: found((0, 0, 100, 100))})
    assert kept(merged) == [(COARSE, (0, 0, 100, 100))]


def test_those_in_a_group_are_of_one_pass():
    # 30 x 64 belongs to scale 1 and 40 x 64 to scale 2; together they would fill the box of scale 4.
    passes = {1.0: found((0, 0, 30, 64)), 2.0: found((40, 0, 80, 64)), 4.0: found((0, 0, 100, 64))}
    assert len(merge_scales(passes)[0]) == 3


@pytest.mark.parametrize(("side", "left"), [(36, 1), (37, 2)])
def test_a_loose_box_of_a_pass_that_sees_the_object_badly_gives_way_to_the_exact_one(side, left):
    # 20 * 20 of 36 * 36 is 0.309, and of 37 * 37 it is 0.292.
    merged, dropped = merge_scales({FINE: found((0, 0, 20, 20)), COARSE: found((0, 0, side, side))})
    assert len(merged) == left
    assert dropped.groups == 2 - left


def test_a_small_object_in_a_large_one_stays_where_each_is_in_its_own_pass():
    merged, _ = merge_scales({FINE: found((0, 0, 60, 60)), COARSE: found((0, 0, 100, 100))})
    assert len(merged) == 2


def test_classes_do_not_know_of_each_other():
    merged, _ = merge_scales({FINE: found((0, 0, 20, 20)), COARSE: found((0, 0, 20, 20), label=1)})
    assert merged.detections.names == ["ship", "bridge"]


def test_one_pass_keeps_all_its_boxes_even_equal_ones():
    alone = found((0, 0, 20, 20), (0, 0, 20, 20), (5, 5, 10, 10))
    merged, dropped = merge_scales({FINE: alone})
    assert merged.detections == alone.detections
    assert sum(dropped) == 0


def test_a_box_that_was_dropped_drops_no_other():
    # A 100 px square in place; one of the fine pass 20 px beside it, which is the same object (80 / 120); and
    # one that a coarse tile cuts, which resembles that (75 / 125) but is the neighbour of the first.
    cut = found((45, 0, 145, 100), cut=True)
    first = found((0, 0, 100, 100))
    columns = [
        np.concatenate([getattr(each, name) for each in (first, cut)]) for name in ("tile", "pieces", "cut")
    ]
    polygons = np.concatenate([first.detections.polygons, cut.detections.polygons])
    coarse = MergedDetections(Detections(polygons, np.zeros(2, int), CLASSES), *columns, 0, 0)
    merged, dropped = merge_scales({FINE: found((20, 0, 120, 100)), COARSE: coarse})
    assert kept(merged) == [(COARSE, (0, 0, 100, 100)), (COARSE, (45, 0, 145, 100))]
    assert dropped == DroppedAcross(seen_twice=1)


def test_columns_of_the_passes_go_with_their_boxes():
    fine = MergedDetections(found((0, 0, 9, 9)).detections, *map(np.array, ([7], [2], [False])), 3, 1)
    coarse = MergedDetections(found((50, 0, 59, 9)).detections, *map(np.array, ([1], [1], [True])), 2, 5)
    merged, _ = merge_scales({COARSE: coarse, FINE: fine})
    assert merged.tile.tolist() == [7, 1]
    assert (merged.pieces.tolist(), merged.cut.tolist()) == ([2, 1], [False, True])
    assert (merged.duplicates, merged.cut_dropped) == (5, 6)
    assert merged.scale.tolist() == [FINE, COARSE]


# Whatever the boxes

SCALES = (1.0, 2.5, 4.0)


@st.composite
def several(draw: st.DrawFn) -> dict[float, MergedDetections]:
    """Boxes of up to three passes that overlap a lot."""
    passes = {}
    for scale in draw(st.lists(st.sampled_from(SCALES), min_size=1, unique=True)):
        places = draw(
            st.lists(
                st.tuples(
                    *(st.integers(0, 60), st.integers(0, 60), st.integers(4, 120), st.integers(4, 120))
                ),
                max_size=7,
            )
        )
        count = len(places)
        polygons = box_quads(np.array([(x, y, x + w, y + h) for x, y, w, h in places], float).reshape(-1, 4))
        turn = draw(st.floats(0, 3))
        turned = polygons @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        labels = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
        cut = draw(st.lists(st.booleans(), min_size=count, max_size=count))
        detections = Detections(turned, np.array(labels, dtype=int), CLASSES)
        ones = np.ones(count, dtype=np.int64)
        passes[scale] = MergedDetections(detections, 3 * ones, ones, np.array(cut, dtype=bool), 0, 0)
    return passes


def rows(merged: MergedDetections, scale: float | None = None) -> list[tuple[float, ...]]:
    """All that is known of each box."""
    scales = np.full(len(merged), scale) if merged.scale is None else merged.scale
    return [
        (float(s), int(label), bool(cut), *polygon.ravel().tolist())
        for s, label, cut, polygon in zip(
            scales, merged.detections.labels, merged.cut, merged.detections.polygons
        )
    ]


def all_rows(passes: dict[float, MergedDetections]) -> list[tuple[float, ...]]:
    return [row for scale, each in passes.items() for row in rows(each, scale)]


@settings(max_examples=150)
@given(several())
def test_each_box_is_one_of_those_given_and_all_are_accounted_for(passes):
    merged, dropped = merge_scales(passes)
    left = all_rows(passes)
    for row in rows(merged):
        left.remove(row)
    assert len(left) == sum(dropped)


@settings(max_examples=150)
@given(several())
def test_no_object_is_lost(passes):
    merged, _ = merge_scales(passes)
    for each in passes.values():
        overlap = iou_matrix(each.detections.polygons, merged.detections.polygons)
        same = each.detections.labels[:, None] == merged.detections.labels
        assert ((overlap > 0) & same).any(axis=1).all()


@settings(max_examples=150)
@given(several(), st.randoms(use_true_random=False))
def test_neither_the_order_of_passes_nor_that_of_boxes_matters(passes, randomness):
    order = randomness.sample(list(passes), len(passes))
    shuffled = {}
    for scale in order:
        count = len(passes[scale])
        index = np.array(randomness.sample(range(count), count), dtype=int)
        shuffled[scale] = passes[scale].select(index)
    first, second = merge_scales(passes), merge_scales(shuffled)
    assert sorted(rows(first[0])) == sorted(rows(second[0]))
    assert first[0].detections.polygons.tolist() == second[0].detections.polygons.tolist()
    assert first[1] == second[1]


@settings(max_examples=150)
@given(several())
def test_merging_a_result_again_changes_nothing(passes):
    merged, _ = merge_scales(passes)
    again = {scale: merged.select(merged.scale == scale) for scale in passes}
    once_more, dropped = merge_scales(again)
    assert rows(once_more) == rows(merged)
    assert sum(dropped) == 0


@settings(max_examples=150)
@given(several())
def test_a_second_look_that_finds_the_same_adds_nothing(passes):
    alone = next(iter(passes.values()))
    merged, _ = merge_scales({FINE: alone, COARSE: alone})
    assert len(merged) <= len(alone)


@settings(max_examples=100)
@given(several())
def test_what_overlaps_nothing_of_another_pass_is_kept(passes):
    kept_rows = rows(merge_scales(passes)[0])
    for scale, each in passes.items():
        others = [other.detections.polygons for s, other in passes.items() if s != scale]
        alone = np.array([not iou_matrix(each.detections.polygons, o).any() for o in others]).all()
        if alone:
            assert set(rows(each, scale)) <= set(kept_rows)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12, unique=True),
    st.data(),
)
def test_objects_that_both_passes_see_within_their_error_are_counted_once(cells, data):
    # 80 to 95 px apart; a pass errs by up to a quarter of its pixel at each corner.
    sizes = [data.draw(st.tuples(st.integers(8, 80), st.integers(8, 80))) for _ in cells]
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    exact = np.array(
        [(95 * x, 95 * y, 95 * x + w, 95 * y + h) for (x, y), (w, h) in zip(cells, sizes)], float
    )
    passes = {
        scale: found(*(exact + noise.uniform(-scale / 4, scale / 4, exact.shape)).tolist())
        for scale in (FINE, COARSE)
    }
    assert len(merge_scales(passes)[0]) == len(cells)


# From tiles to objects: what each pass can see and no more

SCENE = 1200
GRIDS = {
    FINE: TileGrid(SCENE, SCENE, tile=128, overlap=32),
    COARSE: TileGrid(SCENE, SCENE, tile=512, overlap=256),
}
SHOWN = 6
"""View pixels along the shorter side of the smallest object that the detector below sees."""


def detect(scale: float, objects: np.ndarray, noise: np.random.Generator) -> MergedDetections:
    """A pass of a detector that sees what shows of an object in each tile, if it is large enough in the view.

    It errs by up to a quarter of a view pixel at each side.
    """
    per_tile = []
    for tile in GRIDS[scale]:
        x0, y0, x1, y1 = tile.window.bounds
        shown = np.clip(objects, (x0, y0, x0, y0), (x1, y1, x1, y1))
        sides = shown[:, 2:] - shown[:, :2]
        shown = shown[sides.min(axis=1) >= SHOWN * scale]
        drawn = np.clip(shown + noise.uniform(-scale / 4, scale / 4, shown.shape), 0, SCENE)
        per_tile.append((tile, Detections(box_quads(drawn), np.zeros(len(drawn), int), CLASSES)))
    return merge_tiles(per_tile, GRIDS[scale])


@st.composite
def large_and_small(draw: st.DrawFn) -> np.ndarray:
    """Upright objects in cells of 300 px: one of 72 to 250 px, or up to four of 8 to 40 px."""
    boxes = []
    for column, row in draw(
        st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=6, unique=True)
    ):
        least, most, count = draw(st.sampled_from([(72, 250, 1), (8, 40, 1), (8, 40, 4)]))
        for place in range(count):
            x, y = 300 * column + 20 + 70 * place, 300 * row + 20
            boxes.append((x, y, x + draw(st.integers(least, most)), y + draw(st.integers(least, most))))
    return np.array(boxes, float)


@settings(max_examples=40, deadline=None)
@given(large_and_small(), st.integers(0, 2**32 - 1))
def test_two_passes_find_each_object_once_however_large(objects, seed):
    noise = np.random.default_rng(seed)
    merged, _ = merge_scales({scale: detect(scale, objects, noise) for scale in GRIDS})
    overlap = iou_matrix(box_quads(objects), merged.detections.polygons)
    assert len(merged) == len(objects)
    assert overlap.max(axis=1).min() >= 0.75
    # Large ones are those of the coarse pass.
    large = np.minimum(objects[:, 2] - objects[:, 0], objects[:, 3] - objects[:, 1]) >= 72
    assert set(merged.scale[overlap.argmax(axis=1)[large]]) <= {COARSE}


# Input


def test_no_passes_and_empty_passes_give_no_detections():
    assert len(merge_scales({})[0]) == 0
    merged, _ = merge_scales({FINE: found(), COARSE: found()})
    assert (len(merged), merged.detections.classes) == (0, CLASSES)


def test_passes_may_name_their_classes_in_different_orders():
    other = Detections(found((0, 0, 9, 9)).detections.polygons, np.array([1]), CLASSES[::-1])
    coarse = MergedDetections(other, *map(np.array, ([0], [1], [False])), 0, 0)
    merged, _ = merge_scales({FINE: found((0, 0, 9, 9)), COARSE: coarse})
    assert merged.detections.names == ["ship"]


def test_boxes_without_area_stay_as_they_are():
    merged, _ = merge_scales({FINE: found((5, 5, 5, 5)), COARSE: found((0, 0, 9, 9), (5, 5, 5, 5))})
    assert len(merged) == 3


def test_other_thresholds_may_be_stated():
    passes = {FINE: found((0, 0, 40, 40)), COARSE: found((0, 0, 40, 40))}
    assert kept(merge_scales(passes, rules=ScaleRules(least_px=10))[0])[0][0] == COARSE
    assert len(merge_scales({FINE: found((0, 0, 40, 40)), COARSE: found((15, 0, 55, 40))})[0]) == 2
    looser = ScaleRules(same_iou=0.4)  # 25 of 55
    assert (
        len(merge_scales({FINE: found((0, 0, 40, 40)), COARSE: found((15, 0, 55, 40))}, rules=looser)[0]) == 1
    )


@pytest.mark.parametrize(
    ("passes", "stated", "words"),
    [
        ({0.0: found()}, {}, "scale 0 is not positive"),
        ({FINE: found()}, {"ship": 3.0}, "'ship' belongs to the scale 3, at which there is no pass"),
    ],
)
def test_scales_that_mean_nothing_are_refused(passes, stated, words):
    with pytest.raises(ValueError, match=words):
        merge_scales(passes, stated)
