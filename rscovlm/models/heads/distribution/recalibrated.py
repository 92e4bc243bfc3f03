"""Distributions whose quantiles were moved so that they hold what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rscovlm.models.heads.distribution import Distribution, Quantiles
from rscovlm.models.heads.distribution.stated import stated
from rscovlm.scoring.predictions import LEVELS
from rscovlm.scoring.quantile_steps import QuantileSteps


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """Distributions with other quantiles about the same mean.

    Attributes:
        mean: (S,) of what the head said.
        inner: the moved quantiles at ``LEVELS``.
    """

    mean: Tensor
    inner: Quantiles

    @property
    def variance(self) -> Tensor:
        """Of the moved quantiles."""
        return self.inner.variance

    def cdf(self, value: Tensor) -> Tensor:
        """Of the moved quantiles."""
        return self.inner.cdf(value)

    def quantile(self, level: float) -> Tensor:
        """Between the moved quantiles."""
        return self.inner.quantile(level)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One of the moved quantiles."""
        return self.inner.sample(generator)

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pinball losses of the moved quantiles."""
        return self.inner.nll(truth, noise)


def recalibrated(
    found: Distribution, steps: QuantileSteps, low: float | None = None, high: float | None = None
) -> Recalibrated:
    """Distributions with their quantiles moved.

    Args:
        found: by a head.
        steps: fitted on predictions of the same head.
        low, high: least and largest value that can be; None for none.
    """
    mean = found.mean
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    values = torch.from_numpy(steps.moved(*stated(found), *ends)).to(mean)
    return Recalibrated(mean, Quantiles(torch.tensor(LEVELS).to(mean), values))
