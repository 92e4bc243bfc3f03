"""Images of one place joined token by token, where a trunk would otherwise average over them.

Each image says something else about the place (true colour, red edge, backscatter), so that their tokens
belong side by side: token v of all I images of a sample becomes one token of I times the width, and a linear
layer brings it back. The layer starts as the mean, which is what a trunk without it sees.

Shapes: S samples, I images of n visual tokens each, V = I n, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rscovlm.errors import DataError
from rscovlm.models.heads.numbers.states import States


class JoinedImages(nn.Module):
    """See the module.

    Args:
        width: of the hidden states.
        images: I, of each sample; 1 leaves states as they are.
        vision_width: of features of the vision tower, which are joined likewise; None for none.
    """

    def __init__(self, width: int, images: int, vision_width: int | None = None) -> None:
        super().__init__()
        if images < 1:
            raise TypeError(f"images {images} has to be 1 or more")
        self.images = images
        self.visual = _mean_of(images, width) if images > 1 else None
        self.tapped = _mean_of(images, vision_width) if images > 1 and vision_width is not None else None

    def forward(self, states: States) -> States:
        """States of n visual tokens of S samples, whose readout is that of one image.

        Raises:
            DataError: for samples with another number of images, or images of several sizes.
        """
        if self.visual is None:
            return states
        if not states.seen.any():  # one token of nothing, so that every rank has a gradient
            return self._joined(_nothing(states, self.images), states.weights.new_zeros(len(states.seen), 1))
        return self._joined(states, readout_of_one(states, self.images))

    def _joined(self, states: States, weights: Tensor) -> States:
        assert self.visual is not None
        tapped = states.tapped
        if self.tapped is not None and tapped is not None:
            tapped = self.tapped(side_by_side(tapped, self.images))
        visual = self.visual(side_by_side(states.visual, self.images))
        return States(visual, weights, states.words, states.is_word, tapped)


def readout_of_one(states: States, images: int) -> Tensor:
    """(S, n) weights of the readout of one image of each sample, which sum to 1 over its tokens.

    Raises:
        DataError: for samples with another number of images, or images of several sizes.
    """
    count = states.weights.shape[1]
    if count % images == 0:
        each = states.weights.unflatten(1, (images, -1))
        share = each.sum(dim=2)[states.seen]
        if torch.allclose(share, torch.full_like(share, 1 / images), atol=1e-2):
            summed: Tensor = each.sum(dim=1)
            return summed
    raise DataError(
        f"a head joins {images} images of one size of each sample, and {count} visual tokens are not "
        f"those; set images to their number, or to 1 for samples that differ"
    )


def _nothing(states: States, images: int) -> States:
    """A token of zeros of each image in place of none."""
    samples = len(states.seen)
    visual = states.visual.new_zeros(samples, images, states.visual.shape[2])
    tapped = None if states.tapped is None else visual.new_zeros(samples, images, states.tapped.shape[2])
    return States(visual, visual.new_zeros(samples, images), states.words, states.is_word, tapped)


def side_by_side(tokens: Tensor, images: int) -> Tensor:
    """(S, n, I * W) from (S, I * n, W): the tokens of one place of all images."""
    apart: Tensor = tokens.unflatten(1, (images, -1))
    return apart.transpose(1, 2).flatten(2)


def _mean_of(images: int, width: int) -> nn.Linear:
    """A layer from I * W to W that is the mean over images."""
    layer = nn.Linear(images * width, width)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width).repeat(1, images) / images)
        layer.bias.zero_()
    return layer
