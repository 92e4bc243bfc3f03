"""Run by torchrun: two optimizer steps of plain gradient descent over packs dealt to the ranks; rank 0 saves
the weights and gradient norms that come of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from rscovlm.data.packing import collate, empty_pack
from rscovlm.training.building import build, open_base
from rscovlm.training.config import TrainConfig
from rscovlm.training.loss import Reduction
from rscovlm.training.modules import grouped_parameters, optimizer_groups
from rscovlm.training.objective import Moment, next_token
from rscovlm.training.parallel import apply, backward, group_norms, plain, run_pack, start, wrap
from tests.rscovlm.training.material import PaintedSource

# Samples of each pack of each step; a step of three packs, then one of two.
STEPS = [[[0, 1, 2], [4], [3, 5]], [[7], [8, 9]]]


def dealt(packs, rank, world):
    """This rank's packs, filled up so that all ranks have as many."""
    mine = packs[rank::world]
    return mine + [[]] * (-(-len(packs) // world) - len(mine))


def main(folder: str, checkpoint: str, strategy: str) -> None:
    deepspeed = {"strategy": "deepspeed", "deepspeed": strategy} if strategy.startswith("zero") else {}
    config = TrainConfig.model_validate(
        {
            "model": checkpoint,
            "mix": "none",
            "steps": 2,
            "batch": {"packs": 2},
            "optimizer": {"lr": 0.05, "clip": 1e9, "merger": {"lr": 0.02}, "weight_decay": 0.0},
            "precision": "fp32",
            **deepspeed,
        }
    )
    accelerator = start(config)
    base = open_base(config)
    built = build(base, config, accelerator.device, next_token)
    source = PaintedSource("painted", base.encoder, base.patches.factor)
    optimizer = torch.optim.SGD(optimizer_groups(built.learner, config))
    wrapped, optimizer = wrap(accelerator, built.learner, optimizer)
    reduction = Reduction("sample", ("painted",))
    norms = []
    for step, packs in enumerate(STEPS):
        mine = [
            collate([source.encode(i, 0) for i in pack], base.patches, base.encoder.image_id)
            if pack
            else empty_pack(base.patches, base.encoder.image_id)
            for pack in dealt(packs, accelerator.process_index, accelerator.num_processes)
        ]
        totals = accelerator.reduce(reduction.totals(mine), "sum")
        for number, pack in enumerate(mine):
            last = number == len(mine) - 1
            with run_pack(accelerator, wrapped, last):
                outcome = wrapped(pack, reduction.weights(pack, totals), Moment(step, 2))
                backward(accelerator, wrapped, outcome.loss, last)
        groups = group_norms(accelerator, wrapped, list(grouped_parameters(plain(accelerator, wrapped))))
        norms.append({"all": apply(accelerator, wrapped, optimizer, config.optimizer.clip), **groups})
    state = accelerator.get_state_dict(wrapped)
    if accelerator.is_main_process:
        torch.save(state, Path(folder) / "weights.pt")
        (Path(folder) / "norms.json").write_text(json.dumps(norms))
    accelerator.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:])
