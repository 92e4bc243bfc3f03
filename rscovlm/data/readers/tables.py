"""Rows of Parquet and Arrow tables, a few at a time: all of them, some by number, or all without pictures.

Pictures inside a table are most of it. Where records are only looked at their bytes are not read, and where
some rows are wanted those of the others are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_ROWS = 256
_BATCH_BYTES = 1 << 26
"""Rows with large images inside are read a few at a time: memory is that of a row group, not of 256 rows."""


def row_count(path: Path) -> int:
    """Number of rows of a Parquet or Arrow file; of Parquet from its footer alone."""
    if _is_parquet(path):
        from pyarrow import parquet

        return int(parquet.read_metadata(path).num_rows)
    return sum(batch.num_rows for batch in _batches(path))


def table_rows(
    path: Path, wanted: Sequence[int] | None = None, *, pictures: bool = True
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet or Arrow file: (number from 0, values by column).

    Args:
        path: of the file.
        wanted: numbers of rows, rising; None for all.
        pictures: read bytes too; without them a picture of Hugging Face has its ``path`` alone, and columns
            of bytes are empty.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError: it cannot be read.
    """
    for start, batch, empty in (
        _parquet(path, wanted, pictures) if _is_parquet(path) else _arrow(path, pictures)
    ):
        inside: Sequence[int] = range(batch.num_rows)
        if wanted is not None:
            inside = [each - start for each in wanted if each - start in inside]
            if not inside:
                continue
            batch = batch.take(inside)
        for number, row in zip(inside, batch.to_pylist(), strict=True):
            yield start + number, row | dict.fromkeys(empty, b"")


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def plain_columns(metadata: Any) -> list[int]:
    """Places of the columns of a Parquet file that hold no bytes: texts, numbers, names of pictures."""
    columns = (metadata.schema.column(place) for place in range(metadata.num_columns))
    return [
        place
        for place, column in enumerate(columns)
        if column.physical_type != "BYTE_ARRAY" or str(column.logical_type) == "String"
    ]


_Part = tuple[int, Any, list[str]]
"""Number of the first row, a batch of rows, and the columns whose bytes are left out of it."""


def _parquet(path: Path, wanted: Sequence[int] | None, pictures: bool) -> Iterator[_Part]:
    from pyarrow import parquet

    with parquet.ParquetFile(path, buffer_size=1 << 20) as file:
        about = file.metadata
        columns = None if pictures else [about.schema.column(place).path for place in plain_columns(about)]
        groups = [about.row_group(index) for index in range(about.num_row_groups)]
        largest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=1.0)
        most = max(1, min(_ROWS, int(_BATCH_BYTES / max(largest, 1.0)))) if pictures else _ROWS
        start = 0
        for index, group in enumerate(groups):
            first, start = start, start + group.num_rows
            if wanted is not None and not any(first <= each < start for each in wanted):
                continue
            for batch in file.iter_batches(most, row_groups=[index], columns=columns):
                yield first, batch, _missing(file.schema_arrow, batch)
                first += batch.num_rows


def _arrow(path: Path, pictures: bool) -> Iterator[_Part]:
    start = 0
    for batch in _batches(path):
        for first in range(0, batch.num_rows, _ROWS):
            whole = batch.slice(first, _ROWS)
            part = whole if pictures else _without_pictures(whole)
            yield start, part, _missing(whole.schema, part)
            start += whole.num_rows


def _missing(schema: Any, batch: Any) -> list[str]:
    return [name for name in schema.names if name not in batch.schema.names]


def _batches(path: Path) -> Iterator[Any]:
    """The batches of an Arrow file or stream."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:  # `datasets` writes streams, `feather` files
            reader: Any = pa.ipc.open_stream(source)
            batches = iter(reader)
        except pa.ArrowInvalid:
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        yield from batches


def _without_pictures(batch: Any) -> Any:
    """A batch whose columns of bytes are left out, and whose pictures have their path alone."""
    import pyarrow as pa

    columns = {name: _path_alone(batch.column(name)) for name in batch.schema.names}
    kept = {name: column for name, column in columns.items() if column is not None}
    return pa.RecordBatch.from_arrays(list(kept.values()), names=list(kept))


def _path_alone(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return pa.StructArray.from_arrays([column.field("path")], ["path"])
    if pa.types.is_list(kind) and not column.null_count:
        inside = _path_alone(column.values)
        return column if inside is None else pa.ListArray.from_arrays(column.offsets, inside)
    return column
