"""Number-token loss: how far the numbers that a model thinks likely are from the true one.

It stands beside the cross-entropy (Zausinger et al., "Regress, Don't Guess", 2024). ``wasserstein`` is the
expected distance ``sum_i p_i |v_i - y|`` (the paper's NTL-WAS for a true number that is one token),
``squared`` is ``(sum_i p_i v_i - y)^2`` (NTL-MSE); ``p`` are probabilities among the number tokens alone.
Tokens are whole numbers, or the digits of one. The values are those of ``ntloss``, the library of the paper's
authors (a test compares them), which needs the logits of all tokens at all places; here they are never whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rscovlm.data.packing import Pack
from rscovlm.training.targets import index_in

Kind = Literal["wasserstein", "squared"]


@dataclass(frozen=True)
class NumberLoss:
    """The loss of the numbers in answers that are marked as numbers.

    Attributes:
        ids: (n,) token ids of the numbers 0, 1, ..., n - 1.
        kind: see the module.
        unit: difference of numbers that counts as 1.
        weight: beside the cross-entropy.
    """

    ids: Tensor
    kind: Kind
    unit: float
    weight: float

    def __call__(self, hidden: Tensor, output: Tensor, pack: Pack, weights: Tensor) -> Tensor:
        """Scalar, weighted like the tokens' cross-entropy but not by ``weight``; 0 where no number is learnt.

        Args:
            hidden: (L, d) last hidden states.
            output: (V, d) of the output layer.
            pack: of L tokens.
            weights: (L,) how much each token counts in the step.
        """
        ids = self.ids.to(hidden.device)
        value = index_in(ids, pack.targets[0])
        none = torch.zeros_like(value, dtype=torch.bool)
        marked = pack.of_targets("coordinate")[0] if "coordinate" in pack.token_extras else none
        rows = (marked & (value >= 0)).nonzero()[:, 0]
        if not len(rows):
            return hidden.sum() * 0
        chances = (hidden[rows] @ output[ids].to(hidden.dtype).T).float().softmax(dim=1)
        each = distance(chances, value[rows], self.kind, self.unit)
        return (each * weights[rows]).sum()


def distance(chances: Tensor, truth: Tensor, kind: Kind, unit: float) -> Tensor:
    """(m,) losses of (m, n) probabilities of the numbers 0 to n - 1 where the (m,) ``truth`` is true."""
    away = (torch.arange(chances.shape[1], device=chances.device) - truth[:, None]) / unit
    if kind == "wasserstein":
        return (chances * away.abs()).sum(dim=1)
    return (chances * away).sum(dim=1) ** 2
