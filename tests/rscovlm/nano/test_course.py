"""nano's lessons, what its visual tokens are taught, and its course on the training engine."""

import os
import shutil
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from detection_eval.geometry.quads import canonical
from rscovlm.cli import main
from rscovlm.data.encoding import Encoder
from rscovlm.data.packing import collate, model_inputs
from rscovlm.engines import load_model
from rscovlm.models.heads import make_heads
from rscovlm.models.patches import PatchSpec
from rscovlm.nano.base import write_base
from rscovlm.nano.cells import cell_truth
from rscovlm.nano.lessons import make_lesson
from rscovlm.nano.model import VIEW_SIDE, Shape, build_model
from rscovlm.nano.source import Lessons
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.synth.catalogue import PLANE
from rscovlm.synth.views import next_window, visible_polygons
from rscovlm.synth.world import World, make_object
from rscovlm.training.building import write_fresh
from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.config import SoftNumbers, load_train_config
from rscovlm.training.logs import read_log
from rscovlm.training.loss import Reduction
from rscovlm.training.objective import Moment, NearNumbers, NextToken
from rscovlm.training.run import run_training
from rscovlm.training.speedups import patch_embed_as_matmul
from rscovlm.training.targets import WholeNumbers, number_tokens_of
from tiling.view import Size, Window
from zoom_chain.chat import Conversation, Generation, ImagePart

SMALL = Shape(
    vision_width=32,
    vision_depth=2,
    vision_heads=2,
    width=32,
    depth=2,
    heads=1,
    kv_heads=1,
    mlp=48,
    deepstack=(0,),
)
SPEC = PatchSpec(16, 1, 2, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_base(folder, seed=1, shape=SMALL, lessons=200)
    return folder


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture(scope="module")
def lessons(tokenizer):
    return Lessons("lessons", Encoder(tokenizer, SPEC), seed=4, length=1000)


@pytest.fixture
def model(tokenizer):
    return build_model(SMALL, tokenizer, number_tokens(tokenizer), seed=0)


def test_every_number_from_0_to_1000_is_one_token_and_text_survives_a_round_trip(tokenizer):
    assert len(set(number_tokens(tokenizer))) == 1001
    text = (
        '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 37, 1000, 512]}}</tool_call>'
    )
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert (
        tokenizer.decode(tokenizer.encode("Größe? 1234 m²\n", add_special_tokens=False)) == "Größe? 1234 m²\n"
    )


# --- lessons --------------------------------------------------------------------------------------


def test_a_sample_depends_on_seed_and_index_alone():
    first, again = make_lesson(7, 12), make_lesson(7, 12)
    assert first.conversation == again.conversation
    photos = [
        [part.read() for m in s.conversation.messages for part in m.content if not isinstance(part, str)]
        for s in (first, again)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*photos, strict=True))
    assert make_lesson(7, 13).conversation != first.conversation


def test_exactly_the_assistant_turns_and_their_ends_are_learnt(tokenizer, lessons):
    for index in range(20):
        coded = lessons.encode(index, 0)
        messages = make_lesson(4, index).conversation.messages
        turns = [m.text + "<|im_end|>" for m in messages if m.role == "assistant"]
        assert tokenizer.decode(coded.ids[coded.learnt]) == "".join(turns)


def test_coordinates_are_marked_and_counts_are_not(lessons):
    coded = [(lessons.encode(index, 0), make_lesson(4, index)) for index in range(150)]
    marked = dict.fromkeys(("chain", "detect", "close", "glance", "classify"), 0)
    for example, sample in coded:
        count = int(example.tokens["coordinate"].sum())
        marked[example.task] += count
        if example.task == "detect":
            assert count % 8 == 0
        calls = sum("bbox_2d" in message.text for message in sample.conversation.messages)
        assert example.task == "detect" or count == 4 * calls, "the 2 of bbox_2d is no coordinate"
    assert marked["chain"]
    assert marked["detect"]
    assert not any(marked[task] for task in ("close", "glance", "classify"))


def test_the_first_lessons_are_easy_and_every_visit_to_one_is_the_same(tokenizer):
    encoder = Encoder(tokenizer, SPEC)
    eased, plain = (Lessons("lessons", encoder, 4, 1000, easy) for easy in (40, 0))
    early = [eased.encode(i, 0).ids.tolist() != plain.encode(i, 0).ids.tolist() for i in range(20)]
    late = [eased.encode(i, 0).ids.tolist() != plain.encode(i, 0).ids.tolist() for i in range(40, 50)]
    assert any(early)
    assert not any(late)
    assert eased.encode(3, 0).ids.tolist() == eased.encode(3, 1).ids.tolist()


def test_an_observer_answers_when_the_place_fills_half_the_view_and_else_goes_closer():
    view = Window(0, 0, 8192, 8192)
    assert next_window(Window(0, 0, 100, 100), Window(20, 20, 50, 50)) is None
    speck = next_window(view, Window(4000, 4000, 300, 300))
    assert (speck.width, speck.height) == (2048, 2048)
    assert speck.contains(Window(4000, 4000, 300, 300))
    framed = next_window(Window(0, 0, 1000, 1000), Window(400, 400, 250, 250))
    assert framed.width == pytest.approx(300)
    corner = next_window(view, Window(0, 0, 300, 300))
    assert view.contains(corner)


def test_a_chain_ends_with_the_answer_in_sight():
    chains = [s for i in range(120) if (s := make_lesson(6, i)).task == "chain"]
    assert len(chains) > 10
    for sample in chains:
        last = sample.conversation.messages[-1]
        assert last.role == "assistant"
        assert "tool_call" not in last.text
    assert max(len(s.conversation.messages) for s in chains) >= 7, "some scenes need two zooms"


# --- what visual tokens show ----------------------------------------------------------------------


def test_each_visual_token_has_the_name_of_what_it_shows():
    rng = np.random.default_rng(0)
    item = make_object(rng, PLANE, 96.0, 32.0, 1.0, angle_rad=0.0)
    world = World(5, 128, 128, 1.0, "desert", "desert", (), (item,))
    truth = cell_truth(world, Window(0, 0, 128, 128))
    corner = [truth.words[8 * row + column] for row in (1, 2) for column in (5, 6)]
    assert corner == ["plane"] * 4, "the plane stands on the corner of four cells"
    assert truth.words[56] == "desert"
    assert np.isnan(truth.outlines[56]).all()
    np.testing.assert_allclose(
        truth.outlines[13].reshape(4, 2) * 128, canonical(item.polygon[None])[0], atol=1e-3
    )


def test_an_object_cut_by_the_edge_is_outlined_inside_the_view():
    item = make_object(np.random.default_rng(0), PLANE, 2.0, 64.0, 1.0, angle_rad=0.3)
    world = World(5, 128, 128, 1.0, "desert", "desert", (), (item,))
    size = Size(VIEW_SIDE, VIEW_SIDE)
    polygons, objects = visible_polygons(world, Window(0, 0, 128, 128), size)
    assert objects == [item]
    assert polygons.min() >= 0
    assert polygons.max() <= 128
    gone, _ = visible_polygons(world, Window(4, 0, 128, 128), size)
    assert len(gone) == 0, "its centre is outside, so the neighbouring tile has it"


# --- learning -------------------------------------------------------------------------------------


def pack_of(lessons, indices):
    return collate([lessons.encode(index, 0) for index in indices], SPEC, lessons.encoder.image_id)


def test_the_patch_embedding_is_the_same_as_a_matmul(model, lessons):
    pack = pack_of(lessons, range(4))
    model.eval()
    with torch.no_grad():
        before = model.model(**model_inputs(pack)).last_hidden_state
        patch_embed_as_matmul(model)
        torch.testing.assert_close(
            model.model(**model_inputs(pack)).last_hidden_state, before, atol=1e-5, rtol=0
        )


def test_a_few_steps_lower_each_part_of_the_loss(model, lessons, tokenizer):
    heads = make_heads(model, {"cells": {}})
    objective = NextToken(NearNumbers(number_tokens_of(tokenizer), SoftNumbers()))
    packs = [pack_of(lessons, range(4)), pack_of(lessons, range(4, 8))]
    reduction = Reduction("sqrt", ("lessons",))
    totals = reduction.totals(packs)
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], 3e-3)
    history = []
    for step in range(12):
        seen = {"all": 0.0, "cells": 0.0, "outline": 0.0}
        for pack in packs:
            found = objective(model, heads, pack, reduction.weights(pack, totals), Moment(step, 12))
            found.loss.backward()
            seen["all"] += found.loss.item()
            for name, part in found.parts.items():
                seen[name] += part.item()
        optimizer.step()
        optimizer.zero_grad()
        history.append(seen)
    assert history[-1]["all"] < 0.8 * history[0]["all"]
    assert history[-1]["cells"] < 0.8 * history[0]["cells"]
    assert history[-1]["outline"] < history[0]["outline"]


def test_coordinates_tolerate_less_as_the_course_goes_on():
    near = NearNumbers(WholeNumbers(torch.arange(1001)), SoftNumbers(first=32.0, last=8.0))
    assert near.spread_at(Moment(0, 100)) == 32
    assert near.spread_at(Moment(75, 200)) == pytest.approx(16)  # half-way to three quarters
    assert near.spread_at(Moment(150, 200)) == near.spread_at(Moment(199, 200)) == 8


def test_the_ordinary_command_trains_nano_from_nothing_and_what_taught_it_stays_behind(
    base, tmp_path, capsys
):
    """A small shape stands where the run would write its own; all else is what ships."""
    run = tmp_path / "run"
    shutil.copytree(base, run / "base")
    small = [
        "steps=3",
        "batch.samples=4",
        "workers=0",
        "schedule.warmup_steps=1",
        "logging.tensorboard=false",
    ]
    assert main(["train", "nano", *small, "--output", str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "model")
    steps = [line for line in read_log(run / "log.jsonl") if "loss" in line]
    assert {"cells", "outline", "loss/source/lessons"} <= steps[-1].keys()
    assert any(name.startswith("heads.cells.outline") for name in learnt_names(run)), "to go on with"
    assert not (run / "model" / "heads.safetensors").exists()
    with load_model(str(run / "model"), device="cpu") as engine:
        image = ImagePart(np.zeros((VIEW_SIDE, VIEW_SIDE, 3), dtype=np.uint8))
        reply = engine.chat([Conversation().say("user", image, "hello")], Generation(max_new_tokens=4))[0]
        assert reply.error is None
        assert len(engine.heads) == 0


def learnt_names(run):
    return load_file(checkpoints(run)[-1] / "weights.safetensors")


def test_a_course_that_was_stopped_goes_on_with_the_same_lessons_to_the_bit(base, tmp_path):
    def course(folder, steps, going_on=False):
        overrides = ["steps=6", "batch.samples=4", "workers=0", "logging.tensorboard=false"]
        config = load_train_config("nano", [*overrides, "checkpoints.steps=2", f"model={base}"])
        if steps < 6:
            stop_after(folder, config, steps)
        else:
            run_training(config, folder, going_on=going_on)
        return learnt_names(folder)

    def stop_after(folder, config, steps):
        def stop(done, _):
            if done == steps:
                os.kill(os.getpid(), signal.SIGUSR1)

        run_training(config, folder, progress=stop)

    whole = course(tmp_path / "whole", 6)
    course(tmp_path / "stopped", 3)
    assert [path.name for path in checkpoints(tmp_path / "stopped")][-1] != "step-00000006"
    resumed = course(tmp_path / "stopped", 6, going_on=True)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_start_from_nothing_is_written_once_and_whole(tmp_path, monkeypatch):
    made = []

    def write(folder, seed):
        made.append(seed)
        write_base(folder, seed, shape=SMALL, lessons=50)

    monkeypatch.setattr("rscovlm.nano.base.write_base", write)
    config = load_train_config("nano", ["seed=5"])
    (tmp_path / ".partial-base").mkdir()  # of a run that was killed
    write_fresh(config, tmp_path)
    write_fresh(config, tmp_path)
    assert made == [5]
    assert (tmp_path / "base" / "model.safetensors").is_file()
    assert not (tmp_path / ".partial-base").exists()
    assert load_train_config("nano", ["model=nano"]).fresh is None, "a model in its place"
