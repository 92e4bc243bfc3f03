"""Heads that read other heads of the same model: which those are, and what they read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rscovlm.models.heads.base import PredictiveHead


def members_of(
    heads: Mapping[str, Any], names: Sequence[str], apart: bool = False
) -> tuple[PredictiveHead, ...]:
    """Heads of numbers by their names.

    A tuple, which torch does not look into: the weights of members are theirs alone.

    Args:
        heads: all of a model.
        names: of members.
        apart: whether they stand beside models of their own, so that each may read its own layers.

    Raises:
        TypeError: for one that is not there, or that reads other layers than another.
    """
    unknown = [name for name in names if not isinstance(heads.get(name), PredictiveHead)]
    if unknown:
        raise TypeError(f"no head of numbers is called {unknown[0]!r}")
    found = tuple(heads[name] for name in names)
    if not apart and len({head.taps for head in found} - {()}) > 1:
        raise TypeError("its members read different layers of the vision tower; give them the same taps")
    return found


def taps_of(members: Sequence[PredictiveHead]) -> tuple[int, ...]:
    """Layers of the vision tower that members read."""
    return max((head.taps for head in members), key=len, default=())


def states_of_members(
    members: Sequence[PredictiveHead], model: Any, hidden: Any, pack: Any, tapped: Tensor | None
) -> tuple[Any, ...]:
    """The states that each member reads of a pack; arguments as of ``Head.terms``."""
    return tuple(head.states(model, hidden, pack, tapped if head.taps else None) for head in members)
