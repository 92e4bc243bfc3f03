"""Benchmark: items as their authors publish them, and the protocols that apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: as the command line takes it: ``lrs-vqa``.
        title: as the paper has it.
        layout: which files are expected where, in a few lines.
        source: how to get them, and the page of the authors.
        licence: of annotations and images, as stated by their owners.
        splits: names of the parts, the default first.
        read: the items of a split below a root folder, in file order.
        protocols: by short name (``official``, ``rscovlm``, ``strict``), the default first.
        counts: published number of items by split, to be compared with the files.
        prompts: profile of words by which the models were asked, a name in ``configs/prompts``.
        files: annotation files by split, as patterns below the root folder; a run stores their hashes.
        hashes: published SHA-256 of those files by name, where their authors or we have stated one.
    """

    name: str
    title: str
    layout: str
    source: str
    licence: str
    splits: tuple[str, ...]
    read: Callable[[Path, str], Iterator[Item]]
    protocols: Mapping[str, Protocol]
    counts: Mapping[str, int]
    prompts: str = "default"
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
