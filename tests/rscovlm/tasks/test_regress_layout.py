"""Where patches and cells lie over a scene."""

from types import SimpleNamespace

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.errors import UsageError
from rscovlm.tasks.regress_layout import EVEN, SLIVER, Layout, Ratio, scale_of
from tests.rscovlm.regression import INPUTS

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
