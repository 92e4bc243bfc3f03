"""Stitched maps: every cell, weights, seams, nodata, and the same map in whatever blocks it is made."""

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.errors import UsageError
from rscovlm.models.heads.dense.head import Field
from rscovlm.models.heads.distribution import Mixture
from rscovlm.tasks.regress_dense import DenseLayout, DenseRun, hann, step_of, valid_shares
from rscovlm.tasks.regress_layout import EVEN, SLIVER
from tests.rscovlm.regression import DEVIATION, INPUTS, Reader, plateau
from tiling.stack import Stack


class Mapper(Reader):
    """Says the mean green value of each cell of a patch, and adds to it in the outermost cells."""

    def __init__(self, across: int, at_edge: float = 0.0) -> None:
        super().__init__()
        self.across, self.at_edge = across, at_edge

    def estimate_maps(self, conversations, targets, numbers=None):
        self.numbers = numbers
        self.batches.append(len(conversations))
        green = np.stack([each.images[0].read()[..., 1] for each in conversations]).astype(np.float32)
        cells = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(green), self.across)
        edge = torch.ones(self.across, self.across, dtype=torch.bool)
        edge[1:-1, 1:-1] = False
        cells = cells + self.at_edge * edge
        said = Mixture.gaussian(cells.flatten(), torch.full((cells.numel(),), DEVIATION))
        return [Field(said, tuple(cells.shape)) for _ in targets]


def stitched(stack: Stack, engine: Mapper, step: int, inputs=INPUTS) -> np.ndarray:
    layout = DenseLayout.over(stack.scene.width, stack.scene.height, 25, engine.across, step, EVEN)
    run = DenseRun(stack, inputs, engine, ("height",), 0.9, layout, batch=7)
    found = np.full((5, *layout.grid.size), -1.0)
    for index in range(len(layout.grid)):
        found[:, *layout.grid.cells(index)] = run.values(index, run.read(index))
    return found


SIDE_BY_SIDE = INPUTS.model_copy(update={"side": 80})


@given(st.integers(30, 400), st.integers(30, 400), st.sampled_from([(5, 4), (5, 2), (5, 5), (4, 3), (10, 7)]))
def test_every_cell_of_the_scene_is_in_a_window_of_its_block(width, height, shape):
    across, step = shape
    layout = DenseLayout.over(width, height, 25, across, step, EVEN)
    rows = layout.grid.size.height
    assert (rows - 1) * layout.pixel < height <= (rows + SLIVER) * layout.pixel + 1e-6
    for index in (0, len(layout.grid) - 1):
        down, right = layout.grid.cells(index)
        seen = np.zeros(layout.grid.size, dtype=bool)
        for row, column in layout.windows(index):
            assert row >= 0
            assert row + across <= max(rows, across)
            seen[row : row + across, column : column + across] = True
        assert seen[down, right].all()
    assert layout.cells_to_map(Affine.scale(10)) == Affine.scale(10 * layout.pixel)


@pytest.mark.parametrize("step", [5, 4, 2])
def test_cells_are_those_of_the_scene_wherever_windows_stand(opened, step):
    values, green = plateau(33, 47, side=5)
    found = stitched(opened(green), engine := Mapper(5), step, SIDE_BY_SIDE)
    assert np.abs(found[0] - values)[1:-1, 1:-1].max() < 40, "pictures are resampled across cells"
    assert np.corrcoef(found[0].ravel(), values.ravel())[0, 1] > 0.99
    assert (found[4] == 1).all()
    assert max(engine.batches) == 7


def test_flat_ground_is_flat_and_as_sure_as_one_window(opened):
    found = stitched(opened(np.full((120, 90), 120.0)), Mapper(5), 3)
    np.testing.assert_allclose(found[0], 120, atol=0.51)
    np.testing.assert_allclose(found[3], DEVIATION, rtol=1e-3)
    np.testing.assert_allclose(found[2] - found[1], 2 * 1.6449 * DEVIATION, rtol=1e-3)


def test_what_windows_say_at_their_edges_counts_least_where_they_overlap(opened):
    """Windows are 100 off at their edges: a grid of seams beside one another, a third of it overlapped."""
    stack = opened(np.full((200, 200), 100.0))
    inner = np.s_[2:-2, 2:-2]
    abreast = stitched(stack, Mapper(5, at_edge=100.0), 5)
    lapped = stitched(stack, Mapper(5, at_edge=100.0), 2)
    assert (abreast[0][inner] - 100).max() == pytest.approx(100, abs=1)
    assert (lapped[0][inner] - 100).max() < 33
    assert lapped[3][inner].max() > DEVIATION, "windows that disagree widen the deviation"


def test_cells_without_data_have_no_number_and_the_others_do(opened):
    _, green = plateau(20, 20, side=5)
    green[:50, :60] = 0
    found = stitched(opened(green), Mapper(5), 4)
    np.testing.assert_array_equal(found[4][:10, :12], 0)
    assert np.isnan(found[:4, :10, :12]).all()
    assert np.isfinite(found[0])[12:, :].all()
    assert (found[4][10:] == 1).all()


def test_cells_need_not_be_whole_pixels(opened):
    found = stitched(opened(np.full((100, 100), 90.0)), Mapper(4), 3)
    assert found.shape == (5, 16, 16)  # of 6.25 px
    np.testing.assert_allclose(found[0], 90, atol=0.51)


def test_a_scene_smaller_than_a_patch_is_one_window(opened):
    found = stitched(opened(np.full((23, 25), 70.0)), engine := Mapper(5), 4)
    assert found.shape == (5, 5, 5)
    assert engine.batches == [1]


def test_shares_of_cells_are_exact_also_between_pixels():
    known = np.ones((5, 5), dtype=bool)
    known[:, 2] = False
    np.testing.assert_allclose(valid_shares(known, 5)[0], [1, 1, 0, 1, 1])
    np.testing.assert_allclose(valid_shares(known, 2), 0.8)
    np.testing.assert_allclose(valid_shares(known, 1), 0.8)


def test_strides_are_whole_cells_up_to_a_patch():
    assert [step_of(None, 25, 5), step_of(None, 25, 25), step_of(None, 25, 1)] == [3, 13, 1]
    assert step_of(10, 25, 5) == 2
    for wrong in (12, 30, 1):
        with pytest.raises(UsageError, match="give a multiple of 5 px, up to 25 px"):
            step_of(wrong, 25, 5)


def test_weights_are_highest_in_the_middle_and_never_nothing():
    weights = hann(5)
    assert weights.argmax() == 12
    assert weights.min() > 0
    np.testing.assert_allclose(weights, weights.T)
