"""Scene classes of VHM and GeoChat, and of plain folders."""

import pytest

from rscovlm.errors import DataError
from tests.rscovlm.bench.suites.laid_out import items, pictures
from tests.rscovlm.data.published import write_json, write_lines

CLASSES = ("Airport", "Beach", "Dense Residential", "Storage Tanks")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("aid", "cls_AID.json"),
        ("meter-ml", "cls_METER_ML.json"),
        ("nwpu-resisc45", "cls_NWPU_RESISC45.json"),
        ("whu-rs19", "cls_WHU_RS19.json"),
    ],
)
def test_conversations_of_vhm(tmp_path, name, file):
    data = tmp_path / "datasets_eval"
    pictures(data / "AID" / "Beach", ["beach_1.jpg"])
    asked = f"Classify the image within one of the given classes: {', '.join(CLASSES)}."
    asked += " Answer with one word or short phrase."
    answers = [CLASSES[number % 4] for number in range(16)]
    answers += ["dense_residential", "DenseResidential.", "beach", "Volcano"]
    rows = [
        {
            "image": "beach_1.jpg",
            "image_path": "AID/Beach",
            "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}],
        }
        for answer in answers
    ]
    assert len(rows) == 20
    write_json(data / file, rows)

    found, account = items(name, tmp_path)

    assert [item.truth.answers[0] for item in found[:4]] == list(CLASSES)
    assert [item.truth.answers[0] for item in found[16:]] == [
        "Dense Residential",
        "Dense Residential",
        "Beach",
    ]
    assert {item.options for item in found} == {CLASSES}
    assert {item.images for item in found} == {(str(data / "AID" / "Beach" / "beach_1.jpg"),)}
    assert found[1].groups == {"class": "Beach"}
    assert account.left_out == {"its class is none of the candidates": 1}


def test_geochats_misspelt_class_is_counted(tmp_path):
    pictures(tmp_path / "AID" / "Beach", ["beach_1.jpg"])
    rows = [
        {
            "question_id": number,
            "image": "Beach/beach_1.tif",  # the suffix of another copy
            "text": "Classify the image.\nClasses: beach, medium residential, park\nAnswer in one word.",
            "ground_truth": "Beach" if number % 2 else "MediumResidentialgt",
        }
        for number in range(19)
    ]
    rows.append(
        {"question_id": 19, "image_id": "Beach/beach_1.jpg", "classes": "beach,park", "ground_truth": "park"}
    )
    assert len(rows) == 20
    write_lines(tmp_path / "aid.jsonl", rows)

    found, account = items("aid", tmp_path, "geochat")

    assert [item.truth.answers[0] for item in found[:2]] == ["medium residential", "beach"]
    assert found[0].options == ("beach", "medium residential", "park")
    assert found[19].options == ("beach", "park")
    assert account.changed == {"right answers written 'MediumResidentialgt'": 10}
    assert account.left_out == {}


def test_ucmerced_is_geochats_file(tmp_path):
    pictures(tmp_path / "UCmerced", ["agricultural00.tif"])
    row = {
        "image": "agricultural00.tif",
        "text": "Classes: agricultural, river",
        "ground_truth": "agricultural",
    }
    write_lines(tmp_path / "UCmerced.jsonl", [{**row, "question_id": number} for number in range(20)])
    found, _ = items("ucmerced", tmp_path)
    assert len(found) == 20
    assert {item.truth.answers for item in found} == {("agricultural",)}


def test_plain_folders(tmp_path):
    for name in CLASSES:
        pictures(tmp_path / "WHU-RS19" / name, [f"{number}.jpg" for number in range(5)])

    found, _ = items("whu-rs19", tmp_path, "folders")
    inside, _ = items("whu-rs19", tmp_path / "WHU-RS19", "folders")

    assert len(found) == 20
    assert [item.key for item in found] == [f"{name}/{n}.jpg" for name in sorted(CLASSES) for n in range(5)]
    assert found[0].truth.answers == ("Airport",)
    assert [item.images for item in inside] == [item.images for item in found]


def test_a_folder_without_the_split_says_which_it_holds(tmp_path):
    pictures(tmp_path / "AID" / "Beach", ["1.jpg"])
    with pytest.raises(
        DataError, match=r"aid, split test; it holds split folders; expected datasets_eval/cls_AID"
    ):
        items("aid", tmp_path)
