"""Distributions held within the values that can be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rscovlm.models.heads.distribution import Distribution


@dataclass(frozen=True, eq=False)
class Bounded:
    """A distribution whose values outside of a range are moved to its ends.

    Quantiles and samples are exact; the mean is the inner mean moved into the range.

    Attributes:
        inner: distribution.
        low, high: ends; None for none.
    """

    inner: Distribution
    low: float | None
    high: float | None

    def _held(self, value: Tensor) -> Tensor:
        return value.clamp(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        """Within the range."""
        return self._held(self.inner.mean)

    @property
    def variance(self) -> Tensor:
        """That of the inner distribution, an upper bound."""
        return self.inner.variance

    def cdf(self, value: Tensor) -> Tensor:
        """0 below the range and 1 from its end on."""
        found = self.inner.cdf(value)
        if self.low is not None:
            found = torch.where(value < self.low, 0.0, found)
        return found if self.high is None else torch.where(value >= self.high, 1.0, found)

    def quantile(self, level: float) -> Tensor:
        """Within the range."""
        return self._held(self.inner.quantile(level))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Within the range."""
        return self._held(self.inner.sample(generator))

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """That of the inner distribution."""
        return self.inner.nll(truth, noise)


def bounded(distribution: Distribution, low: float | None, high: float | None) -> Distribution:
    """The distribution held within a range; itself where there is none."""
    return distribution if low is None and high is None else Bounded(distribution, low, high)
