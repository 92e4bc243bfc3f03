"""Two runs of the same items, one by one: the difference, whether it is chance, and what flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol
from rscovlm.bench.results.scores import cluster_of
from rscovlm.bench.row import Row
from rscovlm.errors import DataError
from rscovlm.scoring.statistics import Interval, paired_difference, sign_test


@dataclass(frozen=True)
class Flip:
    """An item on which two runs differ.

    Attributes:
        item: that was asked.
        scores: of the first and the second run.
        texts: their replies.
    """

    item: Item
    scores: tuple[float, float]
    texts: tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """Two runs on the items that both have.

    Attributes:
        labels: of the first and the second.
        protocol: identifier.
        n: items that both have and the protocol counts.
        alone: items that only the first, and only the second has or counts.
        means: over the shared items.
        difference: first less second, with the interval of a paired bootstrap over images.
        wins: items on which the first is better.
        losses: items on which the second is better.
        p_value: of the exact sign test; of right and wrong answers it is McNemar's exact test.
        groups: (column, value) to n, difference and p-value, p not corrected for their number.
        flips: the items that differ, largest differences first.
    """

    labels: tuple[str, str]
    protocol: str
    n: int
    alone: tuple[int, int]
    means: tuple[float, float]
    difference: Interval
    wins: int
    losses: int
    p_value: float
    groups: dict[tuple[str, str], tuple[int, float, float]]
    flips: tuple[Flip, ...]


def compare(
    first: Sequence[Row], second: Sequence[Row], protocol: Protocol, labels: tuple[str, str], seed: int = 0
) -> Comparison:
    """Compare two runs under one protocol.

    Raises:
        DataError: where they share no item, or state another truth for the same one.
    """
    one, other = _judged(first, protocol), _judged(second, protocol)
    shared = [key for key in one if key in other]
    if not shared:
        raise DataError(f"{labels[0]} and {labels[1]} share no item, so there is nothing to compare")
    for key in shared:
        if one[key][0].item.truth.answers != other[key][0].item.truth.answers:
            raise DataError(f"item {key!r} has another right answer in {labels[0]} than in {labels[1]}")
    pairs = [(one[key][1], other[key][1]) for key in shared]
    items = [one[key][0].item for key in shared]
    images = [cluster_of(item) for item in items]
    firsts, seconds = [a for a, _ in pairs], [b for _, b in pairs]
    wins, losses = _wins(pairs), _wins([(b, a) for a, b in pairs])
    flips = [
        Flip(one[key][0].item, pair, (one[key][0].said, other[key][0].said))
        for key, pair in zip(shared, pairs)
        if pair[0] != pair[1]
    ]
    return Comparison(
        labels,
        protocol.id,
        len(shared),
        (len(one) - len(shared), len(other) - len(shared)),
        (sum(firsts) / len(pairs), sum(seconds) / len(pairs)),
        paired_difference(firsts, seconds, images, seed=seed),
        wins,
        losses,
        sign_test(wins, losses),
        _groups(items, pairs),
        tuple(sorted(flips, key=lambda flip: -abs(flip.scores[0] - flip.scores[1]))),
    )


def _judged(rows: Sequence[Row], protocol: Protocol) -> dict[str, tuple[Row, float]]:
    verdicts = ((row, protocol.judge(row).score) for row in rows)
    return {row.item.key: (row, score) for row, score in verdicts if score is not None}


def _wins(pairs: Sequence[tuple[float, float]]) -> int:
    return sum(a > b for a, b in pairs)


def _groups(
    items: Sequence[Item], pairs: Sequence[tuple[float, float]]
) -> dict[tuple[str, str], tuple[int, float, float]]:
    parts: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for item, pair in zip(items, pairs):
        for place in item.groups.items():
            parts.setdefault(place, []).append(pair)
    return {
        place: (
            len(found),
            sum(a - b for a, b in found) / len(found),
            sign_test(_wins(found), _wins([(b, a) for a, b in found])),
        )
        for place, found in sorted(parts.items())
    }
