"""Fingerprints of annotation files, which a run stores, so that a sceptic knows what was asked.

Images are no part of them: of Parquet the columns that hold pictures are passed over, and folders of pictures
count by their names. Files are read piece by piece, of any size.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.suites.reading import EXTRACTED
from rscovlm.data.readers.common import IMAGE_SUFFIXES
from rscovlm.data.readers.tables import plain_columns

_CHUNK = 1 << 20


@runtime_checkable
class _Locates(Protocol):
    def annotations(self, root: Path, split: str) -> list[Path]: ...


def file_hashes(benchmark: Benchmark, root: Path, split: str) -> dict[str, str]:
    """SHA-256 of the annotation files of a split, by their names below the root.

    A folder counts as one: the names in it, and the contents of all that are no images. Of Parquet the footer
    and the columns without bytes count.

    Raises:
        DataError, UsageError: there are no such files, or no such split.
        OSError: one cannot be read.
    """
    if isinstance(benchmark.read, _Locates):
        paths = benchmark.read.annotations(root, split)
    else:
        paths = sorted({path for each in benchmark.files.get(split, ()) for path in root.glob(each)})
    return {_name(path, root): _digest(path) for path in paths}


def _name(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return f"{name}/" if path.is_dir() else name


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_dir():
        for inside in sorted(path.rglob("*")):
            if inside.is_file() and EXTRACTED not in inside.relative_to(path).parts:
                digest.update(inside.relative_to(path).as_posix().encode() + b"\0")
                if inside.suffix.lower() not in IMAGE_SUFFIXES:
                    digest.update(bytes.fromhex(_digest(inside)))
        return digest.hexdigest()
    with path.open("rb") as file:
        if path.suffix.lower() == ".parquet":
            for start, size in _pieces(path):
                _update(digest, file, start, size)
        else:
            _update(digest, file, 0, path.stat().st_size)
    return digest.hexdigest()


def _pieces(path: Path) -> list[tuple[int, int]]:
    """Where the columns of a Parquet file lie that hold no bytes, then its footer: (start, bytes)."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        found = file.metadata
        plain = plain_columns(found)
        groups = [found.row_group(index) for index in range(found.num_row_groups)]
        chunks = [group.column(place) for group in groups for place in plain]
        footer = found.serialized_size + 8
    pieces = []
    for chunk in chunks:
        start = chunk.data_page_offset
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            start = min(start, chunk.dictionary_page_offset)
        pieces.append((start, chunk.total_compressed_size))
    size = path.stat().st_size
    return [*pieces, (max(0, size - footer), min(size, footer))]


def _update(digest: hashlib._Hash, file: BinaryIO, start: int, size: int) -> None:
    file.seek(start)
    while size > 0 and (piece := file.read(min(_CHUNK, size))):
        digest.update(piece)
        size -= len(piece)
