"""Regression scores: by hand, against their definitions, and whatever the shards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rscovlm.scoring.regression import AGB_EDGES, Moments, answered, bin_index, skill


def test_scores_of_three_pairs_by_hand():
    # errors 10, -10, 30; truth 0, 100, 200 with SST 20000 about 100
    scores = Moments.of([10, 90, 230], [0, 100, 200]).metrics()
    assert scores["n"] == 3
    assert scores["rmse"] == pytest.approx((1100 / 3) ** 0.5)
    assert scores["mae"] == pytest.approx(50 / 3)
    assert scores["bias"] == pytest.approx(10)
    assert scores["unbiased_rmse"] == pytest.approx((1100 / 3 - 100) ** 0.5)
    assert scores["r2"] == pytest.approx(1 - 1100 / 20000)
    # predictions about 110: -100, -20, 120; cross 100*100 + 0 + 100*120 = 22000; spread 24800
    assert scores["pearson"] == pytest.approx(22000 / (20000 * 24800) ** 0.5)
    assert scores["ccc"] == pytest.approx(2 * 22000 / (20000 + 24800 + 3 * 100))
    assert scores["slope"] == pytest.approx(1.1)


def test_r2_is_not_the_square_of_a_correlation():
    doubled = Moments.of([2, 4, 6], [1, 2, 3])
    assert doubled.pearson.item() == pytest.approx(1)
    assert doubled.r2.item() == pytest.approx(1 - 14 / 2)


def test_a_constant_at_the_mean_has_r2_of_zero_and_its_rmse_is_the_deviation_of_the_truth():
    truth = np.array([3.0, 5, 9, 11])
    constant = Moments.of(np.full(4, truth.mean()), truth)
    assert constant.r2.item() == pytest.approx(0)
    assert constant.rmse.item() == pytest.approx(truth.std())


def test_what_is_undefined_is_nan():
    nothing = Moments.of([], [])
    assert all(np.isnan(getattr(nothing, name).item()) for name in ("rmse", "mae", "bias", "r2", "ccc"))
    one = Moments.of([5.0], [4.0])
    assert one.rmse.item() == 1
    assert np.isnan(one.r2.item())
    assert np.isnan(Moments.of([1.0, 2], [7.0, 7]).r2.item())
    assert np.isnan(Moments.of([7.0, 7], [1.0, 2]).pearson.item())


def test_pairs_of_which_one_is_missing_do_not_count():
    moments = Moments.of([1, np.nan, 3, np.inf], [1, 2, np.nan, 4])
    assert moments.n.item() == 1
    assert moments.rmse.item() == 0


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 predictions, 3 true values"):
        Moments.of([1, 2], [1, 2, 3])


values = st.lists(
    st.tuples(st.floats(-300, 900), st.floats(0, 500), st.integers(0, 7)), min_size=2, max_size=60
)


@given(values, st.floats(-1e3, 1e3))
@settings(max_examples=60, deadline=None)
def test_one_shard_and_eight_give_the_same_scores(pairs, shift):
    guess, truth, shard = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    guess, truth = guess + shift, truth + shift
    whole = Moments.of(guess, truth)
    by_shard = Moments.of(guess, truth, shard.astype(int), 8)
    added = Moments.of([], [])
    for part in range(8):
        added = added + Moments.of(guess[shard == part], truth[shard == part])
    scale = max(1.0, np.abs(guess).max(), np.abs(truth).max())
    for name in ("n", "truth", "prediction", "error", "absolute"):
        for other in (by_shard.total(), added):
            assert getattr(other, name) == pytest.approx(getattr(whole, name), rel=1e-12, abs=1e-12 * scale)
    for name in ("truth_m2", "prediction_m2", "error_m2", "cross"):
        for other in (by_shard.total(), added):
            assert getattr(other, name) == pytest.approx(
                getattr(whole, name), rel=1e-12, abs=1e-12 * scale**2 * len(pairs)
            )


def test_resampled_tiles_are_the_moments_of_the_repeated_pairs():
    rng = np.random.default_rng(1)
    truth, guess = rng.uniform(0, 500, 40), rng.uniform(0, 500, 40)
    tile = rng.integers(0, 5, 40)
    weights = np.array([[1, 1, 1, 1, 1], [2, 0, 0, 3, 1]])
    drawn = Moments.of(guess, truth, tile, 5).total(weights)
    times = weights[1][tile]
    repeated = Moments.of(np.repeat(guess, times), np.repeat(truth, times))
    for name in ("rmse", "mae", "bias", "r2", "ccc", "slope"):
        assert getattr(drawn, name)[1] == pytest.approx(getattr(repeated, name).item())
        assert getattr(drawn, name)[0] == pytest.approx(getattr(Moments.of(guess, truth), name).item())


def test_bins_are_agbds_with_the_upper_edge_in_the_last():
    assert AGB_EDGES[:2] == (0, 50)
    assert len(AGB_EDGES) == 11
    found = bin_index([-1, 0, 49.9, 50, 499, 500, 500.1, np.nan])
    assert found.tolist() == [-1, 0, 0, 1, 9, 9, -1, -1]


def test_moments_of_bins_are_those_of_their_members():
    truth, guess = np.array([10.0, 20, 70, 600]), np.array([20.0, 10, 80, 0])
    bins = Moments.of(guess, truth, bin_index(truth), 10)
    assert bins.n[:3].tolist() == [2, 1, 0]
    assert bins.rmse[:2].tolist() == [10, 10]
    assert np.isnan(bins.rmse[2])


def test_missing_answers_are_counted_and_replaced():
    scores = answered([10.0, np.nan, np.nan, 30], [10.0, 50, 150, 30], stand_in=100)
    assert scores.share == 0.5
    assert scores.conditional.rmse.item() == 0
    assert scores.adjusted.rmse.item() == pytest.approx((5000 / 4) ** 0.5)
    assert np.isnan(answered([], [], 0).share)


def test_skill_is_relative_to_a_reference():
    truth = [0.0, 10, 20]
    constant = Moments.of([10.0] * 3, truth)
    assert skill(Moments.of(truth, truth), constant).item() == 1
    assert skill(constant, constant).item() == 0
    assert skill(Moments.of([20.0, 10, 0], truth), constant).item() == pytest.approx(-3)


def test_published_rows_of_reo_vlm_imply_one_spread_of_the_truth():
    # RMSE / sqrt(1 - R2) is the standard deviation of the test set (REO-VLM, table of AGB).
    rows = [(116.60, -0.51), (115.74, -0.45), (85.10, 0.20), (75.59, 0.36), (76.52, 0.35)]
    assert all(94 <= rmse / (1 - r2) ** 0.5 <= 97 for rmse, r2 in rows)
