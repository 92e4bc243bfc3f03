"""Distributions read off at the levels by which predictions are kept, scored and recalibrated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rscovlm.models.heads.distribution import Distribution
from rscovlm.scoring.predictions import LEVELS


class Stated(NamedTuple):
    """Numbers that S distributions state.

    Attributes:
        mean: (S,).
        deviation: (S,) standard deviations; 0 where no spread is stated.
        quantiles: (S, levels) at ``LEVELS``.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    @property
    def has_spread(self) -> bool:
        """Whether any of the distributions is more than a number."""
        return bool((self.deviation > 0).any())


def stated(found: Distribution) -> Stated:
    """Mean, standard deviation and quantiles at ``LEVELS`` of each distribution, without gradients."""
    quantiles = torch.stack([found.quantile(level) for level in LEVELS], dim=1)
    return Stated(*map(_array, (found.mean, found.variance.clamp_min(0).sqrt(), quantiles)))


def _array(values: Tensor) -> NDArray[np.float64]:
    known: NDArray[np.float64] = values.detach().double().cpu().numpy()
    return known
