"""The bent grid: back and forth without loss, areas kept, lines found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.synth.grid import Axis, draw_grid

seeds = st.integers(0, 1000)
metres = st.floats(-20_000, 20_000)


@given(seeds, metres, metres)
def test_the_way_to_the_ground_and_back_is_exact(seed, x, y):
    grid = draw_grid(np.random.default_rng(seed))
    np.testing.assert_allclose(grid.to_ground(*grid.to_grid(x, y)), (x, y), atol=1e-6)


@given(seeds, metres, metres)
def test_areas_are_kept(seed, u, v):
    grid = draw_grid(np.random.default_rng(seed))
    x, y = grid.to_ground(u + np.array([0, 1e-3, 0]), v + np.array([0, 0, 1e-3]))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    assert area * 1e6 == pytest.approx(1, abs=1e-3)


def test_a_raster_has_the_coordinates_of_its_points_to_a_centimetre():
    grid = draw_grid(np.random.default_rng(1))
    x, y = np.arange(0, 9000.0, 97), np.arange(500, 6000.0, 61)
    exact = grid.to_grid(*np.meshgrid(x, y))
    np.testing.assert_allclose(np.stack(grid.raster(x, y)), np.stack(exact), atol=0.01)


@given(seeds, metres)
def test_a_position_lies_between_the_lines_of_its_cell(seed, position):
    axis = Axis(100.0, seed)
    cell = int(axis.cell(position))
    assert axis.line(cell) <= position < axis.line(cell + 1)


@pytest.mark.parametrize("reach", [300.0, 5000.0])
def test_many_positions_get_the_cell_and_the_offset_from_the_nearest_line(reach):
    axis = Axis(90.0, 5)
    position = np.linspace(-reach, reach, 501).astype(np.float32).reshape(3, -1)
    cell, offset, first = axis.located(position)
    np.testing.assert_array_equal(cell + first, axis.cell(position))
    lines = axis.line(np.arange(-80, 80))
    nearest = np.abs(position[..., None] - lines).min(axis=2)
    np.testing.assert_allclose(np.abs(offset), nearest, atol=1e-3)
    assert (offset[position >= axis.line(cell + first)] * 0 == 0).all()


def test_headings_are_those_of_the_grid_where_it_is_not_bent():
    grid = draw_grid(np.random.default_rng(2))
    straight = type(grid)(grid.angle_rad, grid.u, grid.v, (0.0, 0.0), grid.wave_m)
    along, across = straight.headings(120.0, 70.0)
    assert along == pytest.approx(grid.angle_rad)
    assert across == pytest.approx(grid.angle_rad + np.pi / 2)


@given(seeds)
def test_the_bounds_of_a_window_hold_all_of_it(seed):
    grid = draw_grid(np.random.default_rng(seed))
    u0, v0, u1, v1 = grid.window(np.array([100.0, 900.0]), np.array([-50.0, 700.0]))
    u, v = grid.to_grid(*np.meshgrid(np.linspace(100, 900, 40), np.linspace(-50, 700, 40)))
    assert u0 <= u.min()
    assert v0 <= v.min()
    assert u1 >= u.max()
    assert v1 >= v.max()
