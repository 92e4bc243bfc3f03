"""Records and images from Parquet, Arrow, tar, zip and CSV."""

import io
import json
import tarfile
import zipfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from rscovlm.data.readers.containers import Extracted
from rscovlm.errors import DataError
from tests.rscovlm.data.published import LRS, ROWS, converted, grey_of, png, said, write_json


def write_table(path, rows, shards=1):
    path.mkdir()
    names = []
    for number in range(shards):
        names.append(f"data-{number:05d}-of-{shards:05d}.arrow")
        table = pa.Table.from_pylist(rows[number::shards])
        with pa.OSFile(str(path / names[-1]), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "test"}
    write_json(path / "state.json", state)
    write_json(path / "dataset_info.json", {"features": {}})
    (path / "cache-1.arrow").write_bytes(b"of another table")
    return path


def test_images_inside_parquet_are_written_beside_the_output_and_shown(tmp_path):
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "lrs.parquet", row_group_size=2)
    samples, folder, _ = converted(tmp_path / "lrs.parquet")
    assert [sample.id for sample in samples] == ["q10", "q20", "q30"]
    assert [grey_of(sample, folder) for sample in samples] == [10, 20, 30]
    assert said(samples[0]) == [("user", "<image>What colour?"), ("assistant", "red")]
    assert samples[0].attributes == {"category": "object color"}
    assert samples[0].images[0].path.startswith("s.images/")
    assert (samples[0].images[0].size, samples[0].source) == ((100, 200), "lrs-vqa")


@pytest.mark.parametrize("shards", [1, 2])
def test_a_folder_of_save_to_disk_is_read_in_the_order_it_states(tmp_path, shards):
    samples, folder, _ = converted(write_table(tmp_path / "set", ROWS, shards))
    greys = [10, 20, 30] if shards == 1 else [10, 30, 20]
    assert [grey_of(sample, folder) for sample in samples] == greys


def test_a_folder_of_several_splits_asks_which(tmp_path):
    (tmp_path / "set").mkdir()
    write_table(tmp_path / "set" / "train", ROWS)
    samples, _, _ = converted(tmp_path / "set")
    assert len(samples) == 3
    write_table(tmp_path / "set" / "test", ROWS[:1])
    with pytest.raises(DataError, match=r"holds 2 splits; name one of .*test, .*train"):
        converted(tmp_path / "set", "lrs-vqa")


def test_parquet_shards_of_a_folder_are_one_data_set(tmp_path):
    (tmp_path / "set").mkdir()
    for number, row in enumerate(ROWS):
        parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "set" / f"train-0000{number}.parquet")
    samples, folder, _ = converted(tmp_path / "set")
    assert [grey_of(sample, folder) for sample in samples] == [10, 20, 30]


def test_equal_images_are_written_once_and_unknown_ones_refused(tmp_path):
    extracted = Extracted(tmp_path / "images")
    assert extracted.write(png(5), "a") == extracted.write(png(5), "b") != extracted.write(png(6), "c")
    assert len(list((tmp_path / "images").iterdir())) == 2
    with pytest.raises(DataError, match="row 3: an image of unknown kind"):
        extracted.write(b"text", "x.parquet: row 3")


def archive(path, members):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.zip"])
def test_a_webdataset_has_a_record_for_each_key(tmp_path, name):
    talk = {"conversations": [{"from": "human", "value": "<image>\n?"}, {"from": "gpt", "value": "red"}]}
    members = {}
    for grey in (10, 20):
        members[f"shard/{grey}.png"] = png(grey)
        members[f"shard/{grey}.json"] = json.dumps(talk).encode()
    samples, folder, _ = converted(archive(tmp_path / name, members), "llava")
    assert [(sample.id, grey_of(sample, folder)) for sample in samples] == [
        ("shard/10", 10),
        ("shard/20", 20),
    ]


@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
def test_an_archive_with_a_list_and_its_images(tmp_path, name):
    rows = [LRS | {"image": f"images/{grey}.png"} for grey in (10, 20)]
    members = {f"set/images/{grey}.png": png(grey) for grey in (20, 10)}
    members["set/../evil.png"] = png(3)
    members["set/list.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    rows[0]["image"], rows[1]["image"] = "set/images/10.png", "20.png"
    members["set/list.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    samples, folder, _ = converted(archive(tmp_path / name, members))
    assert [grey_of(sample, folder) for sample in samples] == [10, 20]
    assert not list(tmp_path.rglob("evil.png"))


def test_damaged_tables_and_archives_are_one_error(tmp_path):
    for name in ("x.parquet", "x.arrow", "x.zip", "x.tar"):
        (tmp_path / name).write_bytes(b"no such thing" * 99)
        with pytest.raises(DataError, match=rf"{name}: no (table|archive) that can be read"):
            converted(tmp_path / name, "llava")
