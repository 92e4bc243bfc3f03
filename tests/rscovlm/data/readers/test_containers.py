"""Records and images from Parquet, Arrow, tar, zip and CSV, and which reader a file is for."""

import base64
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from rscovlm.data.readers import ADAPTERS, Options, convert
from rscovlm.data.readers.containers import Extracted
from rscovlm.data.readers.recognition import recognise
from rscovlm.data.store import SampleFile
from rscovlm.errors import DataError
from tests.rscovlm.data.published import image, said, write_json, write_lines


def png(grey, width=200, height=100):
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def inside(grey, name="x.png"):
    """An image as Hugging Face keeps it in a table."""
    return {"bytes": png(grey), "path": name}


def grey_of(sample, folder, place=0):
    with Image.open(folder / sample.images[place].path) as shown:
        return shown.getpixel((0, 0))[0]


def converted(path, name=None, images=None, **options):
    output = path.parent / "out" / "s.jsonl"
    output.parent.mkdir(exist_ok=True)
    settings = Options(**options)
    convert(name, path, output, settings, images=images)
    return list(SampleFile(output)), output.parent, settings.account


LRS = {"question_id": "FAIR_1", "text": "What colour?", "ground_truth": "red", "category": "object color"}
ROWS = [LRS | {"question_id": f"q{grey}", "image": inside(grey)} for grey in (10, 20, 30)]


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


# --- any table ------------------------------------------------------------------------------------


def test_fields_name_question_answer_image_and_id_of_any_table(tmp_path):
    image(tmp_path / "images" / "a.png")
    fields = {"question": "q", "answer": "meta.gold", "image": "img", "id": "uid"}
    row = {"q": "How many?", "meta": {"gold": 3}, "img": "a", "uid": "u7", "split": "test"}
    for file in (write_lines(tmp_path / "x.jsonl", [row]), write_json(tmp_path / "x.json", {"rows": [row]})):
        (sample,), _, _ = converted(file, "fields", tmp_path / "images", fields=fields)
        assert (sample.id, sample.task) == ("u7", "vqa")
        assert said(sample) == [("user", "<image>How many?"), ("assistant", "3")]
        assert sample.images[0].size == (100, 200)
    (tmp_path / "x.csv").write_text('uid,q,gold,img\nu1,"One, two?",yes,a.png\nu2,?,,a.png\n')
    flat = fields | {"answer": "gold"}
    (sample,), _, account = converted(tmp_path / "x.csv", "fields", tmp_path / "images", fields=flat)
    assert said(sample) == [("user", "<image>One, two?"), ("assistant", "yes")]
    assert account.left_out == {"no answer": 1}


def test_fields_without_an_answer_or_of_another_name_are_refused(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [{"q": "?", "a": "!"}])
    with pytest.raises(DataError, match="--fields names no answer; give answer=FIELD"):
        converted(path, "fields", fields={"question": "q"})
    with pytest.raises(DataError, match=r"no answer .*no field 'b'; it has q, a"):
        converted(path, "fields", fields={"question": "q", "answer": "b"})


def test_choices_stand_below_the_question(tmp_path):
    row = {"q": "Which?", "a": "B", "c": ["(A) sea", "(B) sand"]}
    path = write_lines(tmp_path / "x.jsonl", [row, row | {"a": "AB"}])
    fields = {"question": "q", "answer": "a", "choices": "c"}
    (one, two), _, _ = converted(path, "fields", fields=fields)
    assert said(one)[0][1] == "Which?\n(A) sea\n(B) sand\nAnswer with the letter of the right choice."
    assert said(two)[0][1].endswith("Answer with the letters of the right choices.")


# --- benchmarks -----------------------------------------------------------------------------------


def test_xlrs_bench_mme_realworld_and_rsitmd(tmp_path):
    xlrs = {
        "index": 4,
        "question": "Which?",
        "multi-choice options": ["(A) sea", "(B) sand"],
        "answer": "A",
        "category": "Counting/overall",
        "l2-category": "Counting",
        "image": [inside(10), inside(20)],
    }
    parquet.write_table(pa.Table.from_pylist([xlrs]), tmp_path / "xlrs.parquet")
    (sample,), folder, _ = converted(tmp_path / "xlrs.parquet")
    assert (sample.source, sample.id) == ("xlrs-bench", "4")
    assert said(sample)[0][1].startswith("<image><image>Which?\n(A) sea\n(B) sand\n")
    assert [grey_of(sample, folder, place) for place in (0, 1)] == [10, 20]
    assert sample.attributes == {"category": "Counting/overall", "l2-category": "Counting"}

    image(tmp_path / "a.png")
    mme = {
        "Question_id": "rs/1",
        "Image": "a.png",
        "Text": "Which?",
        "Answer choices": ["(A) 1", "(E) none"],
        "Ground truth": "E",
        "Category": "count",
    }
    (sample,), _, _ = converted(write_json(tmp_path / "mme.json", [mme]))
    assert (sample.source, sample.id, said(sample)[1]) == ("mme-realworld", "rs/1", ("assistant", "E"))

    sentences = [{"raw": "A dam .", "tokens": []}, {"raw": "A dam .", "tokens": []}, {"raw": "Water."}]
    entry = {"filename": "a.png", "imgid": 7, "split": "train", "sentences": sentences}
    path = write_json(tmp_path / "dataset_RSITMD.json", {"images": [entry], "dataset": "RSITMD"})
    samples, _, _ = converted(path)
    assert [(s.id, s.task, said(s)[1][1]) for s in samples] == [
        ("7:0", "caption", "A dam ."),
        ("7:1", "caption", "Water."),
    ]
    assert samples[0].attributes == {"split": "train"}


# --- messages -------------------------------------------------------------------------------------


def message(role, *parts):
    return {"role": role, "content": list(parts)}


def test_content_lists_of_qwen_and_openai_show_their_images_in_place(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", 50, 40)
    data = "data:image/png;base64," + base64.b64encode(png(9, 30, 20)).decode()
    text = {"type": "text", "text": "Compare "}
    rows = [
        {
            "messages": [
                message("system", {"type": "text", "text": "Be brief."}),
                message(
                    "user",
                    {"type": "image", "image": f"file://{tmp_path}/b.png"},
                    text,
                    {"type": "image", "image": "a.png"},
                ),
                message("assistant", {"type": "text", "text": "same"}),
            ]
        },
        {
            "messages": [
                message("user", text, {"type": "image_url", "image_url": {"url": data}}),
                message("assistant", {"type": "text", "text": "x"}),
            ]
        },
        {
            "messages": [message("user", {"type": "image"}, text), {"role": "assistant", "content": "y"}],
            "images": ["a.png"],
        },
    ]
    (one, two, three), _, _ = converted(write_lines(tmp_path / "m.jsonl", rows))
    assert said(one) == [("system", "Be brief."), ("user", "<image>Compare <image>"), ("assistant", "same")]
    assert [ref.size for ref in one.images] == [(40, 50), (100, 200)]
    assert (said(two)[0], two.images[0].size) == (("user", "Compare <image>"), (20, 30))
    assert (said(three)[0], len(three.images)) == (("user", "<image>Compare"), 1)


def test_addresses_on_the_network_and_unknown_parts_are_left_out(tmp_path):
    answer = message("assistant", {"type": "text", "text": "x"})
    rows = [
        {"messages": [message("user", {"type": "image", "image": "https://x.org/a.png"}), answer]},
        {"messages": [message("user", {"type": "audio", "audio": "a.wav"}), answer]},
        {"messages": [message("user", {"type": "text", "text": "?"}), answer]},
    ]
    samples, _, account = converted(write_lines(tmp_path / "m.jsonl", rows), "llava")
    assert len(samples) == 1
    assert sum(account.left_out.values()) == 2
    assert "address on the network; download it first" in account.places[0][1]


def test_ms_swift_objects_become_boxes_and_words(tmp_path):
    image(tmp_path / "a.png")
    turns = [
        {"role": "user", "content": "<image>Find <ref-object>"},
        {"role": "assistant", "content": "<bbox> and <bbox>"},
    ]
    objects = {"ref": ["the ship"], "bbox": [[10, 20, 30, 40], [50, 60, 70, 80]]}
    row = {"messages": turns, "images": ["a.png"], "objects": objects}
    norm = row | {
        "objects": {"ref": ["x"], "bbox": [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], "bbox_type": "norm1"}
    }
    short = row | {"objects": {"ref": ["x"], "bbox": [[1, 2, 3, 4]]}}
    odd = row | {"objects": objects | {"bbox_type": "norm7"}}
    path = write_lines(tmp_path / "swift.jsonl", [row, norm, short, odd])
    (one, two), _, account = converted(path)
    assert said(one) == [("user", "<image>Find the ship"), ("assistant", "<box 0> and <box 1>")]
    assert (one.task, one.source) == ("grounding", "ms-swift")
    assert one.boxes[0].polygon.tolist() == [[10, 20], [30, 20], [30, 40], [10, 40]]
    assert two.boxes[0].polygon.round(6).tolist() == [[20, 20], [60, 20], [60, 40], [20, 40]]
    assert account.left_out == {"its placeholders do not fit its objects": 1, "its bbox_type is unknown": 1}
    with pytest.raises(DataError, match="does not hold what --from llava reads; use --from ms-swift"):
        converted(path, "llava")
    plain = write_lines(tmp_path / "plain.jsonl", [{"messages": turns, "images": ["a.png"]}])
    with pytest.raises(DataError, match="it holds <bbox> or <ref-object> without objects"):
        converted(plain, "llava")


def test_ms_swift_boxes_are_on_the_image_that_is_named(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", 50, 40)
    turns = [
        {"role": "user", "content": "<image><image>What is new?"},
        {"role": "assistant", "content": "<bbox>"},
    ]
    half = {"bbox": [[0.5, 0.5, 1, 1]], "bbox_type": "norm1", "image_id": [1]}
    row = {"messages": turns, "images": ["a.png", "b.png"], "objects": half}
    path = write_lines(tmp_path / "swift.jsonl", [row, row | {"objects": half | {"image_id": [2]}}])
    (sample,), _, account = converted(path)
    assert sample.boxes[0].image == 1
    assert sample.boxes[0].polygon.tolist() == [[25, 20], [50, 20], [50, 40], [25, 40]]
    assert account.left_out == {"its box is of an image that it does not show": 1}


def test_task_tags_do_not_stay_in_questions(tmp_path):
    image(tmp_path / "a.png")
    turns = [
        {"from": "human", "value": "<image>\n[vqa] Is (1) a road?"},
        {"from": "gpt", "value": "yes"},
        {"from": "human", "value": "[VQA] Sure?"},
        {"from": "gpt", "value": "[vqa] is a tag"},
    ]
    for name in ("llava", "geochat", "vhm", "reo-instruct"):
        path = write_lines(tmp_path / "t.jsonl", [{"conversations": turns, "image": "a.png"}])
        (sample,), _, _ = converted(path, name)
        assert [text for _, text in said(sample)] == [
            "<image>Is (1) a road?",
            "yes",
            "Sure?",
            "[vqa] is a tag",
        ]


# --- YOLO-OBB -------------------------------------------------------------------------------------


@pytest.fixture
def yolo(tmp_path):
    image(tmp_path / "set" / "images" / "train" / "a.png")
    (tmp_path / "set" / "labels" / "train").mkdir(parents=True)
    (tmp_path / "set" / "labels" / "train" / "a.txt").write_text("1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images/train\nnames: {0: plane, 1: ship}\n")
    return tmp_path / "set"


def test_yolo_labels_are_named_by_their_yaml_and_scaled_to_their_image(yolo):
    (sample,), _, _ = converted(yolo)
    assert (sample.id, sample.classes, sample.source) == ("train/a", ("plane", "ship"), "yolo-obb")
    (box,) = sample.boxes
    assert (box.label, box.horizontal) == ("ship", False)
    assert box.polygon.round(6).tolist() == [[20, 20], [60, 20], [60, 40], [20, 40]]


def test_yolo_without_names_and_the_reader_of_dota_are_refused(yolo):
    labels, images = yolo / "labels" / "train", yolo / "images" / "train"
    with pytest.raises(DataError, match="does not hold what --from dota reads; use --from yolo-obb"):
        converted(labels, "dota", images)
    (sample,), _, _ = converted(labels, "yolo-obb", images, classes=("car", "bus"))
    assert sample.boxes[0].label == "bus"
    (yolo / "data.yaml").unlink()
    with pytest.raises(DataError, match=r"put data\.yaml or classes\.txt beside it, or give --classes"):
        converted(labels, "yolo-obb", images)
    (yolo / "classes.txt").write_text("plane\n")
    with pytest.raises(DataError, match=r"a class has no name .*line 1: class 1 of 1 names"):
        converted(yolo, "yolo-obb")


# --- which reader ---------------------------------------------------------------------------------

HUMAN = {"from": "human", "value": "<image>Where?"}


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (LRS | {"image": "a.png"}, "lrs-vqa"),
        ({"bbox_info": {}, "question": "?", "answer": "!"}, "lrs-vqa-zoom"),
        ({"image_id": "a", "question": "?", "ground_truth": "3"}, "vrsbench"),
        ({"image_id": "a", "question": "the ship", "bbox": [1, 2, 3, 4]}, "refgeo"),
        ({"instruction": "?", "output": "!"}, "chat"),
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
