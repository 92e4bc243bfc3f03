"""A number that does not fall where another rises, by construction.

A distribution is moved by a piecewise linear function of the other number whose pieces cannot fall (the
calibrators of lattice regression: Gupta et al., JMLR 2016). At fixed hidden states the number is then
monotone in the other one; nothing is said of two samples whose hidden states differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rscovlm.models.heads.distribution import Counts, Distribution, scaled

REACH = 2.5
"""Deviations of the other number, to either side of its mean, between which the knots lie by default."""


class MonotoneShift(nn.Module):
    """A shift that does not fall where another number rises, in the scaled units of a head; at first 0.

    ``sum_k max(w_k, 0) clamp((a - t_k) / (t_(k+1) - t_k), 0, 1)``, less the same at the middle of the knots:
    each piece adds a rise of its own once it is passed, and beyond the outermost knots it is level. The
    gradient of ``max(w, 0)`` is taken for that of w, so that a piece that is level can begin to rise.

    Args:
        along: name of the head whose mean is the other number.
        falls: whether the shift does not rise instead.
        knots: two or more, at equal steps.
        over: least and largest knot in the unit of the other number; None for ``REACH`` deviations to either
            side of its mean.

    Raises:
        TypeError: for knots that make no piece.
    """

    places: Tensor

    def __init__(
        self, along: str, falls: bool = False, knots: int = 9, over: tuple[float, float] | None = None
    ) -> None:
        super().__init__()
        if knots < 2 or (over is not None and not over[0] < over[1]):
            raise TypeError(f"monotone takes two knots or more over a range, not {knots} over {over}")
        self.along, self.over, self.sign = along, over, -1.0 if falls else 1.0
        self.rises = nn.Parameter(torch.zeros(knots - 1))
        self.register_buffer("places", torch.linspace(*(over or (-REACH, REACH)), knots), persistent=False)

    def place(self, mean: float, deviation: float) -> None:
        """Put the knots about the mean of the other number, where no range is stated."""
        if self.over is None:
            ends = (mean - REACH * deviation, mean + REACH * deviation)
            self.places = torch.linspace(*ends, len(self.places)).to(self.places)

    def forward(self, along: Tensor) -> Tensor:
        """(S,) shifts in float32 by the other number (S,)."""
        raw = self.rises.float()
        rises = raw.detach().clamp_min(0) + (raw - raw.detach())
        middle = (self.places[:1] + self.places[-1:]) / 2
        return self.sign * (self._risen(along.float(), rises) - self._risen(middle, rises))

    def _risen(self, along: Tensor, rises: Tensor) -> Tensor:
        """(S,) sum of the rises of the pieces that are passed."""
        shares = ((along[:, None] - self.places[:-1]) / self.places.diff()).clamp(0, 1)
        return (shares * rises).sum(dim=1)


def moved(found: Distribution, shift: Tensor) -> Distribution:
    """Distributions with all values (S,) higher; counts, which stay above 0, by a factor ``e^shift``."""
    if isinstance(found, Counts):
        return Counts(found.mean * shift.exp(), found.dispersion)
    return scaled(found, shift, 1.0)
