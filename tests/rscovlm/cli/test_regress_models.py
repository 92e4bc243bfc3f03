"""``rscovlm regress`` of several models."""

import json

import numpy as np
import pytest
import rasterio

from tests.rscovlm.regression import INPUTS, Reader, checkpoint, map_checkpoint, plateau, scene


class Shifted(Reader):
    """A reader of pixels that says more by ``shift``."""

    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def estimate(self, conversations, targets, numbers=None):
        (said,) = super().estimate(conversations, targets, numbers)
        return [type(said).gaussian(said.mean + self.shift, said.variance.sqrt())]


@pytest.fixture
def two(monkeypatch, tmp_path):
    """Two checkpoints, of which the second says 40 more; its head has another name."""
    first, second = checkpoint(tmp_path / "first"), checkpoint(tmp_path / "second")
    known = json.loads((second / "rscovlm.json").read_text())
    known["heads"] = {"numbers": {"biomass": {"target": "agb_mg_per_ha"}}}
    (second / "rscovlm.json").write_text(json.dumps(known))

    def load(chosen, **_):
        engine = Shifted(40 if chosen.local == second else 0)
        if chosen.local == second:
            engine.heads["biomass"] = engine.heads.pop("agb")
        return engine

    monkeypatch.setattr("rscovlm.engines.load_model", load)
    return ("--model", first, "--model", second)


def test_a_patch_gets_the_mean_of_models_and_an_interval_that_holds_both(run, two, tmp_path):
    patch = scene(tmp_path / "patch.tif", np.full((25, 25), 120.0))
    told = json.loads(run("regress", patch, *two, "--json").out)
    assert told["mean"] == pytest.approx(140)
    assert told["standard_deviation"] == pytest.approx(np.sqrt(10**2 + 20**2))
    assert told["lower"] < 120 < 160 < told["upper"]


def test_a_map_of_models_says_which_they_are(run, two, tmp_path):
    values, green = plateau(4, 5)
    path = scene(tmp_path / "scene.tif", green)
    done = run("regress", path, *two, "--output", tmp_path / "m.tif")
    assert done.code == 0, done.err
    with rasterio.open(tmp_path / "m.tif") as dataset:
        np.testing.assert_allclose(dataset.read(1), values + 20, atol=1e-4)
        assert "regress, mean of models " in dataset.tags()["source"]
        assert dataset.descriptions[0] == "agb"


def test_models_that_cannot_be_asked_together_are_named(run, no_model, tmp_path):
    path = scene(tmp_path / "scene.tif", plateau(4, 5)[1])
    first = checkpoint(tmp_path / "first")

    def refused(second, *more):
        done = run(
            "regress", path, "--model", first, "--model", second, "--output", tmp_path / "m.tif", *more
        )
        assert (done.code, done.err.count("\n")) == (2, 1)
        return done.err

    assert "stands twice" in refused(first)
    other = checkpoint(tmp_path / "other", INPUTS.model_copy(update={"patch_px": 50}))
    assert "patch_px of theirs are 25 and 50" in refused(other)
    kilos = INPUTS.targets["agb_mg_per_ha"].model_copy(update={"unit": "kg m-2"})
    unit = checkpoint(tmp_path / "u", INPUTS.model_copy(update={"targets": {"agb_mg_per_ha": kilos}}))
    assert "agb is in Mg ha-1 and in kg m-2" in refused(unit)
    assert "has no head for 'agb_mg_per_ha'" in refused(map_checkpoint(tmp_path / "maps"))
