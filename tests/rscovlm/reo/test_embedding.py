"""Ridge on pooled states, written into the weights of a head."""

import numpy as np
import pytest
import torch

from rscovlm.engines import load_model
from rscovlm.engines.numbers import head_of
from rscovlm.errors import DataError
from rscovlm.models.inputs import PatchInput, read_inputs, tiles_used
from rscovlm.reo.baselines import ridge
from rscovlm.reo.cached import predicted_from
from rscovlm.reo.embedding import as_states, features_of, fit_embed, pooled, write_embed
from rscovlm.reo.predict import TARGET, predicted
from rscovlm.scoring.predictions import LEVELS
from rscovlm.scoring.quantile_steps import QuantileSteps
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.models.heads.material import states
from tests.rscovlm.reo.material import plots_file, source_of

WIDTH = 6


def material(images):
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(count, images * WIDTH)) * 3 + 1 for count in (60, 30)]
    slope = rng.normal(size=images * WIDTH)
    return features, [100 + 20 * each @ slope + rng.normal(size=len(each)) for each in features]


@pytest.mark.parametrize("images", [1, 3])
def test_the_head_says_what_the_ridge_regression_says(images):
    features, truth = material(images)
    fitted = fit_embed(WIDTH, images, features, truth, target=TARGET)
    peer = ridge(features[0], truth[0], features[1], truth[1])
    found = fitted.head.eval()(as_states(features[1], images))
    np.testing.assert_allclose(found.mean.detach(), peer.predict(features[1]), rtol=1e-4, atol=1e-2)
    assert fitted.penalty == peer[-1].alpha
    error = np.sqrt(((peer.predict(features[1]) - truth[1]) ** 2).mean())
    assert fitted.deviation == pytest.approx(error)
    stated = found.variance.sqrt().detach().numpy()
    floor = 0.02 * fitted.head.units[1]
    np.testing.assert_allclose(stated, max(error, floor), rtol=1e-3)


def test_plots_without_a_number_do_not_count_and_too_few_are_refused():
    features, truth = material(1)
    truth[0][::2] = np.nan
    fitted = fit_embed(WIDTH, 1, features, truth, target=TARGET)
    kept = fit_embed(WIDTH, 1, [features[0][1::2], features[1]], [truth[0][1::2], truth[1]], target=TARGET)
    for own, other in zip(fitted.head.parameters(), kept.head.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    truth[1][5:] = np.nan
    with pytest.raises(
        DataError, match=r"30 training and 5 validation plots have agb_mg_per_ha; a fit needs 8"
    ):
        fit_embed(WIDTH, 1, features, truth, target=TARGET)


def test_features_are_those_that_the_head_reads():
    here = states()
    head = fit_embed(8, 1, *material_of(8), target=TARGET).head
    own, other = head(here), head(as_states(pooled(here, 1), 1))
    torch.testing.assert_close(own.mean, other.mean)


def material_of(width):
    rng = np.random.default_rng(1)
    return [rng.normal(size=(20, width))] * 2, [rng.normal(size=20)] * 2


def test_a_checkpoint_with_the_head_says_the_same_from_pixels(tmp_path):
    """Two pictures a plot, through files, the engine and its packs."""
    base = tiny_qwen3_vl(tmp_path / "base")
    source = source_of(plots_file(tmp_path, tiles=5, plots=4), base, views=["natural", "swir"])
    truth = source.places.numbers[TARGET]
    with load_model(str(base), device="cpu") as engine:
        features = features_of(engine.model, source, "center")
        width = engine.model.config.get_text_config().hidden_size
    own = {"target": TARGET, "readout": "center"}
    head = fit_embed(width, 2, [features] * 2, [truth] * 2, **own).head
    expected = predicted_from(head, as_states(features, 2), source)
    write_embed(base, tmp_path / "made", "agb", head, PatchInput.model_validate(source.inputs), ["V"])
    with load_model(str(tmp_path / "made"), device="cpu") as engine:
        found = predicted(engine.model, head_of(engine.heads, "agb"), source)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-3, atol=0.05)
    inputs = read_inputs(tmp_path / "made")
    assert inputs.views == ("natural", "swir")
    assert set(inputs.tiles) == {*source.places.tile, "V"}, "validation chose the penalty"


def test_intervals_that_were_fitted_stand_beside_the_head_with_their_tiles(tmp_path):
    base = tiny_qwen3_vl(tmp_path / "base")
    source = source_of(plots_file(tmp_path, tiles=4, plots=2), base)
    head = fit_embed(64, 1, *material_of(64), target=TARGET).head
    head.steps = QuantileSteps((), ((0.5,) * len(LEVELS),), 40)
    write_embed(base, tmp_path / "made", "agb", head, PatchInput.model_validate(source.inputs), ["V", "V"])
    assert tiles_used(tmp_path / "made") == {
        "training": set(source.places.tile),
        "the recalibration of agb": {"V"},
    }
    with load_model(str(tmp_path / "made"), device="cpu") as engine:
        assert head_of(engine.heads, "agb").steps == head.steps


def test_the_base_stays_as_it_is_and_its_weights_are_no_second_time_on_the_disk(tmp_path):
    base = tiny_qwen3_vl(tmp_path / "base")
    before = {file.name: file.read_bytes() for file in base.iterdir()}
    source = source_of(plots_file(tmp_path, tiles=4, plots=2), base)
    head = fit_embed(64, 1, *material_of(64), target=TARGET).head
    write_embed(base, tmp_path / "made", "agb", head, PatchInput.model_validate(source.inputs), [])
    assert {file.name: file.read_bytes() for file in base.iterdir()} == before
    assert (base / "model.safetensors").samefile(tmp_path / "made" / "model.safetensors")
