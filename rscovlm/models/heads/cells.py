"""Cell labels of visual tokens: dense supervision for a vision tower that starts from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

from rscovlm.errors import DataError
from rscovlm.models.heads.base import Head, Term

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel


LOOKING, AIMING = 2, 2
"""First heads of the attention above the middle, which are taught to look names up, and last ones, which are
taught to look at what is about to be stated."""
TRAITS = 2
"""Words about an object beside its name: its sub-type and its colour."""
PARTS = 64
"""Parts of a visual token, in reading order, of which each shows an object or does not."""
_LEAST_EXTENT = 0.02  # of an object as part of the image's side


class CellsHead(Head):
    """Reads names and outlines off visual tokens half-way up the language model, during training only.

    The layers above can so look up what the middle knows, and are taught to: where a text names what an
    image shows, the first heads of the next attention are to look at the visual tokens that show it, and
    where it is about to state a box, its last heads are to look at the visual token at its centre.
    Names are said by the model's own output layer. Names and outlines count each object as much as each
    other, however many tokens show it; names count each token, too. Outlines count by the square root of the
    object's size. Masks say which parts of a visual token show an object: where in it the object lies. Traits
    say which sub-type an object is of and what colour it has, by the words that would answer so.

    Needs the image extras ``cell_ids`` (n, cells) token ids, 0 where unknown, ``outlines`` (n, cells, 8)
    corners as parts of the image's side, and ``shares`` (n, cells) one over the cells that show the same
    object, 0 for none. Masks need ``masks`` (n, cells, parts) bool, traits ``traits`` (n, cells, 2)
    token ids, 0 for none. Lookups need the token extra ``named``, (1, L) the cell id that stands for the name
    that ends at a token, 0 where none does or the image before does not show it; aims need ``aimed``, (1, L)
    1 + which visual token of the image before, 0 for none.

    Args:
        width: of the hidden states.
        names, outlines, masks, lookups, aims, traits: weights beside the cross-entropy of answers.
    """

    def __init__(
        self,
        width: int,
        names: float = 0.5,
        outlines: float = 6.0,
        masks: float = 2.0,
        lookups: float = 0.5,
        aims: float = 0.5,
        traits: float = 0.3,
    ) -> None:
        weights = {"names": names, "outlines": outlines, "masks": masks, "lookups": lookups, "aims": aims}
        super().__init__(width, **weights, traits=traits)
        self.norm = nn.RMSNorm(width)
        self.outline = nn.Linear(width, 12)  # bounds and corners, from the middle of the visual token
        self.mask = nn.Linear(width, PARTS)
        self.trait = nn.ModuleList(nn.Linear(width, width) for _ in range(TRAITS))

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[torch.Tensor],
        pack: Pack,
        tapped: torch.Tensor | None = None,
    ) -> Mapping[str, Term]:
        """Parts of the loss by name.

        ``cells``: nats of the names; ``outline``: error of the outlines as part of the image's side, by the
        square root of the extent; ``mask``: nats of the parts, those with and without objects in equal
        shares; ``lookup``: nats of the attention that names pay to the visual tokens that show them; ``aim``:
        of that which is paid to the visual token at the centre of a box to come; ``trait``: mean nats of
        sub-types and colours.
        """
        middle = hidden[len(hidden) // 2][0]
        # The dummy of a pack without images stands for no cell.
        visual = (pack.input_ids[0] == model.config.image_token_id) & (pack.sample[0] >= 0)
        seen = middle[visual]
        truth, known = pack.image_extras, self.norm(seen)
        if "cell_ids" not in truth or not len(seen):
            nothing = sum(parameter.sum() for parameter in self.parameters()) * 0 + seen.sum() * 0
            return {
                name: Term(nothing, 0.0) for name in ("cells", "outline", "mask", "lookup", "aim", "trait")
            }
        cells = truth["cell_ids"]
        ids = cells.flatten()
        if len(ids) != len(seen):
            raise DataError(
                f"a pack of {len(seen)} visual tokens names {len(ids)} of them; with heads.cells every image "
                "of the mix has to bring what its visual tokens show"
            )
        each = F.cross_entropy(model.lm_head(known), ids, reduction="none") * (ids > 0)
        names, outlines = each.mean(), self.outline(known).sum() * 0
        shares = truth["shares"].flatten()
        drawn = shares > 0
        if drawn.any():
            weight = shares[drawn] / shares[drawn].sum()
            names = names + (each[drawn] * weight).sum()
            middles = _middles(cells)[drawn].repeat(1, 6)
            guess = middles + self.outline(known[drawn])
            outlines = (_miss(guess, truth["outlines"].flatten(0, 1)[drawn]) * weight).sum()
        parts = self.mask(known)
        masks = _balanced(parts, truth["masks"].flatten(0, 1)) if "masks" in truth else parts.sum() * 0
        told = truth["traits"].flatten(0, 1) if "traits" in truth else ids.new_zeros(len(ids), TRAITS)
        traits = self._traits(model, known, told, shares)
        order = torch.arange(1, cells.shape[1] + 1, device=ids.device).expand_as(cells)
        attention = _Attention(model, hidden, pack)
        lookups = self._attention(attention, visual, Lookup("named", cells, slice(LOOKING)))
        aims = self._attention(attention, visual, Lookup("aimed", order, slice(-AIMING, None)))
        settings = self.settings
        return {
            "cells": Term(names, settings["names"]),
            "outline": Term(outlines, settings["outlines"]),
            "mask": Term(masks, settings["masks"]),
            "lookup": Term(lookups, settings["lookups"]),
            "aim": Term(aims, settings["aims"]),
            "trait": Term(traits, settings["traits"]),
        }

    def _traits(
        self, model: VisionLanguageModel, known: torch.Tensor, ids: torch.Tensor, shares: torch.Tensor
    ) -> torch.Tensor:
        """Nats of the (n, TRAITS) token ids of what n visual tokens show; objects count alike."""
        nats = known.sum() * 0
        for layer, wanted in zip(self.trait, ids.unbind(1), strict=True):
            told = wanted > 0
            if told.any():
                weight = shares[told] / shares[told].sum()
                each = F.cross_entropy(model.lm_head(layer(known[told])), wanted[told], reduction="none")
                nats = nats + (each * weight).sum() / TRAITS
            else:
                nats = nats + sum(parameter.sum() for parameter in layer.parameters()) * 0
        return nats

    def _attention(self, attention: _Attention, visual: torch.Tensor, lookup: Lookup) -> torch.Tensor:
        """Nats of the attention to what is to be looked at, a mean over tokens and heads; 0 without any.

        Args:
            attention: that is taught, of a pack of L tokens.
            visual: (L,) which of them are visual.
            lookup: what looks at what.
        """
        pack = attention.pack
        nothing = attention.hidden[0].sum() * 0
        asked = pack.token_extras.get(lookup.extra)
        if asked is None or not asked.any():
            return nothing
        key = lookup.keys.new_zeros(len(visual))
        key[visual] = lookup.keys.flatten()
        image = visual.new_full((len(visual),), -1, dtype=torch.long)
        image[visual] = torch.arange(int(visual.sum()), device=visual.device) // lookup.keys.shape[1]
        latest = image.cummax(0).values
        sample, place = pack.sample[0], torch.arange(len(visual), device=visual.device)
        asking = asked[0].nonzero()[:, 0]
        seen = (sample == sample[asking, None]) & (place <= asking[:, None])
        wanted = seen & (image == latest[asking, None]) & (key == asked[0, asking, None])
        found = wanted.any(1)
        if not found.any():
            return nothing
        scores = attention.scores(asking, lookup.heads).masked_fill(~seen, -torch.inf)
        paid = scores.log_softmax(-1).masked_fill(~wanted, -torch.inf).logsumexp(-1)
        return -paid[:, found].mean()


@dataclass(frozen=True)
class _Attention:
    """The attention in the layer that reads the middle, of a pack; queries and keys are made once.

    Attributes:
        model: whose attention it is.
        hidden: as ``CellsHead.terms`` gets it.
        pack: of L tokens.
    """

    model: VisionLanguageModel
    hidden: Sequence[torch.Tensor]
    pack: Pack

    def scores(self, asking: torch.Tensor, heads: slice) -> torch.Tensor:
        """(heads, n, L) scores of n tokens' attention, by some heads."""
        query, key = self._queries_and_keys
        scaling = self._layer.self_attn.scaling
        scores: torch.Tensor = query[heads][:, asking] @ key[heads].transpose(-1, -2) * scaling
        return scores

    @cached_property
    def _queries_and_keys(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(heads, L, width of a head) each, turned by their positions."""
        attention = self._layer.self_attn
        states = self._layer.input_layernorm(self.hidden[len(self.hidden) // 2])
        shape = (*states.shape[:-1], -1, attention.head_dim)
        query = attention.q_norm(attention.q_proj(states).view(shape)).transpose(1, 2)
        key = attention.k_norm(attention.k_proj(states).view(shape)).transpose(1, 2)
        turns = self.model.model.language_model.rotary_emb(states, self.pack.position_ids[1:])
        query, key = apply_rotary_pos_emb(query, key, *turns)
        return query[0], key[0].repeat_interleave(attention.num_key_value_groups, 0)

    @property
    def _layer(self) -> Any:
        return self.model.model.language_model.layers[len(self.hidden) // 2]


@dataclass(frozen=True)
class Lookup:
    """Which visual tokens some heads of attention are to look at from where.

    Attributes:
        extra: token extra, (1, L) the key of what a token is to look at in the image before it; 0 for none.
        keys: (n, cells) of what the visual tokens of each image show.
        heads: which are taught.
    """

    extra: str
    keys: torch.Tensor
    heads: slice


def _miss(guess: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """(n,) mean errors of (n, 12) bounds and corners by the square root of the object's extent.

    Without that, objects of a pixel or two would hardly count beside places that fill the view.
    """
    points = corners.unflatten(1, (4, 2))
    low, high = points.amin(1), points.amax(1)
    extent = (high - low).prod(1).sqrt().clamp(min=_LEAST_EXTENT)
    miss = (guess - torch.cat([low, high, corners], dim=1)).abs().mean(dim=1)
    relative: torch.Tensor = miss / extent.sqrt()
    return relative


def _middles(cells: torch.Tensor) -> torch.Tensor:
    """(n * cells, 2) x, y of the middles of the visual tokens of n square images, as parts of a side."""
    side = isqrt(cells.shape[1])
    steps = (torch.arange(side, device=cells.device) + 0.5) / side
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1).repeat(len(cells), 1)


def _balanced(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy in which what is true and what is not count alike."""
    each = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
    share = truth.to(logits.dtype).mean().clamp(1e-3, 1 - 1e-3)
    balanced: torch.Tensor = (each * torch.where(truth, 0.5 / share, 0.5 / (1 - share))).mean()
    return balanced
