"""Tables with pictures inside: some rows, all of them, or all without the bytes of pictures."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from rscovlm.data.readers import tables
from rscovlm.data.readers.tables import row_count, table_rows

ROWS = [
    {
        "index": number,
        "image": {"bytes": number.to_bytes(2), "path": f"{number}.png"},
        "more": [{"bytes": b"x", "path": None}] * (number % 3),
        "raw": b"y",
        "text": f"row {number}",
    }
    for number in range(700)
]
LIGHT = [
    {
        "index": row["index"],
        "image": {"path": row["image"]["path"]},
        "more": [{"path": None}] * len(row["more"]),
        "raw": b"",
        "text": row["text"],
    }
    for row in ROWS
]


def write_parquet(path):
    parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=300)


def write_stream(path):
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


def write_file(path):
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


@pytest.fixture(params=[("a.parquet", write_parquet), ("a.arrow", write_stream), ("b.arrow", write_file)])
def table(request, tmp_path):
    name, write = request.param
    write(tmp_path / name)
    return tmp_path / name


def test_all_rows_in_order(table):
    assert row_count(table) == 700
    found = list(table_rows(table))
    assert [number for number, _ in found] == list(range(700))
    assert [row for _, row in found] == ROWS


@pytest.mark.parametrize("wanted", [[0], [299, 300], [5, 256, 511, 512, 699], []])
def test_some_rows_by_number(table, wanted):
    assert list(table_rows(table, wanted)) == [(number, ROWS[number]) for number in wanted]


def test_rows_without_the_bytes_of_pictures(table):
    assert [row for _, row in table_rows(table, pictures=False)] == LIGHT
    assert list(table_rows(table, [3, 650], pictures=False)) == [(3, LIGHT[3]), (650, LIGHT[650])]


def test_row_groups_without_a_wanted_row_are_not_read(tmp_path):
    path = tmp_path / "damaged.parquet"
    write_parquet(path)
    about = parquet.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    start = about.dictionary_page_offset or about.data_page_offset
    content[start : start + 16] = b"\xff" * 16  # of row 300 on
    path.write_bytes(content)
    assert [row["index"] for _, row in table_rows(path, [2, 620])] == [2, 620]
    with pytest.raises(OSError):
        list(table_rows(path, [2, 301]))


def test_rows_with_large_images_are_read_a_few_at_a_time(tmp_path):
    rows = [{"n": number, "image": bytes([number]) * (20 << 20)} for number in range(8)]
    path = tmp_path / "large.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    parts = tables._parquet(path, None, pictures=True)
    assert max(batch.num_rows for _, batch, _ in parts) == 3  # of 20 MiB in 64 MiB
