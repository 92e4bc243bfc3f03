"""Patches of tables by row, whatever holds them, and how much of them is kept."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rscovlm.data import table_blocks
from rscovlm.data.table_blocks import Blocks
from rscovlm.errors import DataError

PATCHES = np.arange(5 * 2 * 3 * 3, dtype=np.float32).reshape(5, 2, 3, 3)

HOLDERS = {
    "nested lists": lambda: pa.array(PATCHES.tolist(), pa.list_(pa.list_(pa.list_(pa.float32())))),
    "large lists": lambda: pa.array(PATCHES.tolist(), pa.large_list(pa.list_(pa.list_(pa.float32())))),
    "fixed-size lists": lambda: pa.array(
        PATCHES.tolist(), pa.list_(pa.list_(pa.list_(pa.float32(), 3), 3), 2)
    ),
    "flat lists": lambda: pa.array(PATCHES.reshape(5, -1).tolist(), pa.list_(pa.float32())),
    "tensors": lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(PATCHES),
    "bytes": lambda: pa.array([each.tobytes() for each in PATCHES], pa.binary()),
}


def table(folder, column, **how):
    pq.write_table(pa.table({"patch": column, "n": range(len(column))}), folder / "a.parquet", **how)
    return Blocks(folder / "a.parquet")


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("rows", [2, 1000], ids=["groups of 2", "one group"])
def test_rows_are_read_alike_in_any_order_from_what_holds_them(tmp_path, holder, rows):
    blocks = table(tmp_path, HOLDERS[holder](), row_group_size=rows)
    assert blocks.patches == ["patch"]
    for row in (4, 0, 3, 1, 2):
        found = blocks.row("patch", row)
        values = found.view(np.float32) if holder == "bytes" else found
        np.testing.assert_array_equal(values.ravel(), PATCHES[row].ravel())
        assert found.shape == ((72,) if holder == "bytes" else (18,) if holder == "flat lists" else (2, 3, 3))
    with pytest.raises(IndexError, match="there are 5 rows"):
        blocks.row("patch", 5)


def test_rows_without_a_patch_and_numbers_that_are_not_known(tmp_path):
    rows = [None, [[1.0, None], [3.0, 4.0]], None]
    blocks = table(tmp_path, pa.array(rows, pa.list_(pa.list_(pa.float32()))))
    assert blocks.row("patch", 0) is None
    np.testing.assert_array_equal(blocks.row("patch", 1), [[1, np.nan], [3, 4]])
    assert blocks.row("patch", 2) is None


def test_a_row_of_uneven_lists_is_refused_and_those_beside_it_are_read(tmp_path):
    uneven = pa.array([[[1], [2]], [[1, 2], [3]], [[1, 2, 3]]], pa.list_(pa.list_(pa.int16())))
    blocks = table(tmp_path, uneven)
    assert blocks.row("patch", 0).tolist() == [[1], [2]]
    assert blocks.row("patch", 2).tolist() == [[1, 2, 3]]
    with pytest.raises(ValueError, match="patch holds lists of several lengths"):
        blocks.row("patch", 1)


def test_blocks_are_cut_by_size_and_the_latest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 72 * 2)
    monkeypatch.setattr(table_blocks, "_LEAST_ROWS", 1)
    monkeypatch.setattr(table_blocks, "HELD_BYTES", 72 * 3)
    blocks = table(tmp_path, HOLDERS["nested lists"]())
    held = table_blocks._held
    for row in range(5):
        np.testing.assert_array_equal(blocks.row("patch", row), PATCHES[row])
        assert sum(size for _, size in held.values()) <= 72 * 3
    assert [key[2] for key in held if key[0] == blocks._own] == [4, 2][::-1][-len(held) :]
    blocks.close()
    assert not [key for key in held if key[0] == blocks._own]


def test_what_is_no_parquet_is_refused_in_a_line(tmp_path):
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet"):
        Blocks(tmp_path / "a.parquet")
