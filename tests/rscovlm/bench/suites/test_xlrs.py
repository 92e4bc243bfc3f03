"""XLRS-Bench, full and lite, as lists and as tables with images inside."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from rscovlm.bench.suites.reading import EXTRACTED
from tests.rscovlm.bench.suites.laid_out import bounds, items, pictures
from tests.rscovlm.data.published import write_lines
from tiling.scene import Scene

SUBTASKS = [  # category -> task, subtask, whether models are told that several may be right
    ("Counting/Overall counting", "Counting", "Overall counting", False),
    (
        "Land use classification/Overall Land use classification",
        "Land use classification",
        "Overall Land use classification",
        True,
    ),
    ("Complex reasoning/Route planning", "Complex reasoning", "Route planning", False),
    ("Object properties/Object color", "Object properties", "Object color", False),
]
ANSWERS = [("A", ("A",)), ("AC", ("A", "C")), ("B, D", ("B", "D")), (["D"], ("D",))]


def rows():
    return [
        {
            "index": number,
            "question": f"Question {number}?",
            "multi-choice options": ["(A) one", "(B) two", "(C) three", "(D) four"],
            "answer": ANSWERS[number % 4][0],
            "category": SUBTASKS[number % 4][0],
            "l2-category": "Perception" if number % 2 else "Reasoning",
            "image": ["big.png"] if number < 19 else ["gone.png"],
        }
        for number in range(20)
    ]


def test_choices_with_one_letter_or_several(tmp_path):
    pictures(tmp_path / "images", ["big.png"])
    write_lines(tmp_path / "lite.jsonl", rows())

    found, account = items("xlrs-bench-lite", tmp_path)

    assert len(found) == 20
    for number, item in enumerate(found):
        _, task, subtask, several = SUBTASKS[number % 4]
        assert item.key == str(number)
        assert item.truth.answers == ANSWERS[number % 4][1]
        assert item.options == ("one", "two", "three", "four")
        level = "Perception" if number % 2 else "Reasoning"
        assert item.groups == {"task": task, "subtask": subtask, "level": level}
        # what models are told depends on the subtask, never on how many letters are right
        assert item.extra == ({"several": True} if several else {})
    assert account.changed == {"items whose image is missing": 1}


def test_images_inside_parquet_become_files_that_are_read_by_window(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)).save(stored, "PNG")
    table = [{**row, "answer": "A", "image": [{"bytes": stored.getvalue(), "path": None}]} for row in rows()]
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.Table.from_pylist(table), tmp_path / "data" / "test-00000-of-00001.parquet")

    found, account = items("xlrs-bench-lite", tmp_path)
    again, _ = items("xlrs-bench-lite", tmp_path)

    assert [item.images for item in again] == [item.images for item in found]
    assert len(list((tmp_path / EXTRACTED).iterdir())) == 1  # equal images are one file
    with Scene(found[0].images[0]) as scene:
        assert (scene.height, scene.width) == (40, 60)
    assert not account.changed
    assert not account.left_out


def test_phrases_and_captions_of_the_whole_benchmark(tmp_path):
    pictures(tmp_path / "images", ["big.png"])
    grounding = tmp_path / "XLRS-Bench_visual_grounding_en"
    captions = tmp_path / "XLRS-Bench_caption_en"
    grounding.mkdir()
    captions.mkdir()
    write_lines(
        grounding / "rows.jsonl",
        [
            {"index": 1, "question": "the tank", "answer": [10, 20, 50, 60], "image": ["big.png"]},
            {"index": 2, "question": "the ship", "answer": [[0.1, 0.2, 0.5, 0.6]], "image": "big.png"},
            {"index": 3, "question": "the road", "answer": [1, 2, 3], "image": "big.png"},
        ],
    )
    write_lines(captions / "rows.jsonl", [{"index": 1, "answer": "A harbour.", "image": ["big.png"]}])

    found, account = items("xlrs-bench", tmp_path, "grounding")
    described, _ = items("xlrs-bench", tmp_path, "caption")

    assert [bounds(item) for item in found] == [[10, 20, 50, 60], [20, 20, 100, 60]]
    assert account.left_out == {"its box is malformed": 1}
    assert account.changed == {"boxes in parts of the image's sides": 1}
    assert (described[0].kind, described[0].truth.answers) == ("caption", ("A harbour.",))
