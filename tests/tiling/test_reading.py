"""Which pixels are read, how they are averaged, and what the filter does with those that are not valid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiling import reading
from tiling.bands import band_layout
from tiling.reading import Block, Cells, chunks, read_cells, reduce_by_mean, resample
from tiling.view import Size

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

STRIPS = {"blockysize": 3}
TILES = {"tiled": True, "blockxsize": 16, "blockysize": 32}
NOISE = np.random.default_rng(0).integers(1, 255, (3, 90, 110), dtype=np.uint8)

layouts = st.sampled_from([STRIPS, TILES])
steps = st.tuples(st.integers(1, 9), st.integers(1, 9))


def mean_of_valid(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return pixels[valid].mean(axis=0) if valid.any() else np.zeros(pixels.shape[-1])


@given(
    height=st.integers(1, 23),
    width=st.integers(1, 23),
    step=steps,
    share=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)
def test_a_cell_is_the_mean_of_its_valid_pixels_even_where_the_edge_cuts_it(height, width, step, share):
    rng = np.random.default_rng(height * 31 + width)
    pixels = rng.integers(0, 1000, (height, width, 3)).astype(np.float32)
    valid = rng.random((height, width)) < share
    pixels[~valid] = np.nan  # must not leak into any mean
    reduced = reduce_by_mean(Block(pixels, valid * np.uint8(255)), step)

    step_x, step_y = step
    assert reduced.coverage.shape == (math.ceil(height / step_y), math.ceil(width / step_x))
    for row, column in np.ndindex(reduced.coverage.shape):
        cell = np.s_[row * step_y : (row + 1) * step_y, column * step_x : (column + 1) * step_x]
        expected = mean_of_valid(pixels[cell], valid[cell])
        np.testing.assert_allclose(reduced.pixels[row, column], expected, rtol=1e-5)
        assert reduced.coverage[row, column] == math.ceil(255 * valid[cell].mean() - 1e-6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=layouts, step=steps, budget=st.integers(1, 40_000), cut=st.tuples(*[st.floats(0, 1)] * 4))
def test_chunks_cover_each_cell_once_and_never_hold_more_than_their_budget(
    make_raster, monkeypatch, layout, step, budget, cut
):
    monkeypatch.setattr(reading, "CHUNK_BYTES", budget)
    columns, rows = math.ceil(110 / step[0]), math.ceil(90 / step[1])
    (x0, x1), (y0, y1) = sorted(cut[:2]), sorted(cut[2:])
    cells = Cells(int(x0 * columns), int(y0 * rows), 1 + int(x1 * (columns - 1)), 1 + int(y1 * (rows - 1)))
    cells = Cells(min(cells.x0, cells.x1 - 1), min(cells.y0, cells.y1 - 1), cells.x1, cells.y1)
    with rasterio.open(make_raster(NOISE, **layout)) as dataset:
        parts = list(chunks(dataset, band_layout(dataset, (1, 2, 3)), cells, step))
        block_height, block_width = dataset.block_shapes[0]
    seen = np.zeros((rows, columns), dtype=int)
    for part in parts:
        seen[part.y0 : part.y1, part.x0 : part.x1] += 1
        held = part.size.height * step[1] * part.size.width * step[0] * 3
        # A chunk is never less than a row of cells across the strips, or about a tile.
        least = 3 * step[1] * cells.size.width * step[0]
        if layout is TILES:
            least = 3 * (block_height + step[1]) * (block_width + step[0])
        assert held <= max(budget, least)
    expected = np.zeros_like(seen)
    expected[cells.y0 : cells.y1, cells.x0 : cells.x1] = 1
    np.testing.assert_array_equal(seen, expected)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=layouts, step=steps, budget=st.integers(1, 40_000))
def test_reading_in_chunks_gives_what_reading_whole_gives(make_raster, monkeypatch, layout, step, budget):
    monkeypatch.setattr(reading, "CHUNK_BYTES", budget)
    with rasterio.open(make_raster(NOISE, nodata=7, **layout)) as dataset:
        cells = Cells(0, 0, math.ceil(110 / step[0]), math.ceil(90 / step[1]))
        found = read_cells(dataset, band_layout(dataset, (1, 2, 3)), cells, step)
    stored = np.moveaxis(NOISE, 0, -1)
    whole = reduce_by_mean(Block(stored, (stored != 7).any(axis=-1) * np.uint8(255)), step)
    np.testing.assert_allclose(found.pixels, whole.pixels, atol=0.5 + 1e-4)  # 8-bit pixels stay 8-bit
    np.testing.assert_array_equal(found.coverage, whole.coverage)


def opaque(shape: tuple[int, int]) -> np.ndarray:
    return np.full(shape, 255, dtype=np.uint8)


def test_whole_pixels_at_their_own_size_are_not_touched():
    pixels = np.moveaxis(NOISE, 0, -1)
    shown, coverage = resample(Block(pixels, opaque((90, 110))), (7, 5, 57, 25), Size(20, 50))
    np.testing.assert_array_equal(shown, pixels[5:25, 7:57])
    assert (coverage == 255).all()


@settings(max_examples=60)
@given(
    left=st.floats(10, 20), top=st.floats(10, 20), width=st.floats(10, 40), height=st.floats(10, 40),
    size=st.builds(Size, st.integers(5, 60), st.integers(5, 60)),
)  # fmt: skip
def test_a_fractional_box_is_shown_where_it_is(left, top, width, height, size):
    # A ramp of 4 grey levels per pixel tells positions to an eighth of one: 4 * (x + 0.5) at its centre.
    ramp = np.empty((64, 64, 3), dtype=np.uint8)
    ramp[..., 0] = 4 * np.arange(64) + 2
    ramp[..., 1] = (4 * np.arange(64) + 2)[:, None]
    ramp[..., 2] = 0
    box = (left, top, left + width, top + height)
    shown, _ = resample(Block(ramp, opaque((64, 64))), box, size)
    expected_x = 4 * (left + (np.arange(size.width) + 0.5) * width / size.width)
    expected_y = 4 * (top + (np.arange(size.height) + 0.5) * height / size.height)
    # At the border of the ramp the filter is cut; inside, any symmetric filter leaves a linear ramp as it is.
    inner_x = (expected_x > 40) & (expected_x < 216)
    inner_y = (expected_y > 40) & (expected_y < 216)
    assert np.abs(shown[:, inner_x, 0] - expected_x[inner_x]).max(initial=0) <= 1.5
    assert np.abs(shown[inner_y, :, 1] - expected_y[inner_y, None]).max(initial=0) <= 1.5


def test_invalid_pixels_add_no_black_to_their_neighbours():
    pixels = np.full((40, 40, 3), 200, dtype=np.uint8)
    coverage = opaque((40, 40))
    pixels[:, 20:], coverage[:, 20:] = 0, 0
    shown, kept = resample(Block(pixels, coverage), (0.0, 0.0, 40.0, 40.0), Size(27, 27))
    assert np.abs(shown[kept >= 128].astype(int) - 200).max() <= 2
    assert (kept[:, :12] == 255).all()
    assert (kept[:, -12:] == 0).all()


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_each_8_bit_band_comes_out_as_it_does_alone_or_as_a_colour(bands, share):
    rng = np.random.default_rng(bands)
    pixels = rng.integers(0, 256, (50, 60, bands), dtype=np.uint8)
    coverage = (rng.random((50, 60)) < share) * np.uint8(255)
    box, size = (3.3, 2.1, 51.7, 44.0), Size(37, 21)
    found = resample(Block(pixels, coverage), box, size)
    assert found.pixels.dtype == np.uint8
    for band in range(bands):
        colour = resample(Block(pixels[..., [band] * 3], coverage), box, size)
        np.testing.assert_array_equal(found.pixels[..., band], colour.pixels[..., 0])
        np.testing.assert_array_equal(found.coverage, colour.coverage)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint16])
def test_values_that_are_not_8_bit_are_filtered_without_rounding(dtype):
    # A plane, whole numbers at the centres of pixels: any symmetric filter leaves it one, fractions included.
    y, x = np.indices((40, 50))
    pixels = (10 * x + 3 * y)[..., None].astype(dtype)
    found = resample(Block(pixels, opaque((40, 50))), (5.0, 8.0, 45.0, 32.0), Size(96, 160))
    assert found.pixels.dtype == np.float32
    rows, columns = np.indices((96, 160)) + 0.5
    expected = 10 * (5 + columns / 4 - 0.5) + 3 * (8 + rows / 4 - 0.5)
    np.testing.assert_allclose(found.pixels[..., 0], expected, atol=1e-3)


def test_what_is_invalid_does_not_reach_float_values_even_where_it_is_not_a_number():
    pixels = np.full((40, 40, 2), (0.25, -3.5), dtype=np.float32)
    coverage = opaque((40, 40))
    pixels[:, 20:], coverage[:, 20:] = np.nan, 0
    shown, kept = resample(Block(pixels, coverage), (0.0, 0.0, 40.0, 40.0), Size(27, 27))
    np.testing.assert_allclose(
        shown[kept >= 128], np.broadcast_to([0.25, -3.5], (int((kept >= 128).sum()), 2)), rtol=1e-5
    )
    assert np.isfinite(shown).all()


def test_a_fine_chequerboard_averages_to_grey_and_does_not_alias():
    board = np.indices((300, 300)).sum(axis=0) % 2 * 255
    pixels = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    shown, _ = resample(Block(pixels, opaque((300, 300))), (0.0, 0.0, 300.0, 300.0), Size(170, 170))
    assert shown[2:-2, 2:-2].std() < 12
    assert shown.mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_means_of_the_largest_numbers_are_finite(dtype, share):
    largest = np.finfo(dtype).max
    pixels = np.full((4, 8, 1), largest, dtype)
    pixels[:, 4:] = 7
    coverage = np.full((4, 8), 255, np.uint8)
    coverage[: round(4 * (1 - share))] = 0
    means = reduce_by_mean(Block(pixels, coverage), (4, 4)).pixels.ravel()
    assert means.dtype == dtype
    assert means.tolist() == [largest, 7]
