"""Stacked weights: closed forms, and what a checkpoint keeps of them."""

import json

import numpy as np
import pytest

from rscovlm.errors import DataError
from rscovlm.reo.stacking import save_ensemble, stacking_weights
from rscovlm.scoring.predictions import Predictions


def test_weights_are_those_of_least_squares_on_the_simplex():
    # Errors of variance 1 and 4 that are independent: 4 / 5 and 1 / 5.
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 300, 20_000)
    means = np.stack([truth + rng.normal(0, 1, len(truth)), truth + rng.normal(0, 2, len(truth))], axis=1)
    assert stacking_weights(means, truth) == pytest.approx([0.8, 0.2], abs=0.02)


def test_a_member_that_only_harms_has_no_weight():
    truth = np.linspace(0, 100, 50)
    weights = stacking_weights(np.stack([truth, truth + 80], axis=1), truth)
    assert weights == pytest.approx([1, 0], abs=1e-3)
    assert weights.sum() == pytest.approx(1)


def test_no_plot_makes_no_weights():
    with pytest.raises(ValueError, match="0 plots; weights need one or more"):
        stacking_weights(np.zeros((0, 2)), np.zeros(0))


def table(mean, tile="a", key="p"):
    count = len(mean)
    keys = np.array([f"{key}{i}" for i in range(count)])
    truth = np.linspace(10, 200, count)
    return Predictions(keys, np.array([tile] * count), truth, np.asarray(mean, float))


def test_an_ensemble_is_kept_beside_the_heads(tmp_path):
    heads = {"numbers": {"one": {"target": "agb"}, "other": {"target": "agb"}}}
    (tmp_path / "rscovlm.json").write_text(json.dumps({"family": "nano", "heads": heads}))
    truth = np.linspace(10, 200, 9)
    weights = save_ensemble(tmp_path, "both", {"one": table(truth + 10), "other": table(truth - 30)}, ["b"])
    assert weights == pytest.approx({"one": 0.75, "other": 0.25}, abs=1e-3)
    kept = json.loads((tmp_path / "rscovlm.json").read_text())
    assert kept["family"] == "nano"
    assert kept["heads"]["numbers"] == heads["numbers"]
    assert kept["heads"]["ensembles"]["both"]["fuse"] == "stacked"
    assert kept["heads"]["ensembles"]["both"]["members"] == ["one", "other"]
    assert kept["heads"]["ensembles"]["both"]["tiles"] == ["a"], "so that they are not scored on it"


def test_plots_of_training_others_and_taken_names_are_refused(tmp_path):
    (tmp_path / "rscovlm.json").write_text(json.dumps({"heads": {"numbers": {"one": {}, "other": {}}}}))
    truth = np.linspace(10, 200, 9)
    pair = {"one": table(truth), "other": table(truth)}
    with pytest.raises(DataError, match="not on those of tile a"):
        save_ensemble(tmp_path, "both", pair, ["a"])
    with pytest.raises(DataError, match="asked about different plots"):
        save_ensemble(tmp_path, "both", {"one": table(truth), "other": table(truth, key="q")})
    with pytest.raises(DataError, match="has a head called 'one' already"):
        save_ensemble(tmp_path, "one", pair)
