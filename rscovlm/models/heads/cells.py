"""Cell labels of visual tokens: dense supervision for a vision tower that starts from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

from rscovlm.errors import DataError
from rscovlm.models.heads.base import Head, Term

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel


LOOKING = 2
"""Heads of the first attention above the middle that are taught to look names up."""


class CellsHead(Head):
    """Reads names and outlines off visual tokens half-way up the language model, during training only.

    The layers above can so look up what the middle knows, and are taught to: where a text names what an image
    shows, the first heads of the next attention are to look at the visual tokens that show it. Names are said
    by the model's own output layer. Names and outlines count each object as much as each other, however many
    tokens show it; names count each token, too.

    Needs the image extras ``cell_ids`` (n, cells) token ids, 0 where unknown, ``outlines`` (n, cells, 8)
    corners as parts of the image's side, and ``shares`` (n, cells) one over the cells that show the same
    object, 0 for none; lookups need the token extra ``named`` as well, (1, L) the cell id that stands for the
    name that ends at a token, 0 where none does or the image before does not show it.

    Args:
        width: of the hidden states.
        names, outlines, lookups: weights beside the cross-entropy of answers.
    """

    def __init__(self, width: int, names: float = 0.5, outlines: float = 4.0, lookups: float = 0.5) -> None:
        super().__init__(width, names=names, outlines=outlines, lookups=lookups)
        self.norm = nn.RMSNorm(width)
        self.outline = nn.Linear(width, 12)  # bounds and corners

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[torch.Tensor],
        pack: Pack,
        tapped: torch.Tensor | None = None,
    ) -> Mapping[str, Term]:
        """Parts of the loss by name.

        ``cells``: nats of the names; ``outline``: error of the outlines as part of the image's side;
        ``lookup``: nats of the attention that names pay to the visual tokens that show them.
        """
        middle = hidden[len(hidden) // 2][0]
        # The dummy of a pack without images stands for no cell.
        visual = (pack.input_ids[0] == model.config.image_token_id) & (pack.sample[0] >= 0)
        seen = middle[visual]
        truth, known = pack.image_extras, self.norm(seen)
        if "cell_ids" not in truth or not len(seen):
            nothing = sum(parameter.sum() for parameter in self.parameters()) * 0 + seen.sum() * 0
            return {name: Term(nothing, 0.0) for name in ("cells", "outline", "lookup")}
        ids = truth["cell_ids"].flatten()
        if len(ids) != len(seen):
            raise DataError(
                f"a pack of {len(seen)} visual tokens names {len(ids)} of them; with heads.cells every image "
                "of the mix has to bring what its visual tokens show"
            )
        each = F.cross_entropy(model.lm_head(known), ids, reduction="none") * (ids > 0)
        shares = truth["shares"].flatten()
        drawn = shares > 0
        lookup = self._lookup(model, hidden, pack, visual)
        if not drawn.any():
            return self._weighted(each.mean(), self.outline(known).sum() * 0, lookup)
        weight = shares[drawn] / shares[drawn].sum()
        guess, corners = self.outline(known[drawn]).sigmoid(), truth["outlines"].flatten(0, 1)[drawn]
        points = corners.unflatten(1, (4, 2))
        bounds = torch.cat([points.amin(1), points.amax(1)], dim=1)
        miss = (guess - torch.cat([bounds, corners], dim=1)).abs().mean(dim=1)
        return self._weighted(each.mean() + (each[drawn] * weight).sum(), (miss * weight).sum(), lookup)

    def _lookup(
        self, model: VisionLanguageModel, hidden: Sequence[torch.Tensor], pack: Pack, visual: torch.Tensor
    ) -> torch.Tensor:
        """Nats of the attention to what names name, a mean over names and heads; 0 without names.

        Args:
            model: whose attention it is.
            hidden: as ``terms`` gets it; the attention that reads the middle of them is taught.
            pack: of L tokens.
            visual: (L,) which of them are visual.
        """
        named = pack.token_extras.get("named")
        if named is None or not named.any() or not self.settings["lookups"]:
            return hidden[0].sum() * 0
        shown = named[0].new_zeros(len(visual))
        shown[visual] = pack.image_extras["cell_ids"].flatten().to(shown.dtype)
        image = visual.new_full((len(visual),), -1, dtype=torch.long)
        cells = pack.image_extras["cell_ids"].shape[1]
        image[visual] = torch.arange(int(visual.sum()), device=visual.device) // cells
        asking = named[0].nonzero()[:, 0]
        latest = image.cummax(0).values[asking]
        sample, place = pack.sample[0], torch.arange(len(visual), device=visual.device)
        seen = (sample == sample[asking, None]) & (place <= asking[:, None])
        wanted = seen & (image == latest[:, None]) & (shown == named[0, asking, None])
        scores = _scores(model, hidden, pack, asking).masked_fill(~seen, -torch.inf)
        paid = scores.log_softmax(-1).masked_fill(~wanted, -torch.inf).logsumexp(-1)
        return -paid[:, wanted.any(1)].mean()

    def _weighted(self, names: torch.Tensor, outlines: torch.Tensor, lookup: torch.Tensor) -> dict[str, Term]:
        settings = self.settings
        return {
            "cells": Term(names, settings["names"]),
            "outline": Term(outlines, settings["outlines"]),
            "lookup": Term(lookup, settings["lookups"]),
        }


def _scores(
    model: VisionLanguageModel, hidden: Sequence[torch.Tensor], pack: Pack, asking: torch.Tensor
) -> torch.Tensor:
    """(heads, n, L) scores of n tokens' attention in the layer that reads the middle, by its first heads."""
    middle, language = len(hidden) // 2, model.model.language_model
    layer = language.layers[middle]
    attention, states = layer.self_attn, layer.input_layernorm(hidden[middle])
    shape = (*states.shape[:-1], -1, attention.head_dim)
    query = attention.q_norm(attention.q_proj(states).view(shape)).transpose(1, 2)
    key = attention.k_norm(attention.k_proj(states).view(shape)).transpose(1, 2)
    query, key = apply_rotary_pos_emb(query, key, *language.rotary_emb(states, pack.position_ids[1:]))
    query, key = query[0, :LOOKING, asking], key[0].repeat_interleave(attention.num_key_value_groups, 0)
    scores: torch.Tensor = query @ key[:LOOKING].transpose(-1, -2) * attention.scaling
    return scores
