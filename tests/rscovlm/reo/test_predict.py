"""Predictions about plots: order, truth, words, and which head is meant."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rscovlm.cli import main
from rscovlm.data.plot_questions import QUESTIONS
from rscovlm.data.splits import check_apart
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.errors import DataError, ModelError
from rscovlm.models.families import FAMILIES
from rscovlm.models.heads import make_heads
from rscovlm.models.weights import read_weights
from rscovlm.reo.predict import known_by, number_head, packs, predicted, read, said
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.reo.material import plots_file, source_of
from zoom_chain.chat import Reply


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def source(checkpoint, tmp_path_factory):
    return source_of(plots_file(tmp_path_factory.mktemp("plots")), checkpoint, views=["natural", "sar"])


@pytest.fixture(scope="module")
def model(checkpoint):
    return read_weights(checkpoint, torch.float32).eval()


def head_of(model, **settings):
    return make_heads(model, {"numbers": {"agb": {"target": "agb_mg_per_ha", **settings}}})["agb"].eval()


def test_packs_hold_all_plots_in_order_with_their_numbers(source):
    made = list(packs(source, "number", plots=8))
    assert [len(pack.keys) for pack in made] == [8, 8, 2]
    assert [key.index for pack in made for key in pack.keys] == list(range(18))
    agb = torch.cat([pack.sample_extras["agb_mg_per_ha"] for pack in made])
    assert agb.tolist() == pytest.approx(source.places.numbers["agb_mg_per_ha"])


def test_a_prediction_stands_at_its_plot_whatever_it_is_packed_with(model, source):
    head = head_of(model, output={"name": "gaussian"}, mean=100.0, deviation=50.0, taps=())
    found = predicted(model, head, source)
    assert found.key.tolist() == [source.key(row) for row in range(18)]
    assert found.tile.tolist() == source.places.tile.tolist()
    assert found.truth == pytest.approx(source.places.numbers["agb_mg_per_ha"])
    assert found.noise == pytest.approx(source.places.numbers["agbd_se"])
    assert (np.diff(found.quantiles, axis=1) > 0).all()
    (last,) = list(packs(source, "number", plots=1))[17:]
    assert read(model, head, last).mean.item() == pytest.approx(found.mean[17], rel=1e-4)


def test_a_point_states_no_spread(model, source):
    found = predicted(model, head_of(model), source)
    assert found.quantiles is None
    assert found.deviation is None


def test_words_are_read_as_numbers_and_refusals_are_missing(model, source, checkpoint, monkeypatch):
    replies = iter(["120 Mg/ha", "I cannot tell.", "12 kg/m2", *["7"] * 15])

    def chat(self, conversations, options):
        return [Reply(next(replies), "stop", 1, 1, 1) for _ in conversations]

    monkeypatch.setattr(TransformersEngine, "chat", chat)
    encoder = source.encoder
    engine = TransformersEngine(model, encoder.tokenizer, encoder.patches, FAMILIES["qwen3-vl"], "tiny")
    found = said(engine, source)
    assert found.mean[:4].tolist() == pytest.approx([120, np.nan, 120, 7], nan_ok=True)
    assert found.usable.sum() == 17


def test_the_head_is_named_where_there_are_several(model):
    two = make_heads(model, {"numbers": {"agb": {"target": "a"}, "height": {"target": "h"}}})
    assert number_head(two, "height").settings["target"] == "h"
    with pytest.raises(ModelError, match="the model has heads agb, height; name one of them"):
        number_head(two)
    with pytest.raises(ModelError, match="no head of numbers; train one"):
        number_head(torch.nn.ModuleDict())


def test_a_run_keeps_with_its_model_how_plots_are_shown_and_which_tiles_it_has_seen(
    checkpoint, tmp_path, capsys
):
    """From the command to predictions on tiles that it has not seen, shown in the same way."""
    file = plots_file(tmp_path, tiles=12)
    options = "{files: [plots.h5], views: [natural, sar], answers: [number]}"
    (tmp_path / "mix.yaml").write_text(f"sources:\n  - {{name: p, generator: agbd, options: {options}}}\n")
    own = "{target: agb_mg_per_ha, trunk: mixer, taps: half, output: mixture, deviation: 90}"
    head = f"heads.numbers={{agb: {own}}}"
    small = [
        "steps=1",
        "batch.samples=4",
        "workers=0",
        "evaluation.every=null",
        "logging={tensorboard: false}",
    ]
    arguments = [f"model={checkpoint}", f"mix={tmp_path / 'mix.yaml'}", head, *small]
    assert main(["train", "synth", *arguments, "--output", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    folder = tmp_path / "run" / "model"
    (inputs,) = json.loads((folder / "rscovlm.json").read_text())["inputs"].values()
    shown = {name: inputs[name] for name in ("views", "side", "fit", "scaling")}
    test = source_of(file, folder, split="test", **shown)
    check_apart({"train": inputs["tiles"], "test": test.places.tile.tolist()})
    with load_model(str(folder), device="cpu") as engine:
        found = predicted(engine.model, number_head(engine.heads), test)
    assert len(found.mean) == len(test) > 0
    assert np.isfinite(found.quantiles).all()


def test_two_passes_read_what_the_model_said_and_teacher_forcing_what_is_true(model, source, checkpoint):
    first = source_of(source.files[0], checkpoint, views=["natural"], knowledge="cover")
    head = head_of(model, trunk={"name": "gated"})
    forced = predicted(model, head, first)
    truth = [first.cover(row) for row in range(len(first))]
    same = predicted(model, head, first, known=truth)
    other = predicted(model, head, first, known=["water"] * len(first))
    assert forced.mean == pytest.approx(same.mean, rel=1e-6)
    assert np.abs(forced.mean - other.mean).max() > 1e-4


def test_what_is_said_first_comes_from_the_engine(source, checkpoint):
    first = source_of(source.files[0], checkpoint, views=["natural"], knowledge="cover")
    asked = []

    def chat(conversations, options):
        asked.extend(conversations)
        return [Reply(" open forest\n") for _ in conversations]

    assert known_by(SimpleNamespace(chat=chat), first) == ["open forest"] * len(first)
    assert asked[0].messages[0].text == QUESTIONS["cover"]
    with pytest.raises(DataError, match="asks nothing before the number"):
        known_by(SimpleNamespace(chat=chat), source)
