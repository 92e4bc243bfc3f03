"""Reading of a benchmark: which layout is there, unique keys, what is said where nothing is."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from rscovlm.bench.item import Item, Truth
from rscovlm.bench.prompts import load_profile
from rscovlm.bench.suites import SUITES
from rscovlm.bench.suites.reading import EXTRACTED, Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, text_of
from rscovlm.errors import DataError, UsageError
from tests.rscovlm.bench.suites.laid_out import pictures
from tests.rscovlm.data.published import write_json, write_lines


def _item(place, record, pictures, options):
    yield Item(
        text_of(record, "id"), (pictures.locate("a.png"),), "open", "What?", Truth((text_of(record, "a"),))
    )


READER = Reader(
    "ponds",
    (
        Layout({"test": ("first.jsonl", "parts/*.jsonl"), "val": ("val.json",)}, of_records(_item)),
        Layout({"test": ("second.json",)}, of_records(_item), beside={"test": ("more.json",)}),
    ),
    kinds=("open",),
    groups=(),
)


def test_all_files_of_the_first_pattern_that_is_met_are_read_by_name(tmp_path):
    (tmp_path / "parts").mkdir()
    write_lines(tmp_path / "parts" / "b.jsonl", [{"id": "3", "a": "x"}])
    write_lines(tmp_path / "parts" / "a.jsonl", [{"id": "1", "a": "x"}, {"id": "2", "a": "x"}])
    write_json(tmp_path / "second.json", [{"id": "4", "a": "x"}])
    assert [item.key for item in READER(tmp_path, "test")] == ["1", "2", "3"]
    write_lines(tmp_path / "first.jsonl", [{"id": "5", "a": "x"}])
    assert [item.key for item in READER(tmp_path, "test")] == ["5"]


def test_another_layout_is_read_where_the_first_is_not_there(tmp_path):
    write_json(tmp_path / "second.json", [{"id": "4", "a": "x"}])
    write_json(tmp_path / "more.json", [])
    assert [item.key for item in READER(tmp_path, "test")] == ["4"]
    assert [path.name for path in READER.annotations(tmp_path, "test")] == ["second.json", "more.json"]


def test_keys_are_unique_and_the_same_at_each_reading(tmp_path):
    write_lines(tmp_path / "first.jsonl", [{"id": "1", "a": "x"}] * 3)
    reading = READER(tmp_path, "test")
    assert [item.key for item in reading] == ["1", "1#2", "1#3"]
    assert reading.account.changed["keys that occur again, told apart by a number"] == 2
    assert [item.key for item in READER(tmp_path, "test")] == ["1", "1#2", "1#3"]


def test_what_is_left_out_is_counted_and_named(tmp_path):
    write_lines(tmp_path / "first.jsonl", [{"id": "1", "a": "x"}, {"id": "2"}, {"id": "3", "a": " "}])
    reading = READER(tmp_path, "test")
    assert [item.key for item in reading] == ["1"]
    assert reading.account.left_out == {"no a": 2}
    assert [place for _, place in reading.account.places] == [
        f"{tmp_path / 'first.jsonl'}:2: none of the fields a holds text",
        f"{tmp_path / 'first.jsonl'}:3: none of the fields a holds text",
    ]


def test_items_come_as_they_are_read(tmp_path):
    (tmp_path / "first.jsonl").write_text('{"id": "1", "a": "x"}\n{"id": "2", "a": "x"}\n{broken\n')
    reading = READER(tmp_path, "test")
    assert next(reading).key == "1"  # the broken line was not read yet


@pytest.mark.parametrize("name", [name for name, suite in SUITES.items() if isinstance(suite.read, Reader)])
def test_a_folder_without_annotations_is_one_line_with_what_is_expected(tmp_path, name):
    suite = SUITES[name]
    with pytest.raises(DataError) as caught:
        suite.read(tmp_path, suite.splits[0])
    text = str(caught.value)
    assert "\n" not in text
    assert f"holds no annotations of {name}, split {suite.splits[0]}; expected " in text
    assert suite.files[suite.splits[0]][0] in text


def test_a_wrong_split_and_a_missing_folder(tmp_path):
    with pytest.raises(UsageError, match="ponds has no split 'tset'; choose test, val"):
        READER(tmp_path, "tset")
    with pytest.raises(DataError, match="gone is no folder; ponds needs the one that holds its annotations"):
        READER(tmp_path / "gone", "test")


def test_extracted_images_are_no_annotations(tmp_path):
    (tmp_path / EXTRACTED).mkdir()
    write_lines(tmp_path / EXTRACTED / "x.jsonl", [{"id": "1", "a": "x"}])
    reader = Reader("ponds", (Layout({"test": ("**/*.jsonl",)}, of_records(_item)),), ("open",), ())
    with pytest.raises(DataError, match="holds no annotations"):
        reader(tmp_path, "test")


def test_a_benchmark_has_the_name_splits_and_files_of_its_reader():
    made = benchmark(READER, title="", layout="", source="", licence="", counts={})
    assert (made.name, made.splits) == ("ponds", ("test", "val"))
    assert made.files == {"test": ("first.jsonl", "parts/*.jsonl", "second.json"), "val": ("val.json",)}


def test_a_missing_image_is_an_item_with_the_name_where_it_should_be(tmp_path):
    write_lines(tmp_path / "first.jsonl", [{"id": "1", "a": "x"}])
    pictures(tmp_path / "images", ["b.png"])
    reading = READER(tmp_path, "test")
    assert [item.images for item in reading] == [(str(tmp_path / "images" / "a.png"),)]
    assert reading.account.changed == {"items whose image is missing": 1}


def test_a_record_may_be_left_out_by_its_own_reason(tmp_path):
    def refuse(place, record, pictures, options):
        raise LeftOut("too old", "1970")
        yield

    write_lines(tmp_path / "a.jsonl", [{}])
    reading = Reader("x", (Layout({"test": ("a.jsonl",)}, of_records(refuse)),), ("open",), ())(
        tmp_path, "test"
    )
    assert list(reading) == []
    assert reading.account.left_out == {"too old": 1}


def test_benchmarks_are_read_where_torch_is_not_installed():
    code = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
    code += "import rscovlm.bench.suites.tables, rscovlm.bench.suites.custom, rscovlm.bench.suites.hashes"
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", list(SUITES))
def test_the_words_of_a_benchmark_are_a_profile_that_ships(name):
    assert load_profile(SUITES[name].prompts).hash


# --- draws ------------------------------------------------------------------------------------------


def xlrs(folder, rows, row_group_size=5):
    """A table of XLRS-Bench with a picture of its own in each row."""
    folder.mkdir(parents=True)
    records = [
        {
            "index": number // 2,  # each stands twice
            "question": f"Question {number}?",
            "multi-choice options": ["(A) one", "(B) two"],
            "answer": "B" if number % 10 else "F",  # one in ten makes no item
            "category": "Counting/Overall counting",
            "image": [{"bytes": png(number), "path": f"{number}.png"}],
        }
        for number in range(rows)
    ]
    parquet.write_table(pa.Table.from_pylist(records), folder / "a.parquet", row_group_size=row_group_size)


def png(number):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), number, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_draw_writes_the_pictures_that_are_drawn_and_no_other(tmp_path):
    xlrs(tmp_path / "drawn" / "data", 40)
    suite = SUITES["xlrs-bench-lite"]
    drawn = suite.read.draw(tmp_path / "drawn", "test", 4, seed=1)
    assert drawn.of == 36
    assert len(drawn.items) == len(list((tmp_path / "drawn" / EXTRACTED).iterdir())) == 4
    assert drawn.account.left_out == {"its right letter is none of its options": 4}
    # the very items of a whole reading, told apart by the same keys
    xlrs(tmp_path / "whole" / "data", 40)
    whole = {item.key: item for item in suite.read(tmp_path / "whole", "test")}
    for item in drawn.items:
        (image,), (same,) = item.images, whole[item.key].images
        assert (item.subject, item.truth, item.key) == (
            whole[item.key].subject,
            whole[item.key].truth,
            whole[item.key].key,
        )
        assert Path(image).read_bytes() == Path(same).read_bytes()
    assert [item.key for item in drawn.items] == [key for key in whole if key in {i.key for i in drawn.items}]


def test_a_draw_of_records_without_pictures_inside_is_the_same_at_each_reading(tmp_path):
    write_lines(tmp_path / "first.jsonl", [{"id": str(number // 3), "a": "x"} for number in range(300)])
    drawn = READER.draw(tmp_path, "test", 20, seed=3)
    whole = [item.key for item in READER(tmp_path, "test")]
    keys = [item.key for item in drawn.items]
    assert (drawn.of, len(keys)) == (300, 20)
    assert keys == [key for key in whole if key in keys]
    assert [item.key for item in READER.draw(tmp_path, "test", 20, seed=3).items] == keys
    assert [item.key for item in READER.draw(tmp_path, "test", 20, seed=4).items] != keys


def test_a_draw_of_more_than_there_are_is_all(tmp_path):
    xlrs(tmp_path / "data", 10)
    drawn = SUITES["xlrs-bench-lite"].read.draw(tmp_path, "test", 50, seed=0)
    assert (drawn.of, len(drawn.items)) == (9, 9)
