"""Outputs: how a feature becomes a predictive distribution, in scaled units (perspective paper V-C, V-E)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.distribution import Counts, Distribution, Mixture, Point, Quantiles

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Levels of ``quantiles`` unless others are given."""

_FLOOR = 0.02  # least scaled standard deviation: a likelihood without one has no maximum


def _positive(raw: Tensor, floor: float) -> Tensor:
    """Softplus above a floor, 1 where ``raw`` is 0."""
    return floor + (1 - floor) * F.softplus(raw + math.log(math.e - 1))


class PointOutput(nn.Module):
    """A number without a spread."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, 1)

    def forward(self, feature: Tensor) -> Distribution:
        """(S,) points from (S, W)."""
        return Point(self.value(feature).float()[:, 0])


class MixtureOutput(nn.Module):
    """A mixture density (Bishop, 1994); one component is a Gaussian.

    Args:
        width: of the feature.
        components: Gaussians.
        least_deviation: in scaled units.
    """

    def __init__(self, width: int, components: int = 4, least_deviation: float = _FLOOR) -> None:
        super().__init__()
        if components < 1:
            raise TypeError(f"{components} components make no mixture; give 1 or more")
        self.least = least_deviation
        self.value = nn.Linear(width, 3 * components)
        with torch.no_grad():  # components that start alike would stay alike
            spread = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
            self.value.bias.copy_(torch.cat([torch.zeros(components), spread, torch.zeros(components)]))

    def forward(self, feature: Tensor) -> Distribution:
        """(S,) mixtures from (S, W)."""
        logits, means, raw = self.value(feature).float().chunk(3, dim=1)
        return Mixture(logits.log_softmax(dim=1), means, _positive(raw, self.least))


class GaussianOutput(MixtureOutput):
    """A mean and a deviation."""

    def __init__(self, width: int, least_deviation: float = _FLOOR) -> None:
        super().__init__(width, 1, least_deviation)


class QuantilesOutput(nn.Module):
    """Quantiles that never cross: each is the one below plus something positive.

    Args:
        width: of the feature.
        levels: ascending, in (0, 1).
    """

    levels: Tensor

    def __init__(self, width: int, levels: tuple[float, ...] = LEVELS) -> None:
        super().__init__()
        ascending = all(low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True))
        if len(levels) < 2 or not ascending:
            raise TypeError(f"levels {levels} have to be two or more in ascending order between 0 and 1")
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.value = nn.Linear(width, len(levels))
        with torch.no_grad():  # as a standard normal distribution has them
            normal = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float()
            steps = normal.diff()
            self.value.bias.copy_(torch.cat([normal[:1], steps + torch.log(-torch.expm1(-steps))]))

    def forward(self, feature: Tensor) -> Distribution:
        """(S,) sets of quantiles from (S, W)."""
        raw = self.value(feature).float()
        steps = torch.cat([raw[:, :1], F.softplus(raw[:, 1:])], dim=1)
        return Quantiles(self.levels, steps.cumsum(dim=1))


class IntervalsOutput(nn.Module):
    """Discrete intervals with a residual in each: which interval, then where in it.

    ``soft`` sums over intervals, ``sum p_b (c_b + r_b)``; ``hard`` takes the likeliest one at inference.
    Values beyond the outermost edges are reached by the residuals of the outermost intervals.

    Args:
        width: of the feature.
        edges: ascending, in scaled units.
        fuse: ``soft`` or ``hard``.
    """

    centres: Tensor
    halves: Tensor

    def __init__(self, width: int, edges: tuple[float, ...], fuse: Literal["soft", "hard"] = "soft") -> None:
        super().__init__()
        bounds = torch.tensor(edges, dtype=torch.float32)
        if len(edges) < 3 or not (bounds.diff() > 0).all():
            raise TypeError(f"edges {edges} have to be three or more in ascending order")
        self.fuse = fuse
        self.register_buffer("centres", (bounds[1:] + bounds[:-1]) / 2, persistent=False)
        self.register_buffer("halves", bounds.diff() / 2, persistent=False)
        self.value = nn.Linear(width, 3 * (len(edges) - 1))

    def forward(self, feature: Tensor) -> Distribution:
        """(S,) mixtures of a component an interval from (S, W)."""
        logits, residual, raw = self.value(feature).float().chunk(3, dim=1)
        if self.fuse == "hard" and not self.training:
            best = logits.argmax(dim=1, keepdim=True)
            logits = torch.full_like(logits, -60.0).scatter(1, best, 0.0)
        # Inside its interval, but for the outermost ones, which reach as far as they have to.
        inner = residual.tanh()
        reach = torch.cat(
            [torch.minimum(inner, residual)[:, :1], inner[:, 1:-1], torch.maximum(inner, residual)[:, -1:]],
            dim=1,
        )
        deviations = self.halves * _positive(raw - 1, _FLOOR)
        return Mixture(logits.log_softmax(dim=1), self.centres + self.halves * reach, deviations)


class CountOutput(nn.Module):
    """A count: negative binomial, or Poisson without a dispersion of its own; not scaled.

    Args:
        width: of the feature.
        dispersed: whether the variance may exceed the mean.
    """

    scaled = False

    def __init__(self, width: int, dispersed: bool = True) -> None:
        super().__init__()
        self.dispersed = dispersed
        self.value = nn.Linear(width, 2)

    def forward(self, feature: Tensor) -> Distribution:
        """(S,) counts from (S, W)."""
        rate, raw = self.value(feature).float().unbind(dim=1)
        dispersion = F.softplus(raw - 2) if self.dispersed else torch.zeros_like(raw)
        return Counts(F.softplus(rate) + 1e-4, dispersion)


OUTPUTS: dict[str, type[nn.Module]] = {
    "point": PointOutput,
    "gaussian": GaussianOutput,
    "mixture": MixtureOutput,
    "quantiles": QuantilesOutput,
    "intervals": IntervalsOutput,
    "count": CountOutput,
}
"""Outputs by the names that configurations use."""
