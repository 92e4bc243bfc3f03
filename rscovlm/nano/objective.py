"""What nano minimises: next tokens, near misses forgiven, and what each visual token shows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rscovlm.data.packing import Pack, model_inputs
from rscovlm.training.loss import SoftNumbers, linear_cross_entropy
from rscovlm.training.objective import Moment, Outcome

_NAMES, _OUTLINES = 0.5, 4.0  # weights beside the cross-entropy of answers


class Teacher(torch.nn.Module):
    """Reads names and outlines off visual tokens half-way up the language model; dropped after training."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = torch.nn.RMSNorm(width)
        self.outline = torch.nn.Linear(width, 12)  # bounds and corners


@dataclass(frozen=True)
class NanoObjective:
    """An objective whose coordinates tolerate less as the run goes on.

    Attributes:
        image_token_id: of the placeholder of a visual token.
        number_ids: (1001,) token ids of the numbers 0 to 1000.
        spread_first, spread_last: tolerance of coordinates in thousandths, at the start and the end.
    """

    image_token_id: int
    number_ids: torch.Tensor
    spread_first: float = 30.0
    spread_last: float = 16.0

    def spread_at(self, moment: Moment) -> float:
        """Tolerance of coordinates at a step, falling geometrically over most of the run."""
        progress = min(1.0, moment.step / max(1.0, 0.75 * moment.steps))
        return self.spread_first * (self.spread_last / self.spread_first) ** progress

    def __call__(self, model, heads: Teacher, pack: Pack, weights: torch.Tensor, moment: Moment) -> Outcome:
        """A pack's share of the step's loss; see ``rscovlm.training.objective``."""
        output = model.model(**model_inputs(pack), output_hidden_states=True)
        loss, losses = linear_cross_entropy(
            output.last_hidden_state[0],
            model.lm_head.weight,
            pack.targets[0],
            weights[0],
            soft=pack.of_targets("coordinate")[0],
            numbers=SoftNumbers(self.number_ids, self.spread_at(moment)),
        )
        middle = output.hidden_states[len(output.hidden_states) // 2][0]
        seen = middle[pack.input_ids[0] == self.image_token_id]
        names, outlines = cell_losses(model, heads, seen, pack)
        # The weights of a step sum to one, those of a pack to its share of the step.
        share = weights.sum()
        parts = {"cells": names.detach() * share, "outline": outlines.detach() * share}
        return Outcome(loss + share * (_NAMES * names + _OUTLINES * outlines), losses, parts)


def cell_losses(
    model, teacher: Teacher, middle: torch.Tensor, pack: Pack
) -> tuple[torch.Tensor, torch.Tensor]:
    """How badly visual tokens name what they show (nats), and outline it (parts of the image's side).

    Both count each object as much as each other, however many cells show it; names count each cell, too.

    Args:
        model: whose output layer says names.
        teacher: reads outlines.
        middle: (visual tokens, width) the language model's hidden states there, half-way up, so that the
            layers above can look up what it knows.
        pack: with the image extras ``cell_ids``, ``outlines`` and ``shares``.
    """
    truth = pack.image_extras
    known = teacher.norm(middle)
    each = F.cross_entropy(model.lm_head(known), truth["cell_ids"].flatten(), reduction="none")
    shares = truth["shares"].flatten()
    drawn = shares > 0
    if not drawn.any():
        return each.mean(), known.sum() * 0
    weight = shares[drawn] / shares[drawn].sum()
    guess, corners = teacher.outline(known[drawn]).sigmoid(), truth["outlines"].flatten(0, 1)[drawn]
    points = corners.unflatten(1, (4, 2))
    bounds = torch.cat([points.amin(1), points.amax(1)], dim=1)
    miss = (guess - torch.cat([bounds, corners], dim=1)).abs().mean(dim=1)
    return each.mean() + (each[drawn] * weight).sum(), (miss * weight).sum()
