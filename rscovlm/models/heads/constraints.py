"""Constraints between numbers of several heads, as parts of the loss (perspective paper V-G).

Ranges of one number are settings of its head. What holds to the last digit is no penalty: a whole that is the
sum of its parts by construction is an ensemble that fuses by ``sum``, and a number that follows another at
fixed hidden states has ``monotone`` among its settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rscovlm.models.heads.base import Head, PredictiveHead, Term
from rscovlm.models.heads.members import members_of, states_of_members, taps_of
from rscovlm.models.heads.numbers.head import NumberHead

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.heads.numbers.states import States
    from rscovlm.models.qwen import VisionLanguageModel


class ConstraintHead(Head):
    """A penalty for numbers that contradict each other; it has no weights, and inference does without it.

    Exactly one of ``whole`` and ``number`` is given.

    Args:
        width: of the hidden states.
        whole: head whose number is the sum of those of ``parts``.
        parts: two or more heads.
        number: head whose number does not fall from one sample of a pack to another where that of ``along``
            rises.
        along: another head, or a name among the samples' numbers.
        falls: whether it does not rise instead.
        weight: beside the cross-entropy of answers.

    Raises:
        TypeError: for settings that mean nothing.
    """

    def __init__(
        self,
        width: int,
        whole: str | None = None,
        parts: Sequence[str] = (),
        number: str | None = None,
        along: str | None = None,
        falls: bool = False,
        weight: float = 0.1,
    ) -> None:
        super().__init__(
            width, whole=whole, parts=list(parts), number=number, along=along, falls=falls, weight=weight
        )
        sums = whole is not None and len({whole, *parts}) == 1 + len(parts) >= 3
        rises = number is not None and along is not None and number != along
        if sums == rises:
            raise TypeError("give whole and two parts or more, all different, or number and along")
        self._members: tuple[PredictiveHead, ...] = ()

    def bind(self, heads: Mapping[str, Any]) -> None:
        """Take the heads that it is about from all heads of a model.

        Raises:
            TypeError: for one that is not there, or reads other layers than another.
        """
        own = self.settings
        names = [own["whole"], *own["parts"]] if own["whole"] else [own["number"]]
        along = [own["along"]] if own["along"] in heads else []
        self._members = members_of(heads, [*names, *along])
        others = [head.target for head in self._members if not isinstance(head, NumberHead)]
        if others:
            raise TypeError(f"it is about heads of heads.numbers, and that of {others[0]} is none")

    @property
    def members(self) -> tuple[PredictiveHead, ...]:
        """Heads that it is about."""
        return self._members

    @property
    def taps(self) -> tuple[int, ...]:
        """Layers of the vision tower that its members read."""
        return taps_of(self._members)

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> Mapping[str, Term]:
        """``constraint``: how far numbers contradict each other, in deviations of the first of them."""
        each = states_of_members(self._members, model, hidden, pack, tapped)
        return {"constraint": Term(self.apart(each, pack.sample_extras), self.settings["weight"])}

    def apart(self, each: Sequence[States], numbers: Mapping[str, Tensor]) -> Tensor:
        """How far numbers contradict each other, in deviations of the first of them.

        Args:
            each: states of S samples, as each member reads them.
            numbers: (S,) of the samples by name; NaN where one has none of that name.
        """
        means = [head(own).mean for head, own in zip(self._members, each, strict=True)]
        seen = each[0].seen
        if self.settings["whole"]:
            apart = missing_sum(means[0], means[1:], seen)
        else:
            along = means[1].detach() if len(means) > 1 else numbers.get(self.settings["along"])
            sign = -1.0 if self.settings["falls"] else 1.0
            apart = wrong_order(sign * means[0], along, seen)
        return apart / self._members[0].units[1]


def missing_sum(whole: Tensor, parts: Sequence[Tensor], seen: Tensor) -> Tensor:
    """Mean distance of (S,) wholes from the sums of their parts, over samples that are seen."""
    apart = (whole - torch.stack(list(parts)).sum(dim=0)).abs()
    return (apart * seen).sum() / seen.sum().clamp_min(1)


def wrong_order(number: Tensor, along: Tensor | None, seen: Tensor) -> Tensor:
    """Mean of how far (S,) numbers fall over pairs of samples in which another number rises; 0 for no pair.

    Args:
        number: (S,).
        along: (S,), NaN where it is unknown; None where it is unknown of all.
        seen: (S,) samples that count.
    """
    if along is None:
        return 0.0 * number.sum()
    known = seen & along.isfinite()
    rises = (along[:, None] > along[None, :]) & known[:, None] & known[None, :]
    falls = F.relu(number[None, :] - number[:, None])
    return (falls * rises).sum() / rises.sum().clamp_min(1)
