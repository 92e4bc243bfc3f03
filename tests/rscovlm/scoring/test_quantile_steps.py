"""Steps of quantiles: the places of sorted scores, coverage by prediction, zeros, files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rscovlm.scoring.predictions import LEVELS, covered
from rscovlm.scoring.quantile_steps import LEAST, QuantileSteps
from rscovlm.scoring.recalibration import recalibrated
from tests.rscovlm.scoring.test_predictions import gaussians, table

LOW, MIDDLE, HIGH = (LEVELS.index(level) for level in (0.05, 0.5, 0.95))


def points(truth: np.ndarray, deviation: float = 1.0):
    """Predictions of 0 whose quantiles are all 0."""
    made = table(truth, np.zeros(len(truth)), [f"v{i}" for i in range(len(truth))], deviation)
    made.quantiles[:] = 0
    return made


def test_steps_are_the_conformal_places_of_sorted_errors():
    """Of 59 errors 1, 2 ... 59 the 57th is at least 95 % of 60, and the 3rd from below mirrors it."""
    steps = QuantileSteps.fit(points(np.random.default_rng(0).permutation(np.arange(1.0, 60)), 2.0))
    assert (steps.edges, steps.plots) == ((), 59)
    assert steps.steps[0][HIGH] == 57 / 2
    assert steps.steps[0][LOW] == 3 / 2
    assert steps.steps[0][MIDDLE] == 30 / 2
    moved = steps.moved([0.0], [4.0], np.zeros((1, len(LEVELS))), -np.inf, 100.0)[0]
    assert moved[[LOW, MIDDLE, HIGH]].tolist() == [6.0, 60.0, 100.0]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.3, 3.0))
def test_quantiles_stay_in_order_and_bounds(seed, stated):
    validation, test = gaussians(200, stated=20 * stated, seed=seed), gaussians(50, seed=seed + 1)
    moved = QuantileSteps.fit(validation).moved(test.mean, test.deviation, test.quantiles, 0.0, 250.0)
    assert (np.diff(moved, axis=1) >= 0).all()
    assert moved.min() >= 0
    assert moved.max() <= 250


def uneven(seed: int, count: int = 6000):
    """Truth is right on average; beyond 100 errors are thrice as large as stated and truths lie above."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0, 200, count)
    high = mean > 100
    error = np.where(high, np.abs(rng.normal(0, 60, count)), rng.normal(0, 20, count))
    tiles = [f"{seed}-{index % 40}" for index in range(count)]
    return table(np.maximum(mean + error, 0), mean, tiles, 20.0)


def test_intervals_hold_where_little_and_where_much_is_predicted():
    validation, test = uneven(1), uneven(2)
    high = test.mean > 130
    for method, inside in (("conformal", 0.85), ("binned", 0.9)):
        found = recalibrated(method, validation, test, 0.0, 1000.0).of(high)
        share = covered(found, 0.9).value
        assert share == pytest.approx(inside, abs=0.03) if method == "binned" else share < inside
    found = recalibrated("binned", validation, test, 0.0, 1000.0)
    below = (found.truth < found.quantiles[:, LOW])[high].mean()
    above = (found.truth > found.quantiles[:, HIGH])[high].mean()
    assert below == pytest.approx(0.05, abs=0.02), "each end holds by itself"
    assert above == pytest.approx(0.05, abs=0.02)
    assert covered(found.of(test.mean < 80), 0.9).value == pytest.approx(0.9, abs=0.03)


def test_a_truth_of_exactly_zero_is_inside_of_an_interval_that_ends_at_zero():
    truth = np.concatenate([np.zeros(60), np.arange(60.0)])
    made = table(truth, np.full(120, 10.0), [f"v{i}" for i in range(120)], 5.0)
    made.quantiles.clip(0, out=made.quantiles)
    steps = QuantileSteps.fit(made)
    moved = steps.moved(made.mean, made.deviation, made.quantiles, 0.0, 500.0)
    assert (moved[:60, LOW] == 0).all()


def test_an_end_at_what_can_be_stays_there():
    """Water is 0, and looks as forests do whose errors would move the lower end off it."""
    steps = QuantileSteps((), ((1.0,) * len(LEVELS),), 60)
    stated = np.array([[0.0] * 3 + list(np.linspace(1, 98, len(LEVELS) - 4)) + [100.0]])
    moved = steps.moved([20.0], [2.0], stated, 0.0, 100.0)[0]
    assert moved[:3].tolist() == [0, 0, 0]
    assert moved[3] == 3.0
    assert moved[-1] == 100.0


def test_few_plots_are_refused_and_equal_predictions_share_a_bin():
    with pytest.raises(ValueError, match=f"39 plots with a truth and an answer; steps need {LEAST}"):
        QuantileSteps.fit(points(np.arange(39.0)))
    assert QuantileSteps.fit(points(np.arange(400.0))).edges == (0.0,)
    with pytest.raises(ValueError, match="a point has none"):
        QuantileSteps.fit(table(np.arange(60.0), np.zeros(60), ["v"] * 60))


def test_they_are_the_same_after_a_file():
    steps = QuantileSteps.fit(gaussians(400, seed=3))
    assert QuantileSteps.of(json.loads(json.dumps(steps.stated()))) == steps
    assert len(steps.edges) == 5
    with pytest.raises(ValueError, match="no steps of quantiles"):
        QuantileSteps.of({"edges": []})
    with pytest.raises(ValueError, match="1 rows of steps for 1 edges"):
        QuantileSteps.of({"edges": [1.0], "steps": [[0.0] * len(LEVELS)], "plots": 9})
