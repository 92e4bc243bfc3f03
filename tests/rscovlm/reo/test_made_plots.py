"""Made plots in three splits that share no tile, and heads on their kept states."""

import numpy as np
import pytest

from rscovlm.data.encoding import Encoder
from rscovlm.engines import load_model
from rscovlm.errors import DataError
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.reo.cached import cached_states, predicted_from
from rscovlm.reo.made_plots import Splits, head_on, write_plots
from rscovlm.reo.predict import TARGET

LIMITS = {"train": 16, "val": 8, "test": 6}
HEAD = {"target": TARGET, "trunk": "parallel", "output": "quantiles", "low": 0.0, "high": 500.0}


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    file = tmp_path_factory.mktemp("made") / "new" / "plots.h5"
    write_plots(file, seed=5, tiles=24, plots=3)
    return Splits.of(file, Encoder.of_checkpoint(NANO_FOLDER), 5, LIMITS, views=["natural"])


def test_a_file_of_these_plots_is_left_alone_and_one_of_others_refused(tmp_path):
    file = tmp_path / "plots.h5"
    write_plots(file, seed=5, tiles=2, plots=1)
    before = file.read_bytes()
    write_plots(file, seed=5, tiles=2, plots=1)
    assert file.read_bytes() == before
    for other in ({"tiles": 3}, {"dates": 2}):
        with pytest.raises(DataError, match="2 plots of 1 date, not"):
            write_plots(file, **{"seed": 5, "tiles": 2, "plots": 1} | other)


def test_splits_share_no_tile_and_are_shown_as_the_training_plots_are(splits):
    tiles = [set(each.places.tile.tolist()) for each in splits]
    assert [len(each) for each in splits] == list(LIMITS.values())
    assert not tiles[0] & tiles[1]
    assert not tiles[1] & tiles[2]
    assert not tiles[0] & tiles[2]
    assert all(each.scaling == splits.train.scaling for each in splits)


def test_regions_of_the_other_splits_are_those_of_the_training_plots(splits, monkeypatch):
    monkeypatch.setattr("rscovlm.data.plot_regions.LEAST", 1)
    encoder = splits.train.encoder
    file = splits.train.files[0]
    own = Splits.of(file, encoder, 5, LIMITS, views=["natural"], regions="cover")
    assert own.test.regions == own.val.regions == own.train.regions


def test_numbers_are_those_of_the_plots(splits):
    for own, source in zip(splits.numbers, splits, strict=True):
        np.testing.assert_allclose(own[TARGET].numpy(), source.places.numbers[TARGET], rtol=1e-6)


def test_a_head_takes_its_units_from_the_training_plots_and_a_seed_makes_it_again(splits):
    with load_model("nano", device="cpu") as engine:
        states = [cached_states(engine.model, each, "center") for each in splits]
        made = [head_on(engine.model, splits, states, epochs=1, seed=seed, **HEAD) for seed in (3, 3, 4)]
    known = splits.train.places.numbers[TARGET]
    assert made[0].units == pytest.approx((known.mean(), known.std()))
    said = [predicted_from(head, states[2], splits.test).mean for head in made]
    np.testing.assert_array_equal(said[0], said[1])
    assert not np.array_equal(said[0], said[2])
    assert np.isfinite(said[0]).all()
