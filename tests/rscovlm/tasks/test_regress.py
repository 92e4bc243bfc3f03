"""Patches and cells of a map, and what is in them."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.journal import Journal
from rscovlm.tasks.regress import Run, map_bands, summary
from rscovlm.tasks.regress_layout import EVEN, Layout
from tests.rscovlm.regression import DEVIATION, INPUTS, Reader, plateau
from tiling.maps import BlockStore
from tiling.stack import Stack
from tiling.view import Size, View
from zoom_chain.chat import Reply


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
