"""Which reader a file is for, by what is in it."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from rscovlm.data.readers import ADAPTERS
from rscovlm.data.readers.recognition import check_reader, recognise
from rscovlm.errors import DataError
from tests.rscovlm.data.published import LRS, ROWS, converted, write_lines

HUMAN = {"from": "human", "value": "<image>Where?"}


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (LRS | {"image": "a.png"}, "lrs-vqa"),
        ({"bbox_info": {}, "question": "?", "answer": "!"}, "lrs-vqa-zoom"),
        ({"image_id": "a", "question": "?", "ground_truth": "3"}, "vrsbench"),
        ({"image_id": "a", "question": "the ship", "bbox": [1, 2, 3, 4]}, "refgeo"),
        ({"instruction": "?", "output": "!"}, "chat"),
        ({"Text": "?", "Ground truth": "A", "Answer choices": []}, "mme-realworld"),
        ({"question": "?", "multi-choice options": [], "answer": "A"}, "xlrs-bench"),
        ({"filename": "a.png", "sentences": []}, "rsitmd"),
        ({"images": [{"id": 1}], "annotations": [{"id": 2}], "categories": [{"id": 3}]}, "coco"),
        ({"messages": [], "objects": {"ref": []}}, "ms-swift"),
        ({"image": "a", "conversations": [HUMAN, {"from": "gpt", "value": "{<1><2><3><4>|<5>}"}]}, "geochat"),
        ({"image": "a", "conversations": [HUMAN, {"from": "gpt", "value": "there"}]}, "llava"),
        ({"video": ["a"], "conversations": [HUMAN, {"from": "gpt", "value": "there"}]}, "teochat"),
        ({"conversations": [HUMAN, {"from": "gpt", "value": "there"}]}, "chat"),
    ],
)
def test_a_reader_is_recognised_by_the_fields_of_the_records(tmp_path, record, found):
    assert recognise(write_lines(tmp_path / "x.jsonl", [record]))[0] == found
    assert found in ADAPTERS


def test_what_nothing_tells_is_not_guessed(tmp_path):
    with pytest.raises(
        DataError, match="format not recognised, none is known by its content; give --from FORMAT"
    ):
        converted(write_lines(tmp_path / "x.jsonl", [{"a": 1}]))
    talk = [HUMAN, {"from": "gpt", "value": "at [10, 20, 30, 40]"}]
    with pytest.raises(DataError, match="several look like it: geochat, teochat, vhm"):
        converted(write_lines(tmp_path / "x.jsonl", [{"image": "a", "conversations": talk}]))


def test_a_benchmark_is_not_read_as_captions_by_the_reader_of_another(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [LRS | {"image": "a.png"}])
    with pytest.raises(DataError, match="does not hold what --from vrsbench reads; use --from lrs-vqa"):
        converted(path, "vrsbench")


def test_records_that_are_looked_at_write_no_image(tmp_path):
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "x.parquet")
    assert recognise(tmp_path / "x.parquet") == ("lrs-vqa",)
    assert [entry.name for entry in Path(tmp_path).iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("30 20 20 30 10 20 20 10 ship 0", ("dota", "rsar")),
        ("3 0.2 0.2 0.3 0.1 0.2 0.2 0.1 0.4", ("yolo-obb",)),
        ("3 20 20 30 10 20 20 10 4", ()),
        ("30 20 20 30 ship", ()),
    ],
)
def test_label_files_are_told_apart_by_their_columns(tmp_path, row, found):
    (tmp_path / "P1.txt").write_text(f"\n{row}\n")
    assert recognise(tmp_path / "P1.txt") == recognise(tmp_path) == found


def test_a_reader_that_is_not_plainly_wrong_is_let_through(tmp_path):
    torn = tmp_path / "torn.json"
    torn.write_text("[{")
    check_reader("llava", torn)  # the reader itself says what is wrong
    table = write_lines(tmp_path / "x.jsonl", [LRS])
    check_reader("fields", table)
    check_reader("lrs-vqa", table)
