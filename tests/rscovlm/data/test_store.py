"""Sample files: what goes in comes out, from JSON lines and from Parquet, and damage has a place."""

import hashlib
import multiprocessing
import os
import pickle

import numpy as np
import pytest

from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.store import SampleFile, Written, write_samples
from rscovlm.errors import DataError

TALK = (Turn("user", "<image>Wo?"), Turn("assistant", "Über der Brücke, „dort“."))
SAMPLES = [
    Sample("a", "vqa", (ImageRef("images/a.png", (1, 2, 30, 40), (50, 60), 0.3),), TALK, gsd_m=0.5),
    Sample(
        "b",
        "detection",
        (ImageRef("/data/b.tif", size=(100, 200)),),
        boxes=(
            Box(np.array([[4, 0], [8, 4], [4, 8], [0, 4]]), "ship", difficult=True),
            Box(np.array([[1, 1], [2, 1], [2, 2], [1, 2.125]]), "plane", horizontal=True),
        ),
        classes=("plane", "ship"),
        attributes={"split": "train"},
    ),
    Sample("c", "chat", turns=(Turn("user", "hi\nthere"), Turn("assistant", "hello")), source="talk"),
]
each_format = pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])


@each_format
def test_samples_come_back_as_they_were(tmp_path, suffix):
    written = write_samples(tmp_path / f"x{suffix}", iter(SAMPLES))
    assert written == Written(3, 2, 2, {"vqa": 1, "detection": 1, "chat": 1})
    file = SampleFile(tmp_path / f"x{suffix}")
    assert len(file) == 3
    assert list(file) == SAMPLES
    assert (file[2], file[-1], file[-3]) == (SAMPLES[2], SAMPLES[2], SAMPLES[0])
    for index in (3, -4):
        with pytest.raises(IndexError, match="holds 3 samples"):
            file[index]


@each_format
def test_a_file_of_no_samples_is_empty(tmp_path, suffix):
    assert write_samples(tmp_path / f"x{suffix}", []) == Written()
    assert list(SampleFile(tmp_path / f"x{suffix}")) == []


@each_format
def test_many_samples_are_found_by_index_and_by_id(tmp_path, suffix):
    many = [
        Sample(f"n{i}", "chat", turns=(Turn("user", "?"), Turn("assistant", "x" * (i + 1))))
        for i in range(1500)
    ]
    write_samples(tmp_path / f"x{suffix}", many)
    file = SampleFile(tmp_path / f"x{suffix}")
    for index in (0, 511, 512, 1024, 1499, 3):  # on both sides of the edges of row groups
        assert file[index] == many[index]
    assert file.find("n1300") == 1300
    assert file.find("n") is None


def read_in_worker(file):
    return [sample.id for sample in file]


@each_format
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_file_travels_to_workers(tmp_path, suffix, start):
    write_samples(tmp_path / f"x{suffix}", SAMPLES)
    file = SampleFile(tmp_path / f"x{suffix}")
    assert file[0].id == "a"  # so that it is open when it travels
    assert list(pickle.loads(pickle.dumps(file))) == SAMPLES
    with multiprocessing.get_context(start).Pool(2) as pool:
        assert pool.map(read_in_worker, [file, file]) == [["a", "b", "c"]] * 2


@each_format
def test_a_digest_is_of_the_content_alone(tmp_path, suffix):
    (one, other), moved = (tmp_path / f"x{suffix}", tmp_path / f"y{suffix}"), tmp_path / f"z{suffix}"
    write_samples(one, SAMPLES)
    write_samples(other, SAMPLES[:2])
    moved.write_bytes(one.read_bytes())
    assert SampleFile(one).digest == SampleFile(moved).digest == SampleFile(one).digest
    assert SampleFile(one).digest != SampleFile(other).digest
    assert SampleFile(one).digest == hashlib.sha256(one.read_bytes()).hexdigest()


def test_images_are_looked_for_from_the_folder_of_the_file(tmp_path):
    write_samples(tmp_path / "x.jsonl", SAMPLES)
    file = SampleFile(tmp_path / "x.jsonl")
    assert file.resolve(file[0].images[0]) == tmp_path / "images" / "a.png"
    assert str(file.resolve(file[1].images[0])) == "/data/b.tif"


def test_empty_lines_windows_line_ends_and_an_open_last_line_are_no_obstacle(tmp_path):
    lines = [sample.to_line() for sample in SAMPLES]
    (tmp_path / "x.jsonl").write_bytes(f"\n{lines[0]}\r\n\r\n{lines[1]}\n\n{lines[2]}".encode())
    file = SampleFile(tmp_path / "x.jsonl")
    assert list(file) == SAMPLES
    assert file.place(1) == f"{tmp_path / 'x.jsonl'}:4"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "a", "task": ', "not JSON"),
        ("[1, 2]", "a sample is a JSON object, not list"),
        ('{"id": "q", "task": "seg"}', "sample 'q': task 'seg' is unknown"),
        ('{"id": "q", "task": "chat", "turn": []}', "sample 'q': turn: unknown field"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_damaged_line_is_one_error_with_its_place_and_the_others_are_read(tmp_path, line, says):
    good = SAMPLES[2].to_line()
    (tmp_path / "x.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    file = SampleFile(tmp_path / "x.jsonl")
    assert file[2] == SAMPLES[2]
    with pytest.raises(DataError, match=r"x\.jsonl:2: ") as raised:
        file[1]
    assert says in str(raised.value)


def test_what_is_no_sample_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"ends in \.jsonl or \.parquet, not '\.json'"):
        SampleFile(tmp_path / "x.json")
    with pytest.raises(FileNotFoundError):
        SampleFile(tmp_path / "missing.jsonl")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match="no Parquet file"):
        SampleFile(tmp_path / "x.parquet")
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no column 'sample'"):
        SampleFile(tmp_path / "other.parquet")


@each_format
@pytest.mark.parametrize("of_the_same", ["size", "time", "neither"])
def test_a_file_that_changes_under_its_index_is_not_read_at_the_old_places(tmp_path, suffix, of_the_same):
    path = tmp_path / f"x{suffix}"
    write_samples(path, SAMPLES)
    file = SampleFile(path) if suffix == ".jsonl" else pickle.loads(pickle.dumps(SampleFile(path)))
    facts, content = path.stat(), path.read_bytes()
    path.write_bytes(content if of_the_same == "size" else content + b"\n\n")
    changed = facts.st_mtime_ns + (0 if of_the_same == "time" else 1000)
    os.utime(path, ns=(changed, changed))
    with pytest.raises(DataError, match="was changed after it had been opened"):
        file[0]


@each_format
def test_what_was_there_is_kept_until_the_new_file_is_whole(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_samples(path, SAMPLES)

    def failing():
        yield SAMPLES[0]
        raise DataError("the third is broken")

    with pytest.raises(DataError, match="third"):
        write_samples(path, failing())
    assert list(SampleFile(path)) == SAMPLES
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
