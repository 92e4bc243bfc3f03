"""What a budget leaves."""

import pytest

from zoom_chain.budget import Budget


def test_the_tightest_bound_on_pixels_counts():
    assert Budget().pixels_left(10**12, 28) == float("inf")
    assert Budget(max_visual_tokens=10).pixels_left(784, 28) == 9 * 784
    assert Budget(max_visual_tokens=10, max_pixels=1000).pixels_left(784, 28) == 216
    assert Budget(max_visual_tokens=0).pixels_left(0, 28) == 0


def test_wrong_values_are_named_together():
    with pytest.raises(ValueError, match=r"max_zooms -1 .*max_seconds -0\.5"):
        Budget(max_zooms=-1, max_seconds=-0.5)
