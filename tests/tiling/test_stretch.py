from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.stretch import Stretch


def grey(*values: float, dtype: str = "float32") -> np.ndarray:
    """One row of one band."""
    return np.array(values, dtype=dtype).reshape(1, -1, 1)


def test_values_between_low_and_high_spread_evenly_and_others_are_cut():
    stretch = Stretch(low=(1000.0,), high=(2000.0,))
    assert stretch(grey(0, 1000, 1500, 2000, 9000, dtype="uint16")).ravel().tolist() == [0, 0, 128, 255, 255]


def test_what_is_not_a_number_becomes_black_and_infinity_is_cut():
    assert Stretch((0.0,), (1.0,))(grey(np.nan, np.inf, -np.inf, 0.5)).ravel().tolist() == [0, 255, 0, 128]


def test_bands_stretch_apart():
    pixels = np.array([[[10, 100, 1000]]], dtype=np.int32)
    assert Stretch((0, 0, 0), (20, 400, 1000))(pixels).tolist() == [[[128, 64, 255]]]


def test_a_band_with_one_value_comes_out_grey_and_not_black():
    assert Stretch((7.0,), (7.0,))(grey(6, 7, 8)).ravel().tolist() == [0, 128, 255]


def test_8_bit_values_pass_as_they_are():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert Stretch.identity(1)(pixels) is pixels


def test_percentiles_come_from_valid_pixels_only():
    pixels = np.arange(1, 102, dtype=np.float32).reshape(
        1, 101, 1
    )  # 1 .. 101: the 2nd percentile is 3, the 98th 99
    outliers = np.full((1, 50, 1), -9999, dtype=np.float32)
    mask = np.arange(151)[None] < 101
    stretch = Stretch.from_percentiles(np.concatenate((pixels, outliers), axis=1), mask)
    assert (stretch.low, stretch.high) == ((3.0,), (99.0,))


@given(
    low=st.floats(-1e4, 1e4),
    span=st.floats(0.01, 1e5),
    values=st.lists(st.floats(-1e5, 1e5, width=32), min_size=2, max_size=20),
)
def test_a_stretch_never_changes_the_order_of_values(low, span, values):
    shown = Stretch((low,), (low + span,))(grey(*sorted(values))).ravel()
    assert (np.diff(shown.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ((1.0,), (0.0,), "runs backwards"),
        ((1.0,), (2.0, 3.0), "1 low and 2 high"),
        ((), (), "0 low and 0 high"),
    ],
)
def test_an_impossible_stretch_is_refused(low, high, message):
    with pytest.raises(ValueError, match=message):
        Stretch(low, high)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_percentiles_of_any_finite_values_are_finite(dtype):
    largest = float(np.finfo(dtype).max)
    stretch = Stretch.from_percentiles(grey(-largest, largest, dtype=dtype), np.ones((1, 2), bool))
    # The way between them is beyond the number range; at 2 % of it lies -1 + 0.02 * 2.
    assert (*stretch.low, *stretch.high) == pytest.approx((-0.96 * largest, 0.96 * largest))
