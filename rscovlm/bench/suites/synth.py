"""``synth``: the synthetic counterparts of all tasks, as ``rscovlm synth benchmark`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from detection_eval.formats.lines import json_lines
from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item
from rscovlm.bench.protocols.strict import generic
from rscovlm.bench.records import item_from_json
from rscovlm.errors import DataError

ITEMS = "items.jsonl"


def read(root: Path, split: str) -> Iterator[Item]:
    """The items of a folder, in the order of the file.

    Raises:
        DataError: where there is no such file, or a line is no item.
        FormatError: where a line is not JSON.
    """
    path = root / ITEMS
    if not path.is_file():
        raise DataError(f"{path} does not exist; write it with: rscovlm synth benchmark {root}")
    for place, record in json_lines(path):
        item = item_from_json(record, place)
        yield replace(item, images=tuple(str(root / image) for image in item.images))


SYNTH = Benchmark(
    name="synth",
    title="Synthetic counterparts of all tasks",
    layout=f"{ITEMS} (an item a line) and images/*",
    source="rscovlm synth benchmark DIR",
    licence="Apache-2.0, as this program that makes them",
    splits=("test",),
    read=read,
    protocols=generic("synth"),
    counts={},
    files={"test": (ITEMS,)},
)
"""The benchmark ``synth``."""
