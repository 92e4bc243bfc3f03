"""nano's course on the training engine."""

import os
import shutil
import signal
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rscovlm.cli import main
from rscovlm.data.packing import collate
from rscovlm.engines import load_model
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.cells import AIMING, LOOKING
from rscovlm.nano.model import VIEW_SIDE, build_model
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.config import load_train_config
from rscovlm.training.logs import read_log
from rscovlm.training.loss import Reduction
from rscovlm.training.objective import Moment, NearNumbers, NextToken
from rscovlm.training.run import run_training
from rscovlm.training.settings import SoftNumbers
from rscovlm.training.targets import number_tokens_of
from tests.rscovlm.nano.material import SMALL, SPEC
from zoom_chain.chat import Conversation, Generation, ImagePart


@pytest.fixture
def model(tokenizer):
    return build_model(SMALL, tokenizer, number_tokens(tokenizer), seed=0)


def pack_of(lessons, indices):
    return collate([lessons.encode(index, 0) for index in indices], SPEC, lessons.encoder.image_id)


def test_a_few_steps_lower_each_part_of_the_loss(model, lessons, tokenizer):
    heads = make_heads(model, {"cells": {}})
    objective = NextToken(NearNumbers(number_tokens_of(tokenizer), SoftNumbers()))
    packs = [pack_of(lessons, range(4)), pack_of(lessons, range(4, 8))]
    reduction = Reduction("sqrt", ("lessons",))
    totals = reduction.totals(packs)
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], 3e-3)
    history = []
    for step in range(12):
        seen: dict[str, float] = defaultdict(float)
        for pack in packs:
            found = objective(model, heads, pack, reduction.weights(pack, totals), Moment(step, 12))
            found.loss.backward()
            seen["all"] += found.loss.item()
            for name, part in found.parts.items():
                seen[name] += part.item()
        optimizer.step()
        optimizer.zero_grad()
        history.append(seen)
    assert history[-1]["all"] < 0.85 * history[0]["all"]
    assert history[-1]["cells"] < 0.9 * history[0]["cells"]
    assert history[-1]["mask"] < history[0]["mask"]
    assert history[-1]["outline"] < history[0]["outline"]
    assert history[-1]["trait"] < 0.9 * history[0]["trait"]


@pytest.mark.parametrize(
    ("extra", "term", "taught"),
    [("named", "lookup", slice(LOOKING)), ("aimed", "aim", slice(-AIMING, None))],
)
def test_what_attention_is_taught_is_the_models_own(tokenizer, lessons, extra, term, taught):
    """Against the weights that the eager attention of transformers returns."""
    # The middle lies above the layers to which vision features are added, as it does in nano.
    shape = replace(SMALL, depth=4, heads=LOOKING + AIMING, kv_heads=2)
    model = build_model(shape, tokenizer, number_tokens(tokenizer), seed=0)
    model.set_attn_implementation("eager")
    index = next(i for i in range(100) if lessons.encode(i, 0).tokens[extra].any())
    pack = pack_of(lessons, [index])
    heads = make_heads(model, {"cells": {}})
    with torch.no_grad():
        seen = model.model(
            input_ids=pack.input_ids,
            position_ids=pack.position_ids,
            pixel_values=pack.pixel_values(),
            image_grid_thw=pack.image_grid_thw,
            output_hidden_states=True,
            output_attentions=True,
        )
        terms = heads["cells"].terms(model, seen.hidden_states, pack)
    attention = seen.attentions[len(seen.hidden_states) // 2][0, taught].numpy()
    wanted, image_id = pack.token_extras[extra][0].numpy(), lessons.encoder.image_id
    places = np.flatnonzero(pack.input_ids[0].numpy() == image_id)
    cells = pack.image_extras["cell_ids"].numpy()
    shows = cells if extra == "named" else np.tile(np.arange(1, 65), (len(cells), 1))
    nats = []
    for asking in np.flatnonzero(wanted):
        picture = (places < asking).sum() // cells.shape[1] - 1
        own = places[picture * cells.shape[1] :][: cells.shape[1]]
        paid = attention[:, asking, own[shows[picture] == wanted[asking]]].sum(1)
        nats.append(-np.log(paid))
    assert terms[term].value.item() == pytest.approx(np.mean(nats), rel=1e-4)


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
    assert not (run / "model" / "heads" / "weights.safetensors").exists()
    with load_model(str(run / "model"), device="cpu") as engine:
        image = ImagePart(np.zeros((VIEW_SIDE, VIEW_SIDE, 3), dtype=np.uint8))
        reply = engine.chat([Conversation().say("user", image, "hello")], Generation(max_new_tokens=4))[0]
        assert reply.error is None
        assert len(engine.heads) == 0


def learnt_names(run):
    return load_file(checkpoints(run)[-1] / "weights.safetensors")


def test_a_course_that_was_stopped_goes_on_with_the_same_lessons_to_the_bit(base, tmp_path):
    def course(folder, steps, going_on=False):
        overrides = [
            "steps=6",
            "schedule.warmup_steps=2",
            "batch.samples=4",
            "workers=0",
            "logging.tensorboard=false",
        ]
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
