"""Recalibration: coverage on tiles that were not fitted, closed forms, and agreement with crepes."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.scoring.predictions import LEVELS, spread_scores
from rscovlm.scoring.recalibration import METHODS, coverage_over_splits, recalibrated
from tests.rscovlm.scoring.test_predictions import gaussians, table

LOW, HIGH = LEVELS.index(0.05), LEVELS.index(0.95)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "mondrian"])
@pytest.mark.parametrize("stated", [12.0, 70.0])
def test_intervals_of_a_model_that_is_too_sure_or_too_unsure_hold_what_they_say(method, stated):
    validation, test = gaussians(4000, stated=stated, seed=1), gaussians(8000, stated=stated, seed=2)
    before, after = spread_scores(test), spread_scores(recalibrated(method, validation, test))
    assert abs(before["coverage_90"] - 0.9) > 0.05
    assert after["coverage_90"] == pytest.approx(0.9, abs=0.02)
    assert after["coverage_50"] == pytest.approx(0.5, abs=0.03)
    assert after["ece"] < before["ece"]


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_states_5_to_95_percent_alone_can_be_made_to_hold_90(method):
    """Beyond its outermost quantiles it says the same again, which are no quantiles."""

    def narrow(seed):
        found = gaussians(4000, stated=12.0, seed=seed)
        return replace(
            found,
            quantiles=found.quantiles[:, np.clip(range(len(LEVELS)), LOW, HIGH)],
            group=np.full(len(found.key), "all"),
        )

    after = recalibrated(method, narrow(1), narrow(2))
    assert spread_scores(after)["coverage_90"] == pytest.approx(0.9, abs=0.025)


def test_the_factor_of_the_temperature_is_the_root_of_the_mean_squared_score():
    validation = table([3.0, -4.0], [0.0, 0.0], ["v", "v"], 1.0)
    test = table([0.0], [10.0], ["t"], 2.0)
    found = recalibrated("temperature", validation, test)
    assert found.deviation[0] == pytest.approx(2 * np.sqrt(12.5))
    assert found.mean[0] == 10


def test_split_conformal_is_that_of_crepes():
    from crepes import ConformalRegressor

    # Where (n + 1) (1 - a) is whole, as for 199 plots, crepes takes the next score: it rounds 1 - 0.9.
    validation, test = gaussians(205, stated=20.0, seed=3), gaussians(50, stated=20.0, seed=4)
    residuals = validation.truth - validation.mean
    peer = ConformalRegressor().fit(residuals, sigmas=validation.deviation)
    expected = peer.predict_int(test.mean, sigmas=test.deviation, confidence=0.9)
    found = recalibrated("conformal", validation, test).quantiles
    np.testing.assert_allclose(found[:, [LOW, HIGH]], expected, rtol=1e-9)


def test_mondrian_is_right_in_each_group_where_one_width_for_all_is_not():
    def mixed(seed):
        rng = np.random.default_rng(seed)
        group = np.array(["forest", "crops"] * 2000)
        truth = rng.normal(100, np.where(group == "forest", 60, 10))
        tile = [f"{seed}-{i % 20}" for i in range(4000)]
        return table(truth, np.full(4000, 100.0), tile, 30.0, group=group)

    validation, test = mixed(1), mixed(2)

    def coverage(method, group):
        found = recalibrated(method, validation, test).of(test.group == group)
        return spread_scores(found)["coverage_90"]

    assert coverage("conformal", "forest") < 0.85
    assert coverage("conformal", "crops") > 0.97
    assert coverage("mondrian", "forest") == pytest.approx(0.9, abs=0.025)
    assert coverage("mondrian", "crops") == pytest.approx(0.9, abs=0.025)


def test_a_group_of_few_plots_takes_all_groups_together():
    validation = table(np.arange(50.0), np.zeros(50), ["v"] * 50, 1.0, group=np.array(["a"] * 45 + ["b"] * 5))
    test = table([0.0], [0.0], ["t"], 1.0, group=np.array(["b"]))
    everything = recalibrated("conformal", validation, test)
    np.testing.assert_array_equal(recalibrated("mondrian", validation, test).quantiles, everything.quantiles)


def test_quantiles_stay_in_order_and_within_what_can_be():
    for method in ("temperature", "isotonic", "conformal"):
        found = recalibrated(method, gaussians(500, seed=1), gaussians(500, seed=2), 0.0, 250.0).quantiles
        assert (np.diff(found, axis=1) >= 0).all()
        assert found.min() >= 0
        assert found.max() <= 250


def test_tiles_that_are_scored_are_not_fitted_on():
    validation = table([1.0], [1.0], ["10SEG"], 1.0)
    with pytest.raises(ValueError, match="validation and test share 1 tiles, such as 10SEG"):
        recalibrated("temperature", validation, validation)


def test_points_and_empty_validations_are_refused():
    points, test = table([1.0], [1.0], ["v"]), table([1.0], [1.0], ["t"], 1.0)
    with pytest.raises(ValueError, match="needs predictions with a spread"):
        recalibrated("conformal", points, test)
    with pytest.raises(ValueError, match="no plot with a truth and an answer"):
        recalibrated("conformal", table([np.nan], [1.0], ["v"], 1.0), test)
    grouped = table([1.0], [1.0], ["v"], 1.0)
    with pytest.raises(ValueError, match="mondrian needs the group of each plot"):
        recalibrated("mondrian", grouped, test)


def test_over_draws_of_tiles_conformal_intervals_hold_what_they_say_and_a_single_split_may_not():
    held_out = gaussians(3000, stated=12.0, seed=5)
    shares = coverage_over_splits("conformal", held_out, draws=60)
    assert shares.shape == (60,)
    assert shares.mean() == pytest.approx(0.9, abs=0.01)
    assert shares.std() > 0
    np.testing.assert_array_equal(shares, coverage_over_splits("conformal", held_out, draws=60))
    assert not np.array_equal(shares, coverage_over_splits("conformal", held_out, draws=60, seed=1))


def test_tiles_that_fit_are_not_scored_and_one_tile_is_refused():
    held_out = table([3.0, -4.0, 50.0], [0.0] * 3, ["a", "b", "c"], 1.0)
    # Two of three tiles fit: the interval reaches as far as the worse of them, and a worse tile is outside.
    shares = coverage_over_splits("conformal", held_out, share=2 / 3, draws=50)
    assert set(shares) == {0.0, 1.0}
    assert shares.mean() == pytest.approx(2 / 3, abs=0.2)
    with pytest.raises(ValueError, match="one tile alone"):
        coverage_over_splits("conformal", held_out.of(np.array([True, False, False])))
