"""Cell labels of visual tokens: dense supervision for a vision tower that starts from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from rscovlm.errors import DataError
from rscovlm.models.heads.base import Head, Term

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel


class CellsHead(Head):
    """Reads names and outlines off visual tokens half-way up the language model, during training only.

    The layers above can so look up what the middle knows. Names are said by the model's own output layer.
    Both parts count each object as much as each other, however many tokens show it; names count each token,
    too.

    Needs the image extras ``cell_ids`` (n, cells) token ids, 0 where unknown, ``outlines`` (n, cells, 8)
    corners as parts of the image's side, and ``shares`` (n, cells) one over the cells that show the same
    object, 0 for none.

    Args:
        width: of the hidden states.
        names, outlines: weights beside the cross-entropy of answers.
    """

    def __init__(self, width: int, names: float = 0.5, outlines: float = 4.0) -> None:
        super().__init__(width, names=names, outlines=outlines)
        self.norm = nn.RMSNorm(width)
        self.outline = nn.Linear(width, 12)  # bounds and corners

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[torch.Tensor],
        pack: Pack,
        tapped: torch.Tensor | None = None,
    ) -> Mapping[str, Term]:
        """``cells``: nats of the names; ``outline``: error of the outlines as part of the image's side."""
        middle = hidden[len(hidden) // 2][0]
        # The dummy of a pack without images stands for no cell.
        seen = middle[(pack.input_ids[0] == model.config.image_token_id) & (pack.sample[0] >= 0)]
        truth, known = pack.image_extras, self.norm(seen)
        if "cell_ids" not in truth or not len(seen):
            nothing = sum(parameter.sum() for parameter in self.parameters()) * 0 + seen.sum() * 0
            return {"cells": Term(nothing, 0.0), "outline": Term(nothing, 0.0)}
        ids = truth["cell_ids"].flatten()
        if len(ids) != len(seen):
            raise DataError(
                f"a pack of {len(seen)} visual tokens names {len(ids)} of them; with heads.cells every image "
                "of the mix has to bring what its visual tokens show"
            )
        each = F.cross_entropy(model.lm_head(known), ids, reduction="none") * (ids > 0)
        shares = truth["shares"].flatten()
        drawn = shares > 0
        if not drawn.any():
            return self._weighted(each.mean(), self.outline(known).sum() * 0)
        weight = shares[drawn] / shares[drawn].sum()
        guess, corners = self.outline(known[drawn]).sigmoid(), truth["outlines"].flatten(0, 1)[drawn]
        points = corners.unflatten(1, (4, 2))
        bounds = torch.cat([points.amin(1), points.amax(1)], dim=1)
        miss = (guess - torch.cat([bounds, corners], dim=1)).abs().mean(dim=1)
        return self._weighted(each.mean() + (each[drawn] * weight).sum(), (miss * weight).sum())

    def _weighted(self, names: torch.Tensor, outlines: torch.Tensor) -> dict[str, Term]:
        settings = self.settings
        return {"cells": Term(names, settings["names"]), "outline": Term(outlines, settings["outlines"])}
