"""Baselines: what they know, and that what they do not need is not read from the test plots."""

import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile
from rscovlm.data.plot_views import CHANNELS
from rscovlm.reo.baselines import band_statistics, boosted, by_cover, constant, ridge
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
