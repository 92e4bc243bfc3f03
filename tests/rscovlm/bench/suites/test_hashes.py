"""Fingerprints: of annotations, not of images."""

import hashlib
import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from rscovlm.bench.suites import SUITES
from rscovlm.bench.suites.hashes import file_hashes
from rscovlm.errors import DataError
from tests.rscovlm.bench.suites.laid_out import pictures
from tests.rscovlm.data.published import write_json


def test_a_file_by_its_content(tmp_path):
    file = write_json(tmp_path / "VRSBench_EVAL_vqa.json", [])
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file_hashes(SUITES["vrsbench-vqa"], tmp_path, "test") == {"VRSBench_EVAL_vqa.json": expected}


def test_a_folder_of_annotations_as_one(tmp_path):
    labels = tmp_path / "val" / "labelTxt"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("one")
    first = file_hashes(SUITES["dota-v1.0"], tmp_path, "val")
    assert list(first) == ["val/labelTxt/"]
    (labels / "a.txt").write_text("two")
    second = file_hashes(SUITES["dota-v1.0"], tmp_path, "val")
    (labels / "a.txt").rename(labels / "b.txt")
    third = file_hashes(SUITES["dota-v1.0"], tmp_path, "val")
    assert len({tuple(found.values()) for found in (first, second, third)}) == 3


def test_folders_of_images_by_their_names(tmp_path):
    pictures(tmp_path / "AID" / "Beach", ["1.jpg"])
    first = file_hashes(SUITES["aid"], tmp_path, "folders")
    pictures(tmp_path / "AID" / "Beach", ["1.jpg"], 30, 30)
    assert file_hashes(SUITES["aid"], tmp_path, "folders") == first
    pictures(tmp_path / "AID" / "Beach", ["2.jpg"])
    assert file_hashes(SUITES["aid"], tmp_path, "folders") != first


def table(path, answers, pixels):
    rows = {"answer": answers, "image": [{"bytes": part, "path": None} for part in pixels], "n": [1, 2]}
    parquet.write_table(
        pa.table(rows), path, compression="none", write_statistics=False, use_dictionary=False
    )
    return path.read_bytes()


def test_a_table_without_its_images(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "test-0.parquet"
    suite = SUITES["xlrs-bench-lite"]
    before = table(path, ["A", "B"], [b"1234", b"5678"])
    first = file_hashes(suite, tmp_path, "test")
    after = table(path, ["A", "B"], [b"1239", b"5678"])
    assert before != after
    assert file_hashes(suite, tmp_path, "test") == first
    table(path, ["A", "C"], [b"1234", b"5678"])
    assert file_hashes(suite, tmp_path, "test") != first


def test_a_table_of_large_images_is_hashed_without_reading_them(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "test-0.parquet"
    table(path, ["A", "B"], [os.urandom(1 << 20), os.urandom(1 << 20)])
    from rscovlm.bench.suites.hashes import _pieces

    assert sum(size for _, size in _pieces(path)) < 20_000


def test_nothing_to_hash_is_said_as_when_reading(tmp_path):
    with pytest.raises(DataError, match="holds no annotations of lrs-vqa"):
        file_hashes(SUITES["lrs-vqa"], tmp_path, "test")
