"""Scores of predictive distributions: closed forms, limits, and the sampling that they stand for."""

import math

import numpy as np
import pytest

from rscovlm.scoring.distributions import (
    COUNTED,
    LEVELS,
    Calibration,
    ensemble_crps,
    gaussian_crps,
    gaussian_nll,
    interval_score,
    mixture_crps,
    mixture_nll,
    normal_cdf,
    pinball,
    quantile_crps,
)


def test_likelihood_at_the_mean_is_the_log_of_the_spread():
    assert gaussian_nll(3, 2, 3).item() == pytest.approx(math.log(2 * math.sqrt(2 * math.pi)))
    assert gaussian_nll(0, 1, 2).item() - gaussian_nll(0, 1, 0).item() == pytest.approx(2)


def test_noise_of_the_label_adds_in_squares():
    assert gaussian_nll(10, 3, 17, noise=4).item() == pytest.approx(gaussian_nll(10, 5, 17).item())


def test_likelihood_is_least_where_the_deviation_is_the_error():
    nats = gaussian_nll(0, np.array([6.9, 7.0, 7.1]), 7)
    assert nats.argmin() == 1


def test_crps_of_a_gaussian_is_the_figure_of_its_closed_form():
    assert gaussian_crps(100, 30, 160).item() == pytest.approx(43.58, abs=0.005)
    assert gaussian_crps(0, 1, 0).item() == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi))


def test_crps_without_spread_is_the_absolute_error():
    assert gaussian_crps([5.0, 5], [0.0, 1e-9], [8.0, 8]).tolist() == pytest.approx([3, 3])


def test_crps_scales_with_the_unit():
    assert gaussian_crps(10, 2, 13).item() * 10 == pytest.approx(gaussian_crps(100, 20, 130).item())


def test_a_mixture_of_one_is_a_gaussian():
    one = ([1.0], [4.0], [2.0])
    assert mixture_nll(*one, 7).item() == pytest.approx(gaussian_nll(4, 2, 7).item())
    assert mixture_crps(*one, 7).item() == pytest.approx(gaussian_crps(4, 2, 7).item())


def test_equal_components_are_one_component():
    twice = ([0.3, 0.7], [4.0, 4.0], [2.0, 2.0])
    assert mixture_nll(*twice, 7).item() == pytest.approx(gaussian_nll(4, 2, 7).item())
    assert mixture_crps(*twice, 7).item() == pytest.approx(gaussian_crps(4, 2, 7).item())


def test_the_likelihood_of_a_mixture_is_finite_a_thousand_deviations_away():
    nats = mixture_nll([0.5, 0.5], [0.0, 1.0], [1.0, 1.0], 1000).item()
    assert nats == pytest.approx(999**2 / 2 + math.log(2 * math.sqrt(2 * math.pi)))


def test_a_component_without_weight_does_not_count():
    assert mixture_nll([1.0, 0.0], [0.0, 9.0], [1.0, 1.0], 0).item() == pytest.approx(
        gaussian_nll(0, 1, 0).item()
    )


def test_closed_forms_agree_with_samples():
    rng = np.random.default_rng(0)
    weights, means, deviations, truth = [0.3, 0.7], [40.0, 160.0], [10.0, 30.0], 120.0
    which = rng.choice(2, 4000, p=weights)
    drawn = rng.normal(np.array(means)[which], np.array(deviations)[which])
    closed = mixture_crps(weights, means, deviations, truth).item()
    assert ensemble_crps(drawn, truth).item() == pytest.approx(closed, rel=0.05)
    levels = (np.arange(400) + 0.5) / 400
    found = quantile_crps(np.quantile(drawn, levels), levels, truth).item()
    assert found == pytest.approx(closed, rel=0.06)


def test_the_fair_ensemble_score_by_hand():
    # members 0, 2, 6 and truth 1: mean distance (1 + 1 + 5) / 3; pairs 2 + 6 + 4 = 12, over 3 * 2
    assert ensemble_crps([6.0, 0, 2], 1).item() == pytest.approx(7 / 3 - 2)
    with pytest.raises(ValueError, match="at least 2"):
        ensemble_crps([1.0], 1)


def test_pinball_charges_each_side_its_share():
    assert pinball(10, 0.9, 12).item() == pytest.approx(1.8)
    assert pinball(10, 0.9, 8).item() == pytest.approx(0.2)
    assert pinball(10, 0.5, 4).item() == 3


def test_interval_score_is_the_width_where_the_truth_is_inside():
    assert interval_score(2, 8, 5, 0.9) == pytest.approx(6)
    assert interval_score(2, 8, 9, 0.9) == pytest.approx(6 + 20)
    assert interval_score(2, 8, 1, 0.5) == pytest.approx(6 + 4)


def test_calibrated_predictions_cover_what_they_say():
    rng = np.random.default_rng(3)
    mean, deviation = rng.uniform(0, 300, 20000), rng.uniform(5, 50, 20000)
    truth = rng.normal(mean, deviation)
    found = Calibration.of(mean, deviation, truth, normal_cdf((truth - mean) / deviation))
    assert all(found.coverage(level) == pytest.approx(level, abs=0.015) for level in COUNTED)
    assert found.ece < 0.01
    assert found.error_ratio == pytest.approx(math.sqrt(2 / math.pi), abs=0.015)
    assert found.sharpness == pytest.approx(deviation.mean())


def test_intervals_that_are_half_as_wide_cover_less():
    truth = np.random.default_rng(4).normal(size=20000)
    narrow = Calibration.of(np.zeros(20000), np.full(20000, 0.5), truth, normal_cdf(truth / 0.5))
    assert narrow.coverage(0.9) == pytest.approx(2 * normal_cdf(0.8224).item() - 1, abs=0.01)
    assert narrow.ece > 0.15


def test_calibration_adds_up_over_shards():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=90)
    pit = normal_cdf(truth)
    whole = Calibration.of(np.zeros(90), np.ones(90), truth, pit)
    parts = [
        Calibration.of(np.zeros(30), np.ones(30), t, p)
        for t, p in zip(truth.reshape(3, 30), pit.reshape(3, 30), strict=True)
    ]
    added = sum(parts, Calibration())
    assert added.held == whole.held
    assert added.n == whole.n
    assert added.error == pytest.approx(whole.error, rel=1e-12)


def test_levels_that_were_not_counted_are_refused():
    with pytest.raises(ValueError, match=r"0\.99"):
        Calibration().coverage(0.99)
    assert math.isnan(Calibration().coverage(0.9))
    assert LEVELS[0] == 0.05
    assert LEVELS[-1] == 0.95
    assert 0.68 in COUNTED
