"""Heads trained on states that are kept: with both towers frozen, those of every step are the same.

This is the engine's second stage without the forward passes of the towers. Order and optimizer differ, the
loss of a batch does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rscovlm.data.packing import model_inputs
from rscovlm.data.plot_source import PlotSource
from rscovlm.models.heads.distribution.stated import stated
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import Readout, States, states_of
from rscovlm.models.taps import tap_layers, tapped
from rscovlm.reo.predict import packs, table
from rscovlm.scoring.predictions import Predictions

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel

_ROWS = 64


@torch.inference_mode()
def states_by_pack(
    model: VisionLanguageModel,
    source: PlotSource,
    readout: Readout,
    taps: str | Sequence[int] = (),
    kind: str = "number",
) -> Iterator[States]:
    """The states of some plots of a source at a time, in order, on the model's device.

    Args:
        model: frozen.
        source: of plots.
        readout: of visual tokens.
        taps: layers of the vision tower, as ``tap_layers`` takes them.
        kind: of the prompt.

    Raises:
        DataError: a plot cannot be read.
    """
    config: VisionLanguageConfig = model.config
    layers = tap_layers(taps, config.vision_config.depth) if taps else ()
    for pack in packs(source, kind):
        pack = pack.to(model.device)
        with tapped(model, layers) as open_taps:
            hidden = model.model(**model_inputs(pack)).last_hidden_state
        seen = open_taps.features(pack.image_grid_thw) if layers else None
        yield states_of(hidden[0], pack, config.image_token_id, readout, tapped=seen)


def cached_states(
    model: VisionLanguageModel,
    source: PlotSource,
    readout: Readout,
    taps: str | Sequence[int] = (),
    kind: str = "number",
) -> States:
    """The states of all plots of a source on the CPU; all prompts are alike, so that none is padded.

    Arguments and errors are those of ``states_by_pack``.
    """
    parts = list(states_by_pack(model, source, readout, taps, kind))

    def joined(name: str) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts]).cpu().clone()

    features = joined("tapped") if taps else None
    return States(joined("visual"), joined("weights"), joined("words"), joined("is_word"), features)


def rows_of(states: States, rows: Tensor) -> States:
    """The states of some samples."""
    parts = {each.name: getattr(states, each.name) for each in fields(states)}
    return replace(states, **{name: part[rows] for name, part in parts.items() if part is not None})


def train_on(
    head: NumberHead,
    states: Sequence[States],
    numbers: Sequence[Mapping[str, Tensor]],
    *,
    epochs: int,
    lr: float = 2e-3,
    seed: int = 0,
) -> list[float]:
    """Train a head, and leave it as it was after the epoch with the least loss on validation.

    Args:
        head: to train.
        states: of training and validation.
        numbers: (S,) by name, of both.
        epochs: passes over the training states.
        lr: peak rate of AdamW, falling as a cosine.
        seed: of the order.

    Returns:
        the validation loss of each epoch.
    """
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=0.01)
    count = len(states[0].visual)
    steps = epochs * -(-count // _ROWS)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses: list[float] = []
    best: dict[str, Tensor] = {}
    for _ in range(epochs):
        head.train()
        for rows in torch.randperm(count, generator=draw).split(_ROWS):
            loss = _loss(head, rows_of(states[0], rows), {k: v[rows] for k, v in numbers[0].items()})
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            losses.append(float(_loss(head.eval(), states[1], numbers[1])))
        if losses[-1] == min(losses):
            best = {name: value.clone() for name, value in head.state_dict().items()}
    head.load_state_dict(best)
    return losses


def _loss(head: NumberHead, states: States, numbers: Mapping[str, Tensor]) -> Tensor:
    terms = head.loss(states, numbers).values()
    return torch.stack([term.weight * term.value for term in terms]).sum()


@torch.inference_mode()
def predicted_from(head: NumberHead, states: States, source: PlotSource) -> Predictions:
    """What a head says of states of a source's plots."""
    standing = [source.regions.numbers(str(each)) for each in source.region] if source.regions else []
    if standing:
        numbers = {name: torch.tensor([each[name] for each in standing]) for name in standing[0]}
        states = replace(states, about=head.standing(numbers))
    said = stated(head.eval()(states))
    mean = said.mean.clip(head.settings["low"], head.settings["high"])
    if not said.has_spread:
        return table(source, mean, target=head.settings["target"])
    return table(source, mean, said.quantiles, said.deviation, head.settings["target"])
