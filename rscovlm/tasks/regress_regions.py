"""Regions of patches, by whose statistics heads restore units: one for all of a scene, or those of a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rscovlm.models.regions import ALL_PLOTS, numbered, strangers
from tiling.scene import Scene


class RegionLookup(Protocol):
    """Which region places lie in; a ``tiling.thematic.ThematicMap`` is one.

    Attributes:
        identity: by which a resumed run knows it again; None where no region is stated.
    """

    @property
    def identity(self) -> str | None:
        """By which a resumed run knows it again; None where no region is stated."""
        ...

    def names_at(self, scene: Scene, points: NDArray[np.float64]) -> list[str]:
        """The region of each of (N, 2) pixels of a scene; empty where it has none."""
        ...


@dataclass(frozen=True)
class OneRegion:
    """One region for all places.

    Attributes:
        identity: its name; None where none is stated.
    """

    identity: str | None = None

    def names_at(self, scene: Scene, points: NDArray[np.float64]) -> list[str]:
        """Its name for each of (N, 2) pixels."""
        return [self.identity or ""] * len(points)


def in_words(tally: Mapping[str, int], known: Collection[str]) -> str:
    """By which statistics a run restored units: a region, or several with the patches of each.

    Args:
        tally: patches by region; of no region under an empty name.
        known: regions with statistics of their own; all training plots count for others.
    """
    unknown = strangers(tally, known)
    own = {name: count for name, count in tally.items() if name in known}
    if len(tally) == 1:
        return next(iter(own), ALL_PLOTS)
    others = f"{ALL_PLOTS} {unknown.total()} ({numbered(unknown)})"
    return ", ".join([*([numbered(own)] if own else []), *([others] if unknown else [])])


def tally_key(index: int) -> str:
    """Of a block in a journal: how many of its patches lie in each region."""
    return f"regions of {index}"


def tally_of(done: Mapping[str, object], blocks: int) -> Counter[str]:
    """Patches by region over all blocks of a journal."""
    found: Counter[str] = Counter()
    for index in range(blocks):
        own = done.get(tally_key(index))
        if isinstance(own, Mapping):
            found.update({str(name): int(count) for name, count in own.items()})
    return found
