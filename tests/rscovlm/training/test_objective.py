"""Objectives and heads by name in a configuration: reached by the ordinary command, kept by the export."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from configs import ConfigError
from rscovlm.cli import main
from rscovlm.data.packing import collate
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.data.store import write_samples
from rscovlm.engines import load_model
from rscovlm.errors import UsageError
from rscovlm.models.heads import HEADS
from rscovlm.models.heads.numbers.states import States
from rscovlm.models.weights import read_weights
from rscovlm.training.building import build, open_base
from rscovlm.training.config import load_train_config
from rscovlm.training.head_settings import Heads
from rscovlm.training.logs import read_log
from rscovlm.training.objective import FromTeacher, Moment, NearNumbers, objective_of
from rscovlm.training.run import open_mix
from rscovlm.training.settings import SoftNumbers
from rscovlm.training.targets import DigitNumbers, WholeNumbers
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.painted import paint


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    """Twelve pictures of forests; of all but one the biomass is known, which their brightness says."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("mix")
    samples = []
    for index in range(12):
        path = folder / f"{index}.png"
        Image.fromarray(np.full((64, 96, 3), 20 * index, dtype=np.uint8)).save(path)
        targets = {} if index == 5 else {"agb_mg_ha": 10.0 * index}
        image = ImageRef(path.name, size=(64, 96))
        fields = {"classes": ("forest", "water"), "answer": "forest", "targets": targets, "gsd_m": 10.0}
        samples.append(Sample(str(index), "classification", (image,), **fields))
    write_samples(folder / "plots.jsonl", samples)
    (folder / "mix.yaml").write_text("sources: [plots]\n")
    return folder / "mix.yaml"


@pytest.fixture(scope="module", params={"qwen2.5-vl": tiny_qwen25_vl, "qwen3-vl": tiny_qwen3_vl}.items())
def checkpoint(request, tmp_path_factory):
    name, make = request.param
    return make(tmp_path_factory.mktemp(name))


def arguments(mix, checkpoint, *more):
    small = ["steps=2", "batch.samples=4", "workers=0", "evaluation.every=null"]
    logging = "logging={every: 1, tensorboard: false}"
    return [f"model={checkpoint}", f"mix={mix}", *small, logging, *more]


def test_every_head_of_the_table_has_a_section_and_the_other_way_round():
    assert set(Heads.model_fields) == set(HEADS)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("heads.cell={}", "heads.cell: unknown setting; did you mean cells?"),
        ("heads.numbers.agb={}", "heads.numbers.agb.target: is missing"),
        ("heads.numbers.agb={target: agb, deviatoin: 3}", "did you mean deviation?"),
        ("heads.regression={target: agb}", "heads.regression: is numbers now: write heads: {numbers: {agb:"),
        ("objective.name=next_tokens", "objective.name: unknown setting"),
        ("objective.soft_numbers={first: 0}", "objective.soft_numbers.first: input should be greater than 0"),
        ("objective.soft_number={}", "did you mean soft_numbers?"),
        ("objective={soft_numbers: {}, teacher: {model: nano}}", "give one of both"),
        ("fresh=tiny", "fresh: input should be 'nano'"),
    ],
)
def test_an_unknown_name_or_key_is_one_line(override, message):
    with pytest.raises(ConfigError) as caught:
        load_train_config("synth", [override])
    assert message in str(caught.value)


def test_a_head_that_inference_needs_is_exported_and_loaded_by_the_engine(mix, checkpoint, tmp_path, capsys):
    run = tmp_path / "run"
    head = "heads={numbers: {agb: {target: agb_mg_ha, mean: 50, deviation: 30}}}"
    assert main(["train", "synth", *arguments(mix, checkpoint, head), "--output", str(run)]) == 0
    capsys.readouterr()
    steps = [line for line in read_log(run / "log.jsonl") if "loss" in line]
    assert all(0 < line["agb_mg_ha"] < 10 for line in steps)
    saved = load_file(next((run / "checkpoints").iterdir()) / "weights.safetensors")
    sidecar = json.loads((run / "model" / "rscovlm.json").read_text())
    assert sidecar["heads"]["numbers"]["agb"]["mean"] == 50
    with load_model(str(run / "model"), device="cpu") as engine:
        own = engine.heads["agb"]
        assert torch.equal(own.output.value.weight, saved["heads.agb.output.value.weight"])
        width = own.output.value.in_features
        dark = States(
            torch.zeros(1, 1, width), torch.ones(1, 1), torch.zeros(1, 0, width), torch.zeros(1, 0) > 0
        )
        plain = own.output(own.trunk(dark).value).mean.item()
        assert own(dark).mean.item() == pytest.approx(50 + 30 * plain, rel=1e-5)
    paint(tmp_path / "scene.tif")
    (run / "model" / "heads" / "weights.safetensors").write_bytes(b"torn")
    assert main(["ask", str(tmp_path / "scene.tif"), "What?", "--model", str(run / "model")]) == 2
    assert "the heads beside" in capsys.readouterr().err


def test_numbers_of_a_sample_reach_the_head_through_the_pack(mix, checkpoint):
    config = load_train_config("synth", arguments(mix, checkpoint))
    base = open_base(config, mix.parent)
    source = open_mix(config, base).sources["plots"]
    pack = collate([source.encode(index, 0) for index in (4, 5, 6)], base.patches, base.encoder.image_id)
    torch.testing.assert_close(
        pack.sample_extras["agb_mg_ha"], torch.tensor([40.0, float("nan"), 60.0]), equal_nan=True
    )
    # 64 px of 10 m are shown on as many or more pixels.
    shown = pack.sample_extras["shown_gsd_m"][0]
    height = int(pack.image_grid_thw[0, 1]) * base.patches.patch
    width = int(pack.image_grid_thw[0, 2]) * base.patches.patch
    assert shown == pytest.approx(10 * max(64 / height, 96 / width))


def test_several_numbers_are_read_at_once_with_layers_of_the_tower_where_a_head_asks(mix, checkpoint):
    """Packed as in training: the loss of a pack is the mean over the samples that have the number."""
    mixer = "mixed: {target: agb_mg_ha, trunk: mixer, output: mixture, taps: half, deviation: 50}"
    gated = "gated: {target: agb_mg_ha, trunk: {gated: {depth: 2}}, output: quantiles, deviation: 50}"
    config = load_train_config("synth", arguments(mix, checkpoint, f"heads.numbers={{{mixer}, {gated}}}"))
    base = open_base(config, mix.parent)
    learner = build(base, config, torch.device("cpu")).learner
    assert [learner.heads[name].taps for name in ("mixed", "gated")] == [(1, 3), ()]
    source = open_mix(config, base).sources["plots"]

    def parts(*indices):
        examples = [source.encode(index, 0) for index in indices]
        pack = collate(examples, base.patches, base.encoder.image_id)
        weights = (pack.targets >= 0).float()
        with torch.no_grad():
            found = learner(pack, weights / weights.sum(), Moment(0, 1)).parts
        return torch.stack([found["agb_mg_ha"], found["gated_agb_mg_ha"]])

    one, other, unknown = parts(4), parts(7), parts(5)
    assert unknown.tolist() == [0, 0]
    torch.testing.assert_close(parts(4, 5, 7), (one + other) / 2, rtol=1e-4, atol=1e-5)


def test_tapped_features_learn_the_same_with_and_without_checkpointing(mix, checkpoint):
    mixer = "heads.numbers={agb: {target: agb_mg_ha, trunk: mixer, taps: all, deviation: 50}}"
    found = []
    for kept in ("false", "true"):
        again = f"checkpointing={{vision: {kept}, language: {kept}}}"
        config = load_train_config("synth", arguments(mix, checkpoint, mixer, again))
        base = open_base(config, mix.parent)
        learner = build(base, config, torch.device("cpu")).learner
        source = open_mix(config, base).sources["plots"]
        pack = collate([source.encode(index, 0) for index in (4, 7)], base.patches, base.encoder.image_id)
        learner(pack, torch.zeros_like(pack.targets) + 0.1, Moment(0, 1)).loss.backward()
        found.append({name: p.grad for name, p in learner.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert any(name.startswith("heads.agb.trunk.back") for name in found[0]), "the reverse projection learns"
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-6)


def test_soft_numbers_follow_the_tokenizer_by_number_or_by_digit(mix, checkpoint):
    soft = "objective={soft_numbers: {first: 20, last: 5}}"
    config = load_train_config("synth", arguments(mix, checkpoint, soft))
    aim = objective_of(config, open_base(config, mix.parent).tokenizer).aim
    assert isinstance(aim, NearNumbers)
    assert isinstance(aim.numbers, WholeNumbers | DigitNumbers)
    shipped = load_train_config("synth", [soft])
    assert isinstance(
        objective_of(shipped, open_base(shipped, mix.parent).tokenizer).aim.numbers, WholeNumbers
    )


def test_number_loss_is_of_the_tokens_that_numbers_are_written_in(mix, checkpoint):
    config = load_train_config("synth", arguments(mix, checkpoint, "objective={number_loss: {unit: 50}}"))
    base = open_base(config, mix.parent)
    loss = objective_of(config, base.tokenizer).numbers
    first = base.tokenizer.encode("7", add_special_tokens=False)
    assert (loss.ids[7].item(), loss.unit, loss.kind) == (first[0], 50, "wasserstein")


def test_a_model_that_is_its_own_teacher_has_nothing_to_learn(mix, checkpoint):
    teacher = f"objective={{teacher: {{model: {checkpoint}, share: 1.0}}}}"
    config = load_train_config("synth", arguments(mix, checkpoint, teacher))
    base = open_base(config, mix.parent)
    learner = build(base, config, torch.device("cpu")).learner
    source = open_mix(config, base).sources["plots"]
    pack = collate([source.encode(index, 0) for index in (4, 7)], base.patches, base.encoder.image_id)
    outcome = learner(pack, torch.ones_like(pack.targets, dtype=torch.float32), Moment(0, 1))
    assert outcome.loss.item() == pytest.approx(0, abs=1e-3)
    assert not any("aim" in name for name, _ in learner.named_parameters()), "the teacher does not learn"
    own = FromTeacher(read_weights(base.folder, torch.float32).eval(), 0.5)
    assert own.targets(pack, Moment(0, 1)).share == 0.5


def test_a_teacher_of_another_vocabulary_is_refused(mix, checkpoint):
    config = load_train_config("synth", arguments(mix, checkpoint, "objective={teacher: {model: nano}}"))
    with pytest.raises(UsageError, match=r"objective\.teacher: nano has another vocabulary"):
        objective_of(config, open_base(config, mix.parent).tokenizer)


def test_coordinates_tolerate_less_as_the_course_goes_on():
    near = NearNumbers(WholeNumbers(torch.arange(1001)), SoftNumbers(first=32.0, last=8.0))
    assert near.spread_at(Moment(0, 100)) == 32
    assert near.spread_at(Moment(75, 200)) == pytest.approx(16)  # half-way to three quarters
    assert near.spread_at(Moment(150, 200)) == near.spread_at(Moment(199, 200)) == 8
