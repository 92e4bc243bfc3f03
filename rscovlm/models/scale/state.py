"""Scales that the gates of a model are told: of each token of the forward pass at hand.

The gates sit deep inside a model that passes no scale along, so that it lies beside the model. It stays there
after the forward pass, since gradient checkpointing runs layers again in the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rscovlm.models.scale.gates import Gate

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack

_ATTRIBUTE = "scale_state"


@dataclass
class ScaleState:
    """Scales of the tokens of one forward pass.

    Attributes:
        log_gsd: (B, L) log10 metres per pixel, NaN where unknown; None where nothing is known.
        withheld: part of the samples whose scale is withheld in training, so that a model learns to do
            without.
    """

    log_gsd: Tensor | None = None
    withheld: float = 0.0

    def gated(self, gate: Gate, lowered: Tensor) -> Tensor:
        """Weighted outputs of ``A``.

        Args:
            gate: of the layer.
            lowered: (B, L, rank).

        Raises:
            RuntimeError: where the scales are those of other tokens.
        """
        known = self.log_gsd
        if known is None:
            known = lowered.new_full(lowered.shape[:-1], float("nan"), dtype=torch.float32)
        if known.shape != lowered.shape[:-1]:
            raise RuntimeError(
                f"the gates were told the scales of {tuple(known.shape)} tokens and the layer reads "
                f"{tuple(lowered.shape[:-1])}"
            )
        weights: Tensor = gate(known)
        return lowered * weights.to(lowered.dtype)


def scale_state(model: nn.Module) -> ScaleState | None:
    """The scales that a model's gates are told; None where it has no gates."""
    found: ScaleState | None = getattr(model, _ATTRIBUTE, None)
    return found


def give_state(model: nn.Module, state: ScaleState | None) -> None:
    """Put what gates are told beside a model; None takes it away."""
    object.__setattr__(model, _ATTRIBUTE, state)


def tell_scale(model: nn.Module, log_gsd: Tensor | None) -> None:
    """Tell the gates of a model the scales (B, L) of the tokens that it reads next; no gates, no effect."""
    state = scale_state(model)
    if state is not None:
        state.log_gsd = log_gsd


def tell_pack(model: nn.Module, pack: Pack) -> None:
    """Tell the gates of a model the scales of a pack's tokens, some withheld where it trains."""
    state = scale_state(model)
    if state is None:
        return
    known = pack.token_extras.get("log_gsd")
    if known is not None and model.training and state.withheld:
        hidden = torch.rand(len(pack.keys) + 1, device=known.device) < state.withheld  # the last: the dummy
        known = known.masked_fill(hidden[pack.sample], float("nan"))
    state.log_gsd = known
