"""Scores of tables: intervals over tiles, spreads against closed forms, bins."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rscovlm.scoring.distributions import gaussian_crps
from rscovlm.scoring.predictions import (
    LEVELS,
    Predictions,
    binned,
    covered,
    difference,
    ence,
    interpolated,
    intervals,
    sparsification,
    spread_scores,
)

Z = np.array([-1.959964, -1.644854, -1.281552, -0.994458, -0.67449, -0.318639, 0.0])
NORMAL = np.concatenate([Z, -Z[-2::-1]])
"""Standard normal quantiles at ``LEVELS``."""


def table(truth, mean, tile=None, deviation=None, **more):
    truth, mean = np.asarray(truth, float), np.asarray(mean, float)
    count = len(truth)
    tile = np.array(["a"] * count if tile is None else tile)
    spread = {}
    if deviation is not None:
        own = np.broadcast_to(np.asarray(deviation, float), count).copy()
        spread = {"quantiles": mean[:, None] + own[:, None] * NORMAL, "deviation": own}
    return Predictions(np.array([str(i) for i in range(count)]), tile, truth, mean, **spread, **more)


def gaussians(count=20_000, deviation=30.0, stated=None, seed=0, tiles=40):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0, 300, count)
    truth = rng.normal(mean, deviation)
    tile = [f"t{seed}-{i % tiles}" for i in range(count)]
    return table(truth, mean, tile, stated or deviation)


def test_levels_are_symmetric_about_the_median():
    assert [1 - level for level in LEVELS[::-1]] == pytest.approx(list(LEVELS))


def test_an_interval_is_of_whole_tiles():
    """Errors differ between tiles and not within: more plots of the same tiles make nothing surer."""
    errors = np.array([10.0, -10.0, 30.0, -30.0, 5.0, -5.0])
    few = table(np.zeros(6), errors, list("aabbcc"))
    many = table(np.zeros(60), np.repeat(errors, 10), np.repeat(list("aabbcc"), 10))
    one, other = (intervals(each, ("rmse",))["rmse"] for each in (few, many))
    assert one == other
    assert one.value == pytest.approx(math.sqrt((100 + 900 + 25) / 3))
    assert (one.low, one.high) == pytest.approx((5, 30)), "all draws of one tile"


def test_intervals_hold_the_value_and_a_single_tile_has_none():
    found = intervals(gaussians(2000))
    assert all(each.low < each.value < each.high for name, each in found.items() if name != "bias")
    alone = intervals(table([1.0, 2.0], [1.5, 2.5]), ("rmse",))["rmse"]
    assert alone.low == alone.value == alone.high == 0.5


def test_a_difference_is_on_the_same_tiles_and_of_the_same_plots():
    first = gaussians(2000)
    worse = Predictions(first.key, first.tile, first.truth, first.mean + 20)
    found = difference(worse, first, "bias")
    assert (found.value, found.low, found.high) == pytest.approx((20, 20, 20))
    with pytest.raises(ValueError, match="predictions of the same plots"):
        difference(first, first.of(np.arange(10)))


def test_spreads_of_gaussians_match_closed_forms():
    known = gaussians()
    found = spread_scores(known)
    assert found["nll"] == pytest.approx(0.5 * math.log(2 * math.pi * 900) + 0.5, abs=0.02)
    exact = gaussian_crps(known.mean, known.deviation, known.truth).mean()
    assert found["crps"] == pytest.approx(exact, rel=0.04), "13 quantiles tell nearly all of it"
    assert found["ece"] < 0.01
    for level in (50, 68, 80, 90, 95):
        assert found[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.01)
    assert found["sharpness"] == 30


def test_noise_of_labels_widens_what_is_expected():
    known = table([10.0], [0.0], deviation=3.0, noise=np.array([4.0]))
    found = spread_scores(known)
    assert found["nll_with_noise"] == pytest.approx(0.5 * math.log(2 * math.pi * 25) + 0.5 * 100 / 25)


def test_numbers_without_a_spread_have_no_scores_of_it_and_missing_ones_do_not_count():
    points = table([1.0, 2.0, math.nan], [1.0, math.nan, 3.0])
    assert spread_scores(points) == {}
    assert points.usable.tolist() == [True, False, False]
    with pytest.raises(ValueError, match="13 each"):
        Predictions(points.key, points.tile, points.truth, points.mean, np.zeros((3, 2)))


def test_levels_are_read_between_quantiles():
    row = np.array([NORMAL])
    assert interpolated([0.0], row) == pytest.approx([0.5])
    assert interpolated([-9.0], row) == [0.0]
    assert interpolated([9.0], row) == [1.0]


def test_bins_hold_the_right_edge_and_say_how_many():
    found = binned(table([0.0, 49.0, 500.0], [10.0, 59.0, 450.0]))
    assert [row["n"] for row in found] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found[0]["bias"] == 10
    assert found[-1]["rmse"] == 50
    assert math.isnan(found[3]["rmse"])


def test_coverage_is_the_share_inside_and_its_interval_is_over_tiles():
    honest = gaussians(4000)
    found = covered(honest, 0.9)
    assert found.value == pytest.approx(0.9, abs=0.02)
    assert found.low < found.value < found.high
    assert covered(gaussians(4000, stated=15.0), 0.9).high < 0.65, "half as wide as it should be"


def test_a_level_that_no_table_holds_is_refused():
    with pytest.raises(ValueError, match=r"no quantiles at 0.15 and 0.85"):
        covered(gaussians(100), 0.7)


def test_ence_is_how_far_deviations_are_from_errors():
    right = gaussians()
    assert ence(right) < 0.05
    doubled = table(right.truth, right.mean, right.tile.tolist(), 60.0)
    assert ence(doubled) == pytest.approx(0.5, abs=0.02)
    assert math.isnan(ence(table([1.0], [1.0])))


def test_standardised_errors_of_a_right_spread_have_mean_0_and_deviation_1():
    found = spread_scores(gaussians(stated=15.0))
    assert found["z_mean"] == pytest.approx(0, abs=0.05)
    assert found["z_deviation"] == pytest.approx(2, abs=0.05)


def test_rmse_falls_where_the_least_certain_are_left_out_and_they_are_the_wrong_ones():
    some = table([0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0], deviation=[1.0, 2.0, 3.0, 0.5])
    assert sparsification(some, (0.0, 0.5)) == pytest.approx([math.sqrt(7.5), math.sqrt(8.5)])
    assert sparsification(some, (0.5,), by_error=True) == pytest.approx([math.sqrt(2.5)])


def test_several_tables_are_joined_in_order_and_what_one_does_not_state_is_not_stated():
    first, second = table([1.0], [2.0], ["a"], 1.0), table([3.0], [4.0], ["b"], 1.0)
    both = Predictions.joined([first, second])
    assert both.truth.tolist() == [1, 3]
    assert both.quantiles is not None
    assert both.quantiles.shape == (2, len(LEVELS))
    bare = Predictions.joined([both, replace(second, quantiles=None, deviation=None)])
    assert bare.mean.tolist() == [2, 4, 4]
    assert bare.quantiles is None
    assert bare.deviation is None
