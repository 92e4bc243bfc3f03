"""Cross-entropy in which a coordinate may be nearly right."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from rscovlm.training.loss import SoftNumbers


def token_losses(
    logits: torch.Tensor, targets: torch.Tensor, soft: torch.Tensor, number_ids: torch.Tensor, spread: float
) -> torch.Tensor:
    """(n,) losses of n target tokens.

    A coordinate's target is a Gaussian over neighbouring numbers, so that the error of a guess counts by its
    distance; other tokens have the usual one-hot target.

    Args:
        logits: (n, vocabulary).
        targets: (n,) token ids.
        soft: (n,) whether the target is a coordinate.
        number_ids: (1001,) token ids of the numbers 0 to 1000, increasing with the number.
        spread: standard deviation of the Gaussian in thousandths of the image's side.
    """
    losses = F.cross_entropy(logits, targets, reduction="none")
    if not soft.any():
        return losses
    weight = SoftNumbers(number_ids, spread).probabilities(targets[soft])
    log_probability = F.log_softmax(logits[soft], dim=1)[:, number_ids]
    entropy = -(weight * weight.clamp_min(1e-12).log()).sum(dim=1)
    # Less the target's own entropy, so that a perfect guess costs nothing at any spread.
    return losses.masked_scatter(soft, -(weight * log_probability).sum(dim=1) - entropy)
