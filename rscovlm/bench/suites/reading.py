"""Reader: from a root folder to items, whichever of its published layouts a benchmark has there.

What could not become an item, or was mended on the way, is counted by reason and named in an ``Account``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Kind
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.suites.drawing import draw
from rscovlm.bench.suites.pictures import MISSING, Pictures
from rscovlm.data.readers.common import IMAGE_SUFFIXES, Account, Options, Record, each, read_records
from rscovlm.data.readers.containers import Extracted, kind_of_container
from rscovlm.errors import DataError, UsageError

EXTRACTED = "extracted"
"""Folder below the root that images inside tables are written to, so that they can be read by window."""

Items = Callable[[Path, Pictures, Options], Iterator[Item]]
"""The items of one annotation file or folder; what is left out goes to the account of the options."""

Place = tuple[Path, int, int]
"""Of an item: its file, the number of its record there, and its number among the items of that record."""


class Reading(Iterator[Item]):
    """Items as they are read, and the account of what was left out or mended so far.

    Attributes:
        account: complete once the items are exhausted.
    """

    def __init__(self, items: Iterator[Item], account: Account) -> None:
        self._items, self.account = items, account

    def __next__(self) -> Item:
        return next(self._items)


class Drawn(NamedTuple):
    """A draw of items.

    Attributes:
        items: in file order.
        of: items in the files.
        account: of all of them; what only a picture could tell, of those that were drawn.
    """

    items: list[Item]
    of: int
    account: Account


@dataclass(frozen=True)
class Layout:
    """One form in which a benchmark is published.

    Attributes:
        files: patterns of annotation files or folders below the root by split; all that the first one that is
            met meets are read, by name.
        items: reads one of them.
        images: folders below the root that image names start from, the likeliest first.
        beside: patterns of what is read together with them, by split.
    """

    files: Mapping[str, tuple[str, ...]]
    items: Items
    images: tuple[str, ...] = ("images", ".")
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Reads a benchmark: ``reader(root, split)`` gives its items.

    Attributes:
        name: of the benchmark.
        layouts: the forms in which it is published; the first one that is there is read.
        kinds: of tasks that its items belong to.
        groups: columns that its items have.
    """

    name: str
    layouts: tuple[Layout, ...]
    kinds: tuple[Kind, ...]
    groups: tuple[str, ...]

    def __call__(self, root: Path, split: str) -> Reading:
        """The items of a split, in file order, with unique keys.

        Raises:
            UsageError: there is no such split.
            DataError: no layout is found, or a file is not of its format.
            OSError: a file cannot be read.
        """
        layout, paths = self._found(root, split)
        options = Options(extracted=Extracted(root / EXTRACTED))
        pictures = Pictures(root, layout.images, options.account)
        items = (item for _, item in self._items(layout, paths, pictures, options))
        return Reading(items, options.account)

    def draw(self, root: Path, split: str, limit: int, seed: int) -> Drawn:
        """An even draw of the items of a split, of which no others are held.

        Tables are read twice: once without the pictures inside, and then the rows that were drawn, so that no
        other picture is written to a file.

        Raises:
            UsageError, DataError, OSError: as reading.
        """
        layout, paths = self._found(root, split)
        tables = any(kind_of_container(path) == "table" for path in paths)
        options = Options(extracted=Extracted(root / EXTRACTED), peek=tables)
        pictures = Pictures(root, layout.images, options.account, peek=tables)
        placed, of = draw(self._items(layout, paths, pictures, options), limit, seed)
        if not tables:
            return Drawn([item for _, item in placed], of, options.account)
        account = options.account
        keys = {place: item.key for place, item in placed}
        options = replace(options, peek=False, account=Account())
        pictures = Pictures(root, layout.images, options.account)
        again = self._items(layout, paths, pictures, options, {(path, record) for path, record, _ in keys})
        items = [replace(item, key=keys[place]) for place, item in again if place in keys]
        account.left_out += options.account.left_out
        account.places += options.account.places
        account.changed[MISSING] += options.account.changed[MISSING]
        return Drawn(items, of, account)

    def _items(
        self,
        layout: Layout,
        paths: list[Path],
        pictures: Pictures,
        options: Options,
        records: Collection[tuple[Path, int]] | None = None,
    ) -> Iterator[tuple[Place, Item]]:
        """Items with their places, of some records of tables alone where these are named."""
        seen: Counter[int] = Counter()
        for path in paths:
            rows = None if records is None else sorted(number for file, number in records if file == path)
            last, nth = -1, 0
            for item in layout.items(path, pictures, replace(options, rows=rows)):
                record = options.account.record
                last, nth = record, nth + 1 if record == last else 0
                number = hash(item.key)  # 8 bytes each, where the keys of a million items would be many more
                seen[number] += 1
                if seen[number] > 1:
                    options.account.changed["keys that occur again, told apart by a number"] += 1
                    item = replace(item, key=f"{item.key}#{seen[number]}")
                yield (path, record, nth), item

    def annotations(self, root: Path, split: str) -> list[Path]:
        """The annotation files and folders of a split, those that are read together with others last.

        Raises:
            UsageError, DataError: as reading.
        """
        layout, paths = self._found(root, split)
        return paths + [path for pattern in layout.beside.get(split, ()) for path in _matches(root, pattern)]

    def patterns(self) -> dict[str, tuple[str, ...]]:
        """Patterns of annotation files by split, of all layouts."""
        splits = dict.fromkeys(split for layout in self.layouts for split in layout.files)
        return {
            split: tuple(pattern for layout in self.layouts for pattern in layout.files.get(split, ()))
            for split in splits
        }

    def _found(self, root: Path, split: str) -> tuple[Layout, list[Path]]:
        patterns = self.patterns()
        if split not in patterns:
            raise UsageError(f"{self.name} has no split {split!r}; choose {', '.join(patterns)}")
        if not root.is_dir():
            raise DataError(f"{root} is no folder; {self.name} needs the one that holds its annotations")
        found = self._look(root, split)
        if found is None:
            others = [other for other in patterns if other != split and self._look(root, other)]
            there = f"; it holds split {' and '.join(others)}" if others else ""
            raise DataError(
                f"{root} holds no annotations of {self.name}, split {split}{there}; expected "
                f"{' or '.join(patterns[split])} (rscovlm bench info {self.name} shows the layout)"
            )
        return found

    def _look(self, root: Path, split: str) -> tuple[Layout, list[Path]] | None:
        for layout in self.layouts:
            for pattern in layout.files.get(split, ()):
                if paths := _matches(root, pattern):
                    return layout, paths
        return None


def _matches(root: Path, pattern: str) -> list[Path]:
    """What a pattern meets below the root, by name; ``.`` is the root, where it has folders of images."""
    if pattern == ".":
        inside = (path for path in root.glob("*/*") if path.suffix.lower() in IMAGE_SUFFIXES)
        return [root] if next(inside, None) else []
    return sorted(path for path in root.glob(pattern) if EXTRACTED not in path.relative_to(root).parts)


def of_records(make: Callable[[str, Record, Pictures, Options], Iterator[Item]]) -> Items:
    """Items of a file of records (JSON, JSON lines, CSV, Parquet, Arrow) from what makes them of one record.

    Args:
        make: gets place, record, pictures and options; raises ``LeftOut`` for a record that makes no item.
    """

    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        yield from each(read_records(path, options), options, partial(_made, make, pictures, options))

    return items


def _made(
    make: Callable[[str, Record, Pictures, Options], Iterator[Item]],
    pictures: Pictures,
    options: Options,
    place: str,
    record: Record,
) -> Iterator[Item]:
    yield from make(place, record, pictures, options)


def benchmark(reader: Reader, **fields: Any) -> Benchmark:
    """A benchmark from its reader: name, splits and files are the reader's.

    Its protocols are those of its name.

    Args:
        reader: reads it.
        fields: the other attributes of ``Benchmark``.
    """
    files = reader.patterns()
    own: dict[str, Any] = {"protocols": protocols_of(reader.name), **fields}
    return Benchmark(name=reader.name, splits=tuple(files), files=files, read=reader, **own)
