"""A number about each sample, such as the biomass of a plot, read off its visual tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from rscovlm.models.heads.base import Head, Term

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel


class RegressionHead(Head):
    """A linear map of the mean of a sample's visual tokens, after the last layer.

    Args:
        width: of the hidden states.
        target: name among the samples' numbers; samples without it do not count.
        mean, deviation: value and change of the target that are 0 and 1 inside the head.
        weight: of its error beside the cross-entropy of answers.
    """

    at_inference = True

    def __init__(
        self, width: int, target: str, mean: float = 0.0, deviation: float = 1.0, weight: float = 1.0
    ) -> None:
        super().__init__(width, target=target, mean=mean, deviation=deviation, weight=weight)
        self.norm = nn.RMSNorm(width)
        self.value = nn.Linear(width, 1)

    def forward(self, visual: torch.Tensor) -> torch.Tensor:
        """(S,) values in the target's unit from (S, width) means of visual tokens."""
        scaled: torch.Tensor = self.value(self.norm(visual.to(self.value.weight.dtype)))[:, 0]
        mean, deviation = float(self.settings["mean"]), float(self.settings["deviation"])
        return scaled.float() * deviation + mean

    def terms(
        self, model: VisionLanguageModel, hidden: Sequence[torch.Tensor], pack: Pack
    ) -> Mapping[str, Term]:
        """``regression``: Huber loss of the scaled value, a mean over the samples that have one."""
        means, counts = visual_means(hidden[-1][0], model.config.image_token_id, pack)
        wanted = pack.sample_extras.get(self.settings["target"])
        if wanted is None:
            wanted = torch.full_like(counts, float("nan"))
        usable = wanted.isfinite() & (counts > 0)
        mean, deviation = self.settings["mean"], self.settings["deviation"]
        found = (self(means) - mean) / deviation
        truth = (wanted.nan_to_num(0.0) - mean) / deviation
        errors = F.huber_loss(found, truth, reduction="none") * usable
        return {"regression": Term(errors.sum() / usable.sum().clamp_min(1), self.settings["weight"])}


def visual_means(hidden: torch.Tensor, image_id: int, pack: Pack) -> tuple[torch.Tensor, torch.Tensor]:
    """(S, width) float32 mean hidden state of each sample's visual tokens, and (S,) how many those are.

    Args:
        hidden: (L, width).
        image_id: token that stands for a visual token.
        pack: of L tokens.
    """
    samples = len(pack.learnt)
    visual = (pack.input_ids[0] == image_id) & (pack.sample[0] >= 0)
    owner = pack.sample[0][visual]
    counts = torch.zeros(samples, device=hidden.device).index_add_(
        0, owner, torch.ones(len(owner), device=hidden.device)
    )
    sums = torch.zeros(samples, hidden.shape[1], device=hidden.device)
    sums = sums.index_add(0, owner, hidden[visual].float())
    return sums / counts.clamp_min(1)[:, None], counts
