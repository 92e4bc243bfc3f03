"""Values that look like nodata, in arrays; what a scene makes of them is in test_contrast.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.undeclared import (
    FEW_PIXELS,
    black_or_white_collar,
    extreme_cells,
    fill_values,
    lone_value,
    undeclared_nodata,
)

NOISE = np.random.default_rng(0).normal(1000, 100, (60, 80, 3))
ALL = np.ones(NOISE.shape[:2], bool)


def with_value(value, rows, columns, pixels=NOISE):
    changed = pixels.copy()
    changed[rows, columns] = value
    return changed


def test_a_collar_is_a_quarter_of_the_border_and_more_in_all_bands_at_once():
    # 2 * 80 + 2 * 58 = 276 cells of border; a strip of n columns at the left takes 60 + 2 * (n - 1) of them.
    assert undeclared_nodata(with_value(0, slice(None), slice(0, 6)), ALL) is not None  # 70 of 276
    assert undeclared_nodata(with_value(0, slice(None), slice(0, 5)), ALL) is None  # 68 of 276
    one_band = NOISE.copy()
    one_band[:, :6, 0] = 0
    assert undeclared_nodata(one_band, ALL) is None


def test_the_extremes_of_a_scene_are_those_of_its_valid_pixels():
    pixels = with_value(9999, 1, 2, with_value(-9999, 20, 30))
    assert extreme_cells(pixels, ALL) == [(20, 30), (1, 2)]
    mask = ALL.copy()
    mask[20, 30] = mask[1, 2] = False
    assert not {(20, 30), (1, 2)} & set(extreme_cells(pixels, mask))
    assert extreme_cells(np.ones((3, 4, 1)), np.ones((3, 4), bool)) == [(0, 0)]


def test_a_fill_value_is_an_extreme_that_several_pixels_have_exactly():
    for value in (-9999.0, -32768.0, 1e20, 65535.0):
        few = with_value(value, 20, slice(0, FEW_PIXELS - 1))
        enough = with_value(value, 20, slice(0, FEW_PIXELS))
        assert fill_values(few, ALL) == []
        assert fill_values(enough, ALL) == [(value,) * 3]
        assert fill_values(enough, np.zeros_like(ALL)) == []
    assert fill_values(np.full((9, 9, 1), 7.0), np.ones((9, 9), bool)) == [(7.0,), (7.0,)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "uniform", "steps", "ramp"]))
def test_no_value_lies_apart_in_what_scenes_hold(seed, kind):
    rng = np.random.default_rng(seed)
    pixels = {
        "normal": lambda: rng.normal(0, 3, size=(30, 30, 1)).round(),
        "uniform": lambda: rng.uniform(0, 20, size=(30, 30, 1)).round(),
        "steps": lambda: rng.integers(0, 5, (30, 30, 1)),
        "ramp": lambda: np.arange(900.0).reshape(30, 30, 1) // 9,
    }[kind]()
    assert fill_values(pixels, np.ones((30, 30), bool)) == []


def test_a_value_is_impossible_where_it_is_further_from_the_rest_than_the_rest_is_wide():
    ramp = np.arange(1000.0).reshape(20, 50, 1)  # 2nd to 98th percentile: 959 apart
    mask = np.ones((20, 50), bool)
    assert lone_value((-960.0,), ramp, mask, 0.1) is not None
    assert lone_value((-950.0,), ramp, mask, 0.1) is None
    assert lone_value((999 + 960.0,), ramp, mask, 0.1) is not None
    assert lone_value((999 + 950.0,), ramp, mask, 0.1) is None
    assert lone_value((-9999.0,), ramp % 15, mask, 0.1) is None  # 15 classes
    assert lone_value((-9999.0,), ramp % 16, mask, 0.1) is not None


def test_the_line_says_the_share_and_the_options():
    ramp = np.arange(1000.0).reshape(20, 50, 1)
    found = lone_value((-9999.0,), ramp, np.ones((20, 50), bool), 0.0123)
    assert found.warning == (
        "value -9999 fills 1.2% of the scene, far from all others (0 to 999), and is not declared as nodata; "
        "the contrast leaves it out (--nodata -9999 hides it, --nodata none counts it)"
    )
    assert lone_value((-9999.0,), ramp, np.ones((20, 50), bool), 0.0009) is None
    two = np.concatenate([ramp, ramp], axis=2)
    found = lone_value((-9999.0, -9998.0), two, np.ones((20, 50), bool), 0.0123)
    assert found.warning.endswith("(--nodata none counts it)")  # one value is stated for all bands


@pytest.mark.parametrize("value", [0, 255])
def test_a_black_or_white_border_of_8_bits_is_mentioned(value):
    grey = np.random.default_rng(0).integers(1, 255, (60, 80, 3), dtype=np.uint8)
    # A strip of 4 columns: 66 of 276 cells of the border, 5 % of all; one of 3: 64 of 276, 3.75 %.
    warning = black_or_white_collar(with_value(value, slice(None), slice(0, 4), grey), ALL)
    assert warning.startswith(f"value {value} fills 5% of the scene and 24% of its border and is shown; ")
    assert black_or_white_collar(with_value(value, slice(None), slice(0, 3), grey), ALL) is None


def test_other_borders_of_8_bits_are_not():
    grey = np.random.default_rng(0).integers(1, 255, (60, 80, 3), dtype=np.uint8)
    for value in ((0, 0, 255), (7, 7, 7)):
        assert black_or_white_collar(with_value(value, slice(None), slice(0, 40), grey), ALL) is None
    inside = with_value(0, slice(1, 59), slice(1, 79), grey)
    assert black_or_white_collar(inside, ALL) is None
    assert black_or_white_collar(np.zeros_like(grey), ALL) is None
