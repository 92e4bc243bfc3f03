"""Gates on the rank dimensions of low-rank adapters, by the ground sampling distance (GSD) of what is seen.

A layer becomes ``W x + alpha / rank * B (h(s) * A x)`` with ``s = log10(GSD in metres)``: CS-HLoRA
(ScaleEarth, arXiv 2605.07562, figure 5) where h is a sigmoid of s, a mixture of LoRA where it is 0 or 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.errors import ModelError
from rscovlm.models.scale.defaults import NEUTRAL_M, SHARPNESS, TIERS_M


class Gate(nn.Module):
    """Weights of rank dimensions by the scale of each token.

    Args:
        rank: dimensions.
        neutral_m: GSD that stands in for an unknown one.
        normalised: whether the weights are scaled to sum to ``rank`` at every GSD, so that coarse images,
            which close most gates, do not learn at a lower rate.
    """

    def __init__(self, rank: int, neutral_m: float = NEUTRAL_M, normalised: bool = False) -> None:
        super().__init__()
        self.rank, self.normalised = rank, normalised
        self.neutral = math.log10(neutral_m)

    @classmethod
    def settled(cls, **settings: Any) -> dict[str, Any]:
        """Settings of a gate beside its rank, with defaults for those that are not given.

        Raises:
            TypeError: for one that this kind of gate does not have.
        """
        bound = signature(cls).bind(0, **settings)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name != "rank"}

    @abstractmethod
    def open(self, log_gsd: Tensor) -> Tensor:
        """(..., rank) float32 in [0, 1] of finite (...) log10 metres per pixel."""

    def forward(self, log_gsd: Tensor) -> Tensor:
        """(..., rank) float32 weights.

        Args:
            log_gsd: (...) log10 metres per pixel; NaN where unknown.
        """
        weights = self.open(log_gsd.float().nan_to_num(nan=self.neutral))
        if not self.normalised:
            return weights
        return weights * (self.rank / weights.sum(dim=-1, keepdim=True).clamp_min(1e-6))


class SigmoidGate(Gate):
    """``h_k(s) = sigmoid(a (tau_k - s))``: coarser images switch off the dimensions of fine scales.

    Each dimension has its threshold ``tau_k``, which learns; ``a > 0`` is one of all dimensions, so that
    gates keep their order.

    Args:
        rank: dimensions, shared out evenly among the tiers in their order.
        tiers_m: metres per pixel at which the dimensions of each tier are half open at the start.
        sharpness: a, per decade of GSD.
        learns_sharpness: whether a learns.
        neutral_m, normalised: see ``Gate``.

    Raises:
        ModelError: for fewer dimensions than tiers, or values that are not positive.
    """

    def __init__(
        self,
        rank: int,
        tiers_m: Sequence[float] = TIERS_M,
        sharpness: float = SHARPNESS,
        learns_sharpness: bool = True,
        neutral_m: float = NEUTRAL_M,
        normalised: bool = False,
    ) -> None:
        super().__init__(rank, neutral_m, normalised)
        if rank < len(tiers_m) or not tiers_m:
            raise ModelError(f"{len(tiers_m)} tiers cannot share out a rank of {rank}; give each a dimension")
        if min(*tiers_m, sharpness, neutral_m) <= 0:
            raise ModelError("tiers, sharpness and neutral GSD have to be positive")
        starts = torch.tensor([math.log10(metres) for metres in tiers_m])
        tiers = tier_of_dimensions(rank, len(tiers_m))
        self.register_buffer("tier", tiers, persistent=False)
        self.tau = nn.Parameter(starts[tiers])
        # softplus of it is a, so that a stays positive.
        self.raw_sharpness = nn.Parameter(
            torch.tensor([sharpness + math.log(-math.expm1(-sharpness))]), requires_grad=learns_sharpness
        )

    @property
    def sharpness(self) -> Tensor:
        """(1,) a."""
        return F.softplus(self.raw_sharpness.float())

    def open(self, log_gsd: Tensor) -> Tensor:
        """See ``Gate``."""
        return torch.sigmoid(self.sharpness * (self.tau.float() - log_gsd[..., None]))


class BucketGate(Gate):
    """One group of dimensions for each bucket of GSD: a mixture of LoRA experts, chosen by GSD alone.

    An edge is of the coarser of its buckets.

    Args:
        rank: dimensions, shared out evenly among the buckets.
        edges_m: metres per pixel between neighbouring buckets, ascending.
        neutral_m: see ``Gate``.
        normalised: see ``Gate``; without it one expert in K learns at a K-th of the rate of plain LoRA.

    Raises:
        ModelError: for fewer dimensions than buckets, or edges that do not ascend.
    """

    def __init__(
        self,
        rank: int,
        edges_m: Sequence[float] = (1.0, 5.0),
        neutral_m: float = NEUTRAL_M,
        normalised: bool = True,
    ) -> None:
        super().__init__(rank, neutral_m, normalised)
        if list(edges_m) != sorted(set(edges_m)) or not edges_m or edges_m[0] <= 0:
            raise ModelError(f"edges_m {list(edges_m)} of buckets have to be positive and ascend")
        if rank <= len(edges_m):
            raise ModelError(f"{len(edges_m) + 1} buckets cannot share out a rank of {rank}")
        edges = torch.tensor([math.log10(metres) for metres in edges_m])
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("bucket", tier_of_dimensions(rank, len(edges_m) + 1), persistent=False)

    def open(self, log_gsd: Tensor) -> Tensor:
        """See ``Gate``."""
        edges, groups = self.get_buffer("edges"), self.get_buffer("bucket")
        return (torch.bucketize(log_gsd, edges, right=True)[..., None] == groups).float()


def tier_of_dimensions(rank: int, tiers: int) -> Tensor:
    """(rank,) int64 tier of each dimension: shares that differ by one at most, the first ones larger."""
    return torch.cat([part.new_full((len(part),), i) for i, part in enumerate(_shares(rank, tiers))])


def _shares(rank: int, tiers: int) -> Sequence[Tensor]:
    return torch.arange(rank).tensor_split(tiers)
