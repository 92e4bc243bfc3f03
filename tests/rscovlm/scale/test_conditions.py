"""Conditions: what is told of a view is the truth, a function of it, or nothing."""

import numpy as np

from rscovlm.scale.conditions import FACTORS, NOISE_DECADES, conditions, spoofed

TOLD = conditions(0, {"a": 0.5, "b": None})


def test_what_is_told():
    assert TOLD["oracle"]("a", 2.0) == 2.0
    assert TOLD["missing"]("a", 2.0) is None
    assert "predicted" not in conditions(0)
    assert (TOLD["predicted"]("a", 2.0), TOLD["predicted"]("b", 2.0)) == (0.5, None)


def test_spoofing_multiplies_the_truth():
    assert [TOLD[spoofed(factor)]("a", 2.0) for factor in FACTORS] == [2.0 * factor for factor in FACTORS]
    assert spoofed(0.01) == "x0.01"


def test_noise_is_normal_in_decades_and_a_function_of_view_and_seed():
    away = [np.log10(TOLD["noisy"](f"view {i}", 3.0) / 3.0) for i in range(400)]
    assert abs(np.mean(away)) < 0.06
    assert abs(np.std(away) - NOISE_DECADES) < 0.05
    assert TOLD["noisy"]("a", 3.0) == conditions(0, {})["noisy"]("a", 3.0)
