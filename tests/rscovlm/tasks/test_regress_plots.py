"""Plots in a scene: tables, places, and intervals that hold in it afterwards."""

import numpy as np
import pytest
import torch

from rscovlm.errors import DataError, UsageError
from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.heads.distribution.recalibrated import recalibrated
from rscovlm.models.sensors import open_as, read_sensor
from rscovlm.scoring.predictions import LEVELS
from rscovlm.tasks.regress import Run
from rscovlm.tasks.regress_layout import EVEN, Layout
from rscovlm.tasks.regress_plots import fit_on_plots, read_plots
from tests.rscovlm.regression import INPUTS, Reader, plateau, scene
from tiling.overrides import AS_STORED
from tiling.stack import Stack

BIAS = 30.0


class Recalibrating(Reader):
    """Says the green value, sure to 3; states what its head's steps make of it."""

    def estimate(self, conversations, targets, numbers=None):
        means = [float(each.images[0].read()[32, 32, 1]) for each in conversations]
        said = Mixture.gaussian(torch.tensor(means), torch.full((len(means),), 3.0))
        head = self.heads["agb"]
        return [said if head.steps is None else recalibrated(said, head.steps, 0.0, None) for _ in targets]


@pytest.fixture
def ground(tmp_path):
    """A run over a scene of squares of 25 px, and their values."""
    values, green = plateau(20, 30)
    opened = open_as(scene(tmp_path / "s.tif", green), read_sensor("sentinel2-l2a"), AS_STORED)
    stack = Stack((opened,))
    layout = Layout.of(stack.scene.width, stack.scene.height, 25, 25, EVEN)
    yield Run(stack, INPUTS, Recalibrating(), ("agb",), 0.9, layout), values
    stack.close()


def squares(run, values, count, seed=0):
    """Middles of squares as longitudes and latitudes, with truths that lie above what green says."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(values.size)[:count]
    rows, columns = np.divmod(chosen, values.shape[1])
    places = run.stack.scene.to_lonlat(np.stack([columns * 25 + 12.5, rows * 25 + 12.5], axis=1))
    truth = values[rows, columns] + BIAS + rng.normal(0, 8, count)
    return places, truth


def write(path, places, truth, head="lon,lat,name,agb"):
    lines = [f"{x!r},{y!r},plot {i},{t!r}" for i, ((x, y), t) in enumerate(zip(places, truth, strict=True))]
    path.write_text("\n".join([head, *lines]).replace("np.float64(", "").replace(")", "") + "\n")
    return path


def test_intervals_hold_in_the_scene_after_plots_of_it(ground, tmp_path):
    run, values = ground
    places, truth = squares(run, values, 600)
    path = write(tmp_path / "plots.csv", places[:300], truth[:300])
    fitted = fit_on_plots(run, read_plots(path), path)
    assert fitted["agb"].steps.plots == 300
    assert fitted["agb"].inside < 0.1
    assert fitted["agb"].truths == (truth[:300].min(), truth[:300].max())
    assert run.engine.heads["agb"].steps is fitted["agb"].steps
    held = write(tmp_path / "held.csv", places[300:], truth[300:])
    from rscovlm.tasks.regress_plots import _patches, _said

    kept, shown = _patches(run, read_plots(held))
    quantiles = _said(run, shown)["agb"].quantiles
    low, high = (quantiles[:, LEVELS.index(level)] for level in (0.05, 0.95))
    inside = (truth[300:][kept] >= low) & (truth[300:][kept] <= high)
    assert inside.mean() == pytest.approx(0.9, abs=0.05)


def test_places_in_the_crs_of_the_scene_are_the_same(ground, tmp_path):
    run, values = ground
    places, truth = squares(run, values, 50)
    degrees = read_plots(write(tmp_path / "a.csv", places, truth)).pixels(run.stack.scene)
    there = run.stack.scene.to_map(degrees)
    metres = read_plots(write(tmp_path / "b.csv", there, truth, "x,y,name,agb_mg_per_ha"))
    np.testing.assert_allclose(metres.pixels(run.stack.scene), degrees, atol=1e-5)
    assert fit_on_plots(run, metres, tmp_path / "b.csv")["agb"].steps.plots == 50, "by what the head gives"
    np.testing.assert_allclose(degrees % 25, 12.5, atol=1e-5)


def test_names_of_columns_are_of_any_case(ground, tmp_path):
    run, values = ground
    path = write(tmp_path / "a.csv", *squares(run, values, 50), head="Lon, LAT,Name,AGB")
    assert fit_on_plots(run, read_plots(path), path)["agb"].steps.plots == 50


def test_plots_outside_and_on_nodata_do_not_count(ground, tmp_path):
    run, values = ground
    places, truth = squares(run, values, 45)
    places[:9] += 3.0
    path = write(tmp_path / "plots.csv", places, truth)
    with pytest.raises(
        UsageError, match="36 of 45 plots lie on valid pixels of the scene; intervals need 40"
    ):
        fit_on_plots(run, read_plots(path), path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no columns lon and lat, or x and y, split by commas; there are a, b"),
        ("lon;lat\n1;2\n", "split by commas; there are lon;lat"),
        ("lon,lat,agb\n", "has no plots: there is no row below its header"),
        ("lon,lat,agb\n1\n", "is no table of plots"),
        ("lon,lat,agb\n1,north,3\n", "is no table of plots"),
        ("", "there are none"),
    ],
)
def test_tables_that_say_no_place_are_refused(tmp_path, text, words):
    (tmp_path / "plots.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_plots(tmp_path / "plots.csv")


def test_a_target_without_a_column_is_named(ground, tmp_path):
    run, values = ground
    path = write(tmp_path / "plots.csv", *squares(run, values, 50), head="lon,lat,name,height")
    with pytest.raises(UsageError, match="no column agb or agb_mg_per_ha with the true numbers"):
        fit_on_plots(run, read_plots(path), path)
