"""States, features and maps small enough to work out by hand."""

from __future__ import annotations

import torch

from rscovlm.models.heads.dense.grids import GridStates


def grid(samples: int = 2, images: int = 1, side: int = 3, width: int = 8, tapped: int = 6) -> GridStates:
    """Random states in their places."""
    draw = torch.Generator().manual_seed(0)
    shape = (samples, images, side, side)
    return GridStates(
        torch.randn(*shape, width, generator=draw),
        torch.randn(samples, width, generator=draw),
        torch.ones(samples, dtype=torch.bool),
        torch.randn(*shape, tapped, generator=draw),
    )


def features(samples: int = 2, side: int = 3, inner: int = 8) -> torch.Tensor:
    """(S, r, c, D) what a decoder reads."""
    return torch.randn(samples, side, side, inner, generator=torch.Generator().manual_seed(1))


def seeded(make, *arguments, **settings):
    """A module whose weights are always the same."""
    torch.manual_seed(0)
    return make(*arguments, **settings)


def losses_of(decoder, places, truth, known, steps: int = 60, lr: float = 1e-2) -> list[float]:
    """The loss of each of some steps of training on one batch."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = decoder.learn(places, truth, known).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
