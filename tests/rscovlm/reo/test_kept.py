"""Rows of a comparison that was cut short."""

import numpy as np
import pytest

from rscovlm.errors import UsageError
from rscovlm.reo.kept import KeptRows
from rscovlm.scoring.predictions import LEVELS, Predictions

NAMES = np.array(["a", "b"])
PLAIN = Predictions(NAMES, NAMES, np.array([1.0, np.nan]), np.array([2.0, 3.0]))
SPREAD = Predictions(
    NAMES, NAMES, np.zeros(2), np.ones(2), np.ones((2, len(LEVELS))), np.ones(2), NAMES, np.ones(2)
)


def test_a_row_is_made_once_and_comes_back_as_it_was(tmp_path):
    made = []

    def making(row):
        return lambda: made.append(row) or row

    for _ in range(2):
        rows = KeptRows(tmp_path, {"plots": 2})
        rows.row("spread, ms+sar", making(SPREAD))
        rows.row("validation", making(SPREAD), shown=False)
        rows.row("plain", making(PLAIN))
        assert list(rows.found) == ["spread, ms+sar", "plain"]
        for name, row in (("spread, ms+sar", SPREAD), ("plain", PLAIN)):
            for each in row.__dataclass_fields__:
                kept, own = getattr(rows.found[name], each), getattr(row, each)
                assert (kept is None) == (own is None)
                if own is not None:
                    np.testing.assert_array_equal(kept, own)
    assert len(made) == 3


def test_a_row_that_could_not_be_made_leaves_nothing(tmp_path):
    rows = KeptRows(tmp_path, {"plots": 2})
    with pytest.raises(ZeroDivisionError):
        rows.row("broken", lambda: 1 / 0)
    assert [each.name for each in (tmp_path / "rows").iterdir()] == ["settings.json"]


def test_rows_of_other_settings_are_refused(tmp_path):
    KeptRows(tmp_path, {"plots": 2, "epochs": 3})
    with pytest.raises(UsageError, match="holds rows of plots 2, epochs 3; give the same, or another folder"):
        KeptRows(tmp_path, {"plots": 2, "epochs": 4})
