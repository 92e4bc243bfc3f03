"""Verdicts on boxes and sums of images as CSV and Parquet files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from detection_eval.files import atomic_path, write_text
from detection_eval.metrics.anatomy import anatomy
from detection_eval.metrics.comparison import Benchmark
from detection_eval.metrics.verdicts import Columns, box_verdicts, image_sums


def verdict_tables(bench: Benchmark, level: float = 0.5) -> tuple[Columns, Columns]:
    """Verdicts on the boxes, and sums of the images, of all methods; the first column is the method."""
    boxes, images = [], []
    for method in bench.methods:
        laid, matches, keep = method.result.overlaps, method.result.matches(level), method.result.keep
        boxes.append((method.name, box_verdicts(laid, matches, anatomy(laid, matches, keep), keep)))
        images.append((method.name, image_sums(laid, matches, keep)))
    return _stacked(boxes), _stacked(images)


def _stacked(tables: list[tuple[str, Columns]]) -> Columns:
    columns: Columns = {"method": [name for name, table in tables for _ in table["image"]]}
    for column in tables[0][1] if tables else ():
        columns[column] = [value for _, table in tables for value in table[column]]
    return columns


def write_verdicts(folder: Path, bench: Benchmark, level: float = 0.5) -> list[str]:
    """Write ``verdicts.csv`` and ``images.csv``, and ``verdicts.parquet`` where pyarrow is installed.

    Returns:
        The names of the files.

    Raises:
        OSError: something cannot be written.
    """
    boxes, images = verdict_tables(bench, level)
    write_text(folder / "verdicts.csv", to_csv(boxes))
    write_text(folder / "images.csv", to_csv(images))
    return ["verdicts.csv", "images.csv", *_write_parquet(folder / "verdicts.parquet", boxes)]


def to_csv(columns: Columns) -> str:
    """A table with a header; None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _write_parquet(path: Path, columns: Columns) -> list[str]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return []
    texts = {"method", "image", "scene", "box", "class", "verdict", "error", "object_class"}
    whole = {"index", "object"}
    arrays = {
        name: pa.array(
            values, pa.string() if name in texts else pa.int64() if name in whole else pa.float64()
        )
        for name, values in columns.items()
    }
    with atomic_path(path) as temporary:
        parquet.write_table(pa.table(arrays), temporary)
    return [path.name]
