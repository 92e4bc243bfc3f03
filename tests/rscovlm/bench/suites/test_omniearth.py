"""OmniEarth-Bench: its JSON, and the tables of its own harness."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from rscovlm.bench.prompts import load_profile
from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.suites.laid_out import bounds, items, pictures
from tests.rscovlm.data.published import write_json

OPTIONS = ["(A) 910 hPa", "(B) 950 hPa", "(C) 990 hPa", "(D) Unable to decide"]


def row(number, type="Single Choice", **fields):
    return {
        "Question_id": f"Typhoon pressure/{number}",
        "Question Type": type,
        "Text": "What is the pressure?",
        "Answer Choices": OPTIONS,
        "Ground Truth": "B",
        "Images": ["img/a.png"],
        "L1-task": "Atmosphere",
        "L2-task": "Typhoon",
        "L3-task": "Perception",
        "L4-task": "Typhoon pressure",
        "Dataset": "Digital Typhoon",
        **fields,
    }


ROWS = [
    *(row(number) for number in range(10)),
    row(10, "Multiple Choice", **{"Ground Truth": "A, C", "Images": ["img/a.png", "img/b.png"]}),
    row(11, "Multiple Choice", **{"Ground Truth": "B"}),
    row(12, "Visual Grounding", **{"Ground Truth": "<10><20.5><50><60>", "Answer Choices": []}),
    row(13, "Visual Grounding", **{"Ground Truth": "<10><20><50>", "Answer Choices": []}),
    row(14, "Chain-of-Thought", CoT=["Step 1: this is a photo.", "Step 2: it is low."]),
    row(15, Question_id="Typhoon pressure/new"),
    row(16, Question_id="7.5"),
    row(17, **{"Answer Choices": ["(A) yes", "(B) no"]}),
    row(18, **{"Ground Truth": "unknown"}),
    row(19, Images=[]),
]


def test_all_types_of_questions(tmp_path):
    pictures(tmp_path / "img", ["a.png", "b.png"])
    (tmp_path / "jsons").mkdir()
    assert len(ROWS) == 20
    write_json(tmp_path / "jsons" / "typhoon.json", ROWS)

    found, account = items("omniearth-bench", tmp_path)
    by_key = {item.key: item for item in found}

    first = by_key["Typhoon pressure/0"]
    assert first.truth.answers == ("B",)
    assert first.options == ("910 hPa", "950 hPa", "990 hPa", "Unable to decide")
    assert first.extra == {"unable": "D"}
    assert first.groups == {
        "type": "single choice",
        "sphere": "Atmosphere",
        "scene": "Typhoon",
        "ability": "Perception",
        "task": "Typhoon pressure",
        "dataset": "Digital Typhoon",
    }
    several = by_key["Typhoon pressure/10"]
    assert several.truth.answers == ("A", "C")
    assert several.extra["several"]
    assert by_key["Typhoon pressure/11"].extra["several"]
    assert len(several.images) == 2
    assert bounds(by_key["Typhoon pressure/12"]) == [10, 20.5, 50, 60]
    assert by_key["Typhoon pressure/12"].groups["size"] == "medium"  # 40 x 39.5 px
    assert len(by_key["Typhoon pressure/14"].extra["steps"]) == 2
    assert {"Typhoon pressure/new", "Typhoon pressure/7.5"} <= by_key.keys()
    assert "unable" not in by_key["Typhoon pressure/17"].extra
    assert len(found) == 17
    assert account.left_out == {
        "its box is malformed": 1,
        "its right letter is none of its options": 1,
        "no image": 1,
    }
    assert account.changed == {
        "ids without a number": 2,
        "questions whose last option is not 'unable to decide'": 1,
    }


@pytest.mark.parametrize(("split", "count"), [("single", 13), ("multiple", 2), ("grounding", 1), ("cot", 1)])
def test_a_split_for_each_type(tmp_path, split, count):
    pictures(tmp_path / "img", ["a.png", "b.png"])
    (tmp_path / "jsons").mkdir()
    write_json(tmp_path / "jsons" / "typhoon.json", ROWS)
    assert len(items("omniearth-bench", tmp_path, split)[0]) == count


def test_boxes_of_its_tables_are_in_parts_of_the_sides(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save(stored, "PNG")
    record = {
        "index": 3,
        "question": "Locate the eye.",
        "question_type": "Visual Grounding",
        "answer": [0.1, 0.2, 0.5, 0.6],
        "image": {"bytes": stored.getvalue(), "path": None},
        "image_width": 200,
        "image_height": 100,
        "L4-task": "Eye",
    }
    folder = tmp_path / "vg_shards" / "Atmosphere"
    folder.mkdir(parents=True)
    parquet.write_table(pa.Table.from_pylist([record]), folder / "Eye.parquet")

    (item,), _ = items("omniearth-bench", tmp_path, "grounding")

    assert item.key == "Eye/3"
    assert bounds(item) == [20, 20, 100, 60]


def test_its_own_words_do_not_tell_how_many_options_are_right(tmp_path):
    pictures(tmp_path / "img", ["a.png", "b.png"])
    (tmp_path / "jsons").mkdir()
    write_json(tmp_path / "jsons" / "typhoon.json", ROWS)
    found = {item.key: item for item in items("omniearth-bench", tmp_path)[0]}
    profile = load_profile(SUITES["omniearth-bench"].prompts)

    one, two = (profile.prompt(found[f"Typhoon pressure/{number}"]).user for number in (11, 10))
    single = profile.prompt(found["Typhoon pressure/0"]).user

    assert one == two
    assert one == (
        "What is the pressure?The choices are listed below:\n(A) 910 hPa\n(B) 950 hPa\n(C) 990 hPa\n"
        "(D) Unable to decide\n\nSelect the best answer(s) for the multiple-choice question based on the "
        "image. There may be more than one correct option. Only respond with the letter(s) corresponding to "
        "the correct answer(s) (A, B, C, D), with multiple choices separated by spaces.\nThe answer is:"
    )
    assert single.endswith("corresponding to the correct answer (A, B, C, D).\nThe answer is:")
