"""What a step minimises: a function of the model and a pack, by default the cross-entropy of what is learnt.

Another objective is any function of the same form; modules that it trains beside the model are its ``heads``,
which are checkpointed with the model and left out of its export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import nn

from rscovlm.data.packing import Pack, model_inputs
from rscovlm.training.loss import linear_cross_entropy


class Moment(NamedTuple):
    """Where in the run a step is, for objectives that change over it.

    Attributes:
        step: optimizer steps taken so far.
        steps: of the whole run.
    """

    step: int
    steps: int


class Outcome(NamedTuple):
    """What an objective found in a pack.

    Attributes:
        loss: scalar, this pack's share of the step's loss: shares of all packs of all ranks are added.
        token_losses: (L,) float32 without gradient, unweighted, for the losses by source and task.
        parts: further shares for the log, by name, added up like the loss.
    """

    loss: torch.Tensor
    token_losses: torch.Tensor
    parts: Mapping[str, torch.Tensor]


class Objective(Protocol):
    """Of a pack of L tokens, whose weights (1, L) say how much each target counts in the step."""

    def __call__(
        self, model: nn.Module, heads: nn.Module, pack: Pack, weights: torch.Tensor, moment: Moment
    ) -> Outcome:
        """The pack's share of the step's loss."""
        ...


def next_token(
    model: nn.Module, heads: nn.Module, pack: Pack, weights: torch.Tensor, moment: Moment
) -> Outcome:
    """Cross-entropy of the next token where it is learnt; the logits are never held whole."""
    hidden = model.model(**model_inputs(pack)).last_hidden_state[0]
    loss, losses = linear_cross_entropy(hidden, model.lm_head.weight, pack.targets[0], weights[0])
    return Outcome(loss, losses, {})
