"""Trunks: how hidden states become one feature a sample (perspective paper V-B; REO-VLM 3.4).

Each takes ``States`` and gives (S, W) with a loss of its own, 0 where there is none. None has dropout: its
change of variance between training and inference biases a regression (REO-VLM, supplement 4).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.numbers.states import States


class Feature(NamedTuple):
    """A feature of each sample.

    Attributes:
        value: (S, W).
        extra: scalar loss that the trunk itself asks for.
    """

    value: Tensor
    extra: Tensor


def _mlp(width: int, out: int, depth: int) -> nn.Sequential:
    """``depth`` hidden layers and one to ``out``."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(width, out)) if out else nn.Sequential(*layers)


class Trunk(nn.Module):
    """Base of all trunks.

    Attributes:
        needs_taps: whether it reads layers of the vision tower.
    """

    needs_taps: ClassVar[bool] = False

    def forward(self, states: States) -> Feature:
        """See the module."""
        raise NotImplementedError


class Embed(Trunk):
    """Visual tokens by the readout, as they are: with one linear output a linear probe of frozen states.

    ``rscovlm.reo.embedding`` solves it as a ridge regression.

    Args:
        width: of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, states: States) -> Feature:
        """See the module."""
        value = states.pooled()
        return Feature(value, value.new_zeros(()))


class Parallel(Trunk):
    """Visual tokens by the readout, through layers of its own: beside the text head, without an exchange.

    Args:
        width: of the hidden states.
        depth: hidden layers; 0 leaves the pooled state as it is.
    """

    def __init__(self, width: int, depth: int = 1) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.layers = _mlp(width, 0, depth)

    def forward(self, states: States) -> Feature:
        """See the module."""
        value = self.layers(self.norm(states.pooled()))
        return Feature(value, value.new_zeros(()))


class Attention(Trunk):
    """A learned query that attends to words, visual tokens, or both.

    States do not say where in its image a token stands, and the label is about the middle. So the readout's
    weights are the shares of attention before anything is learnt, beside those of the words, which are alike.

    Args:
        width: of the hidden states.
        heads: of the attention.
        reads: which states are keys and values.
    """

    def __init__(
        self, width: int, heads: int = 4, reads: Literal["words", "visual", "both"] = "both"
    ) -> None:
        super().__init__()
        if width % heads:
            raise TypeError(f"{heads} attention heads do not divide a width of {width}")
        self.heads, self.reads = heads, reads
        self.norm = nn.RMSNorm(width)
        self.query = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.keys, self.values = nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, states: States) -> Feature:
        """See the module."""
        kinds = {"words": (states.words, states.word_shares), "visual": (states.visual, states.weights)}
        chosen = list(kinds.values()) if self.reads == "both" else [kinds[self.reads]]
        tokens = self.norm(torch.cat([part for part, _ in chosen], dim=1))
        shares = torch.cat([share for _, share in chosen], dim=1)
        samples, width = len(tokens), tokens.shape[2]
        shape = (samples, -1, self.heads, width // self.heads)
        keys, values = (layer(tokens).view(shape).transpose(1, 2) for layer in (self.keys, self.values))
        query = self.query.view(1, self.heads, 1, -1).expand(samples, -1, -1, -1)
        scores = (query @ keys.transpose(2, 3)) / math.sqrt(width // self.heads)
        scores = scores + shares.log()[:, None, None]  # no share at all is no attention
        share = torch.nan_to_num(scores.softmax(dim=-1))  # a sample without tokens attends to nothing
        found = self.out((share @ values).transpose(1, 2).reshape(samples, width))
        return Feature(found, found.new_zeros(()))


class Gated(Trunk):
    """``g h_v + (1 - g) h_t`` with ``g = sigmoid(W [h_v; h_t])``: vision and words, by a gate a channel.

    Args:
        width: of the hidden states.
        depth: hidden layers after the gate.
    """

    def __init__(self, width: int, depth: int = 1) -> None:
        super().__init__()
        self.vision_norm, self.words_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.gate = nn.Linear(2 * width, width)
        self.layers = _mlp(width, 0, depth)

    def forward(self, states: States) -> Feature:
        """See the module."""
        seen, said = self.vision_norm(states.pooled()), self.words_norm(states.said())
        gate = self.gate(torch.cat([seen, said], dim=1)).sigmoid()
        value = self.layers(gate * seen + (1 - gate) * said)
        return Feature(value, value.new_zeros(()))


class Experts(Trunk):
    """A mixture of experts, half of which read visual tokens and half words.

    The extra loss is that of Switch transformers (Fedus et al., 2022): 1 where all experts are used alike.

    Args:
        width: of the hidden states.
        experts: how many, two or more.
        top_k: experts of one sample; all of them make the mixture dense.
        balance: weight of the extra loss.
    """

    def __init__(self, width: int, experts: int = 4, top_k: int = 2, balance: float = 0.01) -> None:
        super().__init__()
        if not 1 <= top_k <= experts or experts < 2:
            raise TypeError(
                f"top_k {top_k} has to be from 1 to the number of experts, {experts} (at least 2)"
            )
        self.top_k, self.balance = top_k, balance
        self.vision_norm, self.words_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.router = nn.Linear(2 * width, experts)
        self.experts = nn.ModuleList(_mlp(width, width, 1) for _ in range(experts))

    def forward(self, states: States) -> Feature:
        """See the module."""
        sources = self.vision_norm(states.pooled()), self.words_norm(states.said())
        logits = self.router(torch.cat(sources, dim=1))
        share = logits.softmax(dim=1)
        kept, chosen = logits.topk(self.top_k, dim=1)
        used = torch.zeros_like(share).scatter(1, chosen, kept.softmax(dim=1))
        each = torch.stack([expert(sources[i % 2]) for i, expert in enumerate(self.experts)], dim=1)
        value = torch.einsum("se,sew->sw", used, each)
        taken = (used > 0).float().mean(dim=0) / self.top_k
        even = len(self.experts) * (taken.detach() * share.mean(dim=0)).sum()
        return Feature(value, self.balance * even)


class MixerLayer(nn.Module):
    """Token aggregation, then knowledge integration: within each token, then between tokens (REO-VLM 3.4).

    Between tokens they are mixed by the readout's weights and not by fixed places, so that images of any size
    and number go through the same layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.within, self.within_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.between, self.between_norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor, weights: Tensor) -> Tensor:
        """(S, V, W) from the same."""
        mixed: Tensor = tokens + self.within_norm(F.gelu(self.within(tokens)))
        shared = torch.einsum("sv,svw->sw", weights, mixed)
        spread: Tensor = self.between_norm(F.gelu(self.between(shared)))
        return mixed + spread[:, None]


class Mixer(Trunk):
    """REO-VLM's head: language states brought back to the vision tower's width, with its features, mixed.

    Args:
        width: of the hidden states.
        vision_width: of the vision tower, to which states are brought back (4096 -> 1024 in the paper).
        layers: of the mixer, 4 in the paper.
    """

    needs_taps: ClassVar[bool] = True

    def __init__(self, width: int, vision_width: int, layers: int = 4) -> None:
        super().__init__()
        self.back = nn.Linear(width, vision_width)
        self.norm, self.tapped_norm = nn.RMSNorm(width), nn.RMSNorm(vision_width)
        self.layers = nn.ModuleList(MixerLayer(vision_width) for _ in range(layers))
        self.out = nn.Linear(vision_width, width)

    def forward(self, states: States) -> Feature:
        """See the module."""
        if states.tapped is None:
            raise ValueError("REO-VLM's head reads layers of the vision tower, and none were tapped")
        tokens = self.back(self.norm(states.visual)) + self.tapped_norm(states.tapped)
        for layer in self.layers:
            tokens = layer(tokens, states.weights)
        value = self.out(torch.einsum("sv,svw->sw", states.weights, tokens))
        return Feature(value, value.new_zeros(()))


TRUNKS: dict[str, type[Trunk]] = {
    "embed": Embed,
    "parallel": Parallel,
    "attention": Attention,
    "gated": Gated,
    "experts": Experts,
    "mixer": Mixer,
}
"""Trunks by the names that configurations use."""
