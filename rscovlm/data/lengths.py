"""Lengths and costs of examples, measured once without reading a pixel, and kept on disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import atomic_path
from rscovlm.data.example import BROKEN, Encoded, Key, Source
from rscovlm.data.planning import FlopsOf
from rscovlm.data.workers import made_ahead

CHUNK = 2048
"""Keys in a file of lengths."""


@dataclass(frozen=True)
class Lengths:
    """Lengths and costs of n examples, as a plan needs them.

    Attributes:
        tokens: (n,) int64 of the language model; 0 where a sample is broken.
        flops: (n,) float64 of a forward pass.
        broken: (b,) int64 which samples are broken.
        reasons: (b,) why.
    """

    tokens: NDArray[np.int64]
    flops: NDArray[np.float64]
    broken: NDArray[np.int64]
    reasons: tuple[str, ...]


def reason_of(error: Exception) -> str:
    """One line on why a sample is broken."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def measure(sources: Mapping[str, Source], keys: Sequence[Key], cost: FlopsOf) -> Lengths:
    """Encode each key's example and keep its length and cost."""
    tokens, flops = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys))
    broken: list[int] = []
    reasons = []
    for place, key in enumerate(keys):
        try:
            example: Encoded = sources[key.source].encode(key.index, key.visit)
        except BROKEN as error:
            broken.append(place)
            reasons.append(reason_of(error))
            continue
        tokens[place], flops[place] = len(example.ids), cost(example)
    return Lengths(tokens, flops, np.array(broken, dtype=np.int64), tuple(reasons))


def measure_all(
    sources: Mapping[str, Source],
    keys: Sequence[Key],
    cost: FlopsOf,
    *,
    workers: int = 0,
    folder: Path | None = None,
    name: str = "",
    rank: int = 0,
    world: int = 1,
) -> Lengths:
    """Lengths of all keys, in parallel processes, of which none does what is on disk already.

    Ranks that share a folder share the work: each starts elsewhere and takes what nobody has written yet.
    Two that meet do a chunk twice, with the same result, and nobody ever waits for another.

    Args:
        sources: by name.
        keys: in order.
        cost: FLOPs of an example.
        workers: processes; 0 measures in this one.
        folder: where lengths are kept as ``lengths-NAME-START.npz``; None keeps nothing.
        name: has to differ wherever the keys, what they encode to, or the cost differ.
        rank, world: of this process, among those that share the folder.
    """
    starts = list(range(0, len(keys), CHUNK))
    turn = len(starts) * rank // world
    found: dict[int, Lengths] = {}
    todo = [*starts[turn:], *starts[:turn]]
    if folder is None:
        found.update(_measured(sources, keys, cost, iter(todo), workers))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {start: folder / f"lengths-{name}-{start}.npz" for start in starts}
        missing = (start for start in todo if _load(paths[start]) is None)
        for start, lengths in _measured(sources, keys, cost, missing, workers):
            found[start] = lengths
            _save(paths[start], lengths)
        for start in starts:
            if start not in found:
                found[start] = _load(paths[start]) or measure(sources, keys[start : start + CHUNK], cost)
    return _joined([found[start] for start in starts], starts)


def _measured(
    sources: Mapping[str, Source], keys: Sequence[Key], cost: FlopsOf, starts: Iterator[int], workers: int
) -> Iterator[tuple[int, Lengths]]:
    yield from made_ahead(_Chunks(sources, keys, cost), _Once(starts), workers, prefetch=1)


class _Once:
    """A sampler that is asked as late as possible, so that what others have written meanwhile is seen."""

    def __init__(self, starts: Iterator[int]) -> None:
        self.starts = starts

    def __iter__(self) -> Iterator[int]:
        return self.starts


@dataclass(frozen=True)
class _Chunks:
    sources: Mapping[str, Source]
    keys: Sequence[Key]
    cost: FlopsOf

    def __getitem__(self, start: int) -> tuple[int, Lengths]:
        return start, measure(self.sources, self.keys[start : start + CHUNK], self.cost)


def _joined(parts: Sequence[Lengths], starts: Sequence[int]) -> Lengths:
    if not parts:
        return Lengths(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), ())
    return Lengths(
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.flops for part in parts]),
        np.concatenate([start + part.broken for start, part in zip(starts, parts, strict=True)]),
        tuple(reason for part in parts for reason in part.reasons),
    )


def _load(path: Path) -> Lengths | None:
    """Lengths from disk; None where there are none, or none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            reasons = tuple(file["reasons"].tolist())
            return Lengths(file["tokens"], file["flops"], file["broken"], reasons)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _save(path: Path, lengths: Lengths) -> None:
    """Written aside and renamed, so that a reader finds all of it or nothing."""
    reasons = np.array(lengths.reasons, dtype=np.str_)
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, tokens=lengths.tokens, flops=lengths.flops, broken=lengths.broken, reasons=reasons)
