"""States that a head reads of a pack: each sample's visual tokens and words, padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack

Readout = Literal["mean", "gaussian", "center"]
"""Weights of visual tokens: all alike; by distance from the middle of their image; the innermost alone.

A label of 25 m at the middle of a patch of 250 m is about a few tokens, not about all of them.
"""


@dataclass(frozen=True, eq=False)
class States:
    """Hidden states of S samples after the last layer, and features of their visual tokens.

    Attributes:
        visual: (S, V, W) of visual tokens.
        weights: (S, V) of the readout, which sum to 1; all 0 for a sample without images.
        words: (S, T, W) of the prompt: all before the first answer, which may state the number.
        is_word: (S, T) where there is one.
        tapped: (S, V, W') features of the same visual tokens in the vision tower; None where not asked for.
        about: (S, 2) mean and deviation of the target in the region of each sample; None where no region is
            stated.
        along: (S,) number along which the head is monotone; None for heads that are so along none.
    """

    visual: Tensor
    weights: Tensor
    words: Tensor
    is_word: Tensor
    tapped: Tensor | None = None
    about: Tensor | None = None
    along: Tensor | None = None

    @property
    def seen(self) -> Tensor:
        """(S,) whether a sample has images."""
        return self.weights.sum(dim=1) > 0

    def read(self) -> States:
        """The same states without visual tokens that the readout leaves out of every sample."""
        kept = (self.weights > 0).any(dim=0)
        if not kept.any() or kept.all():
            return self
        tapped = None if self.tapped is None else self.tapped[:, kept]
        return replace(self, visual=self.visual[:, kept], weights=self.weights[:, kept], tapped=tapped)

    def to(self, dtype: torch.dtype) -> States:
        """The same states in another precision, that of a head's weights: bfloat16 under DeepSpeed."""
        tapped = None if self.tapped is None else self.tapped.to(dtype)
        visual, weights, words = (part.to(dtype) for part in (self.visual, self.weights, self.words))
        return replace(self, visual=visual, weights=weights, words=words, tapped=tapped)

    def pooled(self) -> Tensor:
        """(S, W) visual tokens by the readout."""
        return torch.einsum("sv,svw->sw", self.weights, self.visual)

    def said(self) -> Tensor:
        """(S, W) mean of the words; 0 where there are none."""
        return torch.einsum("st,stw->sw", self.word_shares, self.words)

    @property
    def word_shares(self) -> Tensor:
        """(S, T) of the words, alike, which sum to 1; all 0 for a sample without words."""
        return (self.is_word / self.is_word.sum(dim=1, keepdim=True).clamp_min(1)).to(self.words)


def states_of(
    hidden: Tensor,
    pack: Pack,
    image_id: int,
    readout: Readout = "mean",
    spread: float = 0.1,
    tapped: Tensor | None = None,
) -> States:
    """The states of a pack's samples, in float32.

    Args:
        hidden: (L, W) after the last layer.
        pack: of L tokens.
        image_id: token that stands for a visual token.
        readout: of visual tokens.
        spread: standard deviation of ``gaussian``, as a share of the image's side.
        tapped: (n, W') features of the pack's n visual tokens, the dummy's included.
    """
    owner, visual = pack.sample[0], pack.input_ids[0] == image_id
    # A token is an answer where the token before it had it as its target.
    answer = torch.zeros_like(visual)
    answer[1:] = pack.targets[0][:-1] >= 0
    samples = len(pack.learnt)
    weights = token_weights(pack.image_grid_thw, pack.spec.merge, readout, spread)
    own = owner[visual]
    count = range(samples)
    words = (owner >= 0) & ~visual & ~_answered(answer, owner, samples)
    picked = [weights[own == index] for index in count]
    return States(
        visual=_padded([hidden[visual & (owner == index)] for index in count], hidden),
        weights=_padded([w / w.sum().clamp_min(1e-12) for w in picked], weights).to(hidden.device),
        words=_padded([hidden[words & (owner == index)] for index in count], hidden),
        is_word=_padded([torch.ones(int((words & (owner == i)).sum())) for i in count], hidden[0]).bool(),
        tapped=None if tapped is None else _padded([tapped[own == index] for index in count], tapped),
    )


def _answered(answer: Tensor, owner: Tensor, samples: int) -> Tensor:
    """(L,) from the first token of a sample's first answer on: what follows an answer has seen it."""
    place = torch.arange(len(owner), device=owner.device)
    first = torch.full((samples + 1,), len(owner), device=owner.device)  # the last is the dummy's
    first = first.scatter_reduce(0, owner[answer], place[answer], "amin")
    return place >= first[owner]


def _padded(parts: Sequence[Tensor], like: Tensor) -> Tensor:
    if not parts:
        return like.new_zeros((0, 0, *like.shape[1:]), dtype=torch.float32)
    return pad_sequence([part.float() for part in parts], batch_first=True).to(like.device)


def token_weights(grids: Tensor, merge: int, readout: Readout, spread: float = 0.1) -> Tensor:
    """(n,) weight of each visual token of some images, in order; those of one image sum to 1.

    Args:
        grids: (images, 3) frames, rows and columns in patches.
        merge: patches along the side of a visual token.
        readout: see ``Readout``.
        spread: see ``states_of``.
    """
    parts = [torch.zeros(0)]
    for frames, rows, columns in grids.tolist():
        down, across = _offsets(rows // merge), _offsets(columns // merge)
        away = (down[:, None] ** 2 + across[None] ** 2).sqrt()
        if readout == "mean":
            weight = torch.ones_like(away)
        elif readout == "gaussian":
            weight = torch.exp(-0.5 * (away / spread) ** 2 + 0.5 * (away.min() / spread) ** 2)
        else:
            weight = (away <= away.min() + 1e-6).float()
        parts.append((weight / weight.sum() / frames).flatten().repeat(frames))
    return torch.cat(parts)


def _offsets(count: int) -> Tensor:
    """(count,) places of the middles of equal parts of a side, from -0.5 to 0.5 with 0 at its middle."""
    return (torch.arange(count) + 0.5) / count - 0.5
