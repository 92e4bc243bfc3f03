"""Steps of a head fitted on plots."""

import pytest

from rscovlm.errors import DataError
from rscovlm.reo.calibration import fitted
from tests.rscovlm.scoring.test_predictions import gaussians, table


def test_the_share_before_is_told():
    steps, held = fitted("agb", gaussians(400, stated=5.0, seed=1))
    assert steps.plots == 400
    assert held < 0.6


def test_tiles_of_training_and_heads_without_a_spread_are_refused():
    plots = gaussians(80, seed=1)
    with pytest.raises(DataError, match=f"not on those of tile {plots.tile[0]}"):
        fitted("agb", plots, [str(plots.tile[0])])
    with pytest.raises(DataError, match="head agb: recalibration needs predictions with a spread"):
        fitted("agb", table([1.0] * 50, [1.0] * 50, ["a"] * 50))
    with pytest.raises(DataError, match="head agb: 3 plots with a truth"):
        fitted("agb", table([1.0] * 3, [1.0] * 3, ["a"] * 3, 1.0))
