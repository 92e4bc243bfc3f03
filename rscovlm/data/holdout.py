"""Hold-out of a mix: whole groups kept for evaluation that share no image with training.

Samples that share an image, or the value of a named field (a scene, a tile), form a group, across all sources
of a mix: an image that one source asks about and another detects in is on one side only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs import ConfigError
from rscovlm.data.example import Source
from rscovlm.data.randomness import generator

IMAGE = "image"
"""The grouping by image alone."""


@dataclass(frozen=True)
class Split:
    """Fate of the samples of a source: trained on, held out, or neither.

    Attributes:
        trained: sorted indices that training may draw; None: all.
        held_out: sorted indices that are kept for evaluation. What is in neither belongs to a group that is
            held out, beyond the number asked for.
    """

    trained: NDArray[np.int64] | None
    held_out: NDArray[np.int64]


def hold_out(sources: Mapping[str, Source], most: int, seed: int, by: str = IMAGE) -> dict[str, Split]:
    """Keep samples of each source for evaluation, whole groups at a time.

    Groups are taken in random order where they fit, and none that would leave less than half of a source for
    training. Sources that do not say what their samples share have groups of one. What a generator makes
    beyond its length is as good as what it makes before, so that nothing has to be left out of it.

    Args:
        sources: by name.
        most: samples of each source; of a source with fewer than twice as many, half of it.
        seed: of the run.
        by: ``image``, or a field of the samples whose equal values belong together too.

    Raises:
        ConfigError: no sample has that field.
    """
    splits = {
        name: Split(None, len(source) + np.arange(most if source.in_order else 0))
        for name, source in sources.items()
    }
    sources = {name: source for name, source in sources.items() if most and not source.in_order}
    if not sources:
        return splits
    sizes = {name: len(source) for name, source in sources.items()}
    pool = _Pool(sources, by)
    least = {name: min(most, size // 2) for name, size in sizes.items()}
    for name in sizes:
        pool.take(name, least[name], generator(seed, name, "holdout"))
    for name in sizes:
        taken = pool.taken_of(name)
        kept = np.flatnonzero(taken)
        if len(kept) > least[name]:
            kept = np.sort(generator(seed, name, "kept").permutation(kept)[: least[name]])
        splits[name] = Split(np.flatnonzero(~taken), kept)
    return splits


class _Pool:
    """The samples of all sources, one source after another, and which of them are taken from training."""

    def __init__(self, sources: Mapping[str, Source], by: str) -> None:
        sizes = [len(source) for source in sources.values()]
        ends = np.cumsum(sizes)
        self.places = {name: range(end - size, end) for name, size, end in zip(sources, sizes, ends.tolist())}
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.taken = np.zeros(len(self.owner), dtype=bool)
        self.spare = np.array(sizes) // 2  # what training can do without, of each source
        self.group = _groups(sources, by)
        self.members: dict[int, list[int]] = {}
        for place, group in enumerate(self.group):
            self.members.setdefault(group, []).append(place)

    def taken_of(self, name: str) -> NDArray[np.bool_]:
        """(samples,) of one source."""
        places = self.places[name]
        return self.taken[places.start : places.stop]

    def take(self, name: str, wanted: int, rng: np.random.Generator) -> None:
        """Take groups until so many samples of a source are taken, or nothing more fits."""
        number = list(self.places).index(name)
        order = (self.places[name].start + rng.permutation(len(self.places[name]))).tolist()
        have = int(self.taken_of(name).sum())
        for place in order:
            if have < wanted and (counts := self._counts(place))[number] <= wanted - have:
                have += self._take(place, counts, number)
        for place in order:
            if wanted and not have:  # a group that is too large is better than none
                have += self._take(place, self._counts(place), number)

    def _counts(self, place: int) -> NDArray[np.int64]:
        """(sources,) members of the group of a sample."""
        return np.bincount(self.owner[self.members[self.group[place]]], minlength=len(self.spare))

    def _take(self, place: int, counts: NDArray[np.int64], number: int) -> int:
        """Take a group, where training can do without it; says how many of one source that brings."""
        if self.taken[place] or (counts > self.spare).any():
            return 0
        self.taken[self.members[self.group[place]]] = True
        self.spare -= counts
        return int(counts[number])


def _groups(sources: Mapping[str, Source], by: str) -> list[int]:
    """The group of each sample, sources one after another, as the place of its first member."""
    parents = list(range(sum(len(source) for source in sources.values())))
    first: dict[str, int] = {}
    place, found = 0, by == IMAGE
    for source in sources.values():
        links = getattr(source, "links", None)
        if links is None:
            place += len(source)
            continue
        for shared in links(None if by == IMAGE else by):
            found = found or any(link.startswith(f"{by} ") for link in shared)
            for link in shared:
                _join(parents, first.setdefault(link, place), place)
            place += 1
    if not found:
        raise ConfigError(
            f"holdout_by: no sample has a field or attribute {by!r}; image groups by image alone"
        )
    return [_root(parents, each) for each in range(len(parents))]


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


def _join(parents: list[int], one: int, other: int) -> None:
    low, high = sorted((_root(parents, one), _root(parents, other)))
    parents[high] = low
