"""Evaluation on held-out samples: loss by source, and task metrics by generation.

Work is dealt out so that every rank runs as many forward passes as any other, which ZeRO-3 needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from detection_eval.text.contracts import CONTRACTS
from rscovlm.data.example import BROKEN, Encoded, Key
from rscovlm.data.mix import Mix
from rscovlm.data.packing import NOT_LEARNT, collate, empty_pack
from rscovlm.models.prompting import decoded
from rscovlm.tasks.task import Tally, score_reply
from rscovlm.tasks.turns import task_of_turn
from rscovlm.training.building import Base
from rscovlm.training.live import learnt_runs, live_engine, prompt_before
from rscovlm.training.loss import sample_losses
from rscovlm.training.metrics import summed
from rscovlm.training.modules import Learner
from rscovlm.training.objective import Moment
from rscovlm.training.parallel import zero_stage
from rscovlm.training.settings import TrainConfig
from tiling.view import Size
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from accelerate import Accelerator


def held_out_numbers(
    learner: Learner, config: TrainConfig, base: Base, mix: Mix, accelerator: Accelerator
) -> dict[str, float]:
    """Evaluate on the first samples that each source holds out; all ranks call it together.

    Returns:
        ``eval/loss`` (mean over sources), ``eval/loss/<source>`` (mean over samples of their token means)
        and, where the configuration generates, ``eval/<source>/<metric>``.
    """
    keys = [key for name in mix.sources for key in mix.held_out[name][: config.evaluation.samples]]
    tally = Tally()
    with _evaluating(learner), torch.no_grad(), accelerator.autocast():
        counts = _losses(learner, keys, base, mix, accelerator)
        if config.evaluation.generate and zero_stage(accelerator) != 3:
            tally = _replies(learner, keys, config, base, mix, accelerator)
    return _over_ranks(counts, tally)


@contextmanager
def _evaluating(learner: Learner) -> Iterator[None]:
    """Without dropout and gradient checkpointing."""
    learner.eval()
    try:
        yield
    finally:
        learner.train()


def _over_ranks(counts: Mapping[str, float], tally: Tally) -> dict[str, float]:
    """The numbers of all ranks together, from each one's."""
    from accelerate.utils import gather_object

    shards = gather_object([(dict(counts), tally)])
    whole = Tally()
    for _, part in shards:
        whole.merge(part)
    numbers = {f"eval/{name}": value for name, value in whole.metrics().items()}
    return numbers | _mean_losses(summed([part for part, _ in shards]))


def _mean_losses(counts: Mapping[str, float]) -> dict[str, float]:
    losses = {
        name.removeprefix("loss/").removesuffix("/sum"): counts[name] / counts[name.replace("/sum", "/count")]
        for name in counts
        if name.endswith("/sum")
    }
    numbers = {f"eval/loss/{source}": value for source, value in losses.items()}
    if losses:
        numbers["eval/loss"] = sum(losses.values()) / len(losses)
    if counts.get("broken"):
        numbers["eval/broken"] = counts["broken"]
    return numbers


def _mine(keys: Sequence[Key], accelerator: Accelerator) -> list[Key | None]:
    """This rank's share, filled up with None so that all ranks have as many."""
    world, rank = accelerator.num_processes, accelerator.process_index
    share: list[Key | None] = list(keys[rank::world])
    return share + [None] * (-(-len(keys) // world) - len(share))


def _losses(
    learner: Learner, keys: Sequence[Key], base: Base, mix: Mix, accelerator: Accelerator
) -> dict[str, float]:
    counts: dict[str, float] = defaultdict(float)
    spec, image_id = base.patches, base.encoder.image_id
    for key in _mine(keys, accelerator):
        pack = empty_pack(spec, image_id)
        if key is not None:
            try:
                pack = collate([_encoded(mix, key)], spec, image_id)
            except BROKEN:
                counts["broken"] += 1
        pack = pack.to(accelerator.device)
        weights = (pack.targets != NOT_LEARNT).float()
        losses = sample_losses(learner(pack, weights, Moment(0, 1)).token_losses, pack)
        for source, value in zip(pack.sources, losses.tolist(), strict=True):
            counts[f"loss/{source}/sum"] += value
            counts[f"loss/{source}/count"] += 1
    return dict(counts)


def _replies(
    learner: Learner,
    keys: Sequence[Key],
    config: TrainConfig,
    base: Base,
    mix: Mix,
    accelerator: Accelerator,
) -> Tally:
    """Let the model speak each turn that it would learn, after what the sample says comes before."""
    tally = Tally()
    prompts, asked = [], []
    for key in _mine(keys, accelerator):
        if key is None:
            continue
        try:
            example = _encoded(mix, key)
            for turn in learnt_runs(example):
                prompts.append(prompt_before(example, turn.start, base))
                asked.append((example, turn))
        except BROKEN:
            continue
    options = Generation(max_new_tokens=config.evaluation.max_new_tokens)
    replies = live_engine(learner.model, base).answer(prompts, options)
    for reply, prompt, (example, turn) in zip(replies, prompts, asked, strict=True):
        expected = decoded(base.tokenizer, example.ids[turn])
        expected = expected.removesuffix("<|im_end|>")
        side = base.patches.factor
        rows, columns = prompt.grids[-1] if prompt.grids else (1, 1)
        contract = CONTRACTS[example.form or base.family.detection]
        size = Size(rows * side, columns * side)
        task = task_of_turn(example.task, expected, size, contract, base.family.dialect)
        if task is not None:
            tally.add(example.key.source, task, score_reply(task, reply.text, expected, size))
    return tally


def _encoded(mix: Mix, key: Key) -> Encoded:
    return mix.sources[key.source].encode(key.index, key.visit)


def evaluator(
    config: TrainConfig, base: Base, mix: Mix, accelerator: Accelerator
) -> Callable[[Learner], Mapping[str, float]] | None:
    """Evaluation as the loop calls it; None where the configuration never evaluates."""
    if config.evaluation.every is None:
        return None
    return lambda learner: held_out_numbers(learner, config, base, mix, accelerator)
