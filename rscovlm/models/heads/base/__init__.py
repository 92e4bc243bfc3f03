"""Base of all heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import nn

from rscovlm.models.heads.distribution.recalibrated import recalibrated
from rscovlm.models.regions import DEVIATION, MEAN
from rscovlm.scoring.predictions import LEVELS

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.qwen import VisionLanguageModel
    from rscovlm.scoring.quantile_steps import QuantileSteps


class Term(NamedTuple):
    """A part of the loss.

    Attributes:
        value: scalar, a mean over the pack.
        weight: beside the cross-entropy of answers.
    """

    value: torch.Tensor
    weight: float


class Head(nn.Module):
    """A module that reads the hidden states of the language model.

    Attributes:
        at_inference: whether a trained model needs it, so that an export keeps it.
        settings: keyword arguments that make the same head anew.
    """

    at_inference: ClassVar[bool] = False
    settings: dict[str, Any]

    def __init__(self, width: int, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    @property
    def taps(self) -> tuple[int, ...]:
        """Layers of the vision tower whose features it reads, by index from 0; a setting, none without it."""
        return tuple(self.settings.get("taps", ()))

    def share_at(self, progress: float) -> float:
        """Part of its weight that counts when so much of the run is done, from 0 to 1."""
        return 1.0

    def bind(self, heads: Mapping[str, Any]) -> None:
        """Take other heads of the same model that it reads, by their names; most read none.

        Raises:
            TypeError: for one that is not there, or does not suit.
        """

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[torch.Tensor],
        pack: Pack,
        tapped: torch.Tensor | None = None,
    ) -> Mapping[str, Term]:
        """Its parts of the loss over a pack, by name.

        Args:
            model: that the hidden states are of.
            hidden: (1, L, width) after the embeddings and each layer; the last one is normalised.
            pack: of L tokens.
            tapped: (n, width of the tower) features of the pack's n visual tokens in ``taps``; None where it
                reads none.
        """
        raise NotImplementedError


class PredictiveHead(Head):
    """A head that says a number about the middle of each sample, as a ``Distribution``, at inference.

    Attributes:
        steps: by which its quantiles are moved at inference; None where it is not recalibrated.
    """

    at_inference: ClassVar[bool] = True
    steps: QuantileSteps | None = None

    @property
    def target(self) -> str:
        """Name of the number, among the samples' numbers or maps."""
        return str(self.settings["target"])

    @property
    def units(self) -> tuple[float, float]:
        """Value and change of the target that are 0 and 1 inside the head, where no region states others."""
        return self.settings["mean"], self.settings["deviation"]

    def standing(self, numbers: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """(S, 2) mean and deviation of the target in the region of each sample; None where none is stated.

        Args:
            numbers: (S,) by name; NaN, and the head's own units, where a sample has none.
        """
        stated = [numbers.get(f"{prefix}{self.target}") for prefix in (MEAN, DEVIATION)]
        if any(each is None for each in stated):
            return None
        found = torch.stack([each for each in stated if each is not None], dim=1)
        return torch.where(found.isfinite().all(dim=1, keepdim=True), found, found.new_tensor(self.units))

    def states(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[torch.Tensor],
        pack: Pack,
        tapped: torch.Tensor | None = None,
    ) -> Any:
        """The states of a pack that it takes when it is called; arguments as of ``terms``."""
        raise NotImplementedError

    def forward(self, states: Any) -> Distribution:
        """The distributions of S samples in the target's unit."""
        raise NotImplementedError

    @property
    def widest(self) -> float:
        """Share of the widest central interval that it can state."""
        return 1.0 if self.steps is None else LEVELS[-1] - LEVELS[0]

    @property
    def has_spread(self) -> bool:
        """Whether it states more than a point."""
        return True

    def stated(self, states: Any) -> Distribution:
        """The distributions after their recalibration, where there is one."""
        return self.moved(self(states))

    def moved(self, found: Distribution) -> Distribution:
        """Distributions that it gave, after its recalibration, where there is one."""
        if self.steps is None:
            return found
        return recalibrated(found, self.steps, self.settings.get("low"), self.settings.get("high"))
