"""Patches in Parquet by row: blocks of rows are decoded as they are asked for, and the latest are kept.

Parquet compresses rows together, so that one row costs a row group. What is held is bounded for all tables of
a process together, whatever the size of a table or of its row groups.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError

BLOCK_BYTES = 64 << 20
"""Rows that are decoded at a time are as many as fit."""
HELD_BYTES = 128 << 20
"""Decoded blocks that a process keeps."""
_LEAST_ROWS, _BATCH_ROWS = 8, 64
_number = count()

Rows = list[NDArray[Any] | None]
_held: OrderedDict[tuple[int, str, int], tuple[Rows, int]] = OrderedDict()
_RAGGED = np.empty(0, object)


class Blocks:
    """The patches of a table.

    Args:
        path: of the Parquet file.

    Attributes:
        path: of the file.
        file: opened.
        patches: names of columns of lists or bytes.

    Raises:
        DataError: it cannot be read as Parquet.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self.path = path
        try:
            self.file: parquet.ParquetFile = parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
        self.patches = [each.name for each in self.file.schema_arrow if is_patch(each.type)]
        about = self.file.metadata
        groups = [about.row_group(index) for index in range(about.num_row_groups)]
        self._starts = np.cumsum([0, *(group.num_rows for group in groups)])
        self._bytes: dict[str, int] = {}
        self._own = next(_number)

    def close(self) -> None:
        """Close the file, and let go of its blocks."""
        self.file.close()
        for key in [key for key in _held if key[0] == self._own]:
            del _held[key]

    def row(self, column: str, row: int) -> NDArray[Any] | None:
        """The values of a row in the shape of the lists that hold them, or its bytes; None where it has none.

        Raises:
            ValueError: lists of several lengths within a row.
            IndexError: no such row.
        """
        if not 0 <= row < self._starts[-1]:
            raise IndexError(f"there are {self._starts[-1]} rows")
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        place = row - int(self._starts[group])
        size = self._block_rows(column)
        first = place - place % size
        key = (self._own, column, int(self._starts[group]) + first)
        if key not in _held:
            _keep(key, self._decoded(column, group, first, size))
        _held.move_to_end(key)
        found = _held[key][0][place - first]
        if found is _RAGGED:
            raise ValueError(f"{column} holds lists of several lengths")
        return found

    def _block_rows(self, column: str) -> int:
        """Rows of a block, from the size of the first row that has a patch."""
        if column not in self._bytes:
            batches = self.file.iter_batches(1, columns=[column])
            sizes = (
                each.nbytes for batch in batches for each in _rows_of(batch.column(0)) if each is not None
            )
            self._bytes[column] = next(sizes, 1)
        return max(_LEAST_ROWS, BLOCK_BYTES // max(1, self._bytes[column]))

    def _decoded(self, column: str, group: int, first: int, size: int) -> Rows:
        rows: Rows = []
        start = 0
        for batch in self.file.iter_batches(min(size, _BATCH_ROWS), row_groups=[group], columns=[column]):
            if start + batch.num_rows > first:
                rows += _rows_of(batch.column(0).slice(max(0, first - start)))
            start += batch.num_rows
            if len(rows) >= size:
                break
        return rows[:size]


def _keep(key: tuple[int, str, int], rows: Rows) -> None:
    _held[key] = rows, sum(each.nbytes for each in rows if each is not None)
    while len(_held) > 1 and sum(size for _, size in _held.values()) > HELD_BYTES:
        _held.popitem(last=False)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_patch(kind: Any) -> bool:
    """Whether a column of a type may hold patches: lists, tensors or bytes."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    types = pa.types
    binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return _is_list(kind) or any(test(kind) for test in binary)


def _rows_of(array: Any) -> Rows:
    """The values of each row of a column of lists (of lists ...) of numbers, or of bytes."""
    import pyarrow as pa

    shape = None
    if isinstance(array.type, pa.BaseExtensionType):
        shape, array = getattr(array.type, "shape", None), array.storage
    known, kept = np.asarray(array.is_valid()), array.drop_null() if array.null_count else array
    if _is_list(array.type):
        found = _of_lists(kept)
    else:
        found = [np.frombuffer(each, np.uint8) for each in kept.to_pylist()]
    if shape is not None:
        found = [each if each is _RAGGED else each.reshape(shape) for each in found]
    whole = iter(found)
    return [next(whole) if there else None for there in known.tolist()]


def _of_lists(kept: Any) -> list[NDArray[Any]]:
    """The values of each of some lists, ``_RAGGED`` where the lists within one differ in length."""
    import pyarrow.compute as pc

    shape, values, even = [], kept, True
    while even and _is_list(values.type):
        lengths = pc.list_value_length(values)
        bounds = pc.min_max(lengths).as_py()
        even = not lengths.null_count and bounds["min"] == bounds["max"]
        shape.append(bounds["max"])
        values = values.flatten()
    if even and len(kept):
        return list(values.to_numpy(zero_copy_only=False).reshape(len(kept), *shape))
    if len(kept) < 2:
        return [_RAGGED] * len(kept)
    return [each for row in range(len(kept)) for each in _of_lists(kept.slice(row, 1))]
