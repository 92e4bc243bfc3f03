"""A faster way to compute the same thing on a CPU, patched into a Qwen3-VL vision tower for training."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def patch_embed_as_matmul(model) -> None:
    """Compute the patch embedding, a convolution whose stride is its kernel, as a matrix product.

    Same weights, same result; on a CPU the backward pass of the convolution alone took a tenth of a step.
    """
    embed = model.model.visual.patch_embed
    projection = embed.proj

    def forward(patches: torch.Tensor) -> torch.Tensor:
        weight = projection.weight.flatten(1)
        return F.linear(patches.view(-1, weight.shape[1]), weight, projection.bias)

    embed.forward = forward
