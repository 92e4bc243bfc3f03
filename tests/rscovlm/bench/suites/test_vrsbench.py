"""VRSBench: 20 rows of each of its three evaluation sets."""

from tests.rscovlm.bench.suites.laid_out import bounds, items, pictures
from tests.rscovlm.data.published import write_json, write_lines

TYPES = [  # raw type, answer -> reported type, kind
    ("object category", "ship", "object category", "open"),
    ("object existence", "yes", "object existence", "open"),
    ("object quantity", "3", "object quantity", "count"),
    ("object color", "white", "object color", "open"),
    ("object shape", "round", "object shape", "open"),
    ("object size", "small", "object size", "open"),
    ("object position", "top left", "object position", "open"),
    ("object direction", "north", "object direction", "open"),
    ("scene type", "harbor", "scene type", "open"),
    ("reasoning", "no", "reasoning", "open"),
    ("image", "aerial", "scene type", "open"),
    ("rural or urban", "urban", "scene type", "open"),
]


def test_questions_by_the_ten_types_that_are_reported(tmp_path):
    pictures(tmp_path / "Images_val", ["P0003_0002.png"], 512, 512)
    rows = [
        {
            "image_id": "P0003_0002.png",
            "question": f"Question {number}?",
            "ground_truth": TYPES[number % 12][1],
            "dataset": "VRSBench",
            "question_id": number,
            "type": TYPES[number % 12][0],
        }
        for number in range(18)
    ]
    rows.append({**rows[0], "question_id": 18, "ground_truth": "  "})
    rows.append({**rows[0], "question_id": 4})
    assert len(rows) == 20
    write_json(tmp_path / "VRSBench_EVAL_vqa.json", rows)

    found, account = items("vrsbench-vqa", tmp_path)

    for number, item in enumerate(found[:18]):
        raw, answer, reported, kind = TYPES[number % 12]
        assert (item.key, item.kind, item.truth.answers) == (str(number), kind, (answer,))
        assert item.groups == {"type": reported, "raw type": raw, "dataset": "VRSBench"}
    assert len({item.groups["type"] for item in found}) == 10
    assert [item.key for item in found[18:]] == ["4#2"]
    assert account.left_out == {"no right answer": 1}
    assert account.changed == {"keys that occur again, told apart by a number": 1}


def test_boxes_of_the_grid_of_100_become_pixels(tmp_path):
    pictures(tmp_path / "Images_val", ["a.png"], 512, 512)
    rows = [
        {
            "image_id": "a.png",
            "question": f"The ship {number}.",
            "ground_truth": f"{{<{number}><10><{number + 25}><60>}}",
            "unique": number % 2 == 0,
            "obj_cls": "ship",
            "question_id": number,
        }
        for number in range(17)
    ]
    rows.append({**rows[0], "question_id": "gone", "image_id": "gone.png"})
    rows.append({**rows[0], "question_id": "malformed", "ground_truth": "{<10><20><30>}"})
    rows.append({**rows[0], "question_id": "beyond", "ground_truth": "{<10><20><30><140>}"})
    assert len(rows) == 20
    write_json(tmp_path / "VRSBench_EVAL_referring.json", rows)

    found, account = items("vrsbench-vg", tmp_path)

    assert bounds(found[0]) == [0, 51.2, 128, 307.2]  # 512 px / 100 = 5.12 px
    assert bounds(found[5]) == [25.6, 51.2, 153.6, 307.2]
    assert found[5].extra == {"grid_0_100": [5, 10, 30, 60]}
    assert found[5].subject == "The ship 5."
    assert found[4].groups == {"unique": "unique", "category": "ship", "size": "large"}
    assert found[5].groups["unique"] == "non-unique"
    assert found[17].key == "gone"
    assert bounds(found[17]) == bounds(found[0])
    assert len(found) == 18
    assert account.left_out == {"its box text cannot be read": 2}
    assert account.changed == {"items whose image is missing": 1}


def test_the_same_phrases_as_refgeo_has_them(tmp_path):
    pictures(tmp_path / "images" / "vrsbench", ["a.png"], 512, 512)
    (tmp_path / "metainfo").mkdir()
    row = {"image_id": "a.png", "question": "the ship", "bbox": [1, 2, 30, 40]}
    write_lines(tmp_path / "metainfo" / "vrsbench_test.jsonl", [row])
    (item,), _ = items("vrsbench-vg", tmp_path)
    assert bounds(item) == [1, 2, 30, 40]
    assert item.groups == {"size": "medium"}


def test_captions(tmp_path):
    pictures(tmp_path / "Images_val", [f"{number}.png" for number in range(20)])
    rows = [
        {
            "image_id": f"{number}.png",
            "question": "Describe",
            "ground_truth": f"A {number}.",
            "question_id": number,
        }
        for number in range(20)
    ]
    write_json(tmp_path / "VRSBench_EVAL_Cap.json", rows)
    found, _ = items("vrsbench-caption", tmp_path)
    assert [item.truth.answers for item in found] == [(f"A {number}.",) for number in range(20)]
    assert {(item.kind, item.subject) for item in found} == {("caption", "")}
