"""Planning: samples to packs, packs to optimizer steps, and both to ranks.

A plan is a pure function of lengths and costs. All ranks make the same one by themselves, and the samples of
a step depend neither on the number of ranks nor on that of workers, nor on where a run was resumed.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.example import Encoded
from rscovlm.data.randomness import generator
from rscovlm.models.cost import CostModel, Counts

FlopsOf = Callable[[Encoded], float]
"""FLOPs of a forward pass over an example."""


@dataclass(frozen=True)
class ExampleFlops:
    """FLOPs of a forward pass over an example.

    Attributes:
        model: of the checkpoint.
    """

    model: CostModel

    def __call__(self, example: Encoded) -> float:
        """FLOPs of an example."""
        grids = [(int(frames), int(rows), int(columns)) for frames, rows, columns in example.grids]
        learnt = int(example.learnt[1:].sum())
        return self.model.cost(Counts([len(example.ids)], grids, learnt)).forward


def fit(lengths: Sequence[int] | NDArray[np.int64], max_tokens: int) -> list[list[int]]:
    """Packs of at most ``max_tokens``: best fit, longest first; nothing is cut.

    Best fit decreasing needs at most 11/9 of the fewest packs possible, plus one (Johnson 1974). The dummy
    image's one token, which packs without images get, comes on top.

    Args:
        lengths: tokens of each sample, none above ``max_tokens``.
        max_tokens: of a pack.

    Returns:
        Indices of samples, in order within a pack.

    Raises:
        ValueError: a sample is longer than a pack.
    """
    if len(lengths) and max(lengths) > max_tokens:
        raise ValueError(
            f"a sample of {max(lengths)} tokens does not fit into {max_tokens}; exclude it first"
        )
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []  # tokens left and index of each pack, sorted
    for index in sorted(range(len(lengths)), key=lambda i: (-int(lengths[i]), i)):
        length = int(lengths[index])
        place = bisect_left(room, (length, -1))
        if place == len(room):
            insort(room, (max_tokens - length, len(packs)))
            packs.append([index])
        else:
            left, pack = room.pop(place)
            insort(room, (left - length, pack))
            packs[pack].append(index)
    return [sorted(pack) for pack in packs]


def deal(costs: Sequence[float], world: int) -> list[list[int]]:
    """Share packs among ranks so that the costliest rank has little more than the mean.

    Longest processing time first (Graham 1969), each rank taking no more than its share of packs, since
    every rank has to make the same number of micro-steps. A rank's packs come costliest first, so that
    micro-steps which wait for each other are alike.

    Returns:
        For each rank, indices of its packs: ``ceil(len(costs) / world)`` or fewer; what is missing, an empty
        pack fills.
    """
    most = ceil(len(costs) / world)
    ranks: list[list[int]] = [[] for _ in range(world)]
    idle = [(0.0, rank) for rank in range(world)]
    for pack in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        load, rank = heapq.heappop(idle)
        ranks[rank].append(pack)
        if len(ranks[rank]) < most:
            heapq.heappush(idle, (load + costs[pack], rank))
    return ranks


@dataclass(frozen=True)
class Batching:
    """Content of an optimizer step.

    Attributes:
        samples: so many samples, in the order of the mix, in as few packs as they fit into; None where
            ``packs`` is given.
        packs: so many packs, each as full as a window of samples allows; None where ``samples`` is given.
        max_tokens: most tokens of a pack. Longer samples are excluded.
        packed: whether samples share packs; with ``samples`` only.
        window: samples among which packs are sought, with ``packs``.

    Raises:
        ValueError: naming everything that contradicts itself.
    """

    samples: int | None = None
    packs: int | None = None
    max_tokens: int = 8192
    packed: bool = True
    window: int = 4096

    def __post_init__(self) -> None:
        problems = []
        if (self.samples is None) == (self.packs is None):
            problems.append("a step has either a number of samples or a number of packs")
        if self.packs is not None and not self.packed:
            problems.append("a number of packs needs packing; without it, state a number of samples")
        for name in ("samples", "packs", "max_tokens", "window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} is {value}; it has to be at least 1")
        if problems:
            raise ValueError("; ".join(problems))

    def packs_of(self, lengths: Sequence[int]) -> list[list[int]]:
        """The packs of the samples of one step, or of one window."""
        if not self.packed:
            return [[index] for index in range(len(lengths))]
        return fit(lengths, self.max_tokens)


def steps_of_windows(
    lengths: NDArray[np.int64], batching: Batching, seed: int, epoch: int
) -> list[list[list[int]]]:
    """The steps of an epoch in which every step has ``batching.packs`` packs; the last one may have fewer.

    Packs are sought within windows of consecutive samples, so that a step is a draw from the mix, and their
    order in the window is drawn anew, since those found first hold the longest samples. Packs that make no
    whole step go to the next window.

    Args:
        lengths: (n,) tokens of the epoch's samples in order; 0 leaves a sample out.
        batching: with ``packs``.
        seed: of the run.
        epoch: of the order.

    Returns:
        Steps, each a list of packs, each a list of indices into ``lengths``.
    """
    if batching.packs is None:
        raise ValueError("windows are for steps of a number of packs; this batching counts samples")
    steps: list[list[list[int]]] = []
    waiting: list[list[int]] = []
    kept = np.flatnonzero(lengths)
    for start in range(0, len(kept), batching.window):
        window = kept[start : start + batching.window]
        found = [
            [int(window[index]) for index in pack] for pack in batching.packs_of(lengths[window].tolist())
        ]
        shuffled = generator(seed, "packs", epoch, start).permutation(len(found))
        waiting += [found[place] for place in shuffled]
        while len(waiting) >= batching.packs:
            steps.append(waiting[: batching.packs])
            waiting = waiting[batching.packs :]
    return [*steps, waiting] if waiting else steps


def fill(
    lengths: Sequence[int] | NDArray[np.int64], packs: Iterable[Sequence[int]], max_tokens: int
) -> float:
    """The part of the packs' tokens that samples take, 0 to 1."""
    used = [sum(int(lengths[index]) for index in pack) for pack in packs]
    return sum(used) / (max_tokens * len(used)) if used else 0.0


def imbalance(costs: Sequence[float], ranks: Sequence[Sequence[int]]) -> float:
    """The costliest rank's cost over the ranks' mean: 1 where none waits for another."""
    loads = [sum(costs[pack] for pack in packs) for packs in ranks]
    mean = sum(loads) / len(loads)
    return max(loads) / mean if mean else 1.0
