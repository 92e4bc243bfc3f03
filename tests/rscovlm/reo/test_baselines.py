"""Baselines: what they know, and that what they do not need is not read from the test plots."""

import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile
from rscovlm.data.plot_views import CHANNELS
from rscovlm.errors import DataError
from rscovlm.reo.baselines import RGB, band_statistics, baseline_rows, boosted, by_cover, constant, ridge
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.reo.material import plots_file, source_of


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    checkpoint, file = tiny_qwen3_vl(folder / "checkpoint"), plots_file(folder, tiles=10, plots=4)
    return {split: source_of(file, checkpoint, split=split) for split in ("train", "test")}


def test_the_constant_is_the_mean_of_training(sources):
    found = constant(sources["train"], sources["test"])
    assert set(found.mean) == {sources["train"].places.numbers["agb_mg_per_ha"].mean()}
    assert len(found.mean) == len(sources["test"])


def test_a_land_cover_is_given_its_mean_in_training_and_the_constant_where_it_is_new(sources):
    train, test = sources["train"], sources["test"]
    found, covers = by_cover(train, test), train.covers()
    truth = train.places.numbers["agb_mg_per_ha"]
    for cover, value in zip(test.covers(), found.mean, strict=True):
        known = truth[covers == cover]
        assert value == pytest.approx(known.mean() if len(known) else truth.mean())


def test_statistics_are_of_the_middle_and_of_the_whole_plot(sources):
    source = sources["train"]
    found = band_statistics(source)
    assert found.shape == (len(source), 2 * len(CHANNELS))
    with AgbdFile(source.files[0]) as opened:
        plot = opened.read(str(source.places.group[2]), int(source.places.row[2]))
    red = CHANNELS.index("B04")
    assert found[2, red] == pytest.approx(plot.reflectance[11:14, 11:14, 3].mean())
    assert found[2, len(CHANNELS) + red] == pytest.approx(plot.reflectance[..., 3].mean())


def test_a_ridge_finds_a_line_and_trees_a_step():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 3))
    line = 3 + features @ [2.0, 0.0, -1.0]
    model = ridge(features[:400], line[:400], features[400:], line[400:])
    assert model.predict(features[400:]) == pytest.approx(line[400:], abs=1e-2)
    step = np.where(features[:, 0] > 0, 100.0, 0.0)
    trees = boosted(features[:400], step[:400])
    assert np.abs(trees.predict(features[400:]) - step[400:]).mean() < 5


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    checkpoint, file = tiny_qwen3_vl(folder / "checkpoint"), plots_file(folder, tiles=24, plots=4)
    return [source_of(file, checkpoint, split=split) for split in ("train", "val", "test")]


def test_rows_are_those_of_their_parts_and_trees_of_several_seeds_stand_one_after_the_other(splits):
    train, _, test = splits
    found = baseline_rows(*splits, sets={"RGB": RGB}, seeds=2, high=300.0)
    assert list(found) == ["constant", "land cover", "ridge on bands, RGB", "boosted trees on bands, RGB"]
    np.testing.assert_array_equal(found["land cover"].mean, by_cover(train, test).mean)
    columns = [*RGB, *(len(CHANNELS) + channel for channel in RGB)]
    seen = [band_statistics(each)[:, columns] for each in splits]
    truth = [each.places.numbers["agb_mg_per_ha"] for each in splits]
    line = ridge(seen[0], truth[0], seen[1], truth[1]).predict(seen[2])
    np.testing.assert_allclose(found["ridge on bands, RGB"].mean, np.clip(line, 0, 300))
    trees = [np.clip(boosted(seen[0], truth[0], seed).predict(seen[2]), 0, 300) for seed in (0, 1)]
    np.testing.assert_allclose(found["boosted trees on bands, RGB"].mean, np.concatenate(trees))


def test_plots_without_the_number_are_not_learnt_from(splits, monkeypatch):
    train = splits[0]
    truth = train.places.numbers["canopy_height_m"].copy()
    truth[::2] = np.nan
    monkeypatch.setitem(train.places.numbers, "canopy_height_m", truth)
    found = baseline_rows(*splits, target="canopy_height_m", sets={"RGB": RGB})
    assert found["constant"].mean[0] == pytest.approx(np.nanmean(truth))
    assert all(np.isfinite(each.mean).all() for each in found.values())
    monkeypatch.setitem(train.places.numbers, "canopy_height_m", np.full(len(train), np.nan))
    with pytest.raises(DataError, match="no plot of training, or of validation, has canopy_height_m"):
        baseline_rows(*splits, target="canopy_height_m")


def test_bands_that_no_plot_has_are_left_out(splits, monkeypatch):
    def without_radar(source):
        found = band_statistics(source)
        found[:, [12, 13, len(CHANNELS) + 12, len(CHANNELS) + 13]] = np.nan
        return found

    monkeypatch.setattr("rscovlm.reo.baselines.band_statistics", without_radar)
    assert "ridge on bands, optical and radar" not in baseline_rows(*splits)
