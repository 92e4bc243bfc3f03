"""The rows of the layouts, answered and scored by hand."""

import pytest

from rscovlm.bench.row import Row
from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.suites.laid_out import pictures
from tests.rscovlm.data.published import write_json, write_lines
from tiling.view import Size, View, Window

SHOWN = Size(100, 200)
WHOLE = View(Window(0, 0, 200, 100), SHOWN)


def summary(name, root, replies, protocol, split=None):
    """What a protocol says of replies, in the order of the items."""
    suite = SUITES[name]
    items = list(suite.read(root, split or suite.splits[0]))
    rows = [
        Row(item, reply, WHOLE, "stop", views=(WHOLE,)) for item, reply in zip(items, replies, strict=True)
    ]
    judge = suite.protocols[protocol]
    return judge.summarise(rows, [judge.judge(row) for row in rows])


def value(found, metric=None):
    return found.metrics[metric or found.headline]


@pytest.mark.parametrize(
    ("protocol", "fair"),
    [
        (
            "official",
            1 / 3,
        ),  # "Ship." keeps its full stop, and "Two" is "2" by a synset; a count of one category
        ("rscovlm", 2 / 3),
    ],
)
def test_lrs_vqa_averages_over_categories_then_sources(tmp_path, protocol, fair):
    pictures(tmp_path / "image", ["a.png"])
    rows = [  # source, category, gold, reply
        ("FAIR", "count", "2", "Two"),
        ("FAIR", "object category", "ship", "Ship."),
        ("FAIR", "reasoning", "flood", "fire"),
        ("GLH", "count", "3", "3"),
        ("GLH", "count", "4", "5"),
        ("STAR", "object color", "grey", "gray"),
    ]
    write_lines(
        tmp_path / "LRS_VQA_merged.jsonl",
        [
            {
                "question_id": f"{source}_{n}",
                "image": "a.png",
                "text": "?",
                "ground_truth": gold,
                "category": category,
            }
            for n, (source, category, gold, _) in enumerate(rows)
        ],
    )
    found = summary("lrs-vqa", tmp_path, [row[3] for row in rows], protocol)
    assert value(found, "average_accuracy/FAIR") == pytest.approx(fair)
    assert value(found, "average_accuracy/Bridge") == 1 / 2
    assert value(found, "average_accuracy/STAR") == 1
    assert value(found) == pytest.approx((fair + 1 / 2 + 1) / 3)


def test_letters_of_xlrs_are_a_set(tmp_path):
    pictures(tmp_path / "images", ["a.png"])
    golds, replies = ["A", "AC", "AC", "B"], ["A", "A C", "A", "The best answer is B"]
    write_lines(
        tmp_path / "lite.jsonl",
        [
            {
                "index": n,
                "question": "?",
                "multi-choice options": ["(A) one", "(B) two", "(C) three"],
                "answer": gold,
                "category": "Counting/Overall counting" if n < 3 else "Object properties/Object color",
                "image": ["a.png"],
            }
            for n, gold in enumerate(golds)
        ],
    )
    found = summary("xlrs-bench-lite", tmp_path, replies, "strict")
    assert value(found, "micro") == 3 / 4
    assert found.groups[("subtask", "Overall counting")]["micro"] == 2 / 3
    assert value(found, "macro") == pytest.approx((2 / 3 + 1) / 2)


def test_boxes_count_from_half_shared_on(tmp_path):
    pictures(tmp_path / "images" / "rsvg", ["a.png"])
    (tmp_path / "metainfo").mkdir()
    boxes = [[10, 10, 50, 50], [10, 10, 50, 50], [10, 10, 50, 50], [100, 20, 140, 60]]
    write_lines(
        tmp_path / "metainfo" / "rsvg_test.jsonl",
        [{"image_id": "a.png", "question": "the pond", "bbox": box} for box in boxes],
    )
    replies = [  # in pixels of the image as shown, which is as stored here
        '[{"bbox_2d": [10, 10, 50, 50], "label": "the pond"}]',
        '[{"bbox_2d": [10, 30, 50, 70], "label": "the pond"}]',  # 20 x 40 of 60 x 40: a third
        "There is none.",
        '[{"bbox_2d": [100, 20, 140, 50], "label": "the pond"}]',  # 30 of 40 rows: three quarters
    ]
    found = summary("rsvg", tmp_path, replies, "strict")
    assert value(found) == 2 / 4
    assert value(found, "acc@0.7") == 2 / 4
    assert value(found, "mean_iou") == pytest.approx((1 + 1 / 3 + 0 + 3 / 4) / 4)


def test_a_class_that_is_part_of_another_is_no_answer(tmp_path):
    for name in ("airport", "beach", "port"):
        pictures(tmp_path / "AID" / name, ["1.jpg"])
    replies = ["port", "Beach.", ""]  # to airport, beach, port
    assert value(summary("aid", tmp_path, replies, "strict", "folders"), "micro") == pytest.approx(1 / 3)
    assert (
        value(summary("aid", tmp_path, replies, "rscovlm", "folders"), "micro") == 1
    )  # containment, both ways


def test_types_of_rsvqa(tmp_path):
    pictures(tmp_path / "Images_LR", ["0.tif"])
    asked = [("count", "12", "13"), ("count", "0", "many"), ("presence", "no", "No"), ("comp", "yes", "no")]
    names = ("type", "answer", "reply")
    rows = [dict(zip(names, row)) for row in asked]
    write_json(
        tmp_path / "LR_split_test_questions.json",
        {
            "questions": [
                {"id": n, "img_id": 0, "question": "?", "type": row["type"]} for n, row in enumerate(rows)
            ]
        },
    )
    write_json(
        tmp_path / "LR_split_test_answers.json",
        {"answers": [{"question_id": n, "answer": row["answer"]} for n, row in enumerate(rows)]},
    )
    write_json(tmp_path / "LR_split_test_images.json", {"images": []})
    replies = [row["reply"] for row in rows]
    official = summary("rsvqa-lr", tmp_path, replies, "official")
    strict = summary("rsvqa-lr", tmp_path, replies, "strict")
    # 13 is in the bin of 12 (11 to 100); "many" is no number
    assert official.groups[("type", "count")]["micro"] == 1 / 2
    assert strict.groups[("type", "count")]["micro"] == 0
    for found in (official, strict):
        assert (found.groups[("type", "presence")]["micro"], found.groups[("type", "comp")]["micro"]) == (
            1,
            0,
        )


def test_a_perfect_detector_has_a_precision_of_one(tmp_path):
    labels = tmp_path / "val" / "labelTxt"
    labels.mkdir(parents=True)
    pictures(tmp_path / "val" / "images", ["P1.png"])
    (labels / "P1.txt").write_text("10 10 50 10 50 30 10 30 plane 0\n100 50 140 50 140 90 100 90 ship 0\n")
    both = (
        '[{"bbox_2d": [10, 10, 50, 30], "label": "plane"}, {"bbox_2d": [100, 50, 140, 90], "label": "ship"}]'
    )
    one = '[{"bbox_2d": [10, 10, 50, 30], "label": "plane"}]'
    assert value(summary("dota-v1.0", tmp_path, [both], "strict"), "apnc@0.5") == 1
    assert value(summary("dota-v1.0", tmp_path, [one], "strict"), "apnc@0.5") == pytest.approx(1 / 2)
