"""Heads on kept states: the same loss as the engine's, and a head that learns."""

import pytest
import torch

from rscovlm.data.packing import collate
from rscovlm.models.heads import make_heads
from rscovlm.models.weights import read_weights
from rscovlm.reo.cached import cached_states, predicted_from, rows_of, train_on
from rscovlm.reo.predict import predicted
from rscovlm.training.number_settings import Number
from rscovlm.training.objective import Moment, next_token
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.reo.material import plots_file, source_of

AGB = "agb_mg_per_ha"


@pytest.fixture(scope="module", params=[tiny_qwen25_vl, tiny_qwen3_vl], ids=["qwen2.5-vl", "qwen3-vl"])
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("subject")
    checkpoint = request.param(folder / "checkpoint")
    source = source_of(plots_file(folder), checkpoint, views=["swir", "sar"], answers=["number"])
    return read_weights(checkpoint, torch.float32).eval(), source


def head_of(model, **more):
    stated = {"target": AGB, "output": "mixture", "noise": "agbd_se", "mean": 100, "deviation": 90, "low": 0}
    settings = Number.model_validate({**stated, "high": 500, **more}).settings
    torch.manual_seed(0)
    return make_heads(model, {"numbers": {"agb": settings}})["agb"]


def numbers_of(source):
    return {name: torch.tensor(values).float() for name, values in source.places.numbers.items()}


@pytest.mark.parametrize(
    "settings",
    [{"trunk": "gated", "readout": "center"}, {"trunk": "mixer", "taps": "half"}, {"trunk": "attention"}],
    ids=["gated", "mixer", "attention"],
)
def test_the_loss_is_that_of_the_engine_with_frozen_towers(subject, settings):
    """The engine packs answers behind the prompts; heads do not read them, so that states are the same."""
    model, source = subject
    head = head_of(model, **settings)
    states = cached_states(model, source, settings.get("readout", "mean"), settings.get("taps", ()))
    rows = torch.arange(4)
    kept = head.loss(rows_of(states, rows), {k: v[rows] for k, v in numbers_of(source).items()})
    encoder = source.encoder
    pack = collate([source.encode(row, 0) for row in range(4)], encoder.patches, encoder.image_id)
    weights = (pack.targets >= 0).float()
    heads = torch.nn.ModuleDict({"agb": head})
    with torch.no_grad():
        found = next_token(model, heads, pack, weights / weights.sum(), Moment(0, 1)).parts
    assert found[AGB].item() == pytest.approx(kept[AGB].value.item(), rel=1e-4)


def test_a_head_learns_and_is_left_as_it_was_at_its_best(subject):
    model, source = subject
    head = head_of(model, trunk="parallel")
    states, numbers = cached_states(model, source, "mean"), numbers_of(source)
    before = head.loss(states, numbers)[AGB].value.item()
    losses = train_on(head, [states, states], [numbers, numbers], epochs=12, lr=1e-2)
    assert min(losses) < before
    after = sum(term.value.item() for term in head.loss(states, numbers).values())
    assert after == pytest.approx(min(losses), rel=1e-4)


def test_predictions_from_kept_states_are_those_of_the_model(subject):
    model, source = subject
    head = head_of(model, trunk="gated").eval()
    kept = predicted_from(head, cached_states(model, source, "mean"), source)
    found = predicted(model, head, source)
    assert kept.key.tolist() == found.key.tolist()
    assert kept.mean == pytest.approx(found.mean.clip(0, 500), rel=1e-3, abs=1e-2)
    assert kept.quantiles == pytest.approx(found.quantiles, rel=1e-3, abs=1e-1)
