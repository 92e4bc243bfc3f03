"""Files of predictions, with spreads in all forms."""

import numpy as np
import pytest

from rscovlm.errors import DataError
from rscovlm.scoring.distributions import ensemble_crps, gaussian_crps, mixture_nll, quantile_crps
from rscovlm.scoring.prediction_files import stated_in
from rscovlm.scoring.predictions import LEVELS


def one(**columns):
    return stated_in([{"truth": 100.0, **columns}], "x.csv")


def at(found, level):
    return found.predictions.quantiles[0, LEVELS.index(level)]


def test_a_deviation_is_a_gaussian_with_its_closed_scores():
    found = one(prediction=120, std=10)
    assert found.form == "gaussian"
    assert at(found, 0.95) == pytest.approx(120 + 16.449, abs=1e-3)
    assert found.crps[0] == pytest.approx(gaussian_crps(120, 10, 100).item())
    own = quantile_crps(found.predictions.quantiles, LEVELS, found.predictions.truth)[0]
    assert own == pytest.approx(found.crps[0], rel=0.05)


def test_an_interval_may_be_wider_on_one_side():
    found = stated_in([{"truth": 1, "mean": 100, "lower": 90, "upper": 140}], "x", level=0.9)
    assert found.form == "interval"
    assert (at(found, 0.05), at(found, 0.5), at(found, 0.95)) == pytest.approx((90, 100, 140))


@pytest.mark.parametrize("names", [("q05", "q50", "q95"), ("q0.05", "q0.5", "q0.95"), ("p5", "p50", "p95")])
def test_quantiles_by_any_spelling_of_their_levels(names):
    found = one(**dict(zip(names, (90.0, 100.0, 110.0), strict=True)))
    assert found.form == "quantiles"
    assert found.predictions.mean[0] == 100
    assert (at(found, 0.05), at(found, 0.95)) == pytest.approx((90, 110))
    assert at(found, 0.975) == pytest.approx(100 + 10 * 1.96 / 1.6449, abs=0.01)  # goes on as a Gaussian


def test_members_have_the_fair_score():
    found = one(members=[90, 100, 110, 140])
    assert (found.form, found.predictions.mean[0]) == ("members", 110)
    assert found.crps[0] == pytest.approx(ensemble_crps([90.0, 100, 110, 140], 100).item())
    columns = one(member_0=90, member_1=100, member_2=110, member_3=140)
    assert columns.crps[0] == found.crps[0]


def test_mixtures_have_their_likelihood_and_quantiles():
    found = one(weights=[0.5, 0.5], means=[50.0, 150.0], deviations=[1.0, 1.0])
    assert found.predictions.mean[0] == 100
    assert found.nll[0] == pytest.approx(mixture_nll([0.5, 0.5], [50.0, 150.0], [1.0, 1.0], 100).item())
    assert at(found, 0.25) == pytest.approx(50, abs=0.01)
    assert found.predictions.deviation[0] == pytest.approx(np.sqrt(2501))


def test_a_number_alone_states_no_spread():
    found = one(y_pred=90)
    assert (found.form, found.predictions.quantiles, found.crps) == ("none", None, None)


def test_words_are_read_in_the_unit():
    rows = [
        {"truth": 120, "prediction": "about 12 kg/m2"},
        {"truth": 120, "prediction": "It cannot be determined."},
        {"truth": 120, "prediction": ""},
    ]
    found = stated_in(rows, "x", unit="Mg/ha")
    assert found.predictions.mean[0] == 120
    assert np.isnan(found.predictions.mean[1:]).all()
    assert found.declined == 1


def test_columns_are_named_where_their_names_do_not_tell():
    found = stated_in(
        [{"a": 1, "b": 2, "where": "t"}], "x", {"truth": "a", "prediction": "b", "tile": "where"}
    )
    assert (found.predictions.truth[0], found.predictions.mean[0], found.predictions.tile[0]) == (1, 2, "t")


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([{"prediction": 1}], {}, "no truth; name its column"),
        ([{"truth": 1}], {}, "no prediction; name its column"),
        ([{"truth": 1, "prediction": 1}], {"tile": "gone"}, "no column 'gone'; there are truth, prediction"),
        ([{"truth": 1, "prediction": 1}], {"colour": "a"}, "'colour' is nothing that a column holds"),
        ([{"truth": "many", "prediction": 1}], {}, "truth of row 1 is 'many'; a number is due"),
        ([{"truth": 1, "mean": 1, "lower": 2, "upper": 0}], {}, "lower is above upper in row 1"),
        ([{"truth": 1, "members": [1, 2]}, {"truth": 1, "members": [1]}], {}, "lists of numbers, all of one"),
        ([], {}, "holds no predictions"),
    ],
)
def test_what_cannot_be_read_is_said(rows, columns, told):
    with pytest.raises(DataError, match=told):
        stated_in(rows, "x.csv", columns)


@pytest.mark.parametrize("gap", [None, "", "NA", "NaN", "null", "-", -9999, "-9999", "-99999.0"])
def test_what_stands_for_no_value_does_not_count_on_either_side(gap):
    rows = [{"truth": 10, "prediction": 12}, {"truth": gap, "prediction": 3}, {"truth": 4, "prediction": gap}]
    found = stated_in(rows, "a.csv")
    assert found.predictions.usable.tolist() == [True, False, False]
    assert bool(found.notes) == str(gap).startswith("-9")


def test_numbers_may_have_their_unit_in_both_columns():
    found = stated_in([{"truth": "120.5 Mg/ha", "prediction": "13 kg/m2"}], "a.csv", unit="Mg/ha")
    assert (found.predictions.truth.tolist(), found.predictions.mean.tolist()) == ([120.5], [130])
    found = stated_in([{"truth": "22.5 %", "prediction": "20%"}], "a.csv", unit="%")
    assert (found.predictions.truth.tolist(), found.predictions.mean.tolist()) == ([22.5], [20])
    with pytest.raises(DataError, match=r"truth of row 1 is '22.5 %'; a number is due, or --unit %"):
        stated_in([{"truth": "22.5 %", "prediction": 20}], "a.csv", unit="Mg/ha")


def test_keys_that_stand_twice_and_columns_of_unusual_names_are_told():
    rows = [{"shot_number": 7, "agb_ref": 1, "rf_pred": 2}, {"shot_number": 7, "agb_ref": 2, "rf_pred": 2}]
    assert stated_in(rows, "a.csv").notes == (
        "1 of 2 rows have the shot_number of another; each counts",
        "the truth is taken from the column agb_ref",
        "the prediction is taken from the column rf_pred",
    )
    assert stated_in(rows[:1], "a.csv", {"truth": "agb_ref", "prediction": "rf_pred"}).notes == ()


def test_bounds_whose_names_state_a_level_are_of_it():
    row = {"obs": 100.0, "pred": 100.0, "lower_95": 100 - 19.6, "upper_95": 100 + 19.6}
    assert stated_in([row], "a.csv", level=0.5).predictions.deviation[0] == pytest.approx(10, abs=0.01)
