"""An even draw from items that are read one after another, of any number."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TypeVar

import numpy as np

Value = TypeVar("Value")


def draw(values: Iterable[Value], limit: int, seed: int) -> tuple[list[Value], int]:
    """So many values in their order, each subset as likely as another, and the number of all of them.

    Each value gets a random number, and those with the lowest stay, so that no more than ``limit`` of them
    are held at a time.

    Args:
        values: read once.
        limit: number of values to draw; all of them where there are fewer.
        seed: of the random numbers.
    """
    numbers = np.random.default_rng([seed, limit])
    lowest: list[tuple[float, int, Value]] = []
    of = 0
    for value in values:
        ticket = (-float(numbers.random()), -of, value)
        of += 1
        if len(lowest) < limit:
            heapq.heappush(lowest, ticket)
        elif ticket[:2] > lowest[0][:2]:
            heapq.heapreplace(lowest, ticket)
    return [value for _, _, value in sorted(lowest, key=lambda ticket: -ticket[1])], of
