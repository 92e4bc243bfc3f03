"""Regions of patches: those at their middles, counted once, and what is said of them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rscovlm.journal import Journal
from rscovlm.models.sensors import open_as, read_sensor
from rscovlm.tasks.regress import Run
from rscovlm.tasks.regress_dense import DenseLayout, DenseRun
from rscovlm.tasks.regress_layout import EVEN, Layout, Patch, Ratio
from rscovlm.tasks.regress_regions import OneRegion, in_words, tally_of
from tests.rscovlm.regression import INPUTS, REGIONS, Reader, scene
from tiling.maps import BlockStore, MapGrid
from tiling.overrides import AS_STORED
from tiling.stack import Stack
from tiling.view import Size

BY_REGION = INPUTS.model_copy(update={"regions": REGIONS})


@dataclass(frozen=True)
class Halves:
    """Forest in the west of a scene, ice in its east, nothing below some row."""

    middle: float
    bottom: float
    identity: str = "halves"

    def names_at(self, scene, points):
        return [
            "" if y >= self.bottom else "forest" if x < self.middle else "ice" for x, y in points.tolist()
        ]


def test_a_region_is_that_of_all_places():
    assert OneRegion("forest").names_at(None, np.zeros((2, 2))) == ["forest"] * 2
    assert OneRegion().names_at(None, np.zeros((2, 2))) == [""] * 2
    assert OneRegion().identity is None


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        ({"forest": 3}, "forest"),
        ({"ice": 3}, "all training plots"),
        ({"": 3}, "all training plots"),
        ({"forest": 3, "crops": 12}, "crops 12, forest 3"),
        ({"forest": 3, "": 2, "ice": 9}, "forest 3, all training plots 11 (ice 9, no region 2)"),
        ({"": 2, "ice": 9}, "all training plots 11 (ice 9, no region 2)"),
    ],
)
def test_what_counts_is_said_with_its_patches(tally, words):
    assert in_words(tally, REGIONS.names) == words


@pytest.mark.parametrize("stride", [10, 25, 60])
@pytest.mark.parametrize("ratio", [EVEN, Ratio(2.0, 1.0)])
def test_the_region_of_a_cell_is_that_at_the_middle_of_its_patch(stride, ratio):
    layout = Layout.of(1000, 800, 25, stride, ratio)
    for index in range(len(layout.grid)):
        cells = list(layout.patches(index))
        patches = [Patch(row, column, np.zeros((1, 1, 1), np.float32)) for row, column, _ in cells]
        middles = layout.middles(index, patches)
        np.testing.assert_allclose(middles, [view.window.center for *_, view in cells])


def dense_layout() -> DenseLayout:
    grid = MapGrid(Size(7, 11), 4, 5)
    return DenseLayout(20, 5, Ratio(2.0, 1.5), (0, 0), grid, across=4, step=2, pixel=5.0)


def test_the_region_of_a_window_is_that_at_its_middle_and_each_window_is_one_blocks():
    layout = dense_layout()
    owned = Counter()
    for index in range(len(layout.grid)):
        windows = [Patch(row, column, np.zeros(0)) for row, column in layout.windows(index)]
        middles = layout.middles(index, windows)
        np.testing.assert_allclose(
            middles, [layout.window_view(each.row, each.column).window.center for each in windows]
        )
        owned.update((each.row, each.column) for each in windows if layout.owns(index, each))
    every = {window for index in range(len(layout.grid)) for window in layout.windows(index)}
    assert owned == dict.fromkeys(every, 1)


@pytest.fixture
def stack(tmp_path):
    """A scene of 200 x 150 px."""
    path = scene(tmp_path / "s.tif", np.full((150, 200), 100.0))
    opened, contract = open_as(str(path), read_sensor("sentinel2-l2a"), AS_STORED)
    with opened:
        yield Stack(((opened, contract),))


def test_patches_bring_their_regions_to_the_head_and_are_counted_by_them(stack, tmp_path):
    engine = Reader()
    layout = Layout.of(200, 150, 25, 25, EVEN)
    run = Run(stack, BY_REGION, engine, ("agb",), 0.9, layout, regions=Halves(100.0, 125.0))
    seen = []
    estimate = engine.estimate

    def listening(conversations, targets, numbers=None):
        seen.extend(each["region_mean/agb_mg_per_ha"] for each in numbers)
        return estimate(conversations, targets, numbers)

    engine.estimate = listening
    with (
        Journal(tmp_path / "j.jsonl", {}) as journal,
        BlockStore(tmp_path / "b", layout.grid) as store,
    ):
        run.fill(store, journal)
        tally = tally_of(journal.done, len(layout.grid))
    assert tally == {"forest": 20, "ice": 20, "": 8}
    assert seen == ([200.0] * 4 + [103.0] * 4) * 5 + [103.0] * 8


def test_patches_without_an_estimate_are_not_counted(stack, tmp_path):
    layout = Layout.of(200, 150, 25, 25, EVEN)
    run = Run(stack, BY_REGION, Reader(), ("agb",), 0.9, layout, regions=Halves(100.0, 999.0))
    patches = run.read(0)
    patches[0].pixels[12, 12] = np.nan
    assert run.tallied(0, patches) == {"regions of 0": {"forest": 23, "ice": 24}}


def test_a_map_of_regions_is_not_read_where_they_play_no_part(stack):
    layout = Layout.of(200, 150, 25, 25, EVEN)
    run = Run(stack, INPUTS, Reader(), ("agb",), 0.9, layout, regions=Halves(0.0, 0.0))
    assert {each.region for each in run.read(0)} == {""}
    assert run.tallied(0, run.read(0)) == {}


def test_windows_of_dense_heads_bring_their_regions(stack):
    layout = DenseLayout.over(200, 150, 25, 5, 3, EVEN)
    run = DenseRun(stack, BY_REGION, Reader(), ("agb",), 0.9, layout, regions=Halves(100.0, 999.0))
    windows = run.read(0)
    assert {each.region for each in windows if each.column * 5 + 12.5 < 100} == {"forest"}
    assert {each.region for each in windows if each.column * 5 + 12.5 >= 100} == {"ice"}
    tally = sum((Counter(each) for each in run.tallied(0, windows).values()), Counter())
    assert tally.total() == len(windows)


def test_one_name_and_a_map_of_it_are_the_same(stack):
    layout = Layout.of(200, 150, 25, 25, EVEN)
    one = Run(stack, BY_REGION, Reader(), ("agb",), 0.9, layout, regions=OneRegion("forest"))
    mapped = replace(one, regions=Halves(999.0, 999.0))
    assert [each.region for each in one.read(0)] == [each.region for each in mapped.read(0)]
