"""What ranks do in tests: see ``ranks``."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import torch

from rscovlm.data.holdout import hold_out
from rscovlm.data.mix import Mix
from rscovlm.data.packing import collate, empty_pack
from rscovlm.training import checkpoint as checkpointing
from rscovlm.training.building import build, open_base
from rscovlm.training.config import load_stages
from rscovlm.training.export import export_run
from rscovlm.training.loss import REDUCTIONS, Reduction
from rscovlm.training.modules import grouped_parameters, optimizer_groups
from rscovlm.training.objective import Moment
from rscovlm.training.parallel import apply, backward, group_norms, plain, run_pack, start, wrap
from rscovlm.training.run import run_training
from rscovlm.training.settings import TrainConfig
from rscovlm.training.stages import run_stages
from tests.rscovlm.data.examples import FAMILIES, load_subject
from tests.rscovlm.training.material import PaintedSource

# Samples of each pack of each step: three packs, so that one rank has a dummy, then two.
STEPS = [[[0, 1, 2], [4], [3, 5]], [[7], [8, 9]]]


def settings(checkpoint, **changes):
    """A small run; the merger has a rate of its own, so that there are several optimizer groups."""
    return TrainConfig.model_validate(
        {
            "model": str(checkpoint),
            "mix": "painted",
            "steps": 6,
            "batch": {"samples": 6, "max_tokens": 192},
            "optimizer": {"lr": 2e-3, "merger": {"lr": 1e-3, "weight_decay": 0.0}},
            "schedule": {"warmup": 0.2},
            "workers": 0,
            "checkpoints": {"steps": 2, "keep": 2},
            "checkpointing": {"vision": True, "language": True},
            "logging": {"tensorboard": False},
            **changes,
        }
    )


def painted_mix(config, base):
    """Two sources, some samples of each held out."""
    sources = {name: PaintedSource(name, base.encoder, base.patches.factor, 40) for name in ("old", "new")}
    return Mix(sources, dict.fromkeys(sources, 36), config.seed, hold_out(sources, 4, config.seed))


def train(folder, checkpoint, changes="{}", going_on=""):
    """A run on painted pictures."""
    config = settings(checkpoint, **json.loads(changes))
    run_training(config, Path(folder), going_on=bool(going_on), mix=painted_mix)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def stages(folder, file, going_on=""):
    """The stages of a configuration."""
    run_stages(load_stages(file), Path(folder), going_on=bool(going_on))


def train_with_slow_saves(folder, checkpoint):
    """A run that stays in the middle of its second save: all is written, nothing has its name yet."""
    real = checkpointing.commit_folder

    def commit(partial, final):
        if final.name == "step-00000004":
            (Path(folder) / "saving").touch()
            time.sleep(600)
        real(partial, final)

    checkpointing.commit_folder = commit
    train(folder, checkpoint)


def export(run, output, merge=""):
    """The newest checkpoint of a run as a model; notes what came of the comparison."""
    done = export_run(Path(run), Path(output), bool(merge))
    (Path(output) / "checked.json").write_text(json.dumps(done.checked))


def gradients(folder, checkpoint, strategy, heads="{}"):
    """Two steps of plain gradient descent over packs dealt to the ranks; saves weights and gradient norms."""
    deepspeed = {"strategy": "deepspeed", "deepspeed": strategy} if strategy.startswith("zero") else {}
    clip = {"lr": 0.05, "clip": 1e9, "merger": {"lr": 0.02}, "weight_decay": 0.0}
    config = settings(checkpoint, optimizer=clip, precision="fp32", heads=json.loads(heads), **deepspeed)
    accelerator = start(config)
    base = open_base(config, Path(folder))
    built = build(base, config, accelerator.device)
    source = PaintedSource("painted", base.encoder, base.patches.factor)
    optimizer = torch.optim.SGD(optimizer_groups(built.learner, config))
    wrapped, optimizer = wrap(accelerator, built.learner, optimizer)
    reduction = Reduction("sample", ("painted",))
    norms = []
    for step, packs in enumerate(STEPS):
        mine = [_pack(source, pack, base) for pack in _dealt(packs, accelerator)]
        totals = accelerator.reduce(reduction.totals(mine), "sum")
        for number, pack in enumerate(mine):
            last = number == len(mine) - 1
            with run_pack(accelerator, wrapped, last):
                outcome = wrapped(pack, reduction.weights(pack, totals), Moment(step, 2))
                backward(accelerator, wrapped, outcome.loss, last)
        groups = group_norms(accelerator, wrapped, list(grouped_parameters(plain(wrapped))))
        norms.append({"all": apply(accelerator, wrapped, optimizer, config.optimizer.clip), **groups})
    state = accelerator.get_state_dict(wrapped)
    if accelerator.is_main_process:
        Path(folder).mkdir()
        torch.save(dict(state), Path(folder) / "weights.pt")
        (Path(folder) / "norms.json").write_text(json.dumps(norms))
    accelerator.wait_for_everyone()


def reductions(folder):
    """This rank's packs of a step by each reduction, totals and gradients summed by gloo; saves rank 0's."""
    from tests.rscovlm.training import test_loss as losses

    folder, rank = Path(folder), int(os.environ["RANK"])
    # Before the group exists: in a group, only the first rank would write its checkpoint.
    subjects = {family: load_subject(folder / f"{family}-{rank}", family) for family in FAMILIES}
    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=60))
    for family, subject in subjects.items():
        packs = losses.packs_of(subject, losses.TWO_RANKS[rank])
        for name in REDUCTIONS:
            reduction = Reduction(name, ("a", "b"))
            totals = reduction.totals(packs)
            torch.distributed.all_reduce(totals)
            loss = torch.tensor(losses.accumulate(subject.model, reduction, packs, totals))
            found = losses.gradients(subject.model)
            torch.distributed.all_reduce(loss)
            torch.distributed.all_reduce(found)
            if rank == 0:
                torch.save((loss.item(), found), folder / f"{family} {name}.pt")
    torch.distributed.destroy_process_group()


def _dealt(packs, accelerator):
    """This rank's packs, filled up so that all ranks have as many."""
    world = accelerator.num_processes
    mine = packs[accelerator.process_index :: world]
    return mine + [[]] * (-(-len(packs) // world) - len(mine))


def _pack(source, samples, base):
    if not samples:
        return empty_pack(base.patches, base.encoder.image_id)
    examples = [source.encode(index, 0) for index in samples]
    return collate(examples, base.patches, base.encoder.image_id)
