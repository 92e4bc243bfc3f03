"""Sample files: JSON lines or Parquet, written whole or not at all, read sample by sample.

A file of a million samples costs neither memory nor minutes: JSON lines are read through the byte offsets of
their lines (8 bytes each), Parquet one row group at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import atomic_path
from detection_eval.words import counted
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.errors import DataError

SUFFIXES = (".jsonl", ".parquet")
"""Suffixes of sample files."""

_CHUNK = 1 << 24
_GROUP_ROWS = 512  # about half a megabyte of text: what one random read costs
_GROUPS_KEPT = 4
_COLUMNS = ("id", "task", "source")
_SAMPLE = "sample"


@dataclass(frozen=True)
class Written:
    """Counts of what was written to a file.

    Attributes:
        samples: how many.
        images: references to images, repeats included.
        boxes: how many.
        tasks: samples by task.
    """

    samples: int = 0
    images: int = 0
    boxes: int = 0
    tasks: Mapping[str, int] = field(default_factory=dict)


def check_path(path: str | Path) -> Path:
    """The path of a sample file.

    Raises:
        DataError: its suffix is none of ``SUFFIXES``.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: a sample file ends in {' or '.join(SUFFIXES)}, not {path.suffix!r}")
    return path


# --- writing --------------------------------------------------------------------------------------


def write_samples(path: str | Path, samples: Iterable[Sample]) -> Written:
    """Write a sample file; an existing one is replaced when the new one is complete.

    Args:
        path: ends in ``.jsonl`` or ``.parquet``.
        samples: taken one by one, so that they may be generated.

    Raises:
        DataError: an unknown suffix, or Parquet without pyarrow.
        OSError: the file cannot be written; what was there before is kept.
    """
    path = check_path(path)
    counted = _Counted(samples)
    write = _write_parquet if path.suffix.lower() == ".parquet" else _write_lines
    with atomic_path(path) as temporary:
        write(temporary, counted)
    return Written(counted.samples, counted.images, counted.boxes, dict(counted.tasks))


class _Counted:
    """Passes samples on and counts them."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples
        self.samples = self.images = self.boxes = 0
        self.tasks: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Sample]:
        for sample in self._samples:
            self.samples += 1
            self.images += len(sample.images)
            self.boxes += len(sample.boxes)
            self.tasks[sample.task] += 1
            yield sample


def _write_lines(path: Path, samples: Iterable[Sample]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(sample.to_line() + "\n" for sample in samples)


def _write_parquet(path: Path, samples: Iterable[Sample]) -> None:
    pa, parquet = _arrow(path)
    names = (*_COLUMNS, _SAMPLE)
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = ([sample.id, sample.task, sample.source, sample.to_line()] for sample in samples)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP_ROWS)):
            writer.write_table(pa.table(dict(zip(names, zip(*group))), schema=schema))


def _arrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(f"{path}: Parquet needs pyarrow; install rscovlm[train], or use .jsonl") from error
    return pyarrow, pyarrow.parquet


# --- reading --------------------------------------------------------------------------------------


class _Records(Protocol):
    """The texts of a file, one for each sample."""

    def __len__(self) -> int: ...

    @property
    def digest(self) -> str: ...

    def text(self, index: int) -> str | bytes: ...

    def place(self, index: int) -> str: ...

    def find(self, name: str) -> Iterator[int]: ...


class SampleFile:
    """A sample file, read sample by sample; it may be pickled and forked. Threads need one each for Parquet.

    Args:
        path: ends in ``.jsonl`` or ``.parquet``.

    Attributes:
        path: as given.
        folder: what relative image paths start from.

    Raises:
        DataError: an unknown suffix, or not such a file.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_path(path)
        self.folder = self.path.parent
        parquet = self.path.suffix.lower() == ".parquet"
        self._records: _Records = _Table(self.path) if parquet else _Lines(self.path)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"SampleFile({str(self.path)!r}, {counted(len(self), 'sample')})"

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        """One sample.

        Raises:
            DataError: it cannot be read; the message starts with ``file:line`` (Parquet: ``file: row``).
            IndexError: there are not so many.
        """
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"{self.path} holds {count} samples; there is no sample {index}")
        index %= count
        try:
            record = json.loads(self._records.text(index))
            if not isinstance(record, dict):
                raise DataError(f"a sample is a JSON object, not {type(record).__name__}")
            return Sample.from_json(record)
        except (DataError, ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, DataError) else f"not JSON ({error})"
            raise DataError(f"{self.place(index)}: {reason}") from error

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes of the file: changes with any edit, whatever its size and time stamp say."""
        return self._records.digest

    def links(self, group: str | None = None) -> Iterator[tuple[str, ...]]:
        """Groups of each sample: what it must not share with a sample on the other side of a split.

        These are its images, by resolved path, and the value of a field where one is named; of a record that
        cannot be read, nothing. Nothing else is read or checked, so that a million samples take seconds.

        Args:
            group: name of an attribute or of a field of the sample, such as ``scene`` or ``tile``.
        """
        return (self._links(index, group) for index in range(len(self)))

    def _links(self, index: int, group: str | None) -> tuple[str, ...]:
        try:
            record = json.loads(self._records.text(index))
            paths = [str(image["path"]) for image in record.get("images", ())]
            value = record.get("attributes", {}).get(group, record.get(group)) if group else None
        except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
            return ()
        found = [f"image {os.path.normpath(self.folder.absolute() / path)}" for path in paths]
        return tuple(found if value in (None, "") else [*found, f"{group} {value}"])

    def place(self, index: int) -> str:
        """Where a sample stands, for messages: ``file:line``, of Parquet ``file: row``."""
        return self._records.place(index)

    def find(self, name: str) -> int | None:
        """The index of the first record with an id, or None; reads the whole file at worst.

        The record may be broken; others on the way are not looked into.
        """
        return next((index for index in self._records.find(name) if self._id(index) == name), None)

    def _id(self, index: int) -> Any:
        try:
            return json.loads(self._records.text(index))["id"]
        except (ValueError, RecursionError, TypeError, KeyError):
            return None

    def resolve(self, image: ImageRef | str) -> Path:
        """The path of an image; relative ones start from the folder of the file."""
        return self.folder / (image if isinstance(image, str) else image.path)


def _state(path: Path) -> tuple[int, int]:
    """Size and time stamp of a file, which change when it is written."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _check_unchanged(path: Path, before: tuple[int, int], now: tuple[int, int]) -> None:
    if before != now:
        raise DataError(f"{path} was changed after it had been opened; open it anew")


class _Lines:
    """The lines of a file through an index of where they start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        digest = hashlib.sha256()
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            breaks, returns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
            offset, last = 0, b""
            while chunk := file.read(_CHUNK):
                codes = np.frombuffer(chunk, np.uint8)
                breaks.append(np.flatnonzero(codes == ord("\n")) + offset)
                if b"\r" in chunk:
                    returns.append(np.flatnonzero(codes == ord("\r")) + offset)
                offset, last = offset + len(chunk), chunk[-1:]
                digest.update(chunk)
        self.digest = digest.hexdigest()
        self._state = facts.st_size, facts.st_mtime_ns
        stops = np.concatenate(breaks)
        if last not in (b"", b"\n"):  # the last line is not closed
            stops = np.append(stops, offset)
        starts = np.concatenate([[0], stops[:-1] + 1]) if len(stops) else stops
        only_return = (stops - starts == 1) & np.isin(starts, np.concatenate(returns))
        filled = (stops > starts) & ~only_return
        self._starts: NDArray[np.int64] = starts[filled]
        self._stops: NDArray[np.int64] = stops[filled]
        self._numbers = None if filled.all() else np.flatnonzero(filled)
        self._file: int | None = None

    def __len__(self) -> int:
        return len(self._starts)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None}

    def __del__(self) -> None:
        file: int | None = getattr(self, "_file", None)
        if file is not None:
            os.close(file)

    def _open(self) -> int:
        """The open file. Reads state their offset, so that forked workers and threads may share it."""
        if self._file is None:
            file = os.open(self.path, os.O_RDONLY)
            facts = os.fstat(file)
            try:
                _check_unchanged(self.path, self._state, (facts.st_size, facts.st_mtime_ns))
            except DataError:
                os.close(file)
                raise
            self._file = file
        return self._file

    def text(self, index: int) -> bytes:
        start = int(self._starts[index])
        return os.pread(self._open(), int(self._stops[index]) - start, start)

    def place(self, index: int) -> str:
        return f"{self.path}:{(index if self._numbers is None else int(self._numbers[index])) + 1}"

    def find(self, name: str) -> Iterator[int]:
        wanted = [json.dumps(name, ensure_ascii=ascii).encode() for ascii in (False, True)]
        for index in range(len(self)):
            text = self.text(index)
            if any(each in text for each in wanted):
                yield index


class _Table:
    """The rows of a Parquet file, the last row groups kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._state = _state(path)
        self._groups: OrderedDict[int, Any] = OrderedDict()
        metadata = self._open().metadata
        if _SAMPLE not in metadata.schema.to_arrow_schema().names:
            raise DataError(f"{path}: no sample file, since it has no column {_SAMPLE!r}")
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._ends: NDArray[np.int64] = np.cumsum(np.array(sizes, dtype=np.int64))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None, "_groups": OrderedDict()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _open(self) -> Any:
        if self._file is None:
            _check_unchanged(self.path, self._state, _state(self.path))
            pyarrow, parquet = _arrow(self.path)
            try:
                # pre_buffer reads ahead in threads of Arrow's, which a forked worker does not have
                self._file = parquet.ParquetFile(self.path, pre_buffer=False)
            except pyarrow.ArrowInvalid as error:
                raise DataError(f"{self.path}: no Parquet file ({error})") from error
        return self._file

    def _group(self, number: int) -> Any:
        if number not in self._groups:
            table = self._open().read_row_group(number, columns=[_SAMPLE], use_threads=False)
            self._groups[number] = table.column(0)
            while len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        return self._groups[number]

    def text(self, index: int) -> str:
        group = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[group - 1]) if group else 0
        text = self._group(group)[index - start].as_py()
        if text is None:
            raise DataError("an empty cell")
        return str(text)

    def place(self, index: int) -> str:
        return f"{self.path}: row {index + 1}"

    def find(self, name: str) -> Iterator[int]:
        file, start = self._open(), 0
        if "id" not in file.schema_arrow.names:
            yield from range(len(self))
            return
        for number in range(len(self._ends)):
            column = file.read_row_group(number, columns=["id"], use_threads=False).column(0).to_pylist()
            yield from (start + row for row, found in enumerate(column) if found == name)
            start += len(column)
