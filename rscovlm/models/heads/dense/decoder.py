"""Base of the decoders of maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rscovlm.models.heads.distribution import Distribution


class Learnt(NamedTuple):
    """Outcome of a step of learning.

    Attributes:
        loss: scalar.
        seen: scalars for the log that are no part of the loss, by name.
    """

    loss: Tensor
    seen: Mapping[str, Tensor]


class Decoder(nn.Module):
    """Makes maps in scaled units of the features of places.

    Args:
        inner: D.
        detail: k, cells along the side of a visual token.
    """

    def __init__(self, inner: int, detail: int) -> None:
        super().__init__()
        self.inner, self.detail = inner, detail

    def learn(self, places: Tensor, truth: Tensor, known: Tensor) -> Learnt:
        """The loss of maps; random numbers are those of torch's default generator.

        Args:
            places: (S, r, c, D).
            truth: (S, R, C) scaled, 0 where unknown.
            known: (S, R, C); what is unknown costs nothing.
        """
        raise NotImplementedError

    def forward(self, places: Tensor, generator: torch.Generator | None = None) -> Distribution:
        """The distributions of all S * R * C cells, those of one map after those of another.

        Args:
            places: (S, r, c, D).
            generator: of what is drawn; None draws the same at every call.
        """
        raise NotImplementedError


def draws_of(generator: torch.Generator | None) -> torch.Generator:
    """The generator, or one of a fixed seed."""
    return torch.Generator().manual_seed(0) if generator is None else generator


def normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers, drawn on the CPU so that they are the same on every device."""
    return torch.randn(shape, generator=generator).to(like)


def known_mean(values: Tensor, known: Tensor) -> Tensor:
    """Mean of values where they are known, 0 where none is; its gradient reaches all that made them."""
    return torch.where(known, values, values * 0).sum() / known.sum().clamp_min(1)
