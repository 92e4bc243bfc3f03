"""One distribution of several: mixtures of any distributions, and inverse-variance weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rscovlm.models.heads.distribution import Distribution

_STEPS = 60  # bisections for a quantile: exact to float32


@dataclass(frozen=True, eq=False)
class Blend:
    """Mixtures of M distributions with weights: a number is from one of them, nobody knows which.

    Attributes:
        parts: M batches of S distributions.
        weights: M numbers, 0 or more, of sum 1.
    """

    parts: Sequence[Distribution]
    weights: Sequence[float]

    def _sum(self, each: Sequence[Tensor]) -> Tensor:
        return torch.stack([weight * value for weight, value in zip(self.weights, each, strict=True)]).sum(
            dim=0
        )

    @property
    def mean(self) -> Tensor:
        """``sum w mu``."""
        return self._sum([part.mean for part in self.parts])

    @property
    def variance(self) -> Tensor:
        """``sum w (var + (mu - mean)^2)``: the law of total variance, disagreement included."""
        mean = self.mean
        return self._sum([part.variance + (part.mean - mean) ** 2 for part in self.parts])

    def cdf(self, value: Tensor) -> Tensor:
        """Weighted sum of the parts'."""
        return self._sum([part.cdf(value) for part in self.parts])

    def quantile(self, level: float) -> Tensor:
        """The least number whose distribution function reaches the level, by bisection."""
        ends = torch.stack(
            [part.quantile(level) for part, w in zip(self.parts, self.weights, strict=True) if w > 0]
        )
        low, high = ends.amin(dim=0), ends.amax(dim=0)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            above = self.cdf(middle) >= level
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return high

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One of the parts, then a draw of it."""
        drawn = torch.stack([part.sample(generator) for part in self.parts])
        weights = torch.tensor(list(self.weights)).expand(drawn.shape[1], -1)
        chosen = torch.multinomial(weights, 1, generator=generator)[:, 0].to(drawn.device)
        return drawn[chosen, torch.arange(drawn.shape[1], device=drawn.device)]

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Nats of the mixture of densities, by log-sum-exp; parts without one give their scores."""
        logs = torch.tensor(list(self.weights)).clamp_min(1e-30).log()
        each = [log - part.nll(truth, noise) for log, part in zip(logs.tolist(), self.parts, strict=True)]
        return -torch.logsumexp(torch.stack(each), dim=0)


def precisions(parts: Sequence[Distribution]) -> tuple[Tensor, Tensor]:
    """Mean and variance of the product of M Gaussians, each weighed by 1 / variance.

    The variance is right where the errors of the parts are independent; heads that read the same states are
    not, and it is too small.

    Args:
        parts: M batches of S distributions with a spread.

    Returns:
        (S,) means ``sum (mu / var) / sum (1 / var)`` and (S,) variances ``1 / sum (1 / var)``.
    """
    means, variances = (torch.stack([getattr(part, name) for part in parts]) for name in ("mean", "variance"))
    weights = 1 / variances.clamp_min(1e-12)
    total = weights.sum(dim=0)
    return (weights * means).sum(dim=0) / total, 1 / total
