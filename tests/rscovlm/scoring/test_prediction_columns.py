"""Columns of predictions as programs of the field name them."""

import pytest

from rscovlm.errors import DataError
from rscovlm.scoring.prediction_columns import columns_in, plain


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("AGB observed (Mg/ha)", "agb_observed"),
        ("Std. Dev. [t]", "std_dev"),
        (" y_true ", "y_true"),
        ("ci.lower", "ci_lower"),
    ],
)
def test_case_units_and_signs_of_a_name_do_not_count(name, told):
    assert plain(name) == told


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["y_test", "y_pred", "y_std"], {"truth": "y_test", "prediction": "y_pred", "deviation": "y_std"}),
        (
            ["", "obs", "fit", "lwr", "upr"],  # predict(lm, interval = "prediction") of R
            {"truth": "obs", "prediction": "fit", "lower": "lwr", "upper": "upr"},
        ),
        (["pred", "obs", "rowIndex", "Resample"], {"truth": "obs", "prediction": "pred"}),  # caret
        (["obs", "0.05", "0.5"], {"truth": "obs", "quantile 0.05": "0.05", "quantile 0.5": "0.5"}),
        (["obs", "quantile= 0.05"], {"truth": "obs", "quantile 0.05": "quantile= 0.05"}),  # quantregForest
        (["obs", "Q5", "q0.5"], {"truth": "obs", "quantile 0.05": "Q5", "quantile 0.5": "q0.5"}),
        (
            ["shot_number", "agbd", "agbd_se", "agbd_pi_lower", "agbd_pred"],  # GEDI L4A
            {"key": "shot_number", "truth": "agbd", "noise": "agbd_se", "prediction": "agbd_pred"},
        ),
        (["measured_agb", "model_agb"], {"truth": "measured_agb", "prediction": "model_agb"}),
        (
            ["obs", "Point Forecast pred", "Lo 80", "Hi 80", "Lo 95", "Hi 95"],  # forecast
            {
                **{"truth": "obs", "prediction": "Point Forecast pred"},
                **{"lower": "Lo 95", "upper": "Hi 95", "level": "0.95"},
            },
        ),
    ],
)
def test_tables_of_common_programs_are_understood(names, found):
    assert columns_in(names, {}, "a.csv") == found


def test_what_is_stated_goes_before_what_names_tell():
    found = columns_in(["agb", "b", "pred"], {"truth": "B"}, "a.csv")
    assert found == {"truth": "b", "prediction": "pred"}


@pytest.mark.parametrize(
    ("names", "stated", "told"),
    [
        (["a", "pred"], {}, r"a\.csv has no truth; name its column: .* \(there are a, pred\)"),
        (["truth", "a"], {}, r"has no prediction; name its column: --columns prediction=NAME"),
        (["obs", "rf_pred", "gb_pred"], {}, "rf_pred and gb_pred could be the prediction; say --columns"),
        (["12.5", "13"], {}, "its first line holds numbers; a line of names of columns is due"),
        (["truth", "pred"], {"tile": "mgrs"}, "no column 'mgrs'; there are truth, pred"),
        (["truth", "pred"], {"colour": "a"}, "'colour' is nothing that a column holds"),
    ],
)
def test_what_cannot_be_told_is_one_line(names, stated, told):
    with pytest.raises(DataError, match=told):
        columns_in(names, stated, "a.csv")
