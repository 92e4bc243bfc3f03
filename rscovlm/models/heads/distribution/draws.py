"""Distributions by draws from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Draws:
    """S distributions by M draws of each; column j of the values of a map is one map.

    Attributes:
        values: (S, M).
    """

    values: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the draws."""
        return self.values.mean(dim=1)

    @property
    def variance(self) -> Tensor:
        """Unbiased variance of the draws; 0 of one draw."""
        if self.values.shape[1] < 2:
            return torch.zeros_like(self.values[:, 0])
        return self.values.var(dim=1)

    def cdf(self, value: Tensor) -> Tensor:
        """Share of the draws that are at most ``value``."""
        return (self.values <= value[:, None]).to(self.values).mean(dim=1)

    def quantile(self, level: float) -> Tensor:
        """Between the draws by straight lines, the j-th of M standing at the level (j - 1/2) / M."""
        ordered, count = self.values.sort(dim=1).values, self.values.shape[1]
        place = min(max(level * count - 0.5, 0.0), count - 1.0)
        low = min(int(place), count - 1)
        return ordered[:, low].lerp(ordered[:, min(low + 1, count - 1)], place - low)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One of the draws, of the same column in all distributions."""
        return self.values[:, int(torch.randint(self.values.shape[1], (1,), generator=generator))]

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """CRPS by the fair estimator, a proper score where no density is stated; noise plays no part.

        ``mean |x - y| - sum_ij |x_i - x_j| / (2 M (M - 1))``
        """
        off = (self.values - truth[:, None]).abs().mean(dim=1)
        count = self.values.shape[1]
        if count < 2:
            return off
        apart = (self.values[:, :, None] - self.values[:, None]).abs().sum(dim=(1, 2))
        return off - apart / (2 * count * (count - 1))
