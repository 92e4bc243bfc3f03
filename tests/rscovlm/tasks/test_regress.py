"""Patches and cells of a map, and what is in them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.errors import UsageError
from rscovlm.journal import Journal
from rscovlm.tasks.regress import EVEN, SLIVER, Layout, Ratio, Run, map_bands, scale_of, summary
from tests.rscovlm.regression import DEVIATION, INPUTS, Reader, plateau
from tiling.maps import BlockStore
from tiling.stack import Stack
from tiling.view import Size, View
from zoom_chain.chat import Reply

lengths = st.integers(40, 400)


@given(lengths, lengths, st.integers(1, 80), st.sampled_from([7, 24, 25]))
def test_each_patch_stands_at_the_middle_of_its_cell_and_cells_cover_the_scene(width, height, stride, patch):
    layout = Layout.of(width, height, patch, stride, EVEN)
    if layout.grid.size == (1, 1):
        return
    rows, columns = layout.grid.size
    assert (rows - 1) * layout.stride < height <= (rows + SLIVER) * layout.stride
    assert (columns - 1) * layout.stride < width <= (columns + SLIVER) * layout.stride
    cells = layout.cells_to_map(Affine.identity())
    for index in (0, len(layout.grid) - 1):
        view = layout.view(index)
        down, across = layout.grid.cells(index)
        x, y = cells @ (across.start + 0.5, down.start + 0.5)
        assert (x, y) == (view.window.x + patch / 2, view.window.y + patch / 2)
        x, y = cells @ (across.stop - 0.5, down.stop - 0.5)
        assert (x, y) == (view.window.bounds[2] - patch / 2, view.window.bounds[3] - patch / 2)
    assert abs(cells.c) <= 0.5
    assert cells.a == stride


@pytest.mark.parametrize(("width", "height"), [(25, 25), (20, 30), (37, 37)])
def test_a_scene_hardly_larger_than_a_patch_is_one_patch_about_its_middle(width, height):
    layout = Layout.of(width, height, 25, 10, EVEN)
    assert len(layout.grid) == 1
    x, y = layout.view(0).window.center
    assert abs(x - width / 2) <= 0.5
    assert abs(y - height / 2) <= 0.5


def test_a_scene_of_another_scale_is_read_at_that_of_training():
    layout = Layout.of(100, 100, 25, 25, Ratio(0.5, 0.5))  # pixels of 20 m, patches of 10 m
    assert layout.grid.size == (8, 8)
    view = layout.view(0)
    assert (view.window.width, view.size.width) == (100.0, 200)
    assert layout.cells_to_map(Affine.scale(20))[0] == 250  # metres a cell


def test_pixels_that_are_not_square_on_the_ground_make_patches_that_are():
    """In degrees at 60 north a pixel is 5 x 10 m: 50 x 25 of them are a patch."""
    layout = Layout.of(200, 100, 25, 25, Ratio(2.0, 1.0))
    assert layout.grid.size == (4, 4)
    *_, (row, column, patch) = layout.patches(0)
    assert (row, column, patch.size) == (3, 3, (25, 25))
    assert (patch.window.width, patch.window.height, patch.window.center) == (50, 25, (175, 87.5))
    assert layout.view(0).window.bounds == (0, 0, 200, 100)
    assert layout.cells_to_map(Affine.scale(5, -10))[:6] == (250, 0, 0, 0, -250, 0)


def test_a_sliver_at_the_far_edge_is_no_cell():
    """UTM's scale factor makes 1500 m of a map 1500.6 m of ground."""
    assert Layout.of(75, 75, 25, 50, Ratio(0.4998, 0.4998)).grid.size == (3, 3)


def test_scales_are_those_of_the_ground_within_reason():
    def scale(gsd_m, inputs=INPUTS, xy=None):
        return scale_of(inputs, SimpleNamespace(source="s.tif", gsd_m=gsd_m, gsd_xy_m=xy or (gsd_m, gsd_m)))

    assert scale(10.1) == EVEN
    assert scale(20.0) == (0.5, 0.5)
    assert scale(50**0.5, xy=(5.0, 10.0)) == (2.0, 1.0)
    assert scale(None, INPUTS.model_copy(update={"gsd_m": None})) == EVEN
    with pytest.raises(UsageError, match=r"s\.tif has 0\.3 m per pixel and the model learnt at 10 m"):
        scale(0.3)
    with pytest.raises(UsageError, match=r"s\.tif has no known ground sampling distance.*--assume-gsd"):
        scale(None)


def run_of(stack: Stack, engine: Reader, stride: int = 25, batch: int = 64) -> Run:
    layout = Layout.of(stack.scene.width, stack.scene.height, 25, stride, EVEN)
    return Run(stack, INPUTS, engine, ("agb",), 0.9, layout, batch)


def test_every_cell_gets_the_number_of_its_own_patch(opened):
    values, green = plateau(20, 18)
    run = run_of(opened(green), engine := Reader())
    found = np.full((5, 20, 18), np.nan)
    for index in range(len(run.layout.grid)):
        found[:, *run.layout.grid.cells(index)] = run.values(index, run.read(index))
    np.testing.assert_array_equal(found[0], values)
    np.testing.assert_allclose(found[2] - found[0], 1.6449 * DEVIATION, atol=1e-3)
    np.testing.assert_allclose(found[0] - found[1], 1.6449 * DEVIATION, atol=1e-3)
    np.testing.assert_allclose(found[3], DEVIATION, rtol=1e-6)
    assert (found[4] == 1).all()
    assert max(engine.batches) == 64


def test_patches_far_apart_are_those_of_the_same_places(opened):
    """Read one by one at a stride of 50; each is that of a map with a stride of 25 whose middle it shares."""
    _, green = plateau(8, 8, side=25)
    stack = opened(green + np.arange(200)[None] / 5)
    apart = run_of(stack, Reader(), stride=50)
    found = {(patch.row, patch.column): patch.pixels for patch in apart.read(0)}
    whole = stack.read(View(stack.scene.window, Size(200, 200)), INPUTS.bands)
    assert len(found) == 16
    for (row, column), pixels in found.items():
        top, left = row * 50 + 12, column * 50 + 12
        np.testing.assert_array_equal(pixels, whole[top : top + 25, left : left + 25])


def test_patches_mostly_or_centrally_without_data_get_no_number(opened):
    _, green = plateau(3, 4)
    green[:25, :13] = 0  # 52 % of the first
    green[12, 37] = 0  # the middle of the second
    green[0:5, 50:75] = 0  # 20 % of the third
    run = run_of(opened(green), Reader())
    found = run.values(0, run.read(0))
    assert np.isnan(found[0, 0]).tolist() == [True, True, False, False]
    np.testing.assert_allclose(found[4, 0], [0.48, 1 - 1 / 625, 0.8, 1], rtol=1e-6)


def test_work_that_was_killed_goes_on_with_what_is_whole(opened, tmp_path):
    _, green = plateau(20, 40)
    stack = opened(green)
    run = run_of(stack, Reader())

    def fill(engine: Reader, path, resume: bool) -> tuple[bytes, int]:
        own = run_of(stack, engine)
        with (
            Journal(path.with_suffix(".jsonl"), {}, resume=resume) as journal,
            BlockStore(path, own.layout.grid) as store,
        ):
            before = own.fill(store, journal)
        return path.read_bytes(), before

    whole, _ = fill(whole_engine := Reader(), tmp_path / "whole", False)
    with pytest.raises(KeyboardInterrupt):
        fill(Reader(lives=9), tmp_path / "part", False)
    done = (tmp_path / "part.jsonl").read_text().count("\n") - 1
    assert 0 < done < len(run.layout.grid)
    # The last block that the journal has is torn: it is made anew.
    with (tmp_path / "part").open("r+b") as file:
        file.seek((done - 1) * 4 * 5 * 16 * 16 + 100)
        file.write(b"\x00\x01\x02")
    resumed, before = fill(engine := Reader(), tmp_path / "part", True)
    assert before == done - 1
    assert resumed == whole
    assert sum(engine.batches) < sum(whole_engine.batches)


def test_a_summary_holds_the_quantiles_of_the_interval():
    import torch

    from rscovlm.models.heads.distribution import Mixture

    found = summary(Mixture.gaussian(torch.tensor([5.0]), torch.tensor([2.0])), 0.6827)
    np.testing.assert_allclose(found[:, 0], [5, 3, 7, 2], atol=1e-3)
    assert [band.name for band in map_bands("agb", "Mg ha-1", "biomass", 0.9)] == [
        "agb",
        "agb_lower",
        "agb_upper",
        "agb_standard_deviation",
    ]


class TwoPass(Reader):
    """Says dark or bright of a patch first; its number is of the image still."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[list[str]] = []

    def chat(self, conversations, options):
        return [
            Reply("bright" if each.images[0].read()[32, 32, 1] > 140 else "dark") for each in conversations
        ]

    def estimate(self, conversations, targets, numbers=None):
        self.heard.append([each.messages[1].text for each in conversations])
        return super().estimate(conversations, targets, numbers)


def test_in_two_passes_each_patch_is_asked_about_after_its_own_words(opened):
    values, green = plateau(4, 5)
    run = replace(
        run_of(opened(green), engine := TwoPass()), inputs=INPUTS.model_copy(update={"knowledge": "?"})
    )
    found = run.values(0, run.read(0))
    np.testing.assert_array_equal(found[0], values)
    assert sorted({tuple(set(each)) for each in engine.heard}) == [("bright",), ("dark",)]
    assert sum(len(each) for each in engine.heard) == 20
    assert run.known(run.read(0)[:1]) == ["bright" if values[0, 0] > 140 else "dark"]
