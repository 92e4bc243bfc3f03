"""Errors of counts, as sums over samples."""

import math

import pytest

from rscovlm.scoring.counts import level, number_metrics, number_sums


def added(*sums):
    return {name: sum(each[name] for each in sums) for name in sums[0]}


def test_errors_are_of_stated_numbers_and_shares_of_all_samples():
    # errors 0, +1, -3, and one without a number
    sums = added(number_sums(4, 4), number_sums(5, 4), number_sums(7, 10), number_sums(None, 2))
    assert number_metrics(sums) == {
        "exact": 1 / 4,
        "within_one": 2 / 4,
        "level": 3 / 4,  # 4 and 5 are of (2, 6]; 7 and 10 of (6, 12]
        "coverage": 3 / 4,
        "mae": pytest.approx(4 / 3),
        "rmse": pytest.approx(math.sqrt(10 / 3)),
        "bias": pytest.approx(-2 / 3),
    }


@pytest.mark.parametrize(("count", "of"), [(0, 0), (2, 0), (3, 1), (6, 1), (7, 2), (12, 2), (13, 3)])
def test_levels(count, of):
    assert level(count) == of


def test_halves_round_up():
    assert number_sums(2.5, 3)["exact/hits"] == 1
    assert number_sums(3.49, 3)["exact/hits"] == 1
    assert number_sums(3.5, 3)["exact/hits"] == 0


def test_nothing_counted_is_not_a_number():
    assert all(math.isnan(value) for value in number_metrics({}).values())
    of_none = number_metrics(number_sums(None, 3))
    assert math.isnan(of_none["mae"])
    assert of_none["exact"] == of_none["coverage"] == 0
