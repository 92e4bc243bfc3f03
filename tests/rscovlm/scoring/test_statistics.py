"""Intervals and tests against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.statistics import bootstrap_mean, paired_difference, sign_test, wilson


def test_wilson_against_the_published_example():
    # 81 of 263 (Newcombe, Statistics in Medicine 17, 1998, table I): 0.2553 to 0.3662
    found = wilson(81 / 263, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_wilson_never_leaves_the_unit_interval_nor_degenerates():
    # none of 20 (same table): 0 to 0.1611
    assert wilson(0, 20)[:2] == (0, 0)
    assert round(wilson(0, 20).high, 4) == 0.1611
    assert wilson(1, 20).low == pytest.approx(1 - wilson(0, 20).high)
    assert math.isnan(wilson(0, 0).value)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (1, 9, 2 * (1 + 10) / 1024),
        (9, 1, 2 * (1 + 10) / 1024),
        (0, 6, 2 / 64),
        (3, 12, 2 * (1 + 15 + 105 + 455) / 2**15),
    ],
)
def test_the_sign_test_sums_binomial_tails(wins, losses, p):
    assert sign_test(wins, losses) == pytest.approx(p)


@given(wins=st.integers(0, 60), losses=st.integers(0, 60))
def test_the_sign_test_agrees_with_the_binomial_distribution(wins, losses):
    n, few = wins + losses, min(wins, losses)
    tail = sum(math.comb(n, k) for k in range(few + 1)) / 2**n
    assert sign_test(wins, losses) == pytest.approx(min(1.0, 2 * tail))
    assert sign_test(wins, losses) == sign_test(losses, wins)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_for_many_images():
    scores = [1.0] * 300 + [0.0] * 700
    found = bootstrap_mean(scores, [str(i) for i in range(1000)], samples=4000)
    half = 1.96 * math.sqrt(0.3 * 0.7 / 1000)
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (
        pytest.approx(0.3 - half, abs=4e-3),
        pytest.approx(0.3 + half, abs=4e-3),
    )


def test_questions_that_share_an_image_count_as_one_draw():
    # ten images with ten equal scores each: as wide as ten questions, not as a hundred
    scores = [float(image < 5) for image in range(10) for _ in range(10)]
    clusters = [str(image) for image in range(10) for _ in range(10)]
    together = bootstrap_mean(scores, clusters, samples=4000)
    alone = bootstrap_mean(scores, [str(i) for i in range(100)], samples=4000)
    assert together.high - together.low == pytest.approx((alone.high - alone.low) * math.sqrt(10), rel=0.15)


def test_a_macro_mean_weighs_groups_alike():
    # a: 1 of 4, b: 1 of 1 -> (0.25 + 1) / 2
    found = bootstrap_mean([1, 0, 0, 0, 1], list("vwxyz"), list("aaaab"))
    assert found.value == pytest.approx(0.625)


def test_a_difference_of_equal_runs_is_exactly_none():
    scores = np.random.default_rng(0).integers(0, 2, 50).tolist()
    assert paired_difference(scores, scores, [str(i) for i in range(50)]) == (0.0, 0.0, 0.0)


def test_pairing_narrows_the_interval_of_a_difference():
    rng = np.random.default_rng(1)
    hard = rng.integers(0, 2, 400)
    first = hard.astype(float)
    second = np.where(np.arange(400) % 20 == 0, 1 - hard, hard).astype(float)
    clusters = [str(i) for i in range(400)]
    paired = paired_difference(first.tolist(), second.tolist(), clusters)
    # d is -1, 0 or 1 with 20 of 400 not 0: standard error sqrt(20) / 400 at most
    assert paired.high - paired.low < 2 * 1.96 * math.sqrt(20) / 400 * 1.15
    assert paired.low <= float(np.mean(first - second)) <= paired.high


def test_nothing_asked_is_no_number():
    assert all(math.isnan(value) for value in bootstrap_mean([], []))


def test_equal_seeds_draw_equal_images():
    scores, clusters = [1.0, 0.0, 1.0, 1.0], list("abcd")
    assert bootstrap_mean(scores, clusters, seed=3) == bootstrap_mean(scores, clusters, seed=3)
