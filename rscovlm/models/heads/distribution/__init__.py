"""Predictive distributions of a number: what every regression head gives, in the unit of the target.

Each is a batch of S distributions. A head learns by ``nll``, and is used by ``mean``, ``variance``,
``quantile`` and ``sample``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Normal

from rscovlm.models.heads.distribution.blend import Blend
from rscovlm.models.heads.distribution.draws import Draws

_STEPS = 60  # bisections for the quantile of a mixture: exact to float32
_REACH = 8.0  # standard deviations beyond the outermost component that hold every quantile in float32


class Distribution(Protocol):
    """A batch of S predictive distributions."""

    @property
    def mean(self) -> Tensor:
        """(S,) means."""
        ...

    @property
    def variance(self) -> Tensor:
        """(S,) variances; 0 where no spread is stated."""
        ...

    def cdf(self, value: Tensor) -> Tensor:
        """(S,) probability that the number is at most ``value`` (S,)."""
        ...

    def quantile(self, level: float) -> Tensor:
        """(S,) quantiles of a level in (0, 1)."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """(S,) one draw of each."""
        ...

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """(S,) negative log-likelihood of ``truth`` (S,), whose own standard deviation is ``noise`` (S,)."""
        ...


@dataclass(frozen=True, eq=False)
class Point:
    """Numbers without a spread.

    Attributes:
        mean: (S,).
    """

    mean: Tensor

    @property
    def variance(self) -> Tensor:
        """Zeros."""
        return torch.zeros_like(self.mean)

    def cdf(self, value: Tensor) -> Tensor:
        """A step."""
        return (value >= self.mean).to(self.mean)

    def quantile(self, level: float) -> Tensor:
        """The number itself."""
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """The number itself."""
        return self.mean

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Half the squared error, over the variance of the truth's noise plus one."""
        variance = 1.0 if noise is None else 1.0 + noise**2
        return 0.5 * (truth - self.mean) ** 2 / variance


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixtures of K Gaussians; one component is a Gaussian.

    Attributes:
        log_weights: (S, K), whose exponentials sum to 1.
        means: (S, K).
        deviations: (S, K), above 0.
    """

    log_weights: Tensor
    means: Tensor
    deviations: Tensor

    @classmethod
    def gaussian(cls, mean: Tensor, deviation: Tensor) -> Mixture:
        """Gaussians of (S,) means and deviations."""
        return cls(torch.zeros_like(mean)[:, None], mean[:, None], deviation[:, None])

    @property
    def weights(self) -> Tensor:
        """(S, K)."""
        return self.log_weights.exp()

    @property
    def mean(self) -> Tensor:
        """``sum pi mu``."""
        return (self.weights * self.means).sum(dim=1)

    @property
    def variance(self) -> Tensor:
        """``sum pi (sigma^2 + (mu - mean)^2)``: the law of total variance, which never falls below 0."""
        apart = self.means - self.mean[:, None]
        return (self.weights * (self.deviations**2 + apart**2)).sum(dim=1)

    @property
    def entropy(self) -> Tensor:
        """(S,) entropy of the weights in nats: 0 where one component is left."""
        return -(self.weights * self.log_weights.clamp_min(-60)).sum(dim=1)

    def cdf(self, value: Tensor) -> Tensor:
        """Weighted sum of the components'."""
        below: Tensor = Normal(self.means, self.deviations).cdf(value[:, None])
        return (self.weights * below).sum(dim=1)

    def quantile(self, level: float) -> Tensor:
        """By bisection of the distribution function."""
        if self.means.shape[1] == 1:
            found: Tensor = Normal(self.means[:, 0], self.deviations[:, 0]).icdf(
                torch.tensor(level).to(self.means)
            )
            return found
        low = (self.means - _REACH * self.deviations).amin(dim=1)
        high = (self.means + _REACH * self.deviations).amax(dim=1)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            above = self.cdf(middle) >= level
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A component, then a value of it."""
        chosen = torch.multinomial(self.weights, 1, generator=generator)
        mean, deviation = (part.gather(1, chosen)[:, 0] for part in (self.means, self.deviations))
        return mean + deviation * torch.randn(mean.shape, generator=generator).to(mean)

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """By log-sum-exp, finite however far away the truth is."""
        deviations = self.deviations
        if noise is not None:
            deviations = (deviations**2 + noise[:, None] ** 2).sqrt()
        z = (truth[:, None] - self.means) / deviations
        logs = self.log_weights - deviations.log() - 0.5 * math.log(2 * math.pi) - 0.5 * z**2
        return -torch.logsumexp(logs, dim=1)


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Distributions by some of their quantiles, straight lines between them and level beyond.

    Attributes:
        levels: (Q,) ascending, in (0, 1).
        values: (S, Q) ascending.
    """

    levels: Tensor
    values: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the broken line: each quantile counts for the levels that are nearest to it."""
        return self.values @ self._widths

    @property
    def variance(self) -> Tensor:
        """Of the same."""
        return ((self.values - self.mean[:, None]) ** 2) @ self._widths

    @property
    def _widths(self) -> Tensor:
        between = (self.levels[1:] + self.levels[:-1]) / 2
        ends = torch.cat([between.new_zeros(1), between, between.new_ones(1)])
        return ends.diff().to(self.values)

    def cdf(self, value: Tensor) -> Tensor:
        """By straight lines between the quantiles; the outermost levels beyond them."""
        place = torch.searchsorted(self.values.contiguous(), value[:, None].contiguous())[:, 0]
        right = place.clamp(1, len(self.levels) - 1)
        low, high = (self.values.gather(1, index[:, None])[:, 0] for index in (right - 1, right))
        share = ((value - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        levels = self.levels.to(self.values)
        return levels[right - 1] + share * (levels[right] - levels[right - 1])

    def quantile(self, level: float) -> Tensor:
        """By straight lines between the known ones."""
        right = int(torch.searchsorted(self.levels, torch.tensor(level).to(self.levels)))
        if right == 0 or right == len(self.levels):
            return self.values[:, min(right, len(self.levels) - 1)]
        before, after = float(self.levels[right - 1]), float(self.levels[right])
        share = (level - before) / (after - before)
        return self.values[:, right - 1].lerp(self.values[:, right], share)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One of the quantiles, as often as its levels count."""
        chosen = torch.multinomial(self._widths.expand(len(self.values), -1), 1, generator=generator)
        return self.values.gather(1, chosen)[:, 0]

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pinball losses of all levels, a mean; ``noise`` plays no part in them."""
        error = truth[:, None] - self.values
        levels = self.levels.to(self.values)
        return torch.maximum(levels * error, (levels - 1) * error).mean(dim=1)


@dataclass(frozen=True, eq=False)
class Counts:
    """Negative binomial counts of a mean and a dispersion: variance ``mean + dispersion mean^2``.

    Attributes:
        mean: (S,) above 0.
        dispersion: (S,) 0 or more; 0 is a Poisson distribution.
    """

    mean: Tensor
    dispersion: Tensor

    @property
    def variance(self) -> Tensor:
        """``mean + dispersion mean^2``."""
        return self.mean + self.dispersion * self.mean**2

    def _log_mass(self, counts: Tensor) -> Tensor:
        """(S, ...) log probability of counts (S, ...)."""
        mean = self.mean.reshape(-1, *[1] * (counts.dim() - 1))
        dispersion = self.dispersion.reshape(mean.shape)
        poisson = counts * mean.log() - mean - torch.lgamma(counts + 1)
        size = 1 / dispersion.clamp_min(1e-6)
        spread = (
            torch.lgamma(counts + size)
            - torch.lgamma(size)
            - torch.lgamma(counts + 1)
            + size * (size / (size + mean)).log()
            + counts * (mean / (size + mean)).log()
        )
        return torch.where(dispersion < 1e-5, poisson, spread)

    def cdf(self, value: Tensor) -> Tensor:
        """Sum of the probabilities up to ``value``."""
        counts = self._range()
        upto = counts <= value.floor()[:, None]
        return (self._log_mass(counts.expand(len(self.mean), -1)).exp() * upto).sum(dim=1).clamp(max=1)

    def quantile(self, level: float) -> Tensor:
        """The least count whose distribution function reaches the level."""
        counts = self._range()
        reached = self._log_mass(counts.expand(len(self.mean), -1)).exp().cumsum(dim=1) >= level
        last = len(counts) - 1
        return torch.where(reached.any(dim=1), reached.int().argmax(dim=1), last).to(self.mean)

    def _range(self) -> Tensor:
        """Counts up to where next to nothing is left."""
        reach = (self.mean + 12 * self.variance.sqrt()).detach()
        most = float(reach.max()) + 12 if len(reach) else 1.0
        return torch.arange(int(most) + 1, device=self.mean.device, dtype=self.mean.dtype)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """By inversion of the distribution function."""
        level = torch.rand(len(self.mean), generator=generator).to(self.mean)
        counts = self._range()
        below = self._log_mass(counts.expand(len(self.mean), -1)).exp().cumsum(dim=1) < level[:, None]
        return below.sum(dim=1).to(self.mean)

    def nll(self, truth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Of whole numbers; noise of counts plays no part."""
        return -self._log_mass(truth)


def scaled(distribution: Distribution, mean: float | Tensor, deviation: float | Tensor) -> Distribution:
    """The distribution of ``mean + deviation x`` where x is distributed as given; counts stay as they are.

    Args:
        distribution: of x.
        mean: added; a number, or (S,) of each.
        deviation: above 0; likewise.
    """
    if isinstance(distribution, Point):
        return Point(mean + deviation * distribution.mean)
    mean, deviation = (each[:, None] if isinstance(each, Tensor) else each for each in (mean, deviation))
    if isinstance(distribution, Mixture):
        means = mean + deviation * distribution.means
        return Mixture(distribution.log_weights, means, deviation * distribution.deviations)
    if isinstance(distribution, Quantiles):
        return Quantiles(distribution.levels, mean + deviation * distribution.values)
    if isinstance(distribution, Draws):
        return Draws(mean + deviation * distribution.values)
    return distribution


def picked(distribution: Distribution, rows: Tensor) -> Distribution:
    """The distributions of some rows of a batch.

    Args:
        distribution: of S numbers.
        rows: (R,) indices.

    Raises:
        TypeError: for a distribution that is not one of this module's.
    """
    if isinstance(distribution, Point):
        return Point(distribution.mean[rows])
    if isinstance(distribution, Mixture):
        parts = (distribution.log_weights, distribution.means, distribution.deviations)
        return Mixture(*(part[rows] for part in parts))
    if isinstance(distribution, Quantiles):
        return Quantiles(distribution.levels, distribution.values[rows])
    if isinstance(distribution, Counts):
        return Counts(distribution.mean[rows], distribution.dispersion[rows])
    if isinstance(distribution, Draws):
        return Draws(distribution.values[rows])
    if isinstance(distribution, Blend):
        return Blend([picked(part, rows) for part in distribution.parts], distribution.weights)
    raise TypeError(f"{type(distribution).__name__} has no rows")
