"""Losses of a predictive distribution, and penalties for values that cannot be (perspective paper V-G).

All are sums over samples with a weight each, so that a loss is the same however a batch is split; only
``ccc`` looks at a batch as a whole.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rscovlm.models.heads.distribution import Distribution

Loss = Literal["nll", "mse", "mae", "huber", "logcosh", "ccc"]


def loss_of(
    kind: Loss, found: Distribution, truth: Tensor, weights: Tensor, noise: Tensor | None = None
) -> Tensor:
    """Scalar loss of S predictions.

    Args:
        kind: ``nll`` of the distribution (of quantiles: their pinball loss); others are of its mean.
        found: S distributions in scaled units.
        truth: (S,) in the same.
        weights: (S,) of samples, which sum to 1 over those that count.
        noise: (S,) standard deviation of the truth itself; for ``nll``.
    """
    if kind == "nll":
        return (found.nll(truth, noise) * weights).sum()
    mean = found.mean
    if kind == "ccc":
        return 1 - concordance(mean, truth, weights)
    each = {
        "mse": lambda: (mean - truth) ** 2,
        "mae": lambda: (mean - truth).abs(),
        "huber": lambda: F.huber_loss(mean, truth, reduction="none"),
        "logcosh": lambda: _logcosh(mean - truth),
    }[kind]()
    return (each * weights).sum()


def _logcosh(error: Tensor) -> Tensor:
    """``log cosh``, finite for any error."""
    return error.abs() + F.softplus(-2 * error.abs()) - 0.6931471805599453


def concordance(mean: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Lin's concordance correlation of weighted pairs; 0 where nothing varies."""
    total = weights.sum().clamp_min(1e-12)
    own, right = (mean * weights).sum() / total, (truth * weights).sum() / total
    cross = ((mean - own) * (truth - right) * weights).sum() / total
    spread = (((mean - own) ** 2 + (truth - right) ** 2) * weights).sum() / total
    return 2 * cross / (spread + (own - right) ** 2).clamp_min(1e-12)


def range_penalty(mean: Tensor, low: float | None, high: float | None, weights: Tensor) -> Tensor:
    """How far means are outside of a range, a weighted sum; 0 inside it.

    Args:
        mean: (S,).
        low, high: bounds; None for none.
        weights: (S,).
    """
    below = torch.zeros_like(mean) if low is None else F.relu(low - mean)
    above = torch.zeros_like(mean) if high is None else F.relu(mean - high)
    return ((below + above) * weights).sum()
