"""Ensembles: one number of several heads beside the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from rscovlm.models.heads.base import PredictiveHead, Term
from rscovlm.models.heads.distribution import Distribution, Mixture, Point
from rscovlm.models.heads.distribution.blend import Blend, precisions
from rscovlm.models.heads.members import members_of, states_of_members, taps_of

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel

Fuse = Literal["mean", "inverse_variance", "stacked", "sum"]


class EnsembleHead(PredictiveHead):
    """Several heads asked at once; it has no weights of its own, and its members learn as they do alone.

    ``mean`` mixes the members' distributions alike, ``stacked`` with weights that were fitted on validation
    plots (``rscovlm.reo.stacking``), ``inverse_variance`` multiplies them as Gaussians. ``sum`` makes a whole
    of its parts, so that it is their sum by construction; its variance takes their errors for independent.

    Args:
        width: of the hidden states.
        members: names of two or more heads of the same model that give the same number, or parts of one.
        fuse: see above.
        weights: of the members, for ``stacked``; 0 or more, of sum 1.
        target: of the members; None until they are known. Of ``sum`` it is the whole, and stated.
        tiles: that the weights were fitted on.

    Raises:
        TypeError: for settings that mean nothing.
    """

    def __init__(
        self,
        width: int,
        members: Sequence[str],
        fuse: Fuse = "mean",
        weights: Sequence[float] | None = None,
        target: str | None = None,
        tiles: Sequence[str] = (),
    ) -> None:
        super().__init__(
            width, members=list(members), fuse=fuse, weights=weights, target=target, tiles=list(tiles)
        )
        if len(set(members)) < 2 or len(set(members)) < len(members):
            raise TypeError(f"members {list(members)} have to be two or more different heads")
        if fuse == "stacked" and (weights is None or len(weights) != len(members)):
            raise TypeError("fuse stacked needs a weight for each member, fitted by rscovlm reo stack")
        if fuse == "sum" and target is None:
            raise TypeError("fuse sum needs a target, the name of the whole")
        if weights is not None and (min(weights) < 0 or abs(sum(weights) - 1) > 1e-6):
            raise TypeError(f"weights {list(weights)} have to be 0 or more, and of sum 1")
        self._heads: tuple[PredictiveHead, ...] = ()

    def bind(self, heads: Mapping[str, Any], apart: bool = False) -> None:
        """Take the members from all heads of a model.

        Args:
            heads: by name.
            apart: whether members stand beside models of their own, so that each may read its own layers.

        Raises:
            TypeError: for one that is not there, or that gives another number or reads other layers.
        """
        self._heads = members_of(heads, self.settings["members"], apart)
        if self.settings["fuse"] == "sum":
            return
        targets = {head.target for head in self._heads}
        if len(targets) > 1:
            raise TypeError(f"its members give different numbers: {', '.join(sorted(targets))}")
        self.settings["target"] = targets.pop()

    @property
    def taps(self) -> tuple[int, ...]:
        """Layers of the vision tower that members read."""
        return taps_of(self._heads)

    @property
    def widest(self) -> float:
        """Of quantiles of members that are mixed, what the narrowest state."""
        if self.steps is not None or self.settings["fuse"] in ("inverse_variance", "sum"):
            return super().widest
        return min((head.widest for head in self._heads), default=1.0)

    def states(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> tuple[Any, ...]:
        """The states of each member."""
        return states_of_members(self._heads, model, hidden, pack, tapped)

    def forward(self, states: tuple[Any, ...]) -> Distribution:
        """The distributions of S samples."""
        parts = [head(own) for head, own in zip(self._heads, states, strict=True)]
        return fused(parts, self.settings["fuse"], self.settings["weights"])

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> Mapping[str, Term]:
        """None: the members have theirs."""
        return {}


def fused(parts: Sequence[Distribution], fuse: Fuse, weights: Sequence[float] | None = None) -> Distribution:
    """One distribution of several.

    Args:
        parts: M batches of S distributions.
        fuse: see ``EnsembleHead``.
        weights: of ``stacked``.

    Raises:
        ValueError: ``inverse_variance`` of parts without a spread.
    """
    if fuse == "sum":
        mean = torch.stack([part.mean for part in parts]).sum(dim=0)
        variance = torch.stack([part.variance for part in parts]).sum(dim=0)
        return Mixture.gaussian(mean, variance.sqrt()) if bool((variance > 0).all()) else Point(mean)
    if fuse != "inverse_variance":
        return Blend(parts, [1 / len(parts)] * len(parts) if weights is None else list(weights))
    if any(bool((part.variance <= 0).any()) for part in parts):
        raise ValueError("fuse inverse_variance needs a spread of each member; give none the output point")
    mean, variance = precisions(parts)
    return Mixture.gaussian(mean, torch.sqrt(variance))
